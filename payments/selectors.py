"""Reads that several surfaces share: which ways to pay there are for a receipt, and what is asked of a payer."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _

from billing.models import Receipt, ReceiptStatus
from core.errors import Misconfigured
from core.money import from_minor, to_minor
from core.wording import money_text
from payments import providers
from payments.models import OPEN_STATUSES, Payment, PaymentStatus
from payments.providers.base import PaymentProvider, Ref
from payments.providers.limits import Method


@dataclass(frozen=True, slots=True)
class Way:
    """One button: a method of a provider, or why it cannot be used for this amount."""

    provider: PaymentProvider
    method: Method
    trouble: str = ""


def ways_to_pay(receipt: Receipt) -> list[Way]:
    """Every way, usable ones first. A provider that is not set up is left out (``doctor`` names it)."""
    minor = to_minor(receipt.total, receipt.currency)
    ways = []
    for name in settings.PAYMENT_PROVIDER_NAMES:
        try:
            provider = providers.provider(name)
            methods = provider.methods()
        except Misconfigured:
            continue
        ways += [Way(provider, method, outside_limits(method, minor, receipt.currency)) for method in methods]
    return sorted(ways, key=lambda way: bool(way.trouble))


def outside_limits(method: Method, amount_minor: int, currency: str) -> str:
    """Why this way does not take the amount, in words for the payer; empty when it does."""
    names = {"method": method.label, "currency": currency}
    if currency not in method.limits:
        return _("%(method)s does not take %(currency)s.") % names
    least, most = method.limits[currency]
    if amount_minor < least:
        return _("%(method)s takes %(sum)s or more; please choose another way to pay.") % {
            **names, "sum": money_text(from_minor(least, currency), currency),
        }  # fmt: skip
    if amount_minor > most:
        return _("%(method)s takes %(sum)s at most; please choose another way to pay.") % {
            **names, "sum": money_text(from_minor(most, currency), currency),
        }  # fmt: skip
    return ""


def ref_of(payment: Payment) -> Ref:
    """What a provider needs to find this payment."""
    return Ref(
        external_payment_id=payment.external_payment_id,
        charge_id=payment.external_charge_id,
        reference=payment.idempotency_key,
        method=payment.method,
        amount_minor=payment.amount_cents,
        currency=payment.currency,
        created_at=payment.created_at,
        captured=payment.captured_cents > 0,
    )


def part_paid(receipt: Receipt) -> Payment | None:
    """The bank payment of an open receipt of which a part has arrived: its rest may be transferred."""
    if receipt.status != ReceiptStatus.PENDING:
        return None
    waiting = Payment.objects.filter(receipt=receipt, provider="manual", status=PaymentStatus.NEEDS_REVIEW)
    return (
        waiting.filter(captured_cents__gt=0).filter(amount_cents__gt=F("captured_cents") - F("refunded_cents")).first()
    )


def is_refundable(payment: Payment, provider: PaymentProvider) -> bool:
    """Whether the provider gives this money back by itself; otherwise finance sends it by hand."""
    found = [method for method in provider.methods() if method.name == payment.method]
    return all(method.refundable for method in found) and bool(payment.external_charge_id)


def payer_notice(receipt: Receipt) -> str:
    """What the payer of an open receipt should know of earlier tries; empty when there is nothing."""
    last = Payment.objects.filter(receipt=receipt).order_by("-id").first()
    if last is None or receipt.status != ReceiptStatus.PENDING:
        return ""
    if last.gave_up_at and last.status == PaymentStatus.FAILED:
        words = _("Your payment failed, and we have stopped trying. Please choose a way to pay, or ask %(contact)s.")
        return words % {"contact": settings.ORG_EMAIL or settings.ORG_NAME}
    if last.status == PaymentStatus.FAILED:
        return _("Your last payment failed; no money was taken. You may pay again at any time.")
    if last.retry_of_id and last.status in OPEN_STATUSES:
        return _("An earlier payment failed. We have opened a new one for you; please complete it.")
    return ""
