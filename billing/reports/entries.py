"""Journal postings as the rows behind a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.models import JournalPosting, SourceKind
from billing.reports.base import Asked, Report
from core.exports import CHUNK, Column, Kind, Row

COLUMNS = (
    Column("entry", _("entry"), Kind.INT),
    Column("date", _("date"), Kind.DAY),
    Column("fact_date", _("day of the fact"), Kind.DAY),
    Column("made_by", _("made by")),
    Column("document", _("document")),
    Column("customer", _("customer")),
    Column("debit", _("debit")),
    Column("credit", _("credit")),
    Column("amount", _("amount"), Kind.MONEY),
    Column("currency", _("currency")),
)


def rows_of(postings: QuerySet[JournalPosting]) -> Iterator[Row]:
    found = postings.select_related("entry__organisation").order_by("entry_id", "position")
    for each in found.iterator(chunk_size=CHUNK):
        entry = each.entry
        customer = entry.organisation.name if entry.organisation else entry.user_id or ""
        yield (
            entry.pk, entry.date, entry.fact_date, SourceKind(entry.kind).label, entry.document, customer, each.debit,
            each.credit, each.amount, entry.currency,
        )  # fmt: skip


def entry_url(row: dict[str, Any]) -> str:
    return reverse("admin:billing_journalentry_change", args=[row["entry"]])


def of_postings(name: str, title: Any, postings: Callable[[Asked], QuerySet[JournalPosting]]) -> Report:
    def rows(asked: Asked) -> Iterable[Row]:
        return rows_of(postings(asked))

    return Report(
        name=name, title=title, lead=_("The journal entries that make the figure."), columns=COLUMNS, rows=rows,
        url=entry_url,
    )  # fmt: skip
