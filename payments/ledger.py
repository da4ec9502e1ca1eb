"""Money of payments in the books: received, used for a receipt, given back. It may still move, so each of these is held
against what the books have of it, and the difference is posted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q

from billing.ledger.chart import CASH, CUSTOMER_MONEY, RECEIVABLE, REFUNDS
from billing.ledger.facts import Adding, Fact, Look, Source, day_of, handfuls, unposted
from billing.models import Receipt, ReceiptStatus, SourceKind
from core.money import from_minor
from payments.models import Dispute, DisputeStatus, Payment, PaymentStatus, Refund, RefundStatus

SETTLED = (ReceiptStatus.PAID, ReceiptStatus.REFUNDED)
MANUAL = "manual"


def _payments(look: Look) -> Iterator[list[Fact]]:
    """What came in, and what of it pays the receipt. Money given back comes out of what was too much first; the rest of
    it is a refund of the receipt."""
    rows = Payment.objects.filter(captured_cents__gt=0).select_related("receipt", "invoice__organisation")
    if not look.full and look.since:
        changed = Q(updated_at__gte=look.since) | Q(receipt__voided_at__gte=look.since)
        for model, column in ((Refund, "settled_at"), (Dispute, "closed_at")):
            moved = model.objects.filter(payment=OuterRef("pk"), **{f"{column}__gte": look.since})
            changed |= Q(Exists(moved))
        rows = rows.filter(changed)
    for found in handfuls(rows):
        gone, last = _gone([each.pk for each in found])
        yield [fact for each in found for fact in _of_payment(each, gone[each.pk], last.get(each.pk))]


def _of_payment(payment: Payment, gone: int, moved: datetime | None) -> list[Fact]:
    """Of an invoice only while somebody has to look at it: from then on its money stands there as the invoice's."""
    if payment.receipt is not None:
        return [_received(payment, payment.captured_cents), _used(payment, payment.receipt, gone, moved)]
    waits = 0 if payment.status == PaymentStatus.SUCCEEDED else max(payment.captured_cents - gone, 0)
    return [_received(payment, waits)]


def _gone(payments: list[int]) -> tuple[dict[int, int], dict[int, datetime]]:
    """Minor units that went back of each payment, and when that changed last."""
    gone: dict[int, int] = defaultdict(int)
    moved: dict[int, datetime] = {}
    refunds = Refund.objects.filter(payment__in=payments).values_list(
        "payment_id", "amount_cents", "status", "settled_at"
    )
    disputes = Dispute.objects.filter(payment__in=payments).values_list(
        "payment_id", "amount_cents", "status", "closed_at"
    )
    for rows, final in ((refunds, RefundStatus.SUCCEEDED), (disputes, DisputeStatus.LOST)):
        for payment, cents, status, moment in rows:
            gone[payment] += cents if status == final else 0
            if moment:
                moved[payment] = max(moment, moved.get(payment, moment))
    return gone, moved


def _received(payment: Payment, cents: int) -> Fact:
    amount = from_minor(cents, payment.currency)
    sides = Adding().debit(CASH + payment.provider, amount).credit(CUSTOMER_MONEY, amount)
    moment = payment.captured_at or payment.paid_at or payment.updated_at
    return _fact(SourceKind.PAYMENT, payment.pk, payment, moment, payment.updated_at, sides)


def _used(payment: Payment, receipt: Receipt, gone: int, moved: datetime | None) -> Fact:
    bought = payment.status == PaymentStatus.SUCCEEDED and receipt.status in SETTLED
    price = receipt.total if bought else Decimal(0)
    left_over = from_minor(payment.captured_cents, payment.currency) - price
    refunded = max(from_minor(gone, payment.currency) - left_over, Decimal(0)) if bought else Decimal(0)
    sides = Adding().debit(CUSTOMER_MONEY, price).credit(RECEIVABLE, price)
    sides.debit(REFUNDS, refunded).credit(CUSTOMER_MONEY, refunded)
    paid = payment.paid_at or payment.updated_at
    last = max(moment for moment in (paid, moved, receipt.voided_at) if moment)
    return _fact(SourceKind.PAYMENT_USE, payment.pk, payment, last, max(last, payment.updated_at), sides)


def _returns(look: Look, model: Any, kind: str, final: str, column: str) -> Iterator[list[Fact]]:
    rows = model.objects.filter(payment__receipt__isnull=False).select_related("payment__receipt")
    if not look.full and look.since:
        rows = rows.filter(**{f"{column}__gte": look.since})
    for found in handfuls(rows):
        facts = []
        for row in found:
            amount = row.amount if row.status == final else Decimal(0)
            sides = Adding().debit(CUSTOMER_MONEY, amount).credit(CASH + row.payment.provider, amount)
            moment = getattr(row, column) or row.payment.updated_at
            facts.append(_fact(kind, row.pk, row.payment, moment, moment, sides))
        yield facts


def _refunds(look: Look) -> Iterator[list[Fact]]:
    return _returns(look, Refund, SourceKind.REFUND, RefundStatus.SUCCEEDED, "settled_at")


def _disputes(look: Look) -> Iterator[list[Fact]]:
    return _returns(look, Dispute, SourceKind.DISPUTE, DisputeStatus.LOST, "closed_at")


def _fact(kind: str, pk: int, payment: Payment, fact_at: datetime, moment: datetime, sides: Adding) -> Fact:
    receipt, invoice = payment.receipt, payment.invoice
    return Fact(
        kind, pk, payment.currency, day_of(fact_at), moment, sides.done(), document=str(receipt or invoice or ""),
        text=(payment.external_charge_id or payment.external_payment_id)[:255],
        user_id=receipt.username if receipt else None, receipt_id=receipt.pk if receipt else None,
        organisation_id=invoice.organisation_id if invoice else None, invoice_id=invoice.pk if invoice else None,
    )  # fmt: skip


def _by_hand(look: Look) -> Iterator[list[Fact]]:
    """Receipts that somebody marked as paid: no payment of ours paid them."""
    paid = Payment.objects.filter(receipt=OuterRef("pk"), status=PaymentStatus.SUCCEEDED)
    rows = Receipt.objects.filter(~Exists(paid), status__in=SETTLED, paid_at__isnull=False)
    for found in handfuls(unposted(rows, SourceKind.RECEIPT_BY_HAND, look)):
        yield [
            Fact(
                SourceKind.RECEIPT_BY_HAND, each.pk, each.currency, day_of(each.paid_at), each.paid_at,
                Adding().debit(CASH + (each.method or MANUAL), each.total).credit(RECEIVABLE, each.total).done(),
                document=str(each), text=each.tx_ref, user_id=each.username, receipt_id=each.pk,
            )
            for each in found
        ]  # fmt: skip


MONEY = Source((SourceKind.PAYMENT, SourceKind.PAYMENT_USE), "payments", _payments, fixed=False)
REFUNDED = Source((SourceKind.REFUND,), "refunds", _refunds, fixed=False)
DISPUTED = Source((SourceKind.DISPUTE,), "disputes", _disputes, fixed=False)
BY_HAND = Source((SourceKind.RECEIPT_BY_HAND,), "receipts", _by_hand)
