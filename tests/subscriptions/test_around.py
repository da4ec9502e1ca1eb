"""Rules of subscriptions that asking in another way, or by oneself, does not get around."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Member, Organisation
from subscriptions.holders import OwnSubscription, at_rest
from subscriptions.models import AiModel, Plan, Subscription, SuspendedFor
from subscriptions.services.ending import end_due
from subscriptions.services.subscriptions import (
    approve_subscription,
    cancel_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.subscriptions.conftest import FIN
from tests.subscriptions.test_workflow import ALICE, ask, history

pytestmark = pytest.mark.django_db


@pytest.fixture
def pending(plan: Plan, alice: Any) -> Subscription:
    return ask(plan, alice)


# --- nobody for themselves ------------------------------------------------------------
def test_nobody_approves_or_wakes_what_is_their_own(pending: Subscription) -> None:
    """Else who decides for others has any plan for nothing but the asking."""
    with pytest.raises(OwnSubscription):
        approve_subscription(actor=ALICE, subscription=pending)
    assert approve_subscription(actor=FIN, subscription=pending)
    suspend_subscription(actor=FIN, subscription=pending, cause=SuspendedFor.STAFF, reason="misuse")
    with pytest.raises(OwnSubscription):
        resume_subscription(actor=ALICE, subscription=pending)
    assert [action for action, _from, _to in history(pending)] == ["request", "approve", "suspend"]


@pytest.mark.parametrize(("role", "refused"), [("owner", True), ("billing_manager", True), ("member", False)])
def test_nor_do_those_who_answer_for_the_bills_of_its_organisation(
    plan: Plan, alice: Any, lab: Organisation, role: str, refused: bool
) -> None:
    row = ask(plan, organisation=lab)
    Member.objects.update_or_create(organisation=lab, user=alice, defaults={"role": role})
    with pytest.raises(OwnSubscription) if refused else nullcontext():
        approve_subscription(actor=ALICE, subscription=row)
    row.refresh_from_db()
    assert row.status == ("pending" if refused else "active")


# --- asking anew is no way around -----------------------------------------------------
@pytest.mark.parametrize("cause", [SuspendedFor.STAFF, SuspendedFor.PAYMENT])
def test_who_ends_one_that_rests_waits_for_approval_of_the_next(open_plan: Plan, alice: Any, cause: str) -> None:
    first = ask(open_plan, alice)
    suspend_subscription(actor=FIN, subscription=first, cause=cause, reason="misuse")
    cancel_subscription(actor=ALICE, subscription=first)
    second = ask(open_plan, alice)
    assert second.status == "pending"
    cancel_subscription(actor=ALICE, subscription=second)
    third = ask(open_plan, alice)
    assert third.status == "pending", "nor is asking twice a way around it"
    approve_subscription(actor=FIN, subscription=third)
    cancel_subscription(actor=ALICE, subscription=third)
    assert ask(open_plan, alice).status == "active", "it was forgiven"


@pytest.fixture
def two(db: None) -> tuple[Plan, Plan]:
    """Two plans of one AI model, each open to all."""
    model = AiModel.objects.create(id="gpt", name="gpt")
    small, big = (
        Plan.objects.create(code=code, name=code, ai_model=model, requires_approval=False) for code in ("small", "big")
    )
    return small, big


def test_nor_does_another_plan_of_the_model_begin_meanwhile(two: tuple[Plan, Plan], alice: Any) -> None:
    first = ask(two[0], alice)
    suspend_subscription(actor=FIN, subscription=first, cause=SuspendedFor.STAFF, reason="misuse")
    assert ask(two[1], alice).status == "pending"
    cancel_subscription(actor=ALICE, subscription=first)
    assert ask(two[0], alice).status == "pending"


def test_a_younger_one_beside_it_is_no_way_around_either(two: tuple[Plan, Plan], alice: Any) -> None:
    first, _beside = ask(two[0], alice), ask(two[1], alice)
    suspend_subscription(actor=FIN, subscription=first, cause=SuspendedFor.STAFF, reason="misuse")
    cancel_subscription(actor=ALICE, subscription=first)
    assert ask(two[0], alice).status == "pending"


def test_an_approval_of_before_is_none_of_what_rested_since(two: tuple[Plan, Plan], alice: Any) -> None:
    """Which came first is told by the history, not by which subscription is the younger one."""
    small, big = two
    Plan.objects.filter(pk=big.pk).update(requires_approval=True)
    big.refresh_from_db()
    first, second = ask(small, alice), ask(big, alice)
    approve_subscription(actor=FIN, subscription=second)
    cancel_subscription(actor=ALICE, subscription=second)
    suspend_subscription(actor=FIN, subscription=first, cause=SuspendedFor.STAFF, reason="misuse")
    cancel_subscription(actor=ALICE, subscription=first)
    assert ask(small, alice).status == "pending"


def test_and_one_of_what_was_asked_for_before_counts_since_it_was_given(two: tuple[Plan, Plan], alice: Any) -> None:
    small, big = two
    Plan.objects.filter(pk=big.pk).update(requires_approval=True)
    big.refresh_from_db()
    waiting, running = ask(big, alice), ask(small, alice)
    suspend_subscription(actor=FIN, subscription=running, cause=SuspendedFor.STAFF, reason="misuse")
    cancel_subscription(actor=ALICE, subscription=running)
    approve_subscription(actor=FIN, subscription=waiting)
    assert ask(small, alice).status == "active"


def test_whether_plans_rest_is_asked_for_many_at_once(
    two: tuple[Plan, Plan], alice: Any, bob: Any, django_assert_num_queries: Any
) -> None:
    small, big = two
    mine, theirs = ask(small, alice), ask(small, bob)
    suspend_subscription(actor=FIN, subscription=mine, cause=SuspendedFor.STAFF, reason="misuse")
    cancel_subscription(actor=ALICE, subscription=mine)
    asked = [(Subscription(pk=-1, user=alice), big), (Subscription(pk=-2, user=bob), big)]
    with django_assert_num_queries(2):
        assert at_rest(asked) == {(-1, big.pk)}
    assert theirs.status == "active"


def test_what_ran_out_while_it_rested_counts_as_ended_at_rest(open_plan: Plan, alice: Any) -> None:
    first = ask(open_plan, alice)
    suspend_subscription(actor=FIN, subscription=first, cause=SuspendedFor.STAFF, reason="misuse")
    Subscription.objects.filter(pk=first.pk).update(end_at=timezone.now())
    assert end_due(actor=FIN).expired == 1
    assert ask(open_plan, alice).status == "pending"


def test_what_rested_for_its_quota_may_be_asked_for_anew(open_plan: Plan, alice: Any) -> None:
    first = ask(open_plan, alice)
    suspend_subscription(actor=FIN, subscription=first, cause=SuspendedFor.QUOTA)
    cancel_subscription(actor=ALICE, subscription=first)
    assert ask(open_plan, alice).status == "active", "its quota goes with it"


def test_a_plan_that_was_tried_and_left_meanwhile_is_not_tried_again(open_plan: Plan, alice: Any) -> None:
    Plan.objects.filter(pk=open_plan.pk).update(trial_days=14)
    big = Plan.objects.create(code="big", name="Big", requires_approval=False, trial_days=14)
    open_plan.refresh_from_db()
    first = ask(open_plan, alice)
    assert first.status == "trial"
    Subscription.objects.filter(pk=first.pk).update(plan=big)  # a change of plans: the trial goes on
    cancel_subscription(actor=ALICE, subscription=Subscription.objects.get(pk=first.pk))
    assert [ask(plan, alice).status for plan in (open_plan, big)] == ["active", "active"]
