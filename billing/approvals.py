"""What of receipts may need a second person."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Approval
from accounts.services.approvals import Act
from billing.models import Receipt
from billing.services.receipts import mark_paid_by_hand
from core.context import Actor
from core.errors import Conflict


def _mark_paid(approval: Approval) -> None:
    receipt = Receipt.objects.get(pk=approval.target)
    if not mark_paid_by_hand(
        actor=Actor(approval.asked_by), receipt=receipt, tx_ref=approval.details["tx_ref"], second=approval
    ):
        raise Conflict(_("Receipt %(receipt)s was paid meanwhile; decline this.") % {"receipt": receipt})


MARK_PAID = Act(gettext_lazy("mark as paid"), "billing.mark_paid_receipt", _mark_paid)
