"""The two SQL views of the data dictionary as tables (see ``payments.reports``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from billing.exports.known import KNOWN
from core.exports import CHUNK, Column, Export, ExportFilter, Kind, Row
from core.money import quantize
from payments.models import PaymentStatus

PAID_COLUMNS = (
    Column("id", _("receipt"), Kind.INT),
    Column("username", _("user")),
    Column("start", _("from"), Kind.DAY),
    Column("end", _("to"), Kind.DAY),
    Column("total", _("total"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("paid_at", _("paid"), Kind.MOMENT),
    Column("provider", _("provider")),
    Column("ext_id", _("provider's id")),
)
HEALTH_COLUMNS = (
    Column("payment_id", _("payment"), Kind.INT),
    Column("receipt_id", _("receipt"), Kind.INT),
    Column("status", _("status")),
    Column("event_type", _("event")),
    Column("signed_events", _("signed events"), Kind.INT),
    Column("total_events", _("events in all"), Kind.INT),
)


def _paid(flt: ExportFilter) -> Iterator[Row]:
    """The view names no currency; it is taken from the receipt, to stand beside the money."""
    statement = """SELECT v.id, v.username, v.start, v."end", v.total, r.currency, v.paid_at, v.provider, v.ext_id
        FROM paid_receipts_v v JOIN receipts r ON r.id = v.id"""
    exact = {"v.username": flt.user, "r.pricing_tier": flt.tier}
    return _select(statement, "v.paid_at", flt, exact, "v.paid_at, v.id, v.ext_id", PAID_COLUMNS)


def _health(flt: ExportFilter) -> Iterator[Row]:
    statement = """SELECT v.payment_id, v.receipt_id, v.status, v.event_type, v.signed_events, v.total_events
        FROM payment_health_v v JOIN payments p ON p.id = v.payment_id"""
    exact = {"p.username": flt.user, "p.status": flt.status}
    return _select(statement, "p.created_at", flt, exact, "v.payment_id, v.event_type", HEALTH_COLUMNS)


def _select(
    statement: str, moment: str, flt: ExportFilter, exact: dict[str, str], order: str, columns: tuple[Column, ...]
) -> Iterator[Row]:
    """Run over a view with a cursor that PostgreSQL keeps on its side, a chunk at a time."""
    adapt, window = connection.ops.adapt_datetimefield_value, flt.window
    conditions: dict[str, Any] = {f"{name} = %s": value for name, value in exact.items() if value}
    for sign, edge in ((">=", window.start), ("<", window.end)):
        if edge:
            conditions[f"{moment} {sign} %s"] = adapt(edge)
    where = " WHERE " + " AND ".join(conditions) if conditions else ""
    with closing(connection.chunked_cursor()) as cursor:
        cursor.execute(f"{statement}{where} ORDER BY {order}", list(conditions.values()))
        while rows := cursor.fetchmany(CHUNK):
            for row in rows:
                yield [_typed(column.kind, value) for column, value in zip(columns, row, strict=True)]


def _typed(kind: Kind, value: Any) -> object:
    """SQLite hands out text and floats where a view was asked; PostgreSQL has types already."""
    if value is None:
        return None
    if kind == Kind.MONEY:
        return quantize(Decimal(str(value)), 2)
    if isinstance(value, str):
        value = {Kind.DAY: parse_date, Kind.MOMENT: parse_datetime}.get(kind, str)(value)
    if isinstance(value, datetime) and not value.tzinfo:
        return value.replace(tzinfo=UTC)
    return value


PAID_VIEW = Export(
    name="paid_receipts_v", title=_("Paid receipts with payments"), period=_("days on which the receipt was paid"),
    columns=PAID_COLUMNS, rows=_paid, permissions=("billing.view_receipt", "payments.view_payment"),
    filters=("user", "tier"), known=KNOWN,
)  # fmt: skip
HEALTH_VIEW = Export(
    name="payment_health_v", title=_("Health of payments"), period=_("days on which the payment was begun"),
    columns=HEALTH_COLUMNS, rows=_health,
    permissions=("payments.view_payment", "payments.view_paymentevent"), filters=("user", "status"), known=KNOWN,
    statuses={status.value: status.label for status in PaymentStatus},
)  # fmt: skip
