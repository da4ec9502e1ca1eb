"""One invoice of its parts: lines in order, numbered, with their share of the discount and their tax, and its sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.invoicing import fees
from billing.invoicing.months import Month
from billing.invoicing.problems import Problem
from billing.invoicing.sums import Item, Off, TaxSum, settle
from billing.invoicing.usage import Series, UsageLines
from billing.models import Discount, Invoice, InvoiceLine, InvoiceTax, LineKind, SubscriptionCharge
from billing.selectors.billable import site_tax
from billing.selectors.exchange import RateBook
from billing.selectors.usage_prices import PriceTable
from billing.tax import Tax

ORDER = list(LineKind.values)
STANDARD, ZERO, OUTSIDE = "S", "Z", "O"  # tax categories of UNCL5305


@dataclass(frozen=True, slots=True)
class Built:
    invoice: Invoice
    lines: list[InvoiceLine]
    taxes: list[InvoiceTax]
    discounts: list[Discount]


def build(
    *, month: Month, invoice: Invoice, table: PriceTable, book: RateBook, discounts: list[Discount],
    series: Sequence[Series], by_meter: frozenset[str], job_lines: Sequence[InvoiceLine],
    charges: Sequence[SubscriptionCharge], problems: Sequence[Problem], now: datetime,
) -> Built:  # fmt: skip
    """Fills ``invoice`` and its rows; writes nothing."""
    used = UsageLines(month, table, book, by_meter).build(series)
    of_fees, fee_problems = fees.lines_of(month, charges, book)
    lines = sorted([*job_lines, *used.lines, *of_fees], key=_place)
    if carried := fees.carried_line(month, lines):
        lines.append(carried)
    invoice.problems = _once([*problems, *used.problems, *fee_problems])
    taxes = _sum_up(month, invoice, lines, discounts)
    _mark_conversion(invoice, lines)
    invoice.watermark = now
    return Built(invoice, lines, taxes, discounts if invoice.discount else [])


def _sum_up(
    month: Month, invoice: Invoice, lines: Sequence[InvoiceLine], discounts: Sequence[Discount]
) -> list[InvoiceTax]:
    tax, category = site_tax(), tax_category(site_tax())
    items = [Item(line.total, tax.label, tax.rate, category) for line in lines]
    offs = [Off(row.percent, row.amount) for row in discounts]
    totals = settle(items, offs, inclusive=tax.inclusive, decimals=month.decimals)
    for number, (line, item) in enumerate(zip(lines, items, strict=True), 1):
        line.invoice, line.line_number = invoice, number
        line.discount, line.net = item.discount, item.net
        line.tax_label, line.tax_rate, line.tax_category = item.tax_label, item.tax_rate, item.tax_category
    invoice.currency, invoice.tax_inclusive = month.currency, tax.inclusive
    invoice.subtotal, invoice.discount, invoice.tax = totals.subtotal, totals.discount, totals.tax
    invoice.total = invoice.amount_due = totals.total
    return [_tax_row(invoice, each) for each in totals.taxes if each.category != OUTSIDE]


def tax_category(tax: Tax) -> str:
    if not tax.label and not tax.rate:
        return OUTSIDE
    return STANDARD if tax.rate else ZERO


def _tax_row(invoice: Invoice, tax: TaxSum) -> InvoiceTax:
    return InvoiceTax(
        invoice=invoice, label=tax.label, rate=tax.rate, category=tax.category, base=tax.base, amount=tax.amount
    )


def _mark_conversion(invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    """The document tells of the conversion where there is one; with several currencies, of the first line's."""
    found = next((line for line in lines if line.original_currency), None)
    invoice.original_currency = found.original_currency if found else ""
    invoice.exchange_rate = found.exchange_rate if found else None
    invoice.conversion_date = found.exchange_rate_at if found else None
    invoice.conversion_source = found.exchange_source if found else ""


def _place(line: InvoiceLine) -> tuple[object, ...]:
    return (
        ORDER.index(line.kind), line.project_id or 0, line.metric_name, line.unit, line.source.get("model_id", ""),
        line.source.get("priced_by", ""), line.source.get("charge", 0), line.source.get("tier", ""),
        line.source.get("version", 0),
    )  # fmt: skip


def _once(problems: Sequence[Problem]) -> list[Problem]:
    return [each for place, each in enumerate(problems) if each not in problems[:place]]
