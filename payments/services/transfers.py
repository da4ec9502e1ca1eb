"""Bank transfers: the payer reports one, finance (never the payer) accepts what arrived, to the satang.

What arrived is added up on the manual payment. Enough pays the receipt, the rest above it is a credit; less
waits for review, and a further transfer may complete it. Nothing is "nearly paid". An invoice takes every sum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.services.approvals import ask_and_stop, count_alone, needs_second, takes_second
from audit import services as audit
from billing.services.lone_acts import lone_act
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.money import from_minor
from core.periods import today
from core.states import transition
from payments import providers
from payments.arrivals import arrived_minor
from payments.models import (
    OPEN_STATUSES,
    TRANSFER_TRANSITIONS,
    BankTransfer,
    Payment,
    PaymentStatus,
    TransferStatus,
)
from payments.payables import Payable, payable_of
from payments.providers.states import PaymentState, Said
from payments.providers.values import MOST_MINOR
from payments.services.checkout import end_attempt
from payments.services.settlement import Applied, apply_state

PROVIDER = "manual"
LONGEST_REFERENCE = 80
MOST_WAITING = 10  # reports of one payment that nobody has decided about
SLIP_MAX_BYTES = 2 * 1024 * 1024
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"%PDF-": "application/pdf"}
_OLDEST = timedelta(days=366)


class KnownTransfer(Conflict):
    """The same reference of this bank, or the same slip, was reported before."""

    code = "known_transfer"


@dataclass(frozen=True, slots=True)
class Report:
    """What a payer says about a transfer. ``amount_minor`` in the payment's currency; ``slip`` PNG, JPEG or PDF."""

    bank: str
    reference: str
    amount_minor: int
    transferred_on: date
    slip: bytes = b""


def submit_transfer(*, actor: Actor, payment: Payment, report: Report) -> BankTransfer:
    """Write a reported transfer down; nothing is paid by it. Raises ``BadInput``, ``KnownTransfer``, ``Conflict``."""
    kind = check_report(report)
    return write_transfer(actor=actor, payment=payment, report=report, submitted_by=actor.name, slip_type=kind)


def write_transfer(
    *, actor: Actor, payment: Payment, report: Report, submitted_by: str, slip_type: str = ""
) -> BankTransfer:
    """Keep ``report``, which has been checked; ``submitted_by`` is who, or which statement, told of it."""
    try:
        with transaction.atomic():
            _target, held = _locked(payment)
            if held.status not in (*OPEN_STATUSES, PaymentStatus.NEEDS_REVIEW):
                words = _("Payment %(payment)s is %(status)s; there is nothing to pay.")
                raise Conflict(words % {"payment": held, "status": held.get_status_display()})
            _refuse_repeats(held, report)
            transfer = BankTransfer.objects.create(
                payment=held, bank=" ".join(report.bank.split()).upper(), reference=plain_reference(report.reference),
                claimed_cents=report.amount_minor, transferred_on=report.transferred_on, slip=report.slip or None,
                slip_type=slip_type, slip_sha256=hashlib.sha256(report.slip).hexdigest() if report.slip else "",
                submitted_by=submitted_by,
            )  # fmt: skip
            audit.record(
                actor=actor, action="transfer_submit", target=str(transfer.pk), entity=transfer,
                extra={"payment": held.pk, "bank": transfer.bank, "reference": transfer.reference,
                       "amount": transfer.claimed, "currency": held.currency, "slip": transfer.slip_sha256},
            )  # fmt: skip
    except IntegrityError as error:
        raise _known() from error
    return transfer


def _refuse_repeats(payment: Payment, report: Report) -> None:
    """People write a bank's name in many ways: one reference, amount and day are one transfer, whatever it is called.

    The database refuses the rest: the same reference under the same name, and the same slip.
    """
    lock_for_transaction("bank_transfers", plain_reference(report.reference))
    open_or_taken = BankTransfer.objects.exclude(status=TransferStatus.REJECTED)
    if open_or_taken.filter(
        reference=plain_reference(report.reference), claimed_cents=report.amount_minor,
        transferred_on=report.transferred_on,
    ).exists():  # fmt: skip
        raise _known()
    if BankTransfer.objects.filter(payment=payment, status=TransferStatus.SUBMITTED).count() >= MOST_WAITING:
        words = _("%(count)d reported transfers wait for a decision. Please wait until finance has looked at them.")
        raise Conflict(words % {"count": MOST_WAITING})


def _known() -> KnownTransfer:
    return KnownTransfer(
        _("A transfer with this reference, or with this slip, was reported before."), field="reference"
    )


def check_report(report: Report) -> str:
    """Media type of the slip, empty without one. Raises ``BadInput`` naming the field."""
    for name, text, most in (("bank", report.bank, 60), ("reference", report.reference, LONGEST_REFERENCE)):
        if not text.strip() or len(text) > most or not text.isprintable():
            raise BadInput(_("Between 1 and %(most)d printable characters.") % {"most": most}, field=name)
    if report.amount_minor <= 0:
        raise BadInput(_("The amount must be above zero."), field="amount")
    if not today() - _OLDEST <= report.transferred_on <= today():
        raise BadInput(
            _("The day of the transfer lies in the future or more than a year back."), field="transferred_on"
        )
    if not report.slip:
        return ""
    kind = next((kind for head, kind in _KINDS.items() if report.slip.startswith(head)), "")
    if not kind or len(report.slip) > SLIP_MAX_BYTES:
        raise BadInput(_("The slip must be a PNG, JPEG or PDF file of at most 2 MB."), field="slip")
    return kind


