"""Fees of quarters and years, month by month: deferred revenue becomes revenue when a month is over; what a credit note
takes back of such a fee goes the same way, months that are over at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing.ledger.chart import DEFERRED, RETURNS, REVENUE
from billing.ledger.facts import Adding, Fact, Look, Source, handfuls
from billing.ledger.of_invoices import CARRIED_IN, DEFERRED_LINES, net_of_tax
from billing.ledger.schedule import earned_on, shares
from billing.models import CreditNoteLine, Invoice, InvoiceLine, InvoiceTax, SourceKind
from core.clock import real
from core.money import places
from core.periods import month_start, today

BACK = timedelta(days=62)  # how far a look goes behind what has been posted: no month is longer


def deferred_lines() -> Any:
    """Lines of finalized invoices whose amount is earned month by month."""
    rows = InvoiceLine.objects.filter(DEFERRED_LINES, invoice__invoice_number__isnull=False).exclude(CARRIED_IN)
    rows = real(rows, "invoice__organisation").exclude(period_start=None).exclude(period_end=None)
    return rows.select_related("invoice__organisation")


def nets_of(lines: Sequence[InvoiceLine]) -> dict[int, Decimal]:
    """Key of the line to its amount without tax."""
    inclusive = {line.invoice_id: line.invoice for line in lines if line.invoice.tax_inclusive}
    nets = {line.pk: line.net for line in lines}
    if not inclusive:
        return nets
    beside: dict[int, list[InvoiceLine]] = defaultdict(list)
    for line in InvoiceLine.objects.filter(invoice__in=list(inclusive)).order_by("line_number"):
        beside[line.invoice_id].append(line)
    taxes: dict[int, dict[Any, Decimal]] = defaultdict(dict)
    for row in InvoiceTax.objects.filter(invoice__in=list(inclusive)):
        taxes[row.invoice_id][row.category, row.rate] = row.amount
    for pk, invoice in inclusive.items():
        of_number = net_of_tax(invoice, beside[pk], taxes[pk])
        nets |= {line.pk: of_number[line.line_number] for line in beside[pk] if line.pk in nets}
    return nets


def schedule_of(line: InvoiceLine, amount: Decimal) -> list[tuple[date, Decimal]]:
    """Months and shares of ``amount`` of a deferred line."""
    start, end = line.period_start, line.period_end
    if start is None or end is None:  # ``deferred_lines`` leaves these out
        return []
    return shares(amount, start, end, line.invoice.organisation.zone, places(line.currency))


def parts_of_note(line: InvoiceLine, amount: Decimal, before: Decimal) -> list[tuple[date, Decimal]]:
    """Months and shares of what a credit note takes back of a deferred line, of which earlier ones took ``before``: by
    the sums so far, so that notes over all of it bring every month to nothing."""
    was = dict(schedule_of(line, before))
    return [(month, sofar - was.get(month, Decimal(0))) for month, sofar in schedule_of(line, before + amount)]


def _recognised(look: Look) -> Iterator[list[Fact]]:
    rows = deferred_lines()
    if not look.full and look.since:
        fresh = rows.filter(invoice__issue_date__gte=(look.since - BACK).date())
        rows = rows.filter(period_end__gte=look.since - BACK) | fresh
    for found in handfuls(rows):
        nets = nets_of(found)
        yield [fact for line in found for fact in _months(line, nets[line.pk])]


def _months(line: InvoiceLine, net: Decimal) -> Iterator[Fact]:
    issued = line.invoice.issue_date or line.invoice.first_day
    for month, amount in schedule_of(line, net):
        on = earned_on(month, issued)
        if amount and month < month_start(today()) and on <= today():
            sides = Adding().debit(DEFERRED, amount).credit(REVENUE + "fees", amount, month).done()
            yield _fact(SourceKind.RECOGNITION, line.pk, line.invoice, month, on, sides)


def _taken_back(look: Look) -> Iterator[list[Fact]]:
    lines = deferred_lines().order_by().values("pk")
    rows = CreditNoteLine.objects.filter(line__in=lines).select_related("note", "line__invoice__organisation")
    if not look.full and look.since:
        fresh = rows.filter(note__issue_date__gte=(look.since - BACK).date())
        rows = rows.filter(line__period_end__gte=look.since - BACK) | fresh
    for found in handfuls(rows):
        before = _before(found)
        yield [fact for row in found for fact in _months_back(row, before[row.pk])]


def _before(rows: Sequence[CreditNoteLine]) -> dict[int, Decimal]:
    """Key of a note's line to what earlier notes took back of the same line."""
    sums: dict[int, Decimal] = defaultdict(Decimal)
    found = {}
    beside = CreditNoteLine.objects.filter(line__in={row.line_id for row in rows}).order_by("pk")
    for pk, line, net in beside.values_list("pk", "line_id", "net"):
        found[pk] = sums[line]
        sums[line] += net
    return found


def _months_back(row: CreditNoteLine, before: Decimal) -> Iterator[Fact]:
    issued = row.note.issue_date
    for month, amount in parts_of_note(row.line, row.net, before):
        on = earned_on(month, issued)
        if amount and month < month_start(today()) and on <= today():
            earned = max(month, month_start(issued))  # what was said of earlier months stays said
            sides = Adding().debit(RETURNS + "fees", amount, earned).credit(DEFERRED, amount).done()
            yield _fact(SourceKind.RECOGNITION_BACK, row.pk, row.line.invoice, month, on, sides, str(row.note))


def _fact(kind: str, pk: int, invoice: Invoice, month: date, on: date, sides: Any, document: str = "") -> Fact:
    from core.periods import day_start

    return Fact(
        kind, pk, invoice.currency, on, day_start(on + timedelta(days=1)), sides, part=f"{month:%Y-%m}",
        document=document or str(invoice), organisation_id=invoice.organisation_id, invoice_id=invoice.pk,
    )  # fmt: skip


EARNED = Source((SourceKind.RECOGNITION,), "invoice_line_items", _recognised)
TAKEN_BACK = Source((SourceKind.RECOGNITION_BACK,), "credit_note_lines", _taken_back)
