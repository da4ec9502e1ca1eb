"""The only writer of payment state: what a provider's record may do to a payment and to what it is for.

Webhook, return page, reconciliation and console all end here. States only go forward; a receipt or invoice
becomes paid here and nowhere else by money from a provider or bank, in one transaction with payment and audit,
once, and only when everything matches our row. Money that fits nothing is never dropped: it waits for review.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from core.context import Actor
from core.money import from_minor
from core.states import transition_held
from payments import metrics
from payments.announcements import tell_of_payment
from payments.models import OPEN_STATUSES, PAYMENT_TRANSITIONS, EventOutcome, Payment, PaymentStatus
from payments.payables import Payable, lock_target, reference_of
from payments.providers.base import PaymentProvider
from payments.providers.states import PaymentState, Said
from payments.services.returns import follow_returns
from payments.services.schedule import after_failure, note_given_up

_CLOSING = {Said.FAILED: PaymentStatus.FAILED, Said.CANCELED: PaymentStatus.CANCELED}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a record did; ``detail`` says why, in a few English words for the console."""

    outcome: EventOutcome
    detail: str


@transaction.atomic
def apply_state(
    *, provider: PaymentProvider, payment: Payment, state: PaymentState, actor: Actor | None = None
) -> Applied:
    """Make ``payment`` (and what it is for, refunds, disputes) follow ``state``. Locks what it is for, then itself.

    ``payment`` is read anew under the lock, and tells afterwards what became of it.
    """
    target = lock_target(payment)
    payment.refresh_from_db(from_queryset=Payment.objects.select_for_update())
    for name, document in target.fields.items():  # the one that moves with it, and is not read again
        setattr(payment, name, document)
    who = actor or Actor(f"provider:{provider.name}")
    strange = _strange(payment, state)
    if strange and state.said not in {Said.SUCCEEDED, Said.AUTHORIZED}:
        return Applied(EventOutcome.MISMATCH, strange)
    if not strange:
        _learn_ids(payment, state)
    applied = _Move(provider, who, payment, target, state, strange).make()
    if not strange:
        fault = follow_returns(actor=who, payment=payment, target=target, state=state)
        if fault:
            return Applied(EventOutcome.MISMATCH, fault)
    return applied


def _strange(payment: Payment, state: PaymentState) -> str:
    """Why the record cannot be that of this payment; empty when it can."""
    checks: list[tuple[str, object, object]] = [
        ("reference", payment.idempotency_key, state.reference),
        ("mode", _mode(payment.live), _mode(state.live)),
    ]
    if payment.external_payment_id:
        checks.append(("id", payment.external_payment_id, state.external_payment_id))
    if payment.captured_cents and payment.external_charge_id and state.charge_id:
        checks.append(("charge", payment.external_charge_id, state.charge_id))
    return _differences(checks)


def _mode(live: bool) -> str:
    return "live" if live else "test"


def _differences(checks: list[tuple[str, object, object]]) -> str:
    wrong = [f"{name}: expected {ours}, got {theirs}" for name, ours, theirs in checks if ours != theirs]
    return "; ".join(wrong)[:255]


def _learn_ids(payment: Payment, state: PaymentState) -> None:
    """Ids that a lost reply kept from us; a charge id only of a payment that it can belong to."""
    known: dict[str, Any] = {}
    if not payment.external_payment_id and state.reference == payment.idempotency_key:
        known["external_payment_id"] = state.external_payment_id
    if state.charge_id and state.charge_id != payment.external_charge_id and not payment.captured_cents:
        known["external_charge_id"] = state.charge_id
    if state.method and state.method != payment.method and state.said == Said.SUCCEEDED:
        known["method"] = state.method[:30]
    if known:
        Payment.objects.filter(pk=payment.pk).update(**known)
        for name, value in known.items():
            setattr(payment, name, value)