def plain_reference(reference: str) -> str:
    """As a bank prints it, without what people add while typing: one reference stays one reference."""
    return "".join(reference.split()).upper()


def accept_transfer(*, actor: Actor, transfer: BankTransfer, received_minor: int, note: str) -> Applied:
    """``received_minor`` has arrived at the bank. Raises ``BadInput``, ``Conflict`` and ``InvalidTransition``, and
    what ending another open attempt raises.

    The one who reported it may not accept it. Above ``FOUR_EYES_ABOVE``, parts counted together, it is only written
    down and ``WaitsForSecond`` raised.
    """
    _check_decision(actor, transfer, note)
    currency = transfer.payment.currency
    alone = lone_act(actor, "accept_transfer", transfer.payment.document, from_minor(received_minor, currency))
    if takes_two(transfer.payment, received_minor, currency) or takes_second(alone):
        _check_acceptable(transfer, received_minor)
        ask_and_stop(
            actor=actor, act="accept_transfer", target=transfer.pk,
            label=f"{transfer} {transfer.payment.document}"[:80], amount=from_minor(received_minor, currency),
            currency=currency, details={"received_minor": received_minor, "note": note.strip()[:255]},
        )  # fmt: skip
    end_others(actor=actor, payment=transfer.payment)
    with transaction.atomic():
        applied = take_transfer(actor=actor, transfer=transfer, received_minor=received_minor, note=note)
        count_alone(alone)
    return applied


def takes_two(payment: Payment | None, received_minor: int, currency: str) -> bool:
    """Whether what has arrived on ``payment``, with ``received_minor`` more, needs a second person."""
    arrived = arrived_minor(payment) if payment else 0
    return needs_second(from_minor(arrived + received_minor, currency), currency)


def _check_acceptable(transfer: BankTransfer, received_minor: int) -> None:
    if not 0 < received_minor <= MOST_MINOR:
        raise BadInput(_("The amount must be above zero."), field="received")
    if transfer.status != TransferStatus.SUBMITTED:
        raise _decided(transfer)


def end_others(*, actor: Actor, payment: Payment) -> None:
    """Close what else is open for the same, at its provider, too, so that it cannot be paid twice."""
    target = payable_of(payment)
    for other in target.payments().filter(status__in=OPEN_STATUSES).exclude(pk=payment.pk):
        end_attempt(actor=actor, payment=other, why=f"a bank transfer for the {target.kind} was accepted")


@transaction.atomic
def take_transfer(*, actor: Actor, transfer: BankTransfer, received_minor: int, note: str) -> Applied:
    """As ``accept_transfer``, inside the transaction of a caller that has ended the others before."""
    _check_decision(actor, transfer, note)
    if not 0 < received_minor <= MOST_MINOR:
        raise BadInput(_("The amount must be above zero."), field="received")
    _target, held = _locked(transfer.payment)
    _decide(actor, transfer, TransferStatus.ACCEPTED, note, received_cents=received_minor)
    audit.record(
        actor=actor, action="transfer_accept", target=str(transfer.pk), entity=transfer,
        extra={"payment": held.pk, "received": from_minor(received_minor, held.currency),
               "currency": held.currency, "note": note.strip()},
    )  # fmt: skip
    return apply_state(provider=providers.provider(PROVIDER), payment=held, state=_state(held), actor=actor)


def _state(payment: Payment) -> PaymentState:
    """All accepted transfers of a manual payment as the record of its provider."""
    return PaymentState(
        Said.SUCCEEDED, payment.external_payment_id, payment.external_charge_id or payment.external_payment_id,
        payment.idempotency_key, arrived_minor(payment), payment.currency, live=payment.live, method=payment.method,
        captured_at=timezone.now(),
    )  # fmt: skip


@transaction.atomic
def reject_transfer(*, actor: Actor, transfer: BankTransfer, note: str) -> BankTransfer:
    """It did not arrive, or is not for us. The payer may report again."""
    _check_decision(actor, transfer, note)
    _locked(transfer.payment)
    _decide(actor, transfer, TransferStatus.REJECTED, note)
    audit.record(
        actor=actor, action="transfer_reject", target=str(transfer.pk), entity=transfer,
        extra={"payment": transfer.payment_id, "note": note.strip()},
    )  # fmt: skip
    return transfer


def _check_decision(actor: Actor, transfer: BankTransfer, note: str) -> None:
    if not note.strip():
        raise BadInput(_("Say what the bank's record shows."), field="note")
    check_reviewer(actor, transfer)


def check_reviewer(actor: Actor, transfer: BankTransfer) -> None:
    """Raises ``Conflict`` for the one who reported it and those whose debt it pays."""
    if not may_decide(actor.name, transfer):
        raise Conflict(_("Somebody else must decide about a transfer that you reported or that pays what you owe."))


def may_decide(name: str, transfer: BankTransfer) -> bool:
    return name != transfer.submitted_by and not payable_of(transfer.payment).owed_by(name)


def _decide(actor: Actor, transfer: BankTransfer, to: TransferStatus, note: str, **values: object) -> None:
    moved = transition(
        transfer, to, table=TRANSFER_TRANSITIONS, reviewed_by=actor.name, reviewed_at=timezone.now(),
        review_note=note.strip()[:255], **values,
    )  # fmt: skip
    if not moved:
        raise _decided(transfer)


def _decided(transfer: BankTransfer) -> Conflict:
    words = _("Transfer %(transfer)s is %(status)s already.")
    return Conflict(words % {"transfer": transfer, "status": transfer.get_status_display()})


def _locked(payment: Payment) -> tuple[Payable, Payment]:
    return payable_of(payment).locked(), Payment.objects.select_for_update().get(pk=payment.pk)
