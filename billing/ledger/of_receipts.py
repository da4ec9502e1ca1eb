"""Receipts: asked for when issued, taken back when voided. Their money is with the app that knows it (``payments``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from billing.ledger.chart import OUTPUT_TAX, RECEIVABLE, RETURNS, REVENUE
from billing.ledger.facts import Adding, Fact, Look, Source, day_of, handfuls, only, unposted
from billing.models import Receipt, ReceiptStatus, SourceKind
from core.periods import month_start

JOBS = "jobs"


def _issued(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(Receipt.objects.filter(document_number__isnull=False), SourceKind.RECEIPT, look)
    for found in handfuls(rows):
        yield only(_of_receipt(each) for each in found)


def _of_receipt(receipt: Receipt) -> Fact:
    """Earned in the month in which its jobs ended; that is the last of its days, when these are of several months."""
    month = month_start(min(receipt.end, receipt.issued_on))
    sides = Adding().debit(RECEIVABLE, receipt.total).credit(OUTPUT_TAX, receipt.tax_amount)
    sides.credit(REVENUE + JOBS, receipt.subtotal, month)
    return _fact(SourceKind.RECEIPT, receipt, receipt.issued_on, receipt.created_at, sides)


def _voided(look: Look) -> Iterator[list[Fact]]:
    rows = Receipt.objects.filter(status=ReceiptStatus.VOID, voided_at__isnull=False)
    for found in handfuls(unposted(rows, SourceKind.RECEIPT_VOID, look)):
        yield only(_of_void(each) for each in found)


def _of_void(receipt: Receipt) -> Fact:
    moment = receipt.voided_at or receipt.created_at
    on = day_of(moment)
    sides = Adding().credit(RECEIVABLE, receipt.total).debit(OUTPUT_TAX, receipt.tax_amount)
    sides.debit(RETURNS + JOBS, receipt.subtotal, month_start(on))
    return _fact(SourceKind.RECEIPT_VOID, receipt, on, moment, sides, receipt.void_reason)


def _fact(kind: str, receipt: Receipt, on: date, moment: object, sides: Adding, text: str = "") -> Fact:
    return Fact(
        kind, receipt.pk, receipt.currency, on, moment, sides.done(), document=str(receipt), text=text,  # type: ignore[arg-type]
        user_id=receipt.username, receipt_id=receipt.pk,
    )  # fmt: skip


ISSUED = Source((SourceKind.RECEIPT,), "receipts", _issued)
VOIDED = Source((SourceKind.RECEIPT_VOID,), "receipts", _voided)