@dataclass(slots=True)
class _Move:
    """One record against one locked payment."""

    provider: PaymentProvider
    actor: Actor
    payment: Payment
    target: Payable
    state: PaymentState
    strange: str
    before: str = ""

    def make(self) -> Applied:
        match self.state.said:
            case Said.SUCCEEDED:
                return self._money()
            case Said.AUTHORIZED:
                return self._authorized()
            case Said.FAILED | Said.CANCELED as said:
                return self._closed(PaymentStatus.FAILED if self.payment.retry_of_id else _CLOSING[said])
            case _:
                return Applied(EventOutcome.PROCESSED, "still open")

    def _money(self) -> Applied:
        fault = self.strange or self._wrong_money()
        if self.payment.status == PaymentStatus.SUCCEEDED:  # the same fact again, or other money under a settled id
            return Applied(EventOutcome.MISMATCH, fault) if fault else self._more()
        captured = 0 if self.strange or not self._same_currency() else self.state.amount_minor
        if self._was_decided(captured):
            return Applied(EventOutcome.IGNORED, "finance has decided about this payment")
        if not fault and not self.target.takes:
            fault = f"money arrived for {self._article} {self.target.kind} that is {self.target.status}"
        if fault:
            self._review(fault, captured)
            return Applied(EventOutcome.MISMATCH, fault)
        return self._pay(captured)

    @property
    def _article(self) -> str:
        return "an" if self.target.kind == "invoice" else "a"

    def _more(self) -> Applied:
        """A settled payment; where excess is taken, what came on top becomes a credit."""
        on_top = self.state.amount_minor - self.payment.captured_cents
        if not self.provider.takes_excess or on_top <= 0:
            return Applied(EventOutcome.PROCESSED, "already paid")
        Payment.objects.filter(pk=self.payment.pk).update(
            captured_cents=self.state.amount_minor, updated_at=timezone.now()
        )
        self.payment.refresh_from_db()
        self.target.add(self.actor, self.payment, from_minor(on_top, self.payment.currency))
        audit.record(
            actor=self.actor, action="payment_credit", target=str(self.payment.pk), entity=self.payment,
            extra={"received": from_minor(on_top, self.payment.currency), "currency": self.payment.currency},
        )  # fmt: skip
        return Applied(EventOutcome.PROCESSED, "more than was asked: the rest is a credit")

    def _same_currency(self) -> bool:
        return self.payment.currency.upper() == self.state.currency.upper()

    def _wrong_money(self) -> str:
        """Why the money is not the money we asked for; empty when it is."""
        got = self.state.amount_minor
        enough = got == self.payment.amount_cents
        if self.provider.takes_excess:
            least = 1 if self.target.takes_parts else self.payment.amount_cents
            enough = got - self.payment.refunded_cents >= least
        checks: list[tuple[str, object, object]] = [
            ("currency", self.payment.currency.upper(), self.state.currency.upper())
        ]
        if not enough:
            theirs = from_minor(got, self.payment.currency)
            checks.insert(0, ("amount", f"{self.payment.amount:f}", f"{theirs:f}"))
        return _differences(checks)

    def _was_decided(self, captured: int) -> bool:
        """Finance has closed it, and the provider tells nothing new."""
        closed = self.payment.status == PaymentStatus.CANCELED and self.payment.reviewed_at is not None
        return closed and captured == self.payment.captured_cents

    def _pay(self, captured: int) -> Applied:
        paid_at = timezone.now()  # when we learnt it: books follow our clock, never one that a caller sets
        self._to(
            PaymentStatus.SUCCEEDED, paid_at=paid_at, review_reason="", failure="", captured_cents=captured,
            captured_at=self.state.captured_at or paid_at, next_retry_at=None,
            amount_cents=min(self.payment.amount_cents, captured),  # of an invoice, a part that came is a part paid
        )  # fmt: skip
        reference = reference_of(self.payment)
        self.target.settle(self.actor, self.payment, paid_at, reference)
        record_move(
            self.actor, self.payment, self.before, **self.target.facts, amount=self.payment.amount,
            currency=self.payment.currency, reference=reference,
        )  # fmt: skip
        return Applied(EventOutcome.PROCESSED, "paid")

    def _authorized(self) -> Applied:
        fault = self.strange or self._wrong_money()
        if self.payment.status in {PaymentStatus.SUCCEEDED, PaymentStatus.NEEDS_REVIEW, PaymentStatus.AUTHORIZED}:
            return Applied(EventOutcome.PROCESSED, f"the payment is {self.payment.status} already")
        if fault or not self._may_reopen():
            unwanted = "does not wait for it: not captured, it goes back to the payer"
            detail = fault or f"authorised, but the {self.target.kind} {unwanted}"
            return Applied(EventOutcome.MISMATCH if fault else EventOutcome.IGNORED, detail)
        self._to(PaymentStatus.AUTHORIZED, failure="", next_retry_at=None)
        record_move(self.actor, self.payment, self.before)
        return Applied(EventOutcome.PROCESSED, "authorised")

    def _may_reopen(self) -> bool:
        """What it is for waits for money, and no other attempt is open or being looked at."""
        others = self.target.payments().exclude(pk=self.payment.pk)
        busy = others.filter(status__in=(*OPEN_STATUSES, PaymentStatus.NEEDS_REVIEW)).exists()
        return self.target.waits and not busy and self.payment.reviewed_at is None

    def _closed(self, status: PaymentStatus) -> Applied:
        if self.payment.status not in OPEN_STATUSES:
            return Applied(EventOutcome.IGNORED, f"the payment is {self.payment.status} already")
        values = after_failure(self.payment, timezone.now()) if status == PaymentStatus.FAILED else {}
        self._to(status, failure=self.state.detail, **values)
        record_move(self.actor, self.payment, self.before, **({"why": self.state.detail} if self.state.detail else {}))
        if values.get("gave_up_at"):
            note_given_up(self.actor, self.payment, self.state.detail)
        return Applied(EventOutcome.PROCESSED, status.value)

    def _review(self, reason: str, captured: int) -> None:
        if captured > self.payment.captured_cents:
            why = {"review_reason": reason} if self.payment.status == PaymentStatus.NEEDS_REVIEW else {}
            Payment.objects.filter(pk=self.payment.pk).update(
                captured_cents=captured, captured_at=self.state.captured_at or timezone.now(),
                updated_at=timezone.now(), **why,
            )  # fmt: skip
            self.payment.refresh_from_db()
        if self.payment.status == PaymentStatus.NEEDS_REVIEW:
            return
        self._to(PaymentStatus.NEEDS_REVIEW, review_reason=reason, next_retry_at=None, reviewed_at=None)
        record_move(self.actor, self.payment, self.before, reason=reason, captured=self.payment.captured)

    def _to(self, status: PaymentStatus, **values: Any) -> None:
        self.before = self.payment.status
        now = timezone.now()
        transition_held(self.payment, status, table=PAYMENT_TRANSITIONS, updated_at=now, **values)


def record_move(actor: Actor, payment: Payment, before: str, **extra: object) -> None:
    """Tell, audit and count that ``payment`` has left ``before``; last in its transaction."""
    tell_of_payment(payment)
    audit.record(
        actor=actor, action=f"payment_{payment.status}", target=str(payment.pk), entity=payment,
        changes={"status": [before, payment.status]}, extra=extra,
    )  # fmt: skip
    provider, status = payment.provider, payment.status
    transaction.on_commit(lambda: metrics.PAYMENTS.labels(provider, status).inc())
