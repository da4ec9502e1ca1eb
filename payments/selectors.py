"""Reads that several surfaces share: which ways to pay there are, and what is asked of a payer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.membership import BILLING, Person, memberships
from billing.models import Invoice, Receipt
from core.errors import Misconfigured
from core.money import from_minor
from core.words.wording import money_text
from payments import providers
from payments.models import (
    OPEN_REFUNDS,
    OPEN_STATUSES,
    DisputeStatus,
    Payment,
    PaymentStatus,
    RefundStatus,
)
from payments.payables import due_minor, payable
from payments.providers.base import PaymentProvider, Ref
from payments.providers.limits import Method

LATE = timedelta(days=7)  # a failed or abandoned checkout may still be paid; providers close it well before
_LOST = DisputeStatus.LOST
REFUNDS_MOVE = timedelta(days=60)  # refunds fail, and disputes begin, long after the payment


@dataclass(frozen=True, slots=True)
class Way:
    """One button: a method of a provider, or why it cannot be used for this amount."""

    provider: PaymentProvider
    method: Method
    trouble: str = ""

    @property
    def name(self) -> str:
        """Several providers may call a way by the same word."""
        return f"{self.method.label} ({self.provider.label})"


def closed_ways(ways: list[Way], currency: str) -> str:
    """One line for the ways that do not take this sum, by what they take; empty when there are none."""
    names: dict[str, list[str]] = {}
    for way in ways:
        if way.trouble:
            names.setdefault(_taken(way.method, currency), []).append(way.name)
    parts = [_("%(ways)s: %(taken)s") % {"ways": ", ".join(found), "taken": taken} for taken, found in names.items()]
    return _("Not for this sum: %(ways)s.") % {"ways": "; ".join(parts)} if parts else ""


def _taken(method: Method, currency: str) -> str:
    if currency not in method.limits:
        return _("not in %(currency)s") % {"currency": currency}
    least, most = (money_text(from_minor(limit, currency), currency) for limit in method.limits[currency])
    return _("%(least)s to %(most)s") % {"least": least, "most": most}


def ways_to_pay(document: Receipt | Invoice) -> list[Way]:
    """Every way, usable ones first. A provider that is not set up is left out (``doctor`` names it).

    What a way takes at least keeps it off; what it takes at most does not where a part may be paid.
    """
    target = payable(document)
    minor, ways = due_minor(target), []
    in_parts = target.takes_parts and settings.BILLING_PARTIAL_PAYMENTS
    for name in settings.PAYMENT_PROVIDER_NAMES:
        try:
            provider = providers.provider(name)
            methods = provider.methods()
        except Misconfigured:
            continue
        for method in methods:
            most = method.limits.get(target.currency, (0, minor))[1] if in_parts else minor
            ways.append(Way(provider, method, outside_limits(method, min(minor, most), target.currency)))
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


def part_paid(document: Receipt | Invoice) -> Payment | None:
    """The bank payment of an open receipt of which a part has arrived: its rest may be transferred."""
    target = payable(document)
    if not target.waits or target.takes_parts:
        return None
    waiting = target.payments().filter(provider="manual", status=PaymentStatus.NEEDS_REVIEW)
    return (
        waiting.filter(captured_cents__gt=0).filter(amount_cents__gt=F("captured_cents") - F("refunded_cents")).first()
    )


def is_refundable(payment: Payment, provider: PaymentProvider) -> bool:
    """Whether the provider gives this money back by itself; otherwise finance sends it by hand.

    Money that came by a method which is not offered goes back only where every method's does. After a lost dispute,
    or a refund that the provider refused outright, finance sends the next one.
    """
    found = [method for method in provider.methods() if method.name == payment.method] or provider.methods()
    able = all(method.refundable for method in found) and bool(payment.external_charge_id)
    refused = Q(status=RefundStatus.FAILED, external_refund_id="", by_hand=False)
    return able and not (payment.refunds.filter(refused).exists() or payment.disputes.filter(status=_LOST).exists())


def moving(now: datetime) -> QuerySet[Payment]:
    """Payments about which their provider may still have news: open, in review or settled lately, or with refunds or
    disputes that are not over."""
    recent = Q(status__in=(PaymentStatus.FAILED, PaymentStatus.CANCELED), updated_at__gte=now - LATE)
    settled = Q(status=PaymentStatus.SUCCEEDED, paid_at__gte=now - REFUNDS_MOVE)
    refunds = Q(refunds__status__in=(*OPEN_REFUNDS, RefundStatus.NEEDS_REVIEW))
    disputes = Q(disputes__status=DisputeStatus.OPEN)
    open_now = Q(status__in=(*OPEN_STATUSES, PaymentStatus.NEEDS_REVIEW))
    ids = Payment.objects.filter(open_now | recent | settled | refunds | disputes).values("pk")
    return Payment.objects.filter(pk__in=ids)


def in_review(document: Receipt | Invoice) -> bool:
    """Money arrived for it that finance is looking at."""
    return payable(document).payments().filter(status=PaymentStatus.NEEDS_REVIEW).exists()


def own_payments(user: Person) -> QuerySet[Payment]:
    """Those of one's own receipts, and those of invoices of the organisations whose bills one looks after."""
    organisations = memberships(user, BILLING).values("organisation")
    mine = Q(receipt__isnull=False, user_id=user.pk) | Q(invoice__organisation__in=organisations)
    return Payment.objects.filter(mine).select_related("receipt", "invoice__organisation")


def payer_notice(document: Receipt | Invoice) -> str:
    """What the payer should know of earlier tries; empty when there is nothing."""
    target = payable(document)
    last = target.payments().order_by("-id").first()
    if last is None or not target.waits:
        return ""
    if last.gave_up_at and last.status == PaymentStatus.FAILED:
        words = _("Your payment failed, and we have stopped trying. Please choose a way to pay, or ask %(contact)s.")
        return words % {"contact": settings.ORG_EMAIL or settings.ORG_NAME}
    if last.status == PaymentStatus.FAILED:
        return _("Your last payment failed; no money was taken. You may pay again at any time.")
    if last.retry_of_id and last.status in OPEN_STATUSES:
        return _("An earlier payment failed. We have opened a new one for you; please complete it.")
    return ""
