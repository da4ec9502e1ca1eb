"""What customers owe, by how long it is overdue, as of any day: from the journal, so the past stays as it was."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Max, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from billing.ledger.chart import RECEIVABLE
from billing.models import Invoice, JournalPosting, Receipt
from billing.reports.base import AS_OF, Asked, Report, key_of, parts_of
from core.database.decimals import ExactSum
from core.exports import CHUNK, Column, Kind, Row, chunks
from core.money import places, quantize
from core.periods import today

EDGES = (30, 60, 90)
BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")
COLUMNS = (
    Column("customer", _("customer")),
    Column("who", _("organisation or user")),
    Column("documents", _("documents"), Kind.INT),
    Column("current", _("not due yet"), Kind.MONEY),
    Column("days_1_30", _("1 to 30 days"), Kind.MONEY),
    Column("days_31_60", _("31 to 60 days"), Kind.MONEY),
    Column("days_61_90", _("61 to 90 days"), Kind.MONEY),
    Column("days_over_90", _("over 90 days"), Kind.MONEY),
    Column("total", _("due"), Kind.MONEY),
    Column("currency", _("currency")),
)
DOCUMENTS = (
    Column("document", _("document")),
    Column("customer", _("customer")),
    Column("issued_on", _("issued"), Kind.DAY),
    Column("due_on", _("due on"), Kind.DAY),
    Column("days", _("days overdue"), Kind.INT),
    Column("bucket", _("age")),
    Column("due", _("due"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("kind", _("kind")),
    Column("id", _("id"), Kind.INT),
)


class Open(NamedTuple):
    """A document of which something was due on the day."""

    kind: str
    id: int
    number: str
    who: str
    customer: str
    issued_on: date
    due_on: date
    due: Decimal
    currency: str


def bucket_of(due_on: date, day: date) -> str:
    """Due today is not overdue yet; the first day after is day 1."""
    late = (day - due_on).days
    if late <= 0:
        return BUCKETS[0]
    return BUCKETS[1 + sum(late > edge for edge in EDGES)]


def open_documents(asked: Asked, who: str = "") -> Iterator[Open]:
    """Receivable of each document on the day, by the day of each fact: two statements for the sums, and one a chunk for
    what the documents say."""
    day = asked.as_of or today()
    for column, model in (("invoice_id", Invoice), ("receipt_id", Receipt)):
        if model is Receipt and asked.organisation:
            continue
        sums = _sums(column, asked, day)
        for chunk in chunks(iter(sorted(sums.items())), CHUNK):
            facts = _facts(model, [pk for pk, _sum in chunk])
            for pk, amount in chunk:
                number, whose, customer, issued, due_on, currency = facts[pk]
                kind = column.removesuffix("_id")
                found = Open(kind, pk, number, whose, customer, issued, due_on, amount, currency)
                if not who or who == found.who:
                    yield found


def _sums(column: str, asked: Asked, day: date) -> dict[int, Decimal]:
    limits = asked.limits(currency="entry__currency", organisation="entry__organisation")
    found: dict[int, Decimal] = defaultdict(Decimal)
    rows = JournalPosting.objects.filter(
        Q(debit=RECEIVABLE) | Q(credit=RECEIVABLE), entry__fact_date__lte=day, **{f"entry__{column}__isnull": False},
        **limits,
    )  # fmt: skip
    for key, debit, amount in rows.order_by().values_list(f"entry__{column}", "debit").annotate(sum=ExactSum("amount")):
        found[key] += Decimal(amount) if debit == RECEIVABLE else -Decimal(amount)
    return {key: amount for key, amount in found.items() if amount}


def _facts(model: Any, keys: list[int]) -> dict[int, tuple[Any, ...]]:
    """number, who, customer, issued, due, currency."""
    if model is Invoice:
        rows = Invoice.objects.filter(pk__in=keys).values_list(
            "pk", "invoice_number", "organisation__uuid", "organisation__name", "issue_date", "due_date", "currency"
        )
        return {pk: (number, str(who), *rest) for pk, number, who, *rest in rows}
    receipts = Receipt.objects.filter(pk__in=keys).values_list(
        "pk", "document_number", "user_id", "issued_on", "currency"
    )
    return {pk: (number, user, user, issued, issued, currency) for pk, number, user, issued, currency in receipts}


def rows(asked: Asked) -> Iterator[Row]:
    day = asked.as_of or today()
    sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(BUCKETS, Decimal(0)))
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for each in open_documents(asked):
        key = (each.customer, each.who, each.currency)
        sums[key][bucket_of(each.due_on, day)] += each.due
        counts[key] += 1
    for (customer, who, currency), amounts in sorted(sums.items()):
        shown = [quantize(amounts[name], places(currency)) for name in BUCKETS]
        yield customer, who, counts[customer, who, currency], *shown, sum(shown, Decimal(0)), currency


def documents(asked: Asked) -> Iterator[Row]:
    who, currency = parts_of(asked, 2)
    day = asked.as_of or today()
    if asked.currency and asked.currency != currency:
        return
    wanted = Asked(as_of=day, currency=currency, organisation=_organisation(who) or asked.organisation)
    for each in sorted(open_documents(wanted, who), key=lambda found: (found.due_on, found.id)):
        late = max((day - each.due_on).days, 0)
        due = quantize(each.due, places(currency))
        yield (
            each.number, each.customer, each.issued_on, each.due_on, late, bucket_of(each.due_on, day), due, currency,
            each.kind, each.id,
        )  # fmt: skip


def _organisation(who: str) -> int:
    """Its key where ``who`` is one; 0 of a user."""
    try:
        found = Organisation.objects.filter(uuid=uuid.UUID(who)).aggregate(pk=Max("pk"))["pk"]
    except ValueError:
        return 0
    return int(found or 0)


def document_url(row: dict[str, Any]) -> str:
    return reverse(f"admin:billing_{row['kind']}_change", args=[row["id"]])


AGEING_REPORT = Report(
    name="ageing", title=_("Ageing of receivables"),
    lead=_(
        "What is due on the day, by how long it is overdue. Receipts are due on the day of their issue. The past is as"
        " it was: what was paid or credited later is due here."
    ),
    columns=COLUMNS, rows=rows, period=AS_OF, posts=True, key=key_of("who", "currency"),
    for_machines=frozenset({"who"}),
    detail=Report(
        name="ageing", title=_("Ageing of receivables"), lead=_("The documents that are due."), columns=DOCUMENTS,
        rows=documents, period=AS_OF, url=document_url,
        words={"bucket": {column.name: column.label for column in COLUMNS[3:8]},
               "kind": {"invoice": _("invoice"), "receipt": _("receipt")}},
    ),
)  # fmt: skip
