"""One invoice of its parts: lines in order, numbered, with their share of the discount and their tax, and its sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.invoicing import fees
from billing.invoicing.months import Month
from billing.invoicing.plain_usage import Written
from billing.invoicing.problems import Problem, problem
from billing.invoicing.sums import TOO_MUCH, Item, Off, TaxSum, sum_up, take_off
from billing.invoicing.usage import Found, Series, UsageLines
from billing.models import Discount, Invoice, InvoiceLine, InvoiceTax, LineKind, SubscriptionCharge, TaxCategory
from billing.selectors.fee_discounts import Asked
from billing.selectors.pricing.exchange import RateBook
from billing.selectors.pricing.taxes import Levy, TaxTable
from billing.selectors.pricing.usage_prices import PriceTable
from core.database.decimals import plain
from core.errors import BadInput

ORDER = list(LineKind.values)


@dataclass(frozen=True, slots=True)
class Built:
    """``lines`` come after those that are ``written`` already."""

    invoice: Invoice
    lines: list[InvoiceLine]
    taxes: list[InvoiceTax]
    discounts: list[Discount]
    written: Sequence[Written]

    @property
    def number_of_lines(self) -> int:
        return _number(self.written) + len(self.lines)


def build(
    *, month: Month, invoice: Invoice, table: PriceTable, book: RateBook, discounts: list[Discount],
    taxes: TaxTable, series: Sequence[Series], by_meter: frozenset[str], job_lines: Sequence[InvoiceLine],
    charges: Sequence[SubscriptionCharge], asked: Mapping[int, Asked], problems: Sequence[Problem], now: datetime,
    written: Sequence[Written] = (),
) -> Built:  # fmt: skip
    """Fills ``invoice`` and its rows; writes nothing. Where its usage is ``written``, ``series`` is empty, and nothing
    else on it comes before usage, is discounted or less than nothing."""
    used, unheld = _held(UsageLines(month, table, book, by_meter).build(series))
    of_fees, fee_problems = fees.lines_of(month, charges, asked, book)
    lines = sorted([*job_lines, *used, *of_fees], key=_place)
    levies = _levies(month, written, lines, taxes)
    rows: list[Written | InvoiceLine] = [*written, *lines]
    items = [_item(row, levy) for row, levy in zip(rows, levies, strict=True)]
    take_off(items, [Off(row.percent, row.amount) for row in discounts], month.decimals)
    for levy, carried in fees.carried_lines(month, lines, levies[len(written) :], items[len(written) :]):
        lines.append(carried)
        levies.append(levy)
        items.append(_item(carried, levy))
    invoice.problems = _once([*problems, *unheld, *fee_problems])
    taxed = _sum_up(month, invoice, [*written, *lines], levies, items, inclusive=taxes.inclusive)
    _mark_conversion(invoice, lines)
    invoice.watermark = now
    return Built(invoice, lines, taxed, discounts if invoice.discount else [], written)


def _held(used: Found) -> tuple[list[InvoiceLine], list[Problem]]:
    """Lines that the columns hold, and the problems: a line that is too large waits for a person, else a program that
    reports too much keeps everybody from reading the list that the invoice is on."""
    lines, problems = [], list(used.problems)
    for line in used.lines:
        amount, currency = line.original_amount or line.total, line.original_currency or line.currency
        if max(amount, line.total) < TOO_MUCH:
            lines.append(line)
        else:
            problems.append(problem("too_much", line.metric_name, amount=plain(amount), currency=currency))
    return lines, problems


def _number(written: Iterable[Written]) -> int:
    return sum(each.lines for each in written)


def _levies(month: Month, written: Sequence[Written], lines: Sequence[InvoiceLine], taxes: TaxTable) -> list[Levy]:
    """The tax of each line. A rate and category has one name on a document: that of the first line that has it."""
    found = [*(each.levy for each in written), *(taxes.of(month.organisation.pk, line) for line in lines)]
    labels: dict[tuple[str, Decimal], str] = {}
    for levy in found:
        labels.setdefault(levy.group, levy.label)
    return [levy if levy.label == labels[levy.group] else replace(levy, label=labels[levy.group]) for levy in found]


def _item(row: Written | InvoiceLine, levy: Levy) -> Item:
    discounted = isinstance(row, Written) or fees.is_discounted(row)
    return Item(row.total, levy.label, levy.rate, levy.category, discounted, net=row.total)


def _sum_up(
    month: Month, invoice: Invoice, rows: Sequence[Written | InvoiceLine], levies: Sequence[Levy],
    items: Sequence[Item], *, inclusive: bool,
) -> list[InvoiceTax]:  # fmt: skip
    totals = sum_up(items, inclusive=inclusive, decimals=month.decimals)
    if max(totals.subtotal, totals.total) >= TOO_MUCH:
        raise BadInput(_("The lines come to more than an invoice can hold. Correct what is billed or its prices."))
    number = 0
    for line, item in zip(rows, items, strict=True):
        if isinstance(line, Written):
            number += line.lines
            continue
        number += 1
        line.invoice, line.line_number = invoice, number
        line.discount, line.net = item.discount, item.net
        line.tax_label, line.tax_rate, line.tax_category = item.tax_label, item.tax_rate, item.tax_category
    invoice.currency, invoice.tax_inclusive = month.currency, inclusive
    invoice.subtotal, invoice.discount, invoice.tax = totals.subtotal, totals.discount, totals.tax
    invoice.total = invoice.amount_due = totals.total
    # what is outside the tax, and nobody chose that, is not spoken of
    return [
        _tax_row(invoice, each, levies) for each in totals.taxes if each.category != TaxCategory.OUTSIDE or each.label
    ]


def _tax_row(invoice: Invoice, tax: TaxSum, levies: Sequence[Levy]) -> InvoiceTax:
    members = [levy for levy in levies if levy.group == (tax.category, tax.rate)]
    codes = {levy.code for levy in members}
    return InvoiceTax(
        invoice=invoice, label=tax.label, rate=tax.rate, category=tax.category, base=tax.base, amount=tax.amount,
        code="" if "" in codes else min(codes), reason=_joined(levy.reason for levy in members),
        reason_th=_joined(levy.reason_th for levy in members),
    )  # fmt: skip


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(each for each in reasons if each))


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
