"""What receipts say: sums, tax, numbers, hashes, currency, states."""

from __future__ import annotations

from django.db.models import Count, Max, Min

from billing import sql
from billing.models import DocumentCounter, Receipt
from billing.selectors.documents.genuine import is_unchanged
from billing.services.numbers import RECEIPTS
from billing.tax import Sums, Tax, apply
from hpcbilling.books.rows import SHOWN, rows


def receipt_totals() -> list[str]:
    """Sum of lines = subtotal (tax on top) or total (tax inside); total = subtotal + tax."""
    asked = sql.minor_sql("CASE WHEN r.tax_inclusive THEN r.total ELSE r.subtotal END")
    parts = f"{sql.minor_sql('r.subtotal')} + {sql.minor_sql('r.tax_amount')}"
    found = rows(
        f"""SELECT r.id, r.subtotal, r.tax_amount, r.total, i.lines FROM receipts r
        JOIN (SELECT receipt_id, {sql.money_sum_sql("cost")} AS lines FROM receipt_items GROUP BY receipt_id) i
        ON i.receipt_id = r.id
        WHERE {asked} <> {sql.minor_of_sum_sql("i.lines")} OR {sql.minor_sql("r.total")} <> {parts}"""
    )
    return [f"receipt {row[0]}: lines {sql.money_from_sql(row[4])}, subtotal {row[1]}, total {row[3]}" for row in found]


def receipt_taxes() -> list[str]:
    """The tax is what the receipt's own rate makes of its lines."""
    wrong = []
    for receipt in Receipt.objects.exclude(tax_rate=0, tax_amount=0).iterator(1000):
        lines = receipt.total if receipt.tax_inclusive else receipt.subtotal
        tax = Tax(receipt.tax_label, receipt.tax_rate, receipt.tax_inclusive)
        if apply(tax, lines) != Sums(receipt.subtotal, receipt.tax_amount, receipt.total):
            wrong.append(f"receipt {receipt.pk}: {receipt.tax_rate} % of its lines is not {receipt.tax_amount}")
    return wrong[:SHOWN]


def receipt_numbers() -> list[str]:
    """Every receipt has a number; each fiscal year counts 1, 2, 3 … up to its counter, without a gap."""
    unnumbered = rows("SELECT id FROM receipts WHERE document_number IS NULL OR serial IS NULL")
    last = dict(DocumentCounter.objects.filter(series=RECEIPTS).values_list("fiscal_year", "last"))
    numbers = Receipt.objects.filter(serial__isnull=False).values("fiscal_year").order_by("fiscal_year")
    counted = numbers.annotate(least=Min("serial"), most=Max("serial"), many=Count("id"))
    years = {int(row["fiscal_year"] or 0): (row["least"], row["most"], row["many"]) for row in counted}
    wrong = [f"receipt {row[0]} has no number" for row in unnumbered]
    for year in sorted({*last, *years}):
        least, most, many = years.get(year, (1, 0, 0))
        if least != 1 or many != most or last.get(year) != most:
            words = f"{many} receipts numbered {least} to {most}, counter at {last.get(year)}"
            wrong.append(f"fiscal year {year}: {words}")
    return wrong


def receipt_digests() -> list[str]:
    """What a receipt says is still what was hashed when it was issued."""
    receipts = Receipt.objects.order_by("pk").iterator(500)
    return [f"receipt {each.pk} ({each}) is not what was issued" for each in receipts if not is_unchanged(each)][:SHOWN]


def receipt_states() -> list[str]:
    """Void receipts have no live line, the others no dead one."""
    found = rows(
        """SELECT DISTINCT r.id, r.status FROM receipts r JOIN receipt_items i ON i.receipt_id = r.id
        WHERE (r.status = 'void' AND i.is_live) OR (r.status <> 'void' AND NOT i.is_live)"""
    )
    return [f"receipt {row[0]} is {row[1]} but its lines are not" for row in found]


def one_currency() -> list[str]:
    """A document, its payments and its adjustments are in one currency."""
    found = rows(
        """SELECT r.document_number, r.currency, p.currency FROM receipts r
        JOIN payments p ON p.receipt_id = r.id WHERE p.currency <> r.currency AND p.status = 'succeeded'"""
    ) + rows(
        """SELECT r.document_number, r.currency, a.currency FROM receipts r
        JOIN month_adjustments a ON a.receipt_id = r.id WHERE a.currency <> r.currency"""
    )
    return [f"receipt {row[0]} is in {row[1]}, what belongs to it in {row[2]}" for row in found]
