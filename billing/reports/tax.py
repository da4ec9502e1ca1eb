"""Sales tax by document, rate and category, and what the month's return (ภ.พ.30) asks for. Credit notes and voided
receipts are negative, in the month of their issue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.ledger.facts import day_of
from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceTax, Receipt, ReceiptStatus
from billing.reports.base import Asked, Report, key_of, month_of, parts_of
from core.clock import real
from core.exports import Column, Kind, Row
from core.money import places, quantize
from core.periods import month_start, month_window

HEAD_OFFICE = "00000"
STANDARD, ZERO, EXEMPT, OUTSIDE = "S", "Z", "E", "O"  # UNCL5305
COLUMNS = (
    Column("sequence", _("no."), Kind.INT),
    Column("date", _("date of the document"), Kind.DAY),
    Column("number", _("number of the tax invoice"), Kind.TEXT),
    Column("kind", _("kind of document")),
    Column("buyer", _("name of the buyer")),
    Column("buyer_tax_id", _("tax id of the buyer")),
    Column("branch", _("branch")),
    Column("category", _("tax category")),
    Column("rate", _("tax rate (%)"), Kind.NUMBER),
    Column("base", _("value of goods or services"), Kind.MONEY),
    Column("tax", _("amount of tax"), Kind.MONEY),
    Column("total", _("total"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("corrects", _("corrects")),
    Column("object", _("object")),
    Column("id", _("id"), Kind.INT),
)
SUMMARY = (
    Column("month", _("tax month"), Kind.DAY),
    Column("sales", _("1. sales of the month"), Kind.MONEY),
    Column("zero_rated", _("2. sales at 0 %"), Kind.MONEY),
    Column("exempt", _("3. exempt sales"), Kind.MONEY),
    Column("taxable", _("4. taxable sales"), Kind.MONEY),
    Column("output_tax", _("5. output tax"), Kind.MONEY),
    Column("documents", _("documents"), Kind.INT),
    Column("currency", _("currency")),
)
WORDS = {
    "kind": {"invoice": _("invoice"), "credit_note": _("credit note"), "receipt": _("receipt"),
             "receipt_void": _("receipt voided")},
    "object": {"invoice": _("invoice"), "creditnote": _("credit note"), "receipt": _("receipt")},
}  # fmt: skip
Line = tuple[Any, ...]  # the columns but the first


def _lines(asked: Asked) -> list[Line]:
    """Every document of the months by rate and category, in the order of their days and numbers: eight statements at
    most."""
    found = chain(_invoices(asked), _notes(asked), () if asked.organisation else _receipts(asked))
    return sorted(found, key=itemgetter(0, 1, 6, 7))


def rows(asked: Asked) -> Iterator[Row]:
    for number, line in enumerate(_lines(asked), 1):
        yield number, *line


def _invoices(asked: Asked) -> Iterator[Line]:
    limits = asked.limits(day="issue_date", currency="currency", organisation="organisation")
    issued = real(Invoice.objects.filter(invoice_number__isnull=False, **limits))
    groups: dict[int, dict[tuple[str, Decimal], tuple[Decimal, Decimal]]] = defaultdict(dict)
    taxes = InvoiceTax.objects.filter(invoice__in=issued.order_by().values("pk"))
    for invoice, category, rate, base, amount in taxes.values_list("invoice_id", "category", "rate", "base", "amount"):
        groups[invoice][category, rate] = (base, amount)
    outside = InvoiceLine.objects.filter(invoice__in=issued.order_by().values("pk"), tax_category=OUTSIDE).order_by()
    for invoice, rate, net in outside.values_list("invoice_id", "tax_rate").annotate(sum=Sum("net")):
        groups[invoice].setdefault((OUTSIDE, rate), (Decimal(net), Decimal(0)))
    columns = ("pk", "issue_date", "invoice_number", "buyer", "currency")
    for pk, day, number, buyer, currency in issued.order_by("pk").values_list(*columns):
        for (category, rate), (base, tax) in groups[pk].items():
            yield _line(day, number, "invoice", buyer, category, rate, base, tax, currency, "", "invoice", pk)


def _notes(asked: Asked) -> Iterator[Line]:
    limits = asked.limits(day="issue_date", currency="currency", organisation="invoice__organisation")
    issued = real(CreditNote.objects.filter(**limits), "invoice__organisation")
    lines = CreditNoteLine.objects.filter(note__in=issued.order_by().values("pk")).order_by()
    keys = ("note_id", "line__tax_category", "line__tax_rate")
    groups: dict[int, list[tuple[str, Decimal, Decimal, Decimal]]] = defaultdict(list)
    for note, category, rate, net, tax in lines.values_list(*keys).annotate(nets=Sum("net"), taxes=Sum("tax")):
        groups[note].append((category, rate, Decimal(net), Decimal(tax)))
    columns = ("pk", "issue_date", "number", "invoice__buyer", "currency", "invoice__invoice_number")
    for pk, day, number, buyer, currency, corrects in issued.order_by("pk").values_list(*columns):
        for category, rate, base, tax in groups[pk]:
            yield _line(
                day, number, "credit_note", buyer, category, rate, -base, -tax, currency, corrects, "creditnote", pk
            )


def _receipts(asked: Asked) -> Iterator[Line]:
    columns = ("pk", "issued_on", "document_number", "user_id", "currency", "tax_label", "tax_rate", "subtotal",
               "tax_amount", "voided_at")  # fmt: skip
    issued = Receipt.objects.filter(document_number__isnull=False, **asked.limits(day="issued_on", currency="currency"))
    voided = Receipt.objects.filter(
        document_number__isnull=False, status=ReceiptStatus.VOID, **asked.limits(currency="currency"), **_moments(asked)
    )
    for sign, kind, found in ((1, "receipt", issued), (-1, "receipt_void", voided)):
        for pk, issue, number, user, currency, label, rate, base, tax, gone in found.order_by("pk").values_list(
            *columns
        ):
            day = issue if sign > 0 else day_of(gone)
            category = STANDARD if rate else ZERO if label else OUTSIDE
            corrects = number if sign < 0 else ""
            buyer = {"name": user}
            yield _line(
                day, number, kind, buyer, category, rate, sign * base, sign * tax, currency, corrects, "receipt", pk
            )


def _moments(asked: Asked) -> dict[str, datetime]:
    edges = {
        "voided_at__gte": month_window(asked.start).start if asked.start else None,
        "voided_at__lt": month_window(asked.end).end if asked.end else None,
    }
    return {name: moment for name, moment in edges.items() if moment}


def _line(
    day: date, number: str, kind: str, buyer: Any, category: str, rate: Decimal, base: Decimal, tax: Decimal,
    currency: str, corrects: str, thing: str, pk: int,
) -> Line:  # fmt: skip
    base, tax = (quantize(amount, places(currency)) for amount in (base, tax))
    who = buyer or {}
    return (
        day, number, kind, who.get("name", ""), who.get("tax_id", ""), who.get("branch", HEAD_OFFICE), category, rate,
        base, tax, base + tax, currency, corrects, thing, pk,
    )  # fmt: skip


def document_url(row: dict[str, Any]) -> str:
    return reverse(f"admin:billing_{row['object']}_change", args=[row["id"]])


def summary(asked: Asked) -> Iterator[Row]:
    sums: dict[tuple[date, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    numbers: dict[tuple[date, str], set[tuple[str, str]]] = defaultdict(set)
    for line in _lines(asked):
        row = dict(zip([column.name for column in COLUMNS[1:]], line, strict=True))
        key = (month_start(row["date"]), row["currency"])
        if row["category"] == OUTSIDE:
            continue
        sums[key][row["category"]] += row["base"]
        sums[key]["tax"] += row["tax"]
        numbers[key].add((row["kind"], row["number"]))
    for (month, currency), amounts in sorted(sums.items()):
        zero, exempt, taxable = (amounts[name] for name in (ZERO, EXEMPT, STANDARD))
        yield (month, zero + exempt + taxable, zero, exempt, taxable, amounts["tax"], len(numbers[month, currency]),
               currency)  # fmt: skip


def _behind(asked: Asked) -> Iterator[Row]:
    month, currency = parts_of(asked, 2)
    wanted = month_of(month)
    only = Asked(wanted, wanted, currency=currency, organisation=asked.organisation)
    yield from (row for row in rows(only) if row[7] != OUTSIDE)


TAX_REPORT = Report(
    name="tax", title=_("Sales tax by document"),
    lead=_(
        "Every invoice, credit note and receipt of the months by tax rate and category, in order, as the sales tax"
        " report (รายงานภาษีขาย) lists them. Credit notes and voided receipts are negative. S: taxed, Z: at 0 %, E:"
        " exempt, O: outside the tax."
    ),
    columns=COLUMNS, rows=rows, url=document_url, words=WORDS,
)  # fmt: skip
_OF_MONTH = Report(
    name="tax_return", title=_("Sales tax of the month (ภ.พ.30)"), lead=_("The documents of the month."),
    columns=COLUMNS, rows=_behind, url=document_url, words=WORDS,
)  # fmt: skip
TAX_SUMMARY = Report(
    name="tax_return", title=_("Sales tax of the month (ภ.พ.30)"),
    lead=_("The sales side of the monthly return; what is outside the tax is left out."),
    columns=SUMMARY, rows=summary, key=key_of("month", "currency"), detail=_OF_MONTH,
)  # fmt: skip
