"""From the request of a plan to its end."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Member, Organisation
from audit.models import AuditLog
from core.context import SYSTEM, Actor
from core.errors import BadInput, Conflict, InvalidTransition
from subscriptions.models import AiModel, Plan, Subscription, SubscriptionChange, SuspendedFor
from subscriptions.services.catalogue import change_model
from subscriptions.services.ending import end_due
from subscriptions.services.subscriptions import (
    AlreadySubscribed,
    HolderGone,
    PlanClosed,
    approve_subscription,
    cancel_subscription,
    deny_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.races import at_once
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db
ALICE = Actor("alice")


def ask(plan: Plan, user: Any = None, organisation: Any = None, **more: Any) -> Subscription:
    return request_subscription(actor=ALICE, plan=plan, user=user, organisation=organisation, **more)


def history(row: Subscription) -> list[tuple[str, str, str]]:
    return list(row.changes.values_list("action", "from_status", "to_status"))


@pytest.fixture
def pending(plan: Plan, alice: Any) -> Subscription:
    return ask(plan, alice, reason="for my thesis")


@pytest.fixture
def active(pending: Subscription) -> Subscription:
    assert approve_subscription(actor=FIN, subscription=pending)
    return pending


# --- asking ---------------------------------------------------------------------------
def test_a_plan_that_needs_approval_waits_and_one_that_does_not_begins_at_once(
    pending: Subscription, quick_plan: Plan, open_plan: Plan, alice: Any
) -> None:
    assert (pending.status, pending.start_at, history(pending)) == ("pending", None, [("request", "", "pending")])
    trial = ask(quick_plan, alice)
    assert (trial.status, history(trial)) == ("trial", [("request", "", "pending"), ("start", "pending", "trial")])
    assert trial.trial_end_at - trial.start_at == timedelta(days=7)
    basic = ask(open_plan, alice)
    assert (basic.status, basic.trial_end_at) == ("active", None)
    told = AuditLog.objects.get(action="subscription_request", entity_id=str(pending.pk))
    assert (told.actor, told.extra["reason"], told.extra["plan"]) == ("alice", "for my thesis", "typhoon")
    assert told.changes == {"status": ["", "pending"]}


def test_the_currency_is_that_of_who_pays(plan: Plan, alice: Any, lab: Organisation) -> None:
    assert ask(plan, alice).currency == "THB"
    assert ask(plan, None, lab).currency == "USD"


def test_each_kind_of_holder_has_one_live_subscription_to_a_plan(plan: Plan, alice: Any, lab: Organisation) -> None:
    for holder in ((alice, None), (alice, lab), (None, lab)):
        first = ask(plan, *holder)
        with pytest.raises(AlreadySubscribed) as refused:
            ask(plan, *holder)
        assert refused.value.code == "already_subscribed"
        cancel_subscription(actor=ALICE, subscription=first)
        ask(plan, *holder)
    assert Subscription.objects.count() == 6
    assert SubscriptionChange.objects.count() == 9
    assert AuditLog.objects.filter(action__startswith="subscription_").count() == 9


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["user", "member", "organisation"])
def test_of_ten_requests_at_once_one_is_taken(plan: Plan, alice: Any, lab: Organisation, kind: str) -> None:
    user, place = (None if kind == "organisation" else alice), (None if kind == "user" else lab)

    def one(_index: int) -> bool:
        try:
            ask(plan, user, place)
        except AlreadySubscribed:
            return False
        return True

    assert sorted(at_once(10, one)) == [False] * 9 + [True]
    assert Subscription.objects.count() == SubscriptionChange.objects.count() == 1


def test_a_closed_plan_and_one_whose_model_is_off_take_nobody(plan: Plan, model: AiModel, alice: Any) -> None:
    change_model(actor=FIN, model=model, is_active=False)
    with pytest.raises(PlanClosed):
        ask(plan, alice)
    change_model(actor=FIN, model=model, is_active=True)
    Plan.objects.update(is_active=False)
    with pytest.raises(PlanClosed):
        ask(Plan.objects.get(), alice)
    assert not Subscription.objects.exists()


def test_within_an_organisation_only_its_members_may_hold_one(
    plan: Plan, bob: Any, lab: Organisation, make_user: Any
) -> None:
    for name in ("vera", "bill", "mallory"):
        with pytest.raises(HolderGone):
            ask(plan, type(bob).objects.get(pk=name), lab)
    assert ask(plan, bob, lab).holder == "Lab / bob"


def test_what_is_not_active_holds_nothing(plan: Plan, bob: Any, lab: Organisation) -> None:
    Organisation.objects.update(is_active=False)
    with pytest.raises(HolderGone):
        ask(plan, None, Organisation.objects.get())
    bob.is_active = False
    bob.save()
    with pytest.raises(HolderGone):
        ask(plan, bob)


@pytest.mark.parametrize("odd", [{"billing_cycle": "weekly"}, {"reason": "x" * 256}])
def test_what_does_not_fit_is_refused(plan: Plan, alice: Any, odd: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        ask(plan, alice, **odd)
    with pytest.raises(BadInput):
        ask(plan)
    assert not Subscription.objects.exists()


# --- deciding -------------------------------------------------------------------------
def test_an_approved_one_runs_from_now(active: Subscription) -> None:
    assert (active.status, active.start_at is not None, active.is_usable) == ("active", True, True)
    assert history(active)[-1] == ("approve", "pending", "active")
    assert active.changes.get(action="approve").actor == "fin"
    assert AuditLog.objects.filter(action="subscription_approve", actor="fin").count() == 1


def test_a_second_approval_does_nothing_whatever_happened_since(active: Subscription) -> None:
    assert not approve_subscription(actor=FIN, subscription=active)
    suspend_subscription(actor=FIN, subscription=active, cause=SuspendedFor.STAFF, reason="abuse")
    with pytest.raises(InvalidTransition):
        approve_subscription(actor=FIN, subscription=active)
    assert active.status == "suspended"
    assert AuditLog.objects.filter(action="subscription_approve").count() == 1


def test_a_denied_one_is_over_and_keeps_the_reason(pending: Subscription) -> None:
    for nothing in ("", "  "):
        with pytest.raises(BadInput):
            deny_subscription(actor=FIN, subscription=pending, reason=nothing)
    assert deny_subscription(actor=FIN, subscription=pending, reason="no budget")
    assert not deny_subscription(actor=FIN, subscription=pending, reason="again")
    assert (pending.status, pending.changes.get(action="deny").reason) == ("canceled", "no budget")
    with pytest.raises(InvalidTransition):
        approve_subscription(actor=FIN, subscription=pending)


def test_what_runs_cannot_be_denied(active: Subscription) -> None:
    with pytest.raises(InvalidTransition):
        deny_subscription(actor=FIN, subscription=active, reason="too late")


def test_who_has_left_meanwhile_is_not_approved(plan: Plan, bob: Any, lab: Organisation) -> None:
    row = ask(plan, bob, lab)
    Member.objects.filter(user=bob).delete()
    with pytest.raises(HolderGone):
        approve_subscription(actor=FIN, subscription=row)
    row.refresh_from_db()
    assert row.status == "pending"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trial", [0, 7])
def test_of_ten_approvals_at_once_one_counts(plan: Plan, alice: Any, trial: int) -> None:
    Plan.objects.update(trial_days=trial)
    row = ask(Plan.objects.get(), alice)
    done = at_once(10, lambda _index: approve_subscription(actor=FIN, subscription=Subscription.objects.get(pk=row.pk)))
    assert sorted(done) == [False] * 9 + [True]
    assert SubscriptionChange.objects.filter(action="approve").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_an_approval_and_a_denial_at_once_one_wins(pending: Subscription) -> None:
    def decide(place: int) -> str:
        row = Subscription.objects.get(pk=pending.pk)
        try:
            if place % 2:
                return "approve" if approve_subscription(actor=FIN, subscription=row) else "late"
            return "deny" if deny_subscription(actor=FIN, subscription=row, reason="no") else "late"
        except InvalidTransition:
            return "late"

    done = [each for each in at_once(10, decide) if each != "late"]
    pending.refresh_from_db()
    assert done == [{"active": "approve", "canceled": "deny"}[pending.status]]
    assert pending.changes.count() == 2


# --- trial ----------------------------------------------------------------------------
def test_one_trial_a_holder_and_plan(quick_plan: Plan, alice: Any, bob: Any) -> None:
    first = ask(quick_plan, alice)
    cancel_subscription(actor=ALICE, subscription=first)
    assert ask(quick_plan, alice).status == "active"
    assert ask(quick_plan, bob).status == "trial"


def test_a_trial_goes_on_as_active_after_its_days(quick_plan: Plan, alice: Any) -> None:
    row = ask(quick_plan, alice)
    assert end_due(actor=SYSTEM, now=row.trial_end_at - timedelta(seconds=1)).trials == 0
    assert end_due(actor=SYSTEM, now=row.trial_end_at).trials == 1
    assert end_due(actor=SYSTEM, now=row.trial_end_at).trials == 0
    row.refresh_from_db()
    assert (row.status, history(row)[-1]) == ("active", ("trial_end", "trial", "active"))


# --- resting --------------------------------------------------------------------------
def test_a_suspended_one_goes_on_where_it_was(active: Subscription) -> None:
    soon = timezone.now() + timedelta(hours=1)
    assert suspend_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA, reset_at=soon)
    assert not suspend_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA, reset_at=soon)
    assert (active.status, active.suspended_for, active.reset_at, active.is_usable) == (
        "suspended",
        "quota",
        soon,
        False,
    )
    assert resume_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA)
    assert not resume_subscription(actor=SYSTEM, subscription=active)
    assert (active.status, active.suspended_for, active.reset_at) == ("active", "", None)


def test_what_staff_suspended_is_not_woken_by_a_new_quota(active: Subscription) -> None:
    suspend_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA)
    assert suspend_subscription(actor=FIN, subscription=active, cause=SuspendedFor.STAFF, reason="abuse")
    assert not suspend_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.PAYMENT)
    assert not resume_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA)
    assert (active.status, active.suspended_for) == ("suspended", "staff")
    assert resume_subscription(actor=FIN, subscription=active)
    assert active.status == "active"


def test_staff_say_why_they_suspend(active: Subscription) -> None:
    for odd in ({"cause": SuspendedFor.STAFF}, {"cause": ""}, {"cause": "mood"}):
        with pytest.raises(BadInput):
            suspend_subscription(actor=FIN, subscription=active, **odd)
    assert active.status == "active"


def test_a_trial_that_rested_beyond_its_days_goes_on_as_active(quick_plan: Plan, alice: Any) -> None:
    row = ask(quick_plan, alice)
    suspend_subscription(actor=SYSTEM, subscription=row, cause=SuspendedFor.QUOTA)
    resume_subscription(actor=SYSTEM, subscription=row)
    assert row.status == "trial"
    suspend_subscription(actor=SYSTEM, subscription=row, cause=SuspendedFor.QUOTA)
    with time_machine.travel(row.trial_end_at + timedelta(minutes=1)):
        assert end_due(actor=SYSTEM).trials == 0, "what rests is not touched"
        resume_subscription(actor=SYSTEM, subscription=row)
    assert row.status == "active"


def test_what_waits_or_is_over_neither_rests_nor_goes_on(pending: Subscription) -> None:
    for act in (lambda: suspend_subscription(actor=FIN, subscription=pending, cause="quota"),
                lambda: resume_subscription(actor=FIN, subscription=pending)):  # fmt: skip
        with pytest.raises(InvalidTransition):
            act()
    cancel_subscription(actor=ALICE, subscription=pending)
    with pytest.raises(InvalidTransition):
        resume_subscription(actor=FIN, subscription=pending)


@pytest.mark.django_db(transaction=True)
def test_of_ten_suspensions_at_once_one_counts(active: Subscription) -> None:
    done = at_once(10, lambda _index: suspend_subscription(
        actor=SYSTEM, subscription=Subscription.objects.get(pk=active.pk), cause=SuspendedFor.QUOTA
    ))  # fmt: skip
    assert sorted(done) == [False] * 9 + [True]
    assert SubscriptionChange.objects.filter(action="suspend").count() == 1


# --- ending ---------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["pending", "active", "suspended"])
def test_a_canceled_one_is_over_at_once_from_every_live_state(pending: Subscription, state: str) -> None:
    if state != "pending":
        approve_subscription(actor=FIN, subscription=pending)
    if state == "suspended":
        suspend_subscription(actor=SYSTEM, subscription=pending, cause=SuspendedFor.QUOTA)
    assert cancel_subscription(actor=ALICE, subscription=pending, reason="moved away")
    assert not cancel_subscription(actor=ALICE, subscription=pending)
    assert (pending.status, pending.suspended_for) == ("canceled", "")
    assert pending.end_at <= timezone.now()
    assert history(pending)[-1] == ("cancel", state, "canceled")


def expire(*arguments: str) -> str:
    out = StringIO()
    call_command("expire_subscriptions", *arguments, stdout=out)
    return " ".join(out.getvalue().split())


def test_what_is_past_its_end_expires_in_sets_and_each_is_told(
    open_plan: Plan, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.services.ending.BATCH", 4)
    rows = [ask(open_plan, make_user(f"u{place}")) for place in range(11)]
    suspend_subscription(actor=SYSTEM, subscription=rows[0], cause=SuspendedFor.QUOTA)
    Subscription.objects.exclude(pk=rows[10].pk).update(end_at=timezone.now())
    assert expire("--dry-run") == "expired 10 trials_ended 0 canceled 0"
    assert Subscription.objects.filter(status="expired").count() == 0
    assert expire() == "expired 10 trials_ended 0 canceled 0"
    assert expire() == "expired 0 trials_ended 0 canceled 0"
    assert dict(Subscription.objects.values_list("pk", "status"))[rows[10].pk] == "active"
    assert history(rows[0])[-1] == ("expire", "suspended", "expired")
    assert history(rows[1])[-1] == ("expire", "active", "expired")
    told = AuditLog.objects.filter(action="subscription_expire")
    assert (told.count(), set(told.values_list("actor", flat=True))) == (10, {"system"})


def test_a_trial_whose_subscription_ends_expires_and_does_not_go_on(quick_plan: Plan, alice: Any) -> None:
    row = ask(quick_plan, alice)
    Subscription.objects.update(end_at=row.trial_end_at)
    done = end_due(actor=SYSTEM, now=row.trial_end_at)
    assert (done.expired, done.trials) == (1, 0)


def test_what_is_past_its_end_does_not_go_on_before_it_is_expired(active: Subscription) -> None:
    suspend_subscription(actor=SYSTEM, subscription=active, cause=SuspendedFor.QUOTA)
    Subscription.objects.update(end_at=timezone.now())
    with pytest.raises(Conflict):
        resume_subscription(actor=SYSTEM, subscription=active)


def test_what_has_run_out_cannot_be_canceled(active: Subscription) -> None:
    Subscription.objects.update(end_at=timezone.now())
    end_due(actor=SYSTEM)
    with pytest.raises(InvalidTransition):
        cancel_subscription(actor=ALICE, subscription=active)


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_expire_each_once(open_plan: Plan, make_user: Any) -> None:
    for place in range(6):
        ask(open_plan, make_user(f"u{place}"))
    Subscription.objects.update(end_at=timezone.now())
    assert sum(done.expired for done in at_once(4, lambda _index: end_due(actor=SYSTEM))) == 6
    assert SubscriptionChange.objects.filter(action="expire").count() == 6
