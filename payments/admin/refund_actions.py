"""What finance may do with a refund; each shows first what it will change."""

from __future__ import annotations

from dataclasses import replace

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.console.admin import ConfirmedAction
from core.context import Actor
from core.errors import Busy, Conflict
from payments.admin import parts
from payments.models import OPEN_REFUNDS, Refund, RefundStatus
from payments.services.refunds import LEASE, cancel_refund, confirm_refund, send_refund
from payments.services.sync import sync_payment


def _cells(refund: Refund) -> tuple[str, ...]:
    return str(refund), str(refund.payment.document), refund.payment.username, refund.reason


def _by_hand(refund: Refund) -> None:
    if not refund.by_hand:
        raise Conflict(str(_("The provider sends this refund by itself.")))


def _confirm(actor: Actor, refund: Refund, text: str) -> Refund:
    _by_hand(refund)
    return confirm_refund(actor=actor, refund=refund, note=text)


def _cancel(actor: Actor, refund: Refund, text: str) -> Refund:
    _by_hand(refund)
    return cancel_refund(actor=actor, refund=refund, note=text)


def _ask(actor: Actor, refund: Refund, text: str) -> Refund:
    """The record is read first: a refund whose answer was lost may stand in it already."""
    if refund.by_hand:
        raise Conflict(str(_("Finance sends this refund itself; the provider is not asked.")))
    if refund.asked_at and timezone.now() - refund.asked_at < LEASE:
        raise Busy(str(_("The provider was asked a moment ago. Please try again in a minute.")))
    parts.asking(lambda: sync_payment(refund.payment, actor=actor))
    refund.refresh_from_db()
    return parts.asking(lambda: send_refund(actor=actor, refund=refund))


CONFIRM = ConfirmedAction(
    name="confirm_action",
    title=_("Refunds sent by hand"),
    field_label=_("The bank's reference of the transfer"),
    status=OPEN_REFUNDS,
    headers=(_("refund"), _("receipt or invoice"), _("user"), _("reason")),
    row=_cells,
    money=lambda refund: (refund.amount, refund.payment.currency),
    advice=_("Only after the money has left: the refund is done, and the receipt or invoice follows it."),
    button=lambda n: ngettext("%(n)d refund was sent", "%(n)d refunds were sent", n) % {"n": n},
    done=lambda n: ngettext("%(n)d refund done.", "%(n)d refunds done.", n) % {"n": n},
    run=_confirm,
)
CANCEL = replace(
    CONFIRM,
    name="cancel_action",
    title=_("Refunds that are not sent"),
    field_label=_("Why it is not sent"),
    advice=_("The refund ends as canceled; what it held can be given back in another way."),
    button=lambda n: ngettext("Cancel %(n)d refund", "Cancel %(n)d refunds", n) % {"n": n},
    done=lambda n: ngettext("%(n)d refund canceled.", "%(n)d refunds canceled.", n) % {"n": n},
    run=_cancel,
)
ASK = replace(
    CONFIRM,
    name="ask_action",
    title=_("Ask for refunds again"),
    field_label="",
    status=RefundStatus.REQUESTED,
    advice=_(
        "For refunds whose answer was lost. The provider's record is read first, then it is asked again under the same"
        " key: nothing is given back twice."
    ),
    button=lambda n: ngettext("Ask again for %(n)d refund", "Ask again for %(n)d refunds", n) % {"n": n},
    done=lambda n: ngettext("%(n)d refund asked for.", "%(n)d refunds asked for.", n) % {"n": n},
    run=_ask,
    say=lambda refund, result: str(result.get_status_display()),
    most=parts.MOST,
)
