"""The log as a table that an auditor can check without us (see ``audit.hashing``)."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.models import AuditLog
from core.exports import CHUNK, Column, Export, ExportFilter, Kind, Row

COLUMNS = (
    Column("id", _("number"), Kind.INT),
    Column("ts", _("time"), Kind.STAMP),
    Column("actor", _("actor")),
    Column("action", _("action")),
    Column("target", _("target")),
    Column("status", _("status")),
    Column("ip", _("address")),
    Column("user_agent", _("browser")),
    Column("request_id", _("request id")),
    Column("entity_type", _("kind of object")),
    Column("entity_id", _("object id")),
    Column("changes", _("changes"), Kind.JSON),
    Column("extra", _("details"), Kind.JSON),
    Column("prev_hash", _("previous hash")),
    Column("hash", _("hash")),
)


def log_rows(entries: QuerySet[AuditLog]) -> Iterator[Row]:
    names = [column.name for column in COLUMNS]
    yield from entries.order_by("id").values_list(*names).iterator(chunk_size=CHUNK)


def _rows(flt: ExportFilter) -> Iterator[Row]:
    entries = AuditLog.objects.filter(**flt.span("ts"))
    return log_rows(entries.filter(actor=flt.user) if flt.user else entries)


def _acts(name: str) -> bool:
    return AuditLog.objects.filter(actor=name).exists() or get_user_model().objects.filter(pk=name).exists()


AUDIT_LOG = Export(
    name="audit_log", title=_("Audit log"), period=_("days on which it was written"), columns=COLUMNS, rows=_rows,
    permissions=("audit.view_auditlog",), filters=("user",), known={"user": _acts},
)  # fmt: skip
