"""Another plan now or from the next period on, an end now or with the period: each with what it costs, shown before.

A change within a period gives the rest of the old plan back and charges the rest of the new one, by the site's
convention (``BILLING_PRORATION``); the period and its anchor stay. Another billing cycle ends the period: its rest
comes back, and a whole period of the new cycle begins on that day, which becomes the anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.cycles import NONE, Span, begins, first_instant, local_day, period, rest, share, whole
from billing.models import ChargeKind, SubscriptionCharge
from billing.selectors.fees import Fees, PlanQuote, credit_of, explain, zone_of
from billing.services.subscriptions.fees import catch_up, record_charges
from core.clock import now_for
from core.context import Actor
from core.errors import BadInput, Conflict
from subscriptions.holders import AGREED, TRIED, check_not_own, is_at_rest
from subscriptions.models import LIVE, USABLE, BillingCycle, Plan, PlanPrice, Subscription, SubscriptionStatus
from subscriptions.services.history import lock, note
from subscriptions.services.subscriptions import AlreadySubscribed, cancel_subscription, check_holder, check_plan

SHOWN_FOR = timedelta(minutes=15)  # how long amounts that were shown may be accepted
_SALT = "billing.plan_change"


class NeedsApproval(Conflict):
    """The plan is only for those whom somebody has approved; ask for it anew."""

    code = "needs_approval"


class QuoteOver(Conflict):
    """The amounts that were shown are too old, or no longer those that would be charged."""

    code = "total_changed"


@dataclass(frozen=True, slots=True)
class Change:
    """What a change at once comes to: rows of fees, unsaved, the price, and the period if another one begins."""

    credit: SubscriptionCharge | None
    charge: SubscriptionCharge | None
    price: PlanPrice | None
    within: Span | None = None
    anchor: int | None = None

    @property
    def fees(self) -> list[SubscriptionCharge]:
        return [each for each in (self.credit, self.charge) if each is not None]

    @property
    def sums(self) -> list[str]:
        return [f"{each.amount:f}" if each else "" for each in (self.credit, self.charge)]


def quote_change(
    *, subscription: Subscription, plan: Plan, cycle: str = "", now: datetime | None = None
) -> PlanQuote:  # fmt: skip
    """What changing to ``plan`` (and to the billing ``cycle``, if told) at this moment would charge and give back.
    Writes nothing.

    Raises what ``change_plan`` raises.
    """
    row = Subscription.objects.select_related(*_BESIDE).get(pk=subscription.pk)
    at = now or now_for(row.organisation)
    cycle = cycle or row.billing_cycle
    with transaction.atomic():
        _check(row, plan, cycle)
        if not _on_trial(row, at):
            _caught_up(Actor(""), row, at)
        found = _amounts(row, plan, cycle, at)
        transaction.set_rollback(True)
    facts = [row.pk, *_pair(row, plan, cycle), at.isoformat(), *found.sums]
    return PlanQuote(
        plan=plan, price=found.price, at=at, credit=found.credit, charge=found.charge, currency=row.currency,
        token=signing.dumps(facts, salt=_SALT, compress=True),
        period_end=found.within.end if found.within else row.period_end,
    )  # fmt: skip


@transaction.atomic
def change_plan(
    *, actor: Actor, subscription: Subscription, plan: Plan, cycle: str = "", at_period_end: bool = False,
    approved: bool = False, expected: str = "",
) -> bool:  # fmt: skip
    """Give it another plan, or billing ``cycle``, or both. False when it stands so already. ``expected``: the token of
    a quote; then the amounts are those of the quote, or nothing happens.

    Whether ``actor`` may do this is the surface's to check; ``approved``: a plan that needs approval is agreed to.
    Raises ``PlanClosed``, ``NeedsApproval``, ``OwnSubscription``, ``AlreadySubscribed``, ``NoPrice``, ``QuoteOver``,
    ``BadInput``; ``Conflict`` for one that does not run.
    """
    row = lock(subscription)
    cycle = cycle or row.billing_cycle
    if at_period_end:
        return _later(actor, subscription, row, plan, cycle, approved)
    if (row.plan_id, row.billing_cycle) == (plan.pk, cycle):
        subscription.refresh_from_db()
        return False
    now = now_for(row.organisation)
    _check(row, plan, cycle, by=(actor, approved))
    at = _moment(row, plan, cycle, expected, now) if expected else now
    if not _on_trial(row, at):
        _caught_up(actor, row, at)
    found = _amounts(row, plan, cycle, at)
    if expected and _read(expected)[4:] != found.sums:
        raise _over()
    before = (row.plan.code, row.billing_cycle)
    _take(row, plan, cycle, found)
    subscription.refresh_from_db()
    for each in found.fees:
        each.save(force_insert=True)
    note(
        actor, subscription, action="change", before=row.status, reason=_words(before, (plan.code, cycle)),
        changes=_changes(before, (plan.code, cycle)), extra={"convention": settings.BILLING_PRORATION},
    )  # fmt: skip
    if found.fees:
        record_charges(actor, found.fees, [subscription])
    return True


@transaction.atomic
def cancel(*, actor: Actor, subscription: Subscription, at_period_end: bool = False, reason: str = "") -> bool:
    """End it now, with the rest of its period given back by the convention, or with its period, which costs and gives
    nothing. False when that was said before. A request, a trial without an end, and one whose period is over end now.
    """
    row = lock(subscription)
    if not at_period_end or row.status not in LIVE or row.status == SubscriptionStatus.PENDING:
        return cancel_subscription(actor=actor, subscription=subscription, reason=reason)
    now = now_for(row.organisation)
    catch_up(actor=actor, rows=[row], now=now)
    ends = row.next_billing_at or row.trial_end_at
    if ends is None or ends <= now:
        return cancel_subscription(actor=actor, subscription=subscription, reason=reason)
    moved = Subscription.objects.filter(pk=row.pk, cancel_at_period_end=False, status__in=LIVE).update(
        cancel_at_period_end=True, next_plan=None, next_cycle="", next_billing_at=ends, updated_at=timezone.now()
    )
    subscription.refresh_from_db()
    if moved:
        note(actor, subscription, action="cancel_at_end", before=row.status, reason=reason,
             changes={"cancel_at_period_end": [False, True]}, extra={"ends": ends})  # fmt: skip
    return bool(moved)


@transaction.atomic
def keep(*, actor: Actor, subscription: Subscription) -> bool:
    """Take back what was to happen at the end of the period. False when nothing was."""
    row = lock(subscription)
    if row.status not in LIVE or not (row.cancel_at_period_end or row.next_plan_id or row.next_cycle):
        subscription.refresh_from_db()
        return False
    ends = row.next_billing_at
    if row.cancel_at_period_end and ends is not None and ends <= now_for(row.organisation):
        raise Conflict(_("Its period is over; it cannot be kept."))
    Subscription.objects.filter(pk=row.pk).update(
        cancel_at_period_end=False, next_plan=None, next_cycle="", updated_at=timezone.now()
    )
    changes = {"cancel_at_period_end": [row.cancel_at_period_end, False],
               "next_plan": [row.next_plan.code if row.next_plan else None, None],
               "next_cycle": [row.next_cycle, ""]}  # fmt: skip
    subscription.refresh_from_db()
    note(actor, subscription, action="keep", before=row.status, changes=changes)
    return True


_BESIDE = ("plan", "next_plan", "price", "organisation", "user")


def _later(
    actor: Actor, subscription: Subscription, row: Subscription, plan: Plan, cycle: str, approved: bool
) -> bool:  # fmt: skip
    """Plan and cycle of the next period; those that it has take an earlier wish back. The last wish counts."""
    wanted = None if plan.pk == row.plan_id else plan
    wanted_cycle = "" if cycle == row.billing_cycle else cycle
    agreed = wanted.pk if wanted is not None and approved else row.metadata.get(AGREED)
    now_wanted = (row.next_plan_id, row.next_cycle, row.metadata.get(AGREED))
    as_it_is = now_wanted == (wanted.pk if wanted else None, wanted_cycle, agreed)
    if as_it_is and not row.cancel_at_period_end:
        subscription.refresh_from_db()
        return False
    if row.status not in USABLE:
        raise _not_now(row)
    now = now_for(row.organisation)
    if not _on_trial(row, now):
        _caught_up(actor, row, now)
    ends = row.next_billing_at or row.trial_end_at or now
    if wanted is not None or wanted_cycle:
        _check(row, plan, cycle, by=(actor, approved))
        Fees.of([plan.pk]).price(plan, cycle, row.currency, local_day(ends, zone_of(row)))
    before = row.next_plan
    facts = {**row.metadata, AGREED: wanted.pk if wanted is not None and approved else None}
    Subscription.objects.filter(pk=row.pk).update(
        next_plan=wanted, next_cycle=wanted_cycle, cancel_at_period_end=False, updated_at=timezone.now(),
        metadata={name: value for name, value in facts.items() if value is not None},
    )  # fmt: skip
    subscription.refresh_from_db()
    changes = {"next_plan": [before.code if before else None, wanted.code if wanted else None]}
    if (row.next_cycle, wanted_cycle) != ("", ""):
        changes["next_cycle"] = [row.next_cycle, wanted_cycle]
    note(
        actor, subscription, action="change_at_end", before=row.status,
        reason=_words((row.plan.code, row.billing_cycle), (plan.code, cycle)), changes=changes, extra={"from": ends},
    )  # fmt: skip
    return True


def _words(before: tuple[str, str], after: tuple[str, str]) -> str:
    """``pro → big``, or with a cycle that changes ``pro monthly → pro yearly``."""
    if before[1] == after[1]:
        return f"{before[0]} → {after[0]}"
    return f"{' '.join(before)} → {' '.join(after)}"


def _changes(before: tuple[str, str], after: tuple[str, str]) -> dict[str, list[str]]:
    names = ("plan", "billing_cycle")
    return {name: [old, new] for name, old, new in zip(names, before, after, strict=True) if old != new}


def _pair(row: Subscription, plan: Plan, cycle: str) -> tuple[str, str]:
    """What it has and what it is to have, for tokens."""
    return f"{row.plan_id}/{row.billing_cycle}", f"{plan.pk}/{cycle}"


def _check(row: Subscription, plan: Plan, cycle: str, *, by: tuple[Actor, bool] | None = None) -> None:
    """``by``: who changes it, and whether they agree to a plan that needs approval; None while amounts are shown."""
    if row.status not in USABLE or (row.end_at is not None and row.end_at <= now_for(row.organisation)):
        raise _not_now(row)
    if cycle not in BillingCycle.values:
        raise BadInput(_("There is no such billing cycle."), field="cycle")
    if plan.pk == row.plan_id:
        if cycle == row.billing_cycle:
            raise BadInput(_("It has this plan already."), field="plan")
        return
    check_plan(plan)
    check_holder(row.user, row.organisation)
    if by is not None and (plan.requires_approval or is_at_rest(row, plan)):
        actor, approved = by
        if not approved:
            raise NeedsApproval(_("%(plan)s needs approval: request it as a new subscription.") % {"plan": plan.label})
        check_not_own(actor, row)
    same = Subscription.objects.filter(
        plan=plan, user=row.user_id, organisation=row.organisation_id, status__in=LIVE
    ).exclude(pk=row.pk)
    if same.exists():
        raise _has_it(row, plan)


def _has_it(row: Subscription, plan: Plan) -> AlreadySubscribed:
    words = _("%(holder)s has a subscription to %(plan)s already.")
    return AlreadySubscribed(words % {"holder": row.holder, "plan": plan.label})


def _not_now(row: Subscription) -> Conflict:
    return Conflict(_("It is %(status)s; only one that runs can change.") % {"status": row.get_status_display()})


def _on_trial(row: Subscription, at: datetime) -> bool:
    return row.trial_end_at is not None and row.trial_end_at > at and row.period_start is None


def _caught_up(actor: Actor, row: Subscription, at: datetime) -> None:
    """The period that runs at this moment is charged first. Raises ``NoPrice`` where that cannot be."""
    for each in catch_up(actor=actor, rows=[row], now=at).parked:
        raise each.error or _has_it(row, row.next_plan or row.plan)


def _amounts(row: Subscription, plan: Plan, cycle: str, at: datetime) -> Change:
    """Credit and charge for what is left of the period, and the new price. On trial there are none."""
    zone, book = zone_of(row), Fees.of([plan.pk])
    if _on_trial(row, at) and row.trial_end_at is not None:
        book.price(plan, cycle, row.currency, local_day(row.trial_end_at, zone))
        return Change(None, None, None)
    price = book.price(plan, cycle, row.currency, local_day(at, zone))
    if cycle != row.billing_cycle:
        return _new_cycle(row, plan, cycle, price, at)
    credit = credit_of(row, at, ends=_is_less(row, price, zone))
    if price is None or row.period_start is None or row.period_end is None or row.period_end <= at:
        return Change(credit, None, price)
    convention, within = settings.BILLING_PRORATION, Span(row.period_start, row.period_end)
    left = rest(convention, within, at, zone)
    amount = share(price.amount, row.currency, left)
    if not left.units:
        return Change(credit, None, price)
    charge = SubscriptionCharge(
        subscription=row, kind=ChargeKind.PRORATION, price=price, amount=amount, currency=row.currency,
        period_start=begins(convention, within, at, zone), period_end=row.period_end, due_at=at,
        explanation=explain(plan, price, within, zone, why="change", part=left),
    )  # fmt: skip
    return Change(credit, charge, price)


def _new_cycle(row: Subscription, plan: Plan, cycle: str, price: PlanPrice | None, at: datetime) -> Change:
    """The rest of the period comes back, and a whole one of the new cycle begins at the moment from which that rest
    counts; its day becomes the anchor. Raises ``BadInput`` where no parts are given back."""
    convention, zone = settings.BILLING_PRORATION, zone_of(row)
    if convention == NONE:
        raise BadInput(_("Here the billing cycle changes with the next period only."), field="cycle")
    day = local_day(at, zone)
    start = first_instant(day, zone)
    if row.period_start is not None and row.period_end is not None:
        start = begins(convention, Span(row.period_start, row.period_end), at, zone)
    within = Span(start, first_instant(period(day.day, day, cycle, 0).end, zone))
    credit = credit_of(row, at, ends=_is_less(row, price, zone, within))
    if price is None:
        return Change(credit, None, None, within, day.day)
    # one fee a period: where one begins at this very moment already, this one is told from it by its kind
    fees = SubscriptionCharge.objects.filter(subscription=row, kind=ChargeKind.FEE, period_start=start)
    charge = SubscriptionCharge(
        subscription=row, kind=ChargeKind.PRORATION if fees.exists() else ChargeKind.FEE, price=price,
        amount=whole(price.amount, row.currency), currency=row.currency, period_start=within.start,
        period_end=within.end, due_at=at, explanation=explain(plan, price, within, zone, why="cycle"),
    )  # fmt: skip
    return Change(credit, charge, price, within, day.day)


def _is_less(row: Subscription, price: PlanPrice | None, zone: ZoneInfo, within: Span | None = None) -> bool:
    """What costs less a day, or nothing, takes the place of what was paid: as an end, it pays for the first day.
    ``within``: the period of another cycle."""
    if row.price is None or price is None:
        return row.price is not None
    had, gets = 1, 1
    if within is not None and row.period_start is not None and row.period_end is not None:
        had, gets = _days(Span(row.period_start, row.period_end), zone), _days(within, zone)
    return price.amount * had < row.price.amount * gets


def _days(within: Span, zone: ZoneInfo) -> int:
    return (local_day(within.end, zone) - local_day(within.start, zone)).days


def _take(row: Subscription, plan: Plan, cycle: str, change: Change) -> None:
    """It is set where the row still is what it was; a wish for the next period is over with it."""
    as_read: dict[str, Any] = {"plan": row.plan_id, "period_end": row.period_end, "billing_cycle": row.billing_cycle}
    unchanged = Subscription.objects.filter(pk=row.pk, status__in=USABLE, **as_read)
    values: dict[str, Any] = {"plan": plan, "billing_cycle": cycle, "price": change.price}
    if plan.pk != row.plan_id:
        now = values["plan_since"] = now_for(row.organisation)  # as late as can be: what ended before counts
        if _on_trial(row, now):
            values["metadata"] = {**row.metadata, TRIED: sorted({*row.metadata.get(TRIED, ()), row.plan_id})}
    if change.within is not None:
        values |= {"period_start": change.within.start, "period_end": change.within.end,
                   "next_billing_at": change.within.end, "anchor_day": change.anchor}  # fmt: skip
    try:
        with transaction.atomic():
            moved = unchanged.update(**values, next_plan=None, next_cycle="", updated_at=timezone.now())
    except IntegrityError as error:
        raise _has_it(row, plan) from error
    if not moved:
        raise Conflict(_("Somebody else changes it at this moment; look again."))


def _moment(row: Subscription, plan: Plan, cycle: str, expected: str, now: datetime) -> datetime:
    """When the quote was made. Raises ``QuoteOver`` for one of something else, or too old."""
    subscription, old, new, at, *_amounts = _read(expected)
    moment = datetime.fromisoformat(at)
    fits = (subscription, old, new) == (row.pk, *_pair(row, plan, cycle))
    begun = row.next_billing_at is not None and moment < row.next_billing_at <= now
    if not fits or begun or not now - SHOWN_FOR <= moment <= now:
        raise _over()
    return moment


def _read(expected: str) -> list[Any]:
    try:
        found: list[Any] = signing.loads(expected, salt=_SALT)
    except signing.BadSignature as error:
        raise _over() from error
    return found


def _over() -> QuoteOver:
    return QuoteOver(_("The amounts have changed since they were shown. Look at them again."))
