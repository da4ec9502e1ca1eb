"""From the request of a plan to its end: each act is done once, whoever else does it at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Organisation, User
from core.clock import now_for
from core.context import Actor
from core.errors import BadInput, Conflict
from subscriptions import hooks
from subscriptions.holders import TRIED, check_not_own, is_at_rest, is_member, same_holder
from subscriptions.models import (
    LIVE,
    USABLE,
    BillingCycle,
    Plan,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    SuspendedFor,
)
from subscriptions.services.history import LONGEST_REASON, OVER, lock, move, note, with_rest

_S = SubscriptionStatus
# What rests for one reason and gets a graver one rests for that; what ends a lighter one does not wake it.
_GRAVITY = {SuspendedFor.NONE: 0, SuspendedFor.QUOTA: 1, SuspendedFor.PAYMENT: 2, SuspendedFor.STAFF: 3}


class AlreadySubscribed(Conflict):
    """The holder has one to this plan that is not over."""

    code = "already_subscribed"


class PlanClosed(Conflict):
    """The plan takes no new subscriptions, or its model is switched off."""

    code = "plan_closed"


class HolderGone(Conflict):
    """The user is no member, or the user or the organisation is not active."""

    code = "holder_gone"


@transaction.atomic
def request_subscription(
    *, actor: Actor, plan: Plan, user: User | None = None, organisation: Organisation | None = None,
    billing_cycle: str = BillingCycle.MONTHLY, reason: str = "",
) -> Subscription:  # fmt: skip
    """Ask for a plan; it begins at once where the plan needs no approval, and the one before it did not end at rest.

    Whether ``actor`` may ask for this holder is the surface's to check (``subscriptions.holders``).
    Raises ``BadInput``, ``PlanClosed``, ``HolderGone``, ``AlreadySubscribed``.
    """
    if user is None and organisation is None:
        raise BadInput(_("Say for whom it is."), field="organisation")
    if billing_cycle not in BillingCycle.values:
        raise BadInput(_("There is no such billing cycle."), field="billing_cycle")
    if len(reason) > LONGEST_REASON:
        raise BadInput(_("At most %(n)d characters.") % {"n": LONGEST_REASON}, field="reason")
    check_plan(plan)
    check_holder(user, organisation)
    row = Subscription(
        plan=plan, user=user, organisation=organisation, billing_cycle=billing_cycle,
        currency=organisation.currency if organisation else settings.PAYMENT_CURRENCY,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        words = _("%(holder)s has a subscription to %(plan)s already.")
        raise AlreadySubscribed(words % {"holder": row.holder, "plan": plan.label}) from error
    note(actor, row, action="request", before="", reason=reason)
    if not plan.requires_approval and not is_at_rest(row, plan):
        _start(actor, row, "start")
    return row


@transaction.atomic
def approve_subscription(*, actor: Actor, subscription: Subscription) -> bool:
    """It begins now, with its trial where the plan has one. False when it runs already.

    Raises ``OwnSubscription``, ``InvalidTransition``, and ``HolderGone`` while it waits for somebody who has left.
    """
    check_not_own(actor, subscription)
    held = lock(subscription)
    if held.status in USABLE:
        subscription.refresh_from_db()
        return False
    if held.status == _S.PENDING:
        check_holder(held.user, held.organisation)
    return _start(actor, subscription, "approve", before=held.status)


@transaction.atomic
def deny_subscription(*, actor: Actor, subscription: Subscription, reason: str) -> bool:
    """The request ends; its reason is kept for the one who asked. False when it is over already."""
    reason = _said(reason)
    held = lock(subscription)
    return move(
        actor, subscription, _S.CANCELED, action="deny", leaving=(_S.PENDING,), before=held.status, reason=reason,
        end_at=now_for(held.organisation),
    )  # fmt: skip


@transaction.atomic
def suspend_subscription(
    *, actor: Actor, subscription: Subscription, cause: str, reason: str = "", reset_at: datetime | None = None
) -> bool:
    """It rests for ``cause`` (of ``SuspendedFor``); ``reset_at``: when its quota begins anew.

    False when it rests for the same or a graver cause already. Raises ``InvalidTransition``.
    """
    if cause not in SuspendedFor.values or not cause:
        raise BadInput(_("Say why."), field="cause")
    reason = _said(reason) if cause == SuspendedFor.STAFF else reason
    held = lock(subscription)
    values = {"suspended_for": cause, "reset_at": reset_at}
    hooks.call("suspend", actor=actor, subscription=held, cause=cause)
    if held.status != _S.SUSPENDED:
        return move(
            actor, subscription, _S.SUSPENDED, action="suspend", leaving=USABLE, before=held.status, reason=reason,
            **values,
        )  # fmt: skip
    graver = _GRAVITY[SuspendedFor(cause)] > _GRAVITY[SuspendedFor(held.suspended_for)]
    if graver:
        Subscription.objects.filter(pk=held.pk).update(**values, updated_at=timezone.now())
    subscription.refresh_from_db()
    if graver:
        note(actor, subscription, action="suspend", before=_S.SUSPENDED, reason=reason)
    return graver


@transaction.atomic
def resume_subscription(
    *, actor: Actor, subscription: Subscription, cause: str | None = None, reason: str = ""
) -> bool:
    """It goes on in the state that it rested from. With ``cause``, as that is gone: only where it rests for that.

    False when it does not rest for it. Raises ``OwnSubscription`` (without ``cause``), ``InvalidTransition``, and
    ``Conflict`` when its time is over.
    """
    if cause is None:
        check_not_own(actor, subscription)
    held = lock(subscription)
    now = now_for(held.organisation)
    if held.status in USABLE or (cause is not None and held.suspended_for != cause):
        subscription.refresh_from_db()
        return False
    if held.status == _S.SUSPENDED and held.end_at and held.end_at <= now:
        raise Conflict(_("Its time is over; it cannot go on."))
    done = move(
        actor, subscription, _rested_from(held, now), action="resume", leaving=(_S.SUSPENDED,), before=held.status,
        reason=reason, suspended_for=SuspendedFor.NONE, reset_at=None,
    )  # fmt: skip
    if done:
        hooks.call("resume", actor=actor, subscription=subscription, cause=held.suspended_for)
    return done


@transaction.atomic
def cancel_subscription(*, actor: Actor, subscription: Subscription, reason: str = "") -> bool:
    """It ends now. False when it was canceled before. Raises ``InvalidTransition`` when it has run out."""
    held = lock(subscription)
    if held.status in LIVE:
        hooks.call("cancel", actor=actor, subscription=held)
    now = now_for(held.organisation)
    return move(
        actor, subscription, _S.CANCELED, action="cancel", leaving=LIVE, before=held.status, reason=reason,
        end_at=max(now, held.start_at or now), metadata=with_rest(held), **OVER,
    )  # fmt: skip


def _start(actor: Actor, subscription: Subscription, action: str, before: str = _S.PENDING) -> bool:
    now = now_for(subscription.organisation)
    trial = _end_of_trial(subscription, now) if _has_trial(subscription) else None
    done = move(
        actor, subscription, _S.TRIAL if trial else _S.ACTIVE, action=action, leaving=(_S.PENDING,), before=before,
        start_at=now, trial_end_at=trial, trial_plan=subscription.plan if trial else None,
    )  # fmt: skip
    if done:
        hooks.call("start", actor=actor, subscription=subscription)
    return done


def _has_trial(subscription: Subscription) -> bool:
    """One trial a holder and plan, ever: neither canceling nor another plan meanwhile brings a second one."""
    plan = subscription.plan
    if not plan.trial_days:
        return False
    tried = same_holder(subscription).filter(trial_end_at__isnull=False)
    rows = tried.values_list("plan_id", "trial_plan_id", "metadata")
    return all(plan.pk not in (last, first, *facts.get(TRIED, ())) for last, first, facts in rows)


def _end_of_trial(subscription: Subscription, now: datetime) -> datetime:
    """So many days on at the same time of the holder's day, also where the clocks change meanwhile."""
    owner = subscription.organisation
    here = now.astimezone(owner.zone if owner is not None else timezone.get_default_timezone())
    return (here + timedelta(days=subscription.plan.trial_days)).astimezone(UTC)


