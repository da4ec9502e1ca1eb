"""What of an invoice has been taken back, and what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import Sum

from billing.invoicing.crediting import Group, Left, TaxOf
from billing.models import CreditNoteLine, Invoice, InvoiceLine, LineKind
from core.money import places, quantize


def lefts_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[Left]:
    """Each line with what was taken back of it, as amounts stand on lines: tax inside where the prices hold it."""
    rows = CreditNoteLine.objects.filter(note__invoice=invoice).values_list("line_id")
    credited = {pk: (net, tax) for pk, net, tax in rows.annotate(net_sum=Sum("net"), tax_sum=Sum("tax"))}
    found = []
    for line in lines:
        net, tax = credited.get(line.pk, (Decimal(0), Decimal(0)))
        sofar = quantize(net + tax if invoice.tax_inclusive else net, places(invoice.currency))
        found.append(Left(line.line_number, (line.tax_category, line.tax_rate), line.net, sofar))
    return found


def is_kept(line: InvoiceLine) -> bool:
    """It keeps what credits are larger by than everything else at their tax rate, for the next invoice."""
    return line.kind == LineKind.OTHER and "carried" in line.source


def kept_lines(lines: Iterable[InvoiceLine]) -> dict[Group, InvoiceLine]:
    """One a tax rate and category at most."""
    return {(line.tax_category, line.tax_rate): line for line in lines if is_kept(line)}


def taxes_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> dict[Group, TaxOf]:
    """By category and rate; lines without any tax have a group, too."""
    amounts = {(row.category, row.rate): row.amount for row in invoice.taxes.all()}
    group_of = {line.pk: (line.tax_category, line.tax_rate) for line in lines}
    credited: dict[Group, Decimal] = defaultdict(Decimal)
    for pk, tax in CreditNoteLine.objects.filter(note__invoice=invoice).values_list("line_id", "tax"):
        credited[group_of[pk]] += tax
    groups = dict.fromkeys(group_of.values())
    return {group: TaxOf(amounts.get(group, Decimal(0)), credited[group]) for group in groups}
