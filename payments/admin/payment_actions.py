"""What finance may do with a payment; each shows first what it will change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.console.admin import MOST_ROWS, ConfirmedAction
from core.context import Actor
from core.errors import BadInput
from payments.admin import parts
from payments.models import OPEN_STATUSES, AttemptOutcome, Payment, PaymentStatus
from payments.services.retries import LIMIT, retry_payment, set_retries
from payments.services.review import accept_payment, close_payment
from payments.services.sync import Synced, sync_payment

_HEADERS = (_("payment"), _("receipt or invoice"), _("user"), _("why it needs review"))
_NOT_OVER = (*OPEN_STATUSES, PaymentStatus.FAILED, PaymentStatus.CANCELED, PaymentStatus.NEEDS_REVIEW)


def makes_sense(payment: Payment, name: str) -> bool:
    """Whether the action ``name`` can do anything for this payment now."""
    review, failed = payment.status == PaymentStatus.NEEDS_REVIEW, payment.status == PaymentStatus.FAILED
    known = payment.asked_at is not None or bool(payment.external_payment_id)
    return {
        "accept_action": review,
        "close_action": review,
        "sync_action": known,
        "retry_action": failed,
        "retries_action": payment.status in _NOT_OVER and not review,
    }.get(name, True)


def _cells(payment: Payment) -> tuple[str, ...]:
    return str(payment), str(payment.document), payment.username, parts.told(payment.review_reason, payment)


def _money(payment: Payment) -> tuple[Any, str]:
    return payment.amount, payment.currency


ACCEPT = ConfirmedAction(
    name="accept_action",
    title=_("Accept payments"),
    field_label=_("What the provider's own record shows"),
    status=PaymentStatus.NEEDS_REVIEW,
    headers=_HEADERS,
    row=_cells,
    money=_money,
    advice=_("The payment succeeds and pays what it is for. Compare with the provider's own record first."),
    button=lambda n: ngettext("Accept %(n)d payment", "Accept %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment accepted.", "%(n)d payments accepted.", n) % {"n": n},
    run=lambda actor, payment, text: accept_payment(actor=actor, payment=payment, note=text),
)
CLOSE = replace(
    ACCEPT,
    name="close_action",
    title=_("Close payments without money"),
    field_label=_("What was found out"),
    advice=_("The payment ends as canceled and the payer may try again. What it holds stays a credit."),
    button=lambda n: ngettext("Close %(n)d payment", "Close %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment closed.", "%(n)d payments closed.", n) % {"n": n},
    run=lambda actor, payment, text: close_payment(actor=actor, payment=payment, note=text),
)


def _state_cells(payment: Payment) -> tuple[str, ...]:
    return str(payment), str(payment.document), payment.username, payment.get_status_display()


def _told(payment: Payment, synced: Synced) -> str:
    """What the provider's record did, in the words that are kept with messages."""
    if not synced.found:
        return gettext("the provider shows no record of it; it is %(status)s here") % {
            "status": synced.payment.get_status_display()
        }
    names = {"status": synced.payment.get_status_display(), "detail": parts.told(synced.applied.detail, payment)}
    return gettext("%(status)s (%(detail)s)") % names


SYNC = ConfirmedAction(
    name="sync_action",
    title=_("Ask the provider now"),
    field_label="",
    status=(),
    headers=(_("payment"), _("receipt or invoice"), _("user"), _("status")),
    row=_state_cells,
    money=_money,
    advice=_(
        "The provider's record is read, and payment, what it is for, refunds and disputes follow it, as after a message"
        " of the provider. Nothing moves that does not match."
    ),
    button=lambda n: ngettext("Ask about %(n)d payment", "Ask about %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment compared.", "%(n)d payments compared.", n) % {"n": n},
    run=lambda actor, payment, text: parts.asking(lambda: sync_payment(payment, actor=actor)),
    say=_told,
    most=parts.MOST,
)


def _retry(actor: Actor, payment: Payment, text: str) -> AttemptOutcome | None:
    return parts.asking(lambda: retry_payment(actor=actor, payment=payment))


RETRY = replace(
    SYNC,
    name="retry_action",
    title=_("Try again now"),
    status=PaymentStatus.FAILED,
    advice=_(
        "First the provider is asked whether the money came after all. If not, and if it is still waited for, a new"
        " checkout is opened for the payer, who sees it on the receipt or invoice. Nobody is charged by this."
    ),
    button=lambda n: ngettext("Try %(n)d payment again", "Try %(n)d payments again", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment tried again.", "%(n)d payments tried again.", n) % {"n": n},
    run=_retry,
    say=lambda payment, outcome: str(AttemptOutcome(outcome).label),
)


def _set(actor: Actor, payment: Payment, text: str) -> Payment:
    if not (text.isascii() and text.isdigit()):
        raise BadInput(gettext("Between 0 and %(most)d retries.") % {"most": LIMIT}, field="max_retries")
    return set_retries(actor=actor, payment=payment, max_retries=int(text))


RETRIES = replace(
    SYNC,
    name="retries_action",
    title=_("Retries"),
    field_label=_("Retries at most (0 stops them)"),
    status=_NOT_OVER,
    headers=(_("payment"), _("receipt or invoice"), _("user"), _("status"), _("retries so far"), _("retries at most")),
    row=lambda payment: (*_state_cells(payment), str(payment.retry_count), str(payment.max_retries)),
    advice=_(
        "A payment that failed is tried again by the site's hours, up to this number. Retries that were made count;"
        " at or below them it is given up, and payer and finance see that."
    ),
    button=lambda n: ngettext("Set the retries of %(n)d payment", "Set the retries of %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("Retries of %(n)d payment set.", "Retries of %(n)d payments set.", n) % {"n": n},
    run=_set,
    say=None,
    most=MOST_ROWS,
)
