"""Decisions about bank statement lines: matched with what they pay, set aside, opened again. Never automatic.

Lock order everywhere: line, then what is paid, then payment.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.services.approvals import Lone, ask_and_stop, count_alone, takes_second
from audit import services as audit
from billing.models import Invoice, Receipt
from billing.services.lone_acts import lone_act
from core.context import Actor
from core.errors import BadInput, Conflict
from core.states import transition
from payments.models import (
    LINE_TRANSITIONS,
    OPEN_STATUSES,
    BankLine,
    BankTransfer,
    LineStatus,
    Payment,
    PaymentStatus,
    TransferStatus,
)
from payments.payables import Payable, payable
from payments.services.checkout import start_payment
from payments.services.transfers import (
    LONGEST_REFERENCE,
    PROVIDER,
    KnownTransfer,
    Report,
    check_reviewer,
    end_others,
    plain_reference,
    take_transfer,
    takes_two,
    write_transfer,
)


class LineDecided(Conflict):
    code = "line_decided"


def match_line(
    *, actor: Actor, line: BankLine, note: str, transfer: BankTransfer | None = None, receipt: Receipt | None = None,
    invoice: Invoice | None = None,
) -> BankLine:  # fmt: skip
    """``line`` is the money of a reported ``transfer``, or pays a receipt or invoice for which none was reported.

    The transfer is accepted with the line's amount; one that was accepted already with this very amount is tied
    to the line and nothing else moves. For a document the manual payment is opened (another way to pay is ended
    first) and the transfer written down from the line. Raises ``BadInput``, ``Conflict`` (``LineDecided``,
    ``KnownTransfer``, ``NotPayable``, ``StillAsking``) and ``ProviderError`` of the way to pay that was open.
    Above ``FOUR_EYES_ABOVE`` what moves money is only written down and ``WaitsForSecond`` raised.
    """
    _check_note(note)
    document = receipt or invoice
    if (transfer is None) == (document is None):
        raise BadInput(_("Choose one transfer or one document."), field="target")
    target = payable(document) if document is not None else None
    _check_open(line)
    _check_target(actor, line, transfer, target)
    alone = _alone(actor, line, transfer, target)
    if _takes_two(line, transfer, target) or (alone is not None and takes_second(alone)):
        ask_and_stop(
            actor=actor, act="match_line", target=line.pk, amount=line.amount, currency=line.currency,
            label=f"{line.reference or line.description} {transfer or target}"[:80],
            details={"transfer": transfer.pk if transfer else None, **(target.facts if target else {}),
                     "note": note.strip()[:255]},
        )  # fmt: skip
    prepare_match(actor=actor, line=line, transfer=transfer, target=target)
    with transaction.atomic():
        done = finish_match(actor=actor, line=line, note=note, transfer=transfer, target=target)
        if alone is not None:
            count_alone(alone)
    return done


def _alone(actor: Actor, line: BankLine, transfer: BankTransfer | None, target: Payable | None) -> Lone | None:
    """Where the match moves money; a transfer that was accepted before is only tied."""
    if transfer is None:
        return lone_act(actor, "match_line", target.document, line.amount) if target is not None else None
    moves = transfer.status == TransferStatus.SUBMITTED
    return lone_act(actor, "match_line", transfer.payment.document, line.amount) if moves else None


def _check_target(actor: Actor, line: BankLine, transfer: BankTransfer | None, target: Payable | None) -> None:
    if transfer is not None:
        if transfer.status == TransferStatus.SUBMITTED:
            check_reviewer(actor, transfer)
            _check_currency(line, transfer.payment.currency)
    elif target is not None:
        _check_document(actor, line, target)


def _takes_two(line: BankLine, transfer: BankTransfer | None, target: Payable | None) -> bool:
    if transfer is not None:
        moves = transfer.status == TransferStatus.SUBMITTED
        return moves and takes_two(transfer.payment, line.amount_cents, line.currency)
    return target is not None and takes_two(_short(target), line.amount_cents, line.currency)


def prepare_match(*, actor: Actor, line: BankLine, transfer: BankTransfer | None, target: Payable | None) -> None:
    """What providers must be asked first: other ways to pay are ended, for a document the manual payment opened."""
    _check_target(actor, line, transfer, target)
    if transfer is not None and transfer.status == TransferStatus.SUBMITTED:
        end_others(actor=actor, payment=transfer.payment)
    elif transfer is None and target is not None and not (_short(target) and target.waits):
        start_payment(actor=actor, **target.fields, provider_name=PROVIDER)


def finish_match(
    *, actor: Actor, line: BankLine, note: str, transfer: BankTransfer | None, target: Payable | None
) -> BankLine:
    """After ``prepare_match``; nothing outside is asked."""
    if transfer is not None:
        return _match_transfer(actor, line, transfer, note)
    if target is None:
        raise BadInput(_("Choose one transfer or one document."), field="target")
    mine = target.payments().filter(provider=PROVIDER, status__in=(*OPEN_STATUSES, PaymentStatus.NEEDS_REVIEW))
    payment = mine.order_by("-pk").first()
    if payment is None:
        raise Conflict(_("It changed meanwhile; please look at it again."))
    return _match_document(actor, line, payment, note)


@transaction.atomic
def _match_transfer(actor: Actor, line: BankLine, transfer: BankTransfer, note: str) -> BankLine:
    held = _locked(line)
    transfer.refresh_from_db()
    _check_currency(held, transfer.payment.currency)
    if BankLine.objects.filter(transfer=transfer).exists():
        raise Conflict(_("Transfer %(transfer)s is matched with another line already.") % {"transfer": transfer})
    if transfer.status == TransferStatus.ACCEPTED:
        check_reviewer(actor, transfer)
        if transfer.received_cents != held.amount_cents:
            raise Conflict(_("The transfer was accepted with another amount than the line has."))
    else:
        take_transfer(actor=actor, transfer=transfer, received_minor=held.amount_cents, note=note)
    return _decide(actor, held, LineStatus.MATCHED, "statement_match", note, transfer)


def _check_document(actor: Actor, line: BankLine, target: Payable) -> None:
    target.refresh()
    _check_currency(line, target.currency)
    if target.owed_by(actor.name):
        raise Conflict(_("Somebody else must decide about a transfer that you reported or that pays what you owe."))
    reported = BankTransfer.objects.filter(payment__in=target.payments(), status=TransferStatus.SUBMITTED).first()
    if reported is not None:
        words = _("Transfer %(transfer)s was reported for this receipt: match the line with it, or reject it first.")
        if target.takes_parts:
            words = _(
                "Transfer %(transfer)s was reported for this invoice: match the line with it, or reject it first."
            )
        raise Conflict(words % {"transfer": reported})


def _short(target: Payable) -> Payment | None:
    """Where a part of a receipt has arrived already, the rest goes to the same payment."""
    return target.payments().filter(provider=PROVIDER, status=PaymentStatus.NEEDS_REVIEW).first()


@transaction.atomic
def _match_document(actor: Actor, line: BankLine, payment: Payment, note: str) -> BankLine:
    held = _locked(line)
    _check_currency(held, payment.currency)
    report = _report(held)
    try:
        with transaction.atomic():
            transfer = write_transfer(actor=actor, payment=payment, report=report, submitted_by=_source(held))
    except KnownTransfer:
        known = BankTransfer.objects.exclude(status=TransferStatus.REJECTED).filter(
            bank=report.bank, reference=report.reference
        )
        if known.filter(line__isnull=True).exists():
            words = _("A transfer with the reference %(text)s was reported before: match the line with that one.")
            raise KnownTransfer(words % {"text": report.reference}, field="reference") from None
        # Another line of the bank carries the same reference: these are two deposits.
        report = replace(report, reference=_own_reference(held))
        transfer = write_transfer(actor=actor, payment=payment, report=report, submitted_by=_source(held))
    take_transfer(actor=actor, transfer=transfer, received_minor=held.amount_cents, note=note)
    return _decide(actor, held, LineStatus.MATCHED, "statement_match", note, transfer)


def _report(line: BankLine) -> Report:
    reference = plain_reference(line.reference)
    if not reference or len(reference) > LONGEST_REFERENCE:
        reference = _own_reference(line)
    return Report(line.bank, reference, line.amount_cents, line.value_on or line.posted_on)


def _own_reference(line: BankLine) -> str:
    """The same whenever it is asked for, and of no other line."""
    return f"LINE-{line.line_key[:24].upper()}"


def _source(line: BankLine) -> str:
    return f"statement:{line.bank}"[:64]


@transaction.atomic
def set_aside_line(*, actor: Actor, line: BankLine, note: str) -> BankLine:
    """It pays nothing of ours. Raises ``BadInput`` without a note, ``LineDecided``."""
    _check_note(note)
    return _decide(actor, _locked(line), LineStatus.IGNORED, "statement_ignore", note)


@transaction.atomic
def reopen_line(*, actor: Actor, line: BankLine, note: str = "") -> BankLine:
    """A line that was set aside waits again. Raises ``LineDecided`` for any other."""
    held = BankLine.objects.select_for_update().get(pk=line.pk)
    if held.status != LineStatus.IGNORED:
        raise _decided(held)
    transition(held, LineStatus.OPEN, table=LINE_TRANSITIONS, decided_by="", decided_at=None, note=note.strip()[:255])
    audit.record(
        actor=actor, action="statement_reopen", target=str(held.pk), entity=held,
        changes={"status": [LineStatus.IGNORED, held.status]}, extra={"note": note.strip()},
    )  # fmt: skip
    return held


def _check_note(note: str) -> None:
    if not note.strip():
        raise BadInput(_("Say what the bank's record shows."), field="note")


def _check_currency(line: BankLine, currency: str) -> None:
    if line.currency != currency:
        words = _("The line is in %(theirs)s, what it should pay in %(ours)s.")
        raise Conflict(words % {"theirs": line.currency, "ours": currency})


def _check_open(line: BankLine) -> None:
    if line.status != LineStatus.OPEN:
        raise _decided(line)


def _decided(line: BankLine) -> LineDecided:
    return LineDecided(
        _("Line %(line)s is %(status)s.") % {"line": line, "status": line.get_status_display()}
    )  # fmt: skip


def _locked(line: BankLine) -> BankLine:
    held = BankLine.objects.select_for_update().get(pk=line.pk)
    _check_open(held)
    return held


def _decide(
    actor: Actor, line: BankLine, to: LineStatus, action: str, note: str, transfer: BankTransfer | None = None
) -> BankLine:
    before = line.status
    transition(
        line, to, table=LINE_TRANSITIONS, transfer=transfer, decided_by=actor.name, decided_at=timezone.now(),
        note=note.strip()[:255],
    )  # fmt: skip
    audit.record(
        actor=actor, action=action, target=str(line.pk), entity=line, changes={"status": [before, line.status]},
        extra={"bank": line.bank, "posted": line.posted_on, "amount": line.amount, "currency": line.currency,
               "note": note.strip(), **({"transfer": transfer.pk} if transfer else {})},
    )  # fmt: skip
    return line
