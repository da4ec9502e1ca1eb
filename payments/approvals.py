"""What of payments may need a second person."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext_lazy as _

from accounts.models import Approval
from accounts.services.approvals import Act
from core.context import Actor
from payments.models import Payment
from payments.services.refunds import reserve_refund, send_refund
from payments.services.review import accept_payment


def _refund(approval: Approval) -> Callable[[], object] | None:
    """Reserved with the second signature; the provider is asked after that is committed."""
    actor, wanted = Actor(approval.asked_by), approval.details
    refund = reserve_refund(
        actor=actor, payment=Payment.objects.get(pk=approval.target), amount_minor=wanted["amount_minor"],
        reason=wanted["reason"], seen_minor=wanted["seen_minor"],
    )  # fmt: skip
    return None if refund.by_hand else lambda: send_refund(actor=actor, refund=refund)


def _accept(approval: Approval) -> None:
    payment = Payment.objects.get(pk=approval.target)
    accept_payment(actor=Actor(approval.asked_by), payment=payment, note=approval.details["note"], second=approval)


REFUND = Act(_("give money back"), "payments.refund_payment", _refund)
ACCEPT = Act(_("accept a payment in review"), "payments.resolve_payment", _accept)
