"""The journal holds what documents and money say, to the minor unit, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from django.db.models import Count, F, Q, Sum

from billing.ledger.chart import RECEIVABLE
from billing.models import (
    AccountingPeriod,
    Invoice,
    JournalEntry,
    JournalPosting,
    PeriodStatus,
    Receipt,
    ReceiptStatus,
)
from billing.selectors.journal import differences, posted_to, sources, sums_by_side, trial_balance
from core.clock import real
from core.money import places, quantize
from core.periods import next_month
from hpcbilling.books.rows import SHOWN, rows

# A row may carry an earlier moment than the one at which others see it.
MARGIN = timedelta(minutes=10)
Customer = tuple[str, int | str, str]  # "organisation" or "user", whose, currency


def journal() -> list[str]:
    """Every document and payment from before the last posting stands in it as it is, and nothing stands in it that no
    document made."""
    until, wrong = posted_to(), []
    if until is None:
        return []
    for found in differences():
        fact = found.fact
        if (found.source.fixed and found.posted.sequence) or fact.moment < until - MARGIN:
            has = "says something else" if found.posted.sequence else "has nothing"
            wrong.append(f"{fact.kind} {fact.source_id} {fact.part or fact.document}: the journal {has}")
            if len(wrong) == SHOWN:
                return wrong
    for source in sources():
        kinds = ", ".join(f"'{kind}'" for kind in source.kinds)
        lost = rows(
            f"""SELECT e.id, e.kind, e.source_id FROM journal_entries e LEFT JOIN {source.table} s ON s.id = e.source_id
            WHERE e.kind IN ({kinds}) AND s.id IS NULL"""
        )
        wrong += [f"journal entry {row[0]}: there is no row {row[2]} behind its {row[1]}" for row in lost]
    return wrong[:SHOWN]


def journal_balance() -> list[str]:
    """Trial balance nought in every currency; every entry has the postings that it was made with, none more or less."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in trial_balance():
        sums[row.currency] += row.amount
    wrong = [f"{currency}: debits less credits are {amount}" for currency, amount in sums.items() if amount]
    counted = JournalEntry.objects.annotate(found=Count("postings")).exclude(found=F("postings_count"))
    wrong += [
        f"journal entry {pk}: {found} postings of {wanted}"
        for pk, found, wanted in counted.order_by("pk").values_list("pk", "found", "postings_count")[:SHOWN]
    ]
    return wrong[:SHOWN]


def journal_receivable() -> list[str]:
    """What each customer owes by the journal (with what waits to be posted) is what their documents say is due."""
    owed: dict[Customer, Decimal] = defaultdict(Decimal)
    ours = JournalPosting.objects.filter(Q(debit=RECEIVABLE) | Q(credit=RECEIVABLE))
    for key, amount in sums_by_side(ours, "entry__organisation", "entry__user").items():
        currency, role, _month, organisation, user = key
        if role == RECEIVABLE:
            owed[_customer(organisation, user, currency)] += amount
    for found in differences():
        if amount := found.sides.get((RECEIVABLE, None), Decimal(0)):
            owed[_customer(found.fact.organisation_id, found.fact.user_id, found.fact.currency)] += amount
    for customer, due in _dues().items():
        owed[customer] -= due
    return [
        f"{kind} {whose}: the journal has {quantize(amount, places(currency))} {currency} more due than the documents"
        for (kind, whose, currency), amount in sorted(owed.items(), key=str)
        if quantize(amount, places(currency))
    ][:SHOWN]


def _customer(organisation: int | None, user: str | None, currency: str) -> Customer:
    return ("organisation", organisation, currency) if organisation else ("user", user or "", currency)


def _dues() -> dict[Customer, Decimal]:
    found: dict[Customer, Decimal] = {}
    invoices = (
        real(Invoice.objects.filter(invoice_number__isnull=False)).order_by().values_list("organisation", "currency")
    )
    for organisation, currency, due in invoices.annotate(due=Sum("amount_due")):
        found["organisation", organisation, currency] = Decimal(due)
    pending = Receipt.objects.filter(status=ReceiptStatus.PENDING, document_number__isnull=False)
    for user, currency, due in pending.order_by().values_list("user_id", "currency").annotate(due=Sum("total")):
        found["user", user, currency] = Decimal(due)
    return found


def journal_periods() -> list[str]:
    """No entry came into a period after it was closed, and closed periods follow each other without a gap."""
    wrong, closed = [], list(AccountingPeriod.objects.filter(status=PeriodStatus.CLOSED).order_by("month"))
    for row in closed:
        late = JournalEntry.objects.filter(
            date__gte=row.month, date__lt=next_month(row.month), posted_at__gt=row.closed_at
        )
        wrong += [f"journal entry {pk} came into {row.month:%Y-%m} after its close" for pk in late.values_list("pk")]
    wrong += [
        f"{one.month:%Y-%m} and {other.month:%Y-%m} are closed, but not the months between"
        for one, other in pairwise(closed)
        if next_month(one.month) != other.month
    ]
    return wrong[:SHOWN]
