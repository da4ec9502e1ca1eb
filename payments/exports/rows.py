"""Payments and refunds as tables, money in units of its currency."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Expression
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.exports.known import KNOWN
from core.exports import CHUNK, Column, Export, ExportFilter, Kind, Row
from core.money import from_minor
from payments.models import Payment, PaymentStatus, Refund, RefundStatus

PAYMENT_COLUMNS = (
    Column("payment", _("payment"), Kind.INT),
    Column("receipt", _("receipt"), Kind.INT),
    Column("invoice", _("invoice"), Kind.INT),
    Column("number", _("number")),
    Column("user", _("user")),
    Column("provider", _("provider")),
    Column("method", _("method")),
    Column("live", _("real money"), Kind.BOOL),
    Column("status", _("status")),
    Column("amount", _("amount"), Kind.MONEY),
    Column("received", _("received"), Kind.MONEY),
    Column("given_back", _("given back"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("external_payment_id", _("provider's id")),
    Column("external_charge_id", _("provider's id of the money")),
    Column("idempotency_key", _("idempotency key")),
    Column("failure", _("why it failed")),
    Column("review_reason", _("why it needs review")),
    Column("retry_of", _("retry of"), Kind.INT),
    Column("retry_count", _("retries so far"), Kind.INT),
    Column("created_at", _("created"), Kind.MOMENT),
    Column("captured_at", _("received, by the provider's clock"), Kind.MOMENT),
    Column("paid_at", _("paid"), Kind.MOMENT),
    Column("reconciled_at", _("reconciled"), Kind.MOMENT),
)
REFUND_COLUMNS = (
    Column("refund", _("refund"), Kind.INT),
    Column("payment", _("payment"), Kind.INT),
    Column("receipt", _("receipt"), Kind.INT),
    Column("invoice", _("invoice"), Kind.INT),
    Column("number", _("number")),
    Column("user", _("user")),
    Column("provider", _("provider")),
    Column("status", _("status")),
    Column("origin", _("origin")),
    Column("by_hand", _("by hand"), Kind.BOOL),
    Column("amount", _("amount"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("reason", _("reason")),
    Column("detail", _("what the provider says")),
    Column("external_refund_id", _("provider's id")),
    Column("idempotency_key", _("idempotency key")),
    Column("created_by", _("asked for by")),
    Column("created_at", _("created"), Kind.MOMENT),
    Column("settled_at", _("ended"), Kind.MOMENT),
)
_PAYMENT_FIELDS: dict[str, str | Expression] = {
    "payment": "pk", "receipt": "receipt_id", "invoice": "invoice_id",
    "number": Coalesce("receipt__document_number", "invoice__invoice_number"), "user": "user_id",
    "amount": "amount_cents", "received": "captured_cents", "given_back": "refunded_cents", "retry_of": "retry_of_id",
}  # fmt: skip
_REFUND_FIELDS: dict[str, str | Expression] = {
    "refund": "pk", "payment": "payment_id", "receipt": "payment__receipt_id",
    "invoice": "payment__invoice_id",
    "number": Coalesce("payment__receipt__document_number", "payment__invoice__invoice_number"),
    "user": "payment__user_id", "provider": "payment__provider", "amount": "amount_cents",
    "currency": "payment__currency",
}  # fmt: skip


def _payments(flt: ExportFilter) -> Iterator[Row]:
    exact = {"user_id": flt.user, "receipt__pricing_tier_id": flt.tier, "status": flt.status}
    rows = Payment.objects.filter(**_given(exact), **flt.span("created_at")).order_by("pk")
    fields = [_PAYMENT_FIELDS.get(column.name, column.name) for column in PAYMENT_COLUMNS]
    return _in_units(PAYMENT_COLUMNS, rows.values_list(*fields).iterator(chunk_size=CHUNK))


def _refunds(flt: ExportFilter) -> Iterator[Row]:
    exact = {
        "payment__user_id": flt.user,
        "payment__receipt__pricing_tier_id": flt.tier,
        "status": flt.status,
    }
    rows = Refund.objects.filter(**_given(exact), **flt.span("created_at")).order_by("pk")
    fields = [_REFUND_FIELDS.get(column.name, column.name) for column in REFUND_COLUMNS]
    return _in_units(REFUND_COLUMNS, rows.values_list(*fields).iterator(chunk_size=CHUNK))


def _given(exact: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in exact.items() if value}


def _in_units(columns: tuple[Column, ...], rows: Iterator[Row]) -> Iterator[Row]:
    """Minor units as amounts of the row's currency."""
    money = [place for place, column in enumerate(columns) if column.kind == Kind.MONEY]
    currency = [column.name for column in columns].index("currency")
    for row in rows:
        cells = list(row)
        for place in money:
            cells[place] = from_minor(cells[place], str(row[currency]))  # type: ignore[arg-type]
        yield cells


PAYMENTS = Export(
    name="payments", title=_("Payments"), period=_("days on which the payment was begun"), columns=PAYMENT_COLUMNS,
    rows=_payments, permissions=("payments.view_payment",), filters=("user", "tier", "status"), known=KNOWN,
    statuses={status.value: status.label for status in PaymentStatus},
)  # fmt: skip
REFUNDS = Export(
    name="refunds", title=_("Refunds"), period=_("days on which the refund was asked for"), columns=REFUND_COLUMNS,
    rows=_refunds, permissions=("payments.view_payment", "payments.view_refund"), filters=("user", "tier", "status"),
    statuses={status.value: status.label for status in RefundStatus}, known=KNOWN,
)  # fmt: skip
