"""Four eyes: above an amount, what one person asks for happens when a second one confirms it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import APPROVAL_TRANSITIONS, Approval, ApprovalStatus, LoneAct, User
from audit import services as audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import AppError, BadInput, Conflict
from core.periods import day_start, today
from core.registry import load
from core.states import transition
from core.words.wording import money_text


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of act. ``run`` does it inside the deciding transaction, as the one who asked; what it returns, if
    anything, is called after the commit (for what leaves the house). ``before`` is called ahead of that transaction,
    for what must be asked outside first; it must be safe to repeat."""

    label: str | Promise
    permission: str
    run: Callable[[Approval], Callable[[], object] | None]
    before: Callable[[Approval], object] | None = None


class WaitsForSecond(AppError):
    """Written down; it happens when a second person confirms it."""

    code = "waits_for_second"
    http_status = 202


class SamePerson(Conflict):
    code = "same_person"


class NotEntitled(Conflict):
    code = "not_entitled"


def act_of(name: str) -> Act:
    found: Act = load("APPROVAL_ACTS", name)
    return found


def acts_of(viewer: User | AnonymousUser) -> list[str]:
    """Names of the acts that ``viewer`` may do, and so may sign for."""
    return [name for name in settings.APPROVAL_ACTS if viewer.has_perm(act_of(name).permission)]


def needs_second(amount: Decimal, currency: str) -> bool:
    """Whether the site wants two people for this sum. Other currencies than the site's always need them."""
    limit: Decimal | None = settings.FOUR_EYES_ABOVE
    return limit is not None and (currency != settings.PAYMENT_CURRENCY or amount > limit)


@dataclass(frozen=True, slots=True)
class Lone:
    """An act that ``actor`` would do alone: how much of what, and whose that is."""

    actor: Actor
    act: str
    document: str
    customer: str
    amount: Decimal
    currency: str


def takes_second(one: Lone) -> bool:
    """``needs_second`` of the act together with what the same person did alone before: on the same document ever, for
    the same customer on the same day. A sum in parts needs two people as it does in one."""
    if settings.FOUR_EYES_ABOVE is None:
        return False
    return needs_second(one.amount + _alone(one), one.currency)


def count_alone(one: Lone) -> None:
    """Inside the transaction of an act that was done alone, last: it counts from now on. Raises ``Conflict`` where the
    same person's other acts, at this very moment, have made it too much for one."""
    if settings.FOUR_EYES_ABOVE is None:
        return
    lock_for_transaction("alone", one.actor.name)
    if takes_second(one):
        raise Conflict(_("With what you did meanwhile it needs a second person; please try again."))
    LoneAct.objects.create(
        actor=one.actor.name[:64], act=one.act, document=one.document, customer=one.customer[:80], amount=one.amount,
        currency=one.currency, done_at=timezone.now(),
    )  # fmt: skip


def _alone(one: Lone) -> Decimal:
    same = Q(document=one.document) | Q(customer=one.customer[:80], done_at__gte=day_start(today()))
    rows = LoneAct.objects.filter(same, actor=one.actor.name[:64], currency=one.currency)
    return Decimal(rows.aggregate(sum=Sum("amount"))["sum"] or 0)


def ask(
    *, actor: Actor, act: str, target: int, label: str, amount: Decimal, currency: str, details: dict[str, Any]
) -> Approval:
    """Write down what ``actor`` wants. Raises ``Conflict`` when somebody has asked for it already."""
    try:
        with transaction.atomic():
            row = Approval.objects.create(
                act=act, target=target, label=label, amount=amount, currency=currency, details=details,
                asked_by=actor.name,
            )  # fmt: skip
            audit.record(
                actor=actor, action="approval_ask", target=str(row.pk), entity=row,
                extra={"act": act, "about": label, "amount": amount, "currency": currency, **details},
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_("%(what)s waits for a second person already.") % {"what": label}) from error
    return row


def ask_and_stop(**wanted: Any) -> None:
    """``ask``, then raise ``WaitsForSecond`` with words for the one who asked."""
    row = ask(**wanted)
    words = _("%(sum)s needs a second person. It waits under Second signatures.")
    if not needs_second(row.amount, row.currency):
        words = _(
            "%(sum)s needs a second person, together with what was done before. It waits under Second signatures."
        )
    raise WaitsForSecond(words % {"sum": money_text(row.amount, row.currency)})


def approve(*, actor: Actor, approval: Approval, note: str = "") -> None:
    """Do what was asked for. Raises ``SamePerson``, ``NotEntitled``, ``Conflict`` when it was decided, and what the act
    raises (then it stays open)."""
    act = act_of(approval.act)
    _check_people(actor, approval, act)
    if act.before is not None and approval.status == ApprovalStatus.OPEN:
        act.before(approval)
    with transaction.atomic():
        _decide(actor, approval, ApprovalStatus.APPROVED, note)
        after = act.run(approval)
    if after is not None:
        after()


@transaction.atomic
def decline(*, actor: Actor, approval: Approval, note: str) -> None:
    """It will not happen. The one who asked may take it back this way, too. Raises ``BadInput``, ``Conflict``."""
    if not note.strip():
        raise BadInput(_("Say why."), field="note")
    _decide(actor, approval, ApprovalStatus.DECLINED, note)


@transaction.atomic
def overtake(*, actor: Actor, act: str, target: int, note: str) -> None:
    """What somebody asked for cannot happen any more, because something else has: it waits for nobody now."""
    for approval in Approval.objects.filter(act=act, target=target, status=ApprovalStatus.OPEN):
        _decide(actor, approval, ApprovalStatus.DECLINED, note)


def _check_people(actor: Actor, approval: Approval, act: Act) -> None:
    """Two, and both with the right as it stands now: whoever has left since counts no more."""
    if actor.name == approval.asked_by:
        raise SamePerson(_("Somebody else must confirm what you asked for."))
    for name in (actor.name, approval.asked_by):
        user = User.objects.filter(pk=name, is_active=True).first()
        if user is None or not user.has_perm(act.permission):
            raise NotEntitled(_("%(name)s may not do this, or no more; decline it.") % {"name": name})


def _decide(actor: Actor, approval: Approval, to: ApprovalStatus, note: str) -> None:
    taken_back = actor.name == approval.asked_by
    moved = transition(
        approval, to, table=APPROVAL_TRANSITIONS, decided_at=timezone.now(), note=note.strip()[:255],
        decided_by="" if taken_back else actor.name,
    )  # fmt: skip
    if not moved:
        raise Conflict(_("%(what)s was decided already.") % {"what": approval.label})
    audit.record(
        actor=actor, action=f"approval_{to}", target=str(approval.pk), entity=approval,
        changes={"status": [ApprovalStatus.OPEN, to]},
        extra={"act": approval.act, "about": approval.label, "amount": approval.amount, "currency": approval.currency,
               "asked_by": approval.asked_by, "note": note.strip()},
    )  # fmt: skip
