"""Giving money back: reserved under lock, then the provider is asked, then its answer is followed."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.services.approvals import ask_and_stop, count_alone, needs_second, takes_second
from audit import services as audit
from billing.debtors import check_not_own
from billing.services.lone_acts import lone_act
from core.context import Actor
from core.errors import BadInput, Conflict
from core.money import from_minor
from core.words.wording import money_text
from payments import providers
from payments.models import (
    OPEN_REFUNDS,
    Dispute,
    DisputeStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from payments.payables import Payable, payable_of
from payments.providers.base import RefundRequest
from payments.providers.errors import ProviderError, Refused
from payments.selectors import is_refundable, ref_of
from payments.services.returns import follow_target, keep_sum, move_refund, take_refund

LEASE = timedelta(seconds=30)
# Closed ones hold money, too: what came late, or too little, and was never given back.
WITH_MONEY = (PaymentStatus.SUCCEEDED, PaymentStatus.NEEDS_REVIEW, PaymentStatus.CANCELED, PaymentStatus.FAILED)


class NotRefundable(Conflict):
    code = "not_refundable"


def refund_payment(
    *, actor: Actor, payment: Payment, amount_minor: int, reason: str, seen_minor: int | None = None
) -> Refund:
    """Give ``amount_minor`` (minor units) of a payment back, all of it or a part.

    ``seen_minor`` is what had gone back when the amount was decided: a second click gives nothing twice. The
    refund is reserved first, so that the sum can never exceed what came in, then sent. Raises ``NotRefundable``,
    ``BadInput`` and ``Refused`` (nothing was given back); ``ProviderError`` when the answer is lost: the refund
    stays reserved and ``reconcile_payments`` finds out. Above ``FOUR_EYES_ABOVE`` it is only
    written down and ``WaitsForSecond`` raised.
    """
    check_not_own(actor, payment.document)
    amount = from_minor(amount_minor, payment.currency)
    if settings.FOUR_EYES_ABOVE is not None and seen_minor is None:
        seen_minor = payment.refunded_cents  # what the limit was held against: two at once do not pass below it
    parts = from_minor(payment.refunded_cents, payment.currency) + amount  # whoever gave them back
    alone = lone_act(actor, "refund", payment.document, amount)
    if needs_second(parts, payment.currency) or takes_second(alone):
        _check_refund(payment, amount_minor, reason, seen_minor)
        ask_and_stop(
            actor=actor, act="refund", target=payment.pk, label=f"{payment} {payment.document}", amount=amount,
            currency=payment.currency,
            details={"amount_minor": amount_minor, "seen_minor": payment.refunded_cents,
                     "reason": reason.strip()[:255]},
        )  # fmt: skip
    with transaction.atomic():
        refund = reserve_refund(
            actor=actor, payment=payment, amount_minor=amount_minor, reason=reason, seen_minor=seen_minor
        )
        count_alone(alone)
    return refund if refund.by_hand else send_refund(actor=actor, refund=refund)


@transaction.atomic
def reserve_refund(
    *, actor: Actor, payment: Payment, amount_minor: int, reason: str, seen_minor: int | None = None
) -> Refund:
    """Write the refund down, under lock of the payment and what it is for; nothing leaves yet."""
    target, held = _locked(payment)
    _check_refund(held, amount_minor, reason, seen_minor)
    by_hand = not is_refundable(held, providers.provider(held.provider))
    refund = Refund.objects.create(
        payment=held, amount_cents=amount_minor, reason=reason.strip()[:255], by_hand=by_hand,
        idempotency_key=uuid.uuid4().hex, created_by=actor.name,
    )  # fmt: skip
    keep_sum(held)
    audit.record(
        actor=actor, action="refund_request", target=str(refund.pk), entity=refund,
        extra={"payment": held.pk, **target.facts, "amount": refund.amount, "currency": held.currency,
               "reason": refund.reason, "by_hand": by_hand},
    )  # fmt: skip
    return refund


def _check_refund(payment: Payment, amount_minor: int, reason: str, seen_minor: int | None) -> None:
    if not reason.strip():
        raise BadInput(_("Say why the money is given back."), field="reason")
    if seen_minor not in (None, payment.refunded_cents):
        raise NotRefundable(_("Other money of this payment was given back meanwhile. Look at it again."))
    if payment.status not in WITH_MONEY or not payment.captured_cents:
        words = _("Payment %(payment)s is %(status)s; there is no money to give back.")
        raise NotRefundable(words % {"payment": payment, "status": payment.get_status_display()})
    if Dispute.objects.filter(payment=payment, status=DisputeStatus.OPEN).exists():
        raise NotRefundable(_("The payer's bank decides about this payment; a refund might pay twice."))
    left = payment.refundable_cents
    if not 0 < amount_minor <= left:
        most = money_text(from_minor(left, payment.currency), payment.currency)
        raise BadInput(_("At most %(sum)s can be given back.") % {"sum": most}, field="amount")


def send_refund(*, actor: Actor, refund: Refund) -> Refund:
    """Ask the provider, under the refund's own key; one request at a time. Returns the refund as it stands."""
    now, asked_before = timezone.now(), refund.asked_at is not None
    free = Q(asked_at__isnull=True) | Q(asked_at__lt=now - LEASE)
    mine = Refund.objects.filter(free, pk=refund.pk, status=RefundStatus.REQUESTED, by_hand=False)
    if not mine.update(asked_at=now):
        refund.refresh_from_db()
        return refund
    payment = refund.payment
    provider = providers.provider(payment.provider)
    request = RefundRequest(refund.idempotency_key, refund.amount_cents, refund.reason, asked_before)
    try:
        state = provider.refund(ref_of(payment), request)
    except Refused as error:
        _end(actor, refund, RefundStatus.FAILED, error.message)
        raise
    with transaction.atomic():
        target, held = _locked(payment)
        fault = take_refund(Actor(f"provider:{provider.name}"), held, state)
        follow_target(actor, held, target)
    if fault:
        raise ProviderError(fault)
    refund.refresh_from_db()
    return refund


def confirm_refund(*, actor: Actor, refund: Refund, note: str) -> Refund:
    """Finance has sent a refund by hand; ``note`` is the bank's reference. Raises ``NotRefundable``, ``BadInput``."""
    return _by_hand(actor, refund, RefundStatus.SUCCEEDED, note, _("Give the bank's reference."))


def cancel_refund(*, actor: Actor, refund: Refund, note: str) -> Refund:
    """A refund by hand that will not be sent after all; what it held is free again."""
    return _by_hand(actor, refund, RefundStatus.CANCELED, note, _("Say why it is not sent."))


def _by_hand(actor: Actor, refund: Refund, to: RefundStatus, note: str, missing: str) -> Refund:
    if not note.strip():
        raise BadInput(missing, field="note")
    with transaction.atomic():
        _locked(refund.payment)
        refund.refresh_from_db()
        if not refund.by_hand or refund.status not in OPEN_REFUNDS:
            words = _("Refund %(refund)s is %(status)s; there is nothing to decide.")
            raise NotRefundable(words % {"refund": refund, "status": refund.get_status_display()})
        return _end(actor, refund, to, note.strip())


@transaction.atomic
def _end(actor: Actor, refund: Refund, to: RefundStatus, detail: str) -> Refund:
    target, held = _locked(refund.payment)
    refund.refresh_from_db()
    move_refund(actor, held, refund, to, detail=detail)
    follow_target(actor, held, target)
    refund.refresh_from_db()
    return refund


def _locked(payment: Payment) -> tuple[Payable, Payment]:
    return payable_of(payment).locked(), Payment.objects.select_for_update().get(pk=payment.pk)