def _rested_from(held: Subscription, now: datetime) -> str:
    rested = SubscriptionChange.objects.filter(subscription=held, to_status=_S.SUSPENDED)
    last = rested.exclude(from_status=_S.SUSPENDED).order_by("-id").first()
    state = last.from_status if last else _S.ACTIVE
    trial_is_over = held.trial_end_at is not None and held.trial_end_at <= now
    return _S.ACTIVE if state == _S.TRIAL and trial_is_over else state


def check_plan(plan: Plan) -> None:
    if not plan.is_active:
        raise PlanClosed(_("%(plan)s takes no new subscriptions.") % {"plan": plan.label})
    if plan.ai_model is not None and not plan.ai_model.is_active:
        raise PlanClosed(_("The model of %(plan)s is switched off.") % {"plan": plan.label})


def check_holder(user: User | None, organisation: Organisation | None) -> None:
    for each in (user, organisation):
        if each is not None and not each.is_active:
            raise HolderGone(_("%(name)s is not active.") % {"name": each})
    if user is not None and organisation is not None and not is_member(user, organisation):
        words = _("%(name)s is no member of %(organisation)s.")
        raise HolderGone(words % {"name": user, "organisation": organisation})


def _said(reason: str) -> str:
    if not reason.strip():
        raise BadInput(_("Say why."), field="reason")
    return reason.strip()
