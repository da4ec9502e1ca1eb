"""Finance's decision about money that fitted nothing."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Approval
from accounts.services.approvals import ask_and_stop, count_alone, takes_second
from billing.debtors import check_not_own
from billing.services.lone_acts import lone_act
from core.context import Actor
from core.errors import BadInput, Conflict
from core.states import transition
from core.words.wording import money_text
from payments.models import PAYMENT_TRANSITIONS, Payment, PaymentStatus
from payments.payables import Payable, payable_of, reference_of
from payments.services.settlement import record_move


class NotInReview(Conflict):
    code = "not_in_review"


def accept_payment(*, actor: Actor, payment: Payment, note: str, second: Approval | None = None) -> Payment:
    """The money is there in full after all (seen at the provider): the payment succeeds, and pays what it is for.

    Raises ``NotInReview``, ``BadInput`` without a note, and ``Conflict`` when what it is for takes no money any more,
    when money of it has been given back, or when the record shows less than was asked for. Above
    ``FOUR_EYES_ABOVE`` it needs ``second``, as ``mark_paid_by_hand`` does.
    """
    check_not_own(actor, payment.document, second)
    alone = lone_act(actor, "accept_payment", payment.document, payment.amount)
    if second is None and takes_second(alone):
        with transaction.atomic():
            _acceptable(payment, note)
        ask_and_stop(
            actor=actor, act="accept_payment", target=payment.pk, label=f"{payment} {payment.document}",
            amount=payment.amount, currency=payment.currency, details={"note": note.strip()[:255]},
        )  # fmt: skip
    with transaction.atomic():
        done = _accept(actor, payment, note)
        if second is None:
            count_alone(alone)
    return done


def _acceptable(payment: Payment, note: str) -> tuple[Payable, Payment]:
    target, payment = _locked(payment, note)
    if not target.takes:
        words = _("%(document)s is %(status)s; give the money back at the provider and close the payment.")
        raise Conflict(words % {"document": target.name, "status": target.standing})
    if payment.refunded_cents:
        raise Conflict(_("Money of this payment was given back; close it, and let the payer pay again."))
    if 0 < payment.captured_cents < payment.amount_cents:
        words = _("Only %(got)s of %(sum)s has come in. Wait for the rest, or give it back and close the payment.")
        sums = {"got": payment.captured, "sum": payment.amount}
        raise Conflict(words % {name: money_text(value, payment.currency) for name, value in sums.items()})
    return target, payment


@transaction.atomic
def _accept(actor: Actor, payment: Payment, note: str) -> Payment:
    target, payment = _acceptable(payment, note)
    now, before = timezone.now(), payment.status
    transition(
        payment, PaymentStatus.SUCCEEDED, table=PAYMENT_TRANSITIONS, paid_at=now, updated_at=now, reviewed_at=now,
        captured_cents=max(payment.captured_cents, payment.amount_cents), captured_at=payment.captured_at or now,
    )  # fmt: skip
    reference = reference_of(payment)
    target.settle(actor, payment, now, reference)
    record_move(
        actor, payment, before, **target.facts, amount=payment.amount, currency=payment.currency,
        reference=reference, note=note.strip(),
    )  # fmt: skip
    return payment


@transaction.atomic
def close_payment(*, actor: Actor, payment: Payment, note: str) -> Payment:
    """No money of ours, or it was given back: the payment ends as canceled and the payer may try again.

    Raises ``NotInReview``, and ``BadInput`` without a note.
    """
    _target, payment = _locked(payment, note)
    before, now = payment.status, timezone.now()
    transition(payment, PaymentStatus.CANCELED, table=PAYMENT_TRANSITIONS, updated_at=now, reviewed_at=now)
    record_move(actor, payment, before, note=note.strip())
    return payment


def _locked(payment: Payment, note: str) -> tuple[Payable, Payment]:
    if not note.strip():
        raise BadInput(_("Say what was found out about this payment."), field="note")
    target = payable_of(payment).locked()
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if payment.status != PaymentStatus.NEEDS_REVIEW:
        words = _("Payment %(payment)s is %(status)s; there is nothing to decide.")
        raise NotInReview(words % {"payment": payment, "status": payment.get_status_display()})
    return target, payment
