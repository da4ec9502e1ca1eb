"""Fees of periods: the one place where a subscription's period goes on, and what its start, rest and end mean for it.

A period is paid in advance: its fee is due where it begins, at the price in force on its first day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from audit import services as audit
from billing.cycles import local_day, whole
from billing.models import ChargeKind, SubscriptionCharge
from billing.selectors.documents.dues import Dues, dues_of
from billing.selectors.fees import (
    PARKED,
    PAUSES,
    Fees,
    NoPrice,
    credit_of,
    due,
    explain,
    next_period,
    trouble_words,
    zone_of,
)
from core.clock import now_for, today_for
from core.context import Actor
from core.errors import Busy, Conflict
from subscriptions.holders import AGREED, at_rest, still_held
from subscriptions.models import LIVE, Plan, Subscription, SubscriptionStatus, SuspendedFor
from subscriptions.services.history import note

RELATED = ("plan", "next_plan", "organisation", "user")
MOVED = (
    "plan", "plan_since", "next_plan", "billing_cycle", "next_cycle", "price", "anchor_day", "period_start",
    "period_end", "next_billing_at", "updated_at",
)  # fmt: skip
_RUNS = (SubscriptionStatus.TRIAL, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class DuesUnpaid(Conflict):
    code = "dues_unpaid"


@dataclass(slots=True)
class Advance:
    """What the periods that have begun mean for one subscription; its row carries the new values, unsaved."""

    row: Subscription
    fees: list[SubscriptionCharge] = field(default_factory=list)
    periods: int = 0
    plan_before: Plan | None = None
    trouble: dict[str, str] | None = None
    error: NoPrice | None = None
    unparked: bool = False
    refused: Plan | None = None  # which was to begin, and rests for the holder


@dataclass(slots=True)
class Caught:
    """Subscriptions and fees of one set; ``parked`` could not go on."""

    renewed: int = 0
    free: int = 0
    fees: list[SubscriptionCharge] = field(default_factory=list)
    plans: int = 0
    parked: list[Advance] = field(default_factory=list)


def catch_up(*, actor: Actor, rows: Sequence[Subscription], now: datetime, why: str = "renewal") -> Caught:
    """Begin every period that is due for ``rows``, which the caller holds locked: the same statements for any number.

    Raises ``Busy`` when one of them is no longer what it was (nothing is written then).
    """
    prefetch_related_objects(list(rows), *RELATED)
    plans = {row.plan_id for row in rows} | {row.next_plan_id for row in rows if row.next_plan_id}
    book, taken = Fees.of(plans), _taken(rows)
    gone, resting = _gone(rows), _resting(rows)
    done = [advance(row, book, now, taken=taken, gone=gone, resting=resting, why=why) for row in rows]
    moved = [each for each in done if each.periods]
    found = Caught(parked=[each for each in done if each.trouble])
    found.renewed, found.plans = len(moved), sum(each.plan_before is not None for each in moved)
    _write(moved, done, now)
    found.fees = _charge([fee for each in moved for fee in each.fees])
    found.free = sum(each.periods for each in moved) - sum(len(each.fees) for each in moved)
    for each in moved:
        if each.plan_before is not None:
            pair = {"plan": [each.plan_before.code, each.row.plan.code]}
            words = f"{each.plan_before.code} → {each.row.plan.code}"
            note(actor, each.row, action="new_plan", before=each.row.status, reason=words, changes=pair)
        if each.refused is not None:
            gone_wish: dict[str, Any] = {"next_plan": [each.refused.code, None]}
            words = f"{each.refused.code}: needs approval"
            note(actor, each.row, action="keep", before=each.row.status, reason=words, changes=gone_wish)
    if found.fees:
        record_charges(actor, found.fees, rows)
    return found


def advance(
    row: Subscription, book: Fees, now: datetime, *, taken: frozenset[tuple[Any, ...]] = frozenset(),
    gone: frozenset[int] = frozenset(), resting: frozenset[int] = frozenset(), why: str,
) -> Advance:  # fmt: skip
    """Walk the periods of one subscription up to ``now``. It stops before one that has no price. ``gone``: those whose
    holder has left the organisation; ``resting``: those whose next plan rests for their holder, which go on with
    the plan that they have."""
    done = Advance(row)
    if row.status not in _RUNS and (row.status != SubscriptionStatus.SUSPENDED or row.suspended_for in PAUSES):
        return done
    while (moment := row.next_billing_at or row.trial_end_at or row.start_at) is not None and moment <= now:
        ends = row.cancel_at_period_end and row.next_billing_at is not None
        if ends or (row.end_at is not None and row.end_at <= moment):
            break
        if row.next_plan is not None and row.pk in resting:
            done.refused, row.next_plan, row.next_cycle = row.next_plan, None, ""
        if not _step(done, moment, now, book, taken, is_served=_served(row) and row.pk not in gone, why=why):
            break
    if not done.trouble and done.periods and PARKED in row.metadata:
        row.metadata = {name: value for name, value in row.metadata.items() if name != PARKED}
        done.unparked = True
    return done


def _step(
    done: Advance, moment: datetime, now: datetime, book: Fees, taken: frozenset[tuple[Any, ...]], *, is_served: bool,
    why: str,
) -> bool:  # fmt: skip
    row = done.row
    plan: Plan = row.next_plan or row.plan
    cycle = row.next_cycle or row.billing_cycle
    anchor, days, within = next_period(row, moment, cycle)
    if row.next_plan is not None and (row.organisation_id, row.user_id, plan.pk) in taken:
        done.trouble = {"code": "already_subscribed", "plan": plan.code}
        return False
    try:
        price = book.price(plan, cycle, row.currency, days.start)
    except NoPrice as error:
        done.error = error
        done.trouble = {"code": error.code, "plan": plan.code, "cycle": cycle, "currency": row.currency,
                        "day": days.start.isoformat()}  # fmt: skip
        return False
    if price is not None and not is_served:
        price = None
    if row.next_plan is not None:
        done.plan_before, row.plan, row.next_plan, row.plan_since = (
            row.plan,
            plan,
            None,
            max(now, now_for(row.organisation)),
        )
    row.billing_cycle, row.next_cycle = cycle, ""
    row.price, row.anchor_day = price, anchor
    row.period_start, row.period_end, row.next_billing_at = within.start, within.end, within.end
    done.periods += 1
    if price is not None:
        done.fees.append(SubscriptionCharge(
            subscription=row, kind=ChargeKind.FEE, price=price, period_start=within.start, period_end=within.end,
            amount=whole(price.amount, row.currency), currency=row.currency, due_at=within.start,
            explanation=explain(plan, price, within, zone_of(row), why=why),
        ))  # fmt: skip
    return True


def _served(row: Subscription) -> bool:
    """Nobody can use what an inactive user or organisation holds; its periods pass without a fee."""
    return all(each is None or each.is_active for each in (row.user, row.organisation))


def _gone(rows: Sequence[Subscription]) -> frozenset[int]:
    """Those of members who may not use what the organisation has any more."""
    within = [row.pk for row in rows if row.user_id and row.organisation_id]
    if not within:
        return frozenset()
    held = Subscription.objects.filter(still_held(), pk__in=within).values_list("pk", flat=True)
    return frozenset(within) - set(held)


def _resting(rows: Iterable[Subscription]) -> frozenset[int]:
    """Those whose next plan, by the holder's own wish, the staff has let rest by now. What rests for want of payment
    does so for the whole organisation, and is over when it has paid."""
    wishes = [(row, row.next_plan) for row in rows if row.next_plan is not None]
    own = [(row, plan) for row, plan in wishes if row.metadata.get(AGREED) != plan.pk]
    return frozenset(row for row, _plan in at_rest(own, (SuspendedFor.STAFF,))) if own else frozenset()


def _taken(rows: Iterable[Subscription]) -> frozenset[tuple[Any, ...]]:
    """Holders who have a live subscription to a plan that another one of theirs is to take over."""
    plans = {row.next_plan_id for row in rows if row.next_plan_id}
    if not plans:
        return frozenset()
    live = Subscription.objects.filter(status__in=LIVE, plan__in=plans)
    return frozenset(live.values_list("organisation_id", "user_id", "plan_id"))


def _write(moved: list[Advance], done: list[Advance], now: datetime) -> None:
    for each in moved:
        each.row.updated_at = now
    # the condition stands in the UPDATE, too: whoever was quicker has taken these periods
    if moved and due(now).bulk_update([each.row for each in moved], MOVED) != len(moved):
        raise Busy("Somebody else renews these subscriptions at this moment.")
    news = [each for each in done if each.trouble and each.row.metadata.get(PARKED) != each.trouble]
    for each in news:
        each.row.metadata = {**each.row.metadata, PARKED: each.trouble}
    told = [*news, *(each for each in done if each.unparked)]
    if told:
        Subscription.objects.bulk_update([each.row for each in told], ("metadata",))


def _charge(fees: list[SubscriptionCharge]) -> list[SubscriptionCharge]:
    """Those that there were not. The database allows one fee a subscription and period, whoever comes second."""
    if not fees:
        return []
    there = set(
        SubscriptionCharge.objects.filter(
            kind=ChargeKind.FEE, subscription__in={fee.subscription_id for fee in fees},
            period_start__gte=min(fee.period_start for fee in fees),
        ).values_list("subscription_id", "period_start")
    )  # fmt: skip
    wanted = [fee for fee in fees if (fee.subscription_id, fee.period_start) not in there]
    return SubscriptionCharge.objects.bulk_create(wanted)


def record_charges(actor: Actor, fees: list[SubscriptionCharge], rows: Sequence[Subscription]) -> None:
    """One entry for a whole set; of one subscription it names it."""
    only = rows[0] if len(rows) == 1 else None
    audit.record(
        actor=actor, action="subscription_fees", target=str(only) if only else "", entity=only,
        extra={"fees": len(fees), "subscriptions": len({fee.subscription_id for fee in fees}), "sums": sums_of(fees),
               "first": min(fee.pk for fee in fees), "last": max(fee.pk for fee in fees)},
    )  # fmt: skip


def sums_of(fees: Iterable[SubscriptionCharge]) -> dict[str, str]:
    found: dict[str, Decimal] = {}
    for fee in fees:
        found[fee.currency] = found.get(fee.currency, Decimal(0)) + fee.amount
    return {currency: f"{total:f}" for currency, total in sorted(found.items())}


# --- the hooks of subscriptions ---------------------------------------------------------
def on_start(*, actor: Actor, subscription: Subscription) -> None:
    """The first fee falls due at once, or after the trial.

    Raises ``NoPrice`` where it would have no amount, and ``DuesUnpaid``.
    """
    _check_dues(subscription)
    first = subscription.trial_end_at or subscription.start_at
    assert first is not None  # noqa: S101 - it has just started
    plan, day = subscription.plan, local_day(first, zone_of(subscription))
    Fees.of([plan.pk]).price(plan, subscription.billing_cycle, subscription.currency, day)
    now = now_for(subscription.organisation)
    if first > now:
        Subscription.objects.filter(pk=subscription.pk).update(next_billing_at=first)
    else:
        catch_up(actor=actor, rows=[subscription], now=now, why="start")
    subscription.refresh_from_db()


def _check_dues(subscription: Subscription) -> None:
    """What the hourly run would suspend for want of payment does not begin: a new one is no way around that."""
    owner = subscription.organisation
    if owner is not None and dues_of([owner.pk], today_for(owner)).get(owner.pk) == Dues.SUSPENDED:
        raise DuesUnpaid(
            _("%(name)s has bills that are long overdue; nothing begins until they are paid.") % {"name": owner}
        )


def on_suspend(*, actor: Actor, subscription: Subscription, cause: str) -> None:
    """Periods that had begun before it rests are charged; from then on none is."""
    if cause in PAUSES:
        catch_up(actor=actor, rows=[subscription], now=now_for(subscription.organisation))


def on_resume(*, actor: Actor, subscription: Subscription, cause: str) -> None:
    """Where its period ran out meanwhile, a new one begins on this day, which becomes its anchor.

    Raises ``NoPrice``.
    """
    now = now_for(subscription.organisation)
    moment = subscription.next_billing_at or subscription.trial_end_at or subscription.start_at
    if cause not in PAUSES or moment is None or moment > now or subscription.cancel_at_period_end:
        return
    subscription.anchor_day = subscription.period_start = subscription.period_end = None
    subscription.next_billing_at = now
    found = catch_up(actor=actor, rows=[subscription], now=now, why="resume")
    for each in found.parked:
        raise each.error or NoPrice(trouble_words(each.trouble))
    subscription.refresh_from_db()


def on_cancel(*, actor: Actor, subscription: Subscription) -> None:
    """What is due is charged, then the rest of the period comes back by the convention."""
    now = now_for(subscription.organisation)
    catch_up(actor=actor, rows=[subscription], now=now)
    has_begun = subscription.status != SubscriptionStatus.PENDING
    credit = credit_of(subscription, now, ends=True) if has_begun else None
    if credit is not None:
        credit.save(force_insert=True)
        record_charges(actor, [credit], [subscription])


def on_end(*, actor: Actor, rows: Sequence[Subscription], now: datetime) -> None:
    """Periods that began before their end are charged, however late somebody looks."""
    catch_up(actor=actor, rows=rows, now=now)
