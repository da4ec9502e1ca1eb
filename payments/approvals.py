"""What of payments may need a second person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import Approval
from accounts.services.approvals import Act
from billing.debtors import check_not_own
from billing.models import Invoice, Receipt
from core.context import Actor
from payments.models import BankLine, BankTransfer, Payment
from payments.payables import Payable, payable
from payments.services.lines import finish_match, prepare_match
from payments.services.refunds import reserve_refund, send_refund
from payments.services.review import accept_payment
from payments.services.transfers import check_reviewer, end_others, take_transfer


def _refund(approval: Approval) -> Callable[[], object] | None:
    """Reserved with the second signature; the provider is asked after that is committed."""
    actor, wanted = Actor(approval.asked_by), approval.details
    payment = Payment.objects.get(pk=approval.target)
    check_not_own(actor, payment.document, approval)
    refund = reserve_refund(
        actor=actor, payment=payment, amount_minor=wanted["amount_minor"],
        reason=wanted["reason"], seen_minor=wanted["seen_minor"],
    )  # fmt: skip
    return None if refund.by_hand else lambda: send_refund(actor=actor, refund=refund)


def _accept(approval: Approval) -> None:
    payment = Payment.objects.get(pk=approval.target)
    accept_payment(actor=Actor(approval.asked_by), payment=payment, note=approval.details["note"], second=approval)


def _check_second(approval: Approval, transfer: BankTransfer) -> None:
    """Whoever may not decide about a transfer may not sign for it either."""
    check_reviewer(Actor(approval.decided_by), transfer)


def _transfer(approval: Approval) -> BankTransfer:
    known = BankTransfer.objects.select_related("payment__receipt", "payment__invoice__organisation")
    return known.defer("slip").get(pk=approval.target)


def _end_others(approval: Approval) -> None:
    end_others(actor=Actor(approval.asked_by), payment=_transfer(approval).payment)


def _accept_transfer(approval: Approval) -> None:
    transfer, wanted = _transfer(approval), approval.details
    _check_second(approval, transfer)
    take_transfer(
        actor=Actor(approval.asked_by), transfer=transfer, received_minor=wanted["received_minor"], note=wanted["note"]
    )


def _match(approval: Approval) -> dict[str, Any]:
    wanted = approval.details
    return {
        "actor": Actor(approval.asked_by),
        "line": BankLine.objects.get(pk=approval.target),
        "transfer": BankTransfer.objects.filter(pk=wanted["transfer"]).first() if wanted["transfer"] else None,
        "target": _target(wanted),
    }


def _target(wanted: dict[str, Any]) -> Payable | None:
    """The document that a line is to pay, of an approval's details."""
    if key := wanted.get("receipt"):
        return payable(Receipt.objects.get(pk=key))
    if key := wanted.get("invoice"):
        return payable(Invoice.objects.select_related("organisation").get(pk=key))
    return None


def _match_line(approval: Approval) -> None:
    match = _match(approval)
    line = finish_match(**match, note=approval.details["note"])
    if line.transfer is not None:
        _check_second(approval, line.transfer)


REFUND = Act(_("give money back"), "payments.refund_payment", _refund)
ACCEPT = Act(_("accept a payment in review"), "payments.resolve_payment", _accept)
ACCEPT_TRANSFER = Act(_("accept a bank transfer"), "payments.review_banktransfer", _accept_transfer, _end_others)
MATCH_LINE = Act(
    _("match a line of a bank statement"), "payments.match_bankline", _match_line,
    lambda approval: prepare_match(**_match(approval)),
)  # fmt: skip
