"""A change of plans, or an end, is no way around what is due, what rests, or who belongs to an organisation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Member
from billing.selectors.fees import parked_words
from billing.services.subscriptions.plan_changes import NeedsApproval, cancel, change_plan
from subscriptions.holders import manages
from subscriptions.models import AiModel, Plan, Subscription
from subscriptions.services.subscriptions import (
    HolderGone,
    approve_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.billing.subscribers import ALICE, FIN, fees, on, place, plan, price, renew, subscribe
from tests.billing.test_plan_changes import change

pytestmark = pytest.mark.django_db


@pytest.fixture
def big(db: None) -> Plan:
    return plan("big", "620")


@pytest.fixture
def row(alice: Any) -> Subscription:
    """All of January 2027, for 310: 10 a day."""
    return subscribe(plan(), "2027-01-01", user=alice)


@pytest.mark.parametrize(("convention", "back"), [("day", ["-300"]), ("second", ["-300"]), ("none", [])])
def test_who_cancels_on_the_first_day_pays_for_it(
    row: Subscription, settings: Any, convention: str, back: list[str]
) -> None:
    """Else a whole quota is had within a day for nothing."""
    settings.BILLING_PRORATION = convention
    with on("2027-01-01T00:20"):
        assert cancel(actor=ALICE, subscription=row)
    assert [each[3] for each in fees(row)[1:]] == back


@pytest.mark.parametrize(("fee", "back"), [(None, ["-300"]), ("155", ["-300", "155"]), ("620", ["-310", "620"])])
def test_a_plan_for_less_on_the_first_day_is_no_way_around_that(
    row: Subscription, fee: str | None, back: list[str]
) -> None:
    assert change(row, plan("other", fee), "2027-01-01T20:00")
    assert sorted(each[3] for each in fees(row)[1:]) == sorted(back)


@pytest.mark.parametrize(("yearly", "back"), [("3285", ["-300", "3285"]), ("3650", ["-310", "3650"])])
def test_nor_is_another_cycle_which_is_held_against_it_by_the_day(
    row: Subscription, yearly: str, back: list[str]
) -> None:
    other = plan("other", None)
    price(other, yearly, cycle="yearly")
    assert change(row, other, "2027-01-01T20:00", cycle="yearly")
    assert sorted(each[3] for each in fees(row)[1:]) == sorted(back), "9 a day is less than 10, and 10 is not"


def test_a_cycle_that_was_chosen_by_mistake_costs_no_day_twice(alice: Any) -> None:
    same = plan("same", "310")
    price(same, "3650", cycle="yearly")
    row = subscribe(same, "2027-01-01", user=alice, billing_cycle="yearly")
    assert change(row, same, "2027-01-01T20:00", cycle="monthly")
    assert sum(Decimal(each[3]) for each in fees(row)) == 310


def test_a_plan_that_was_tried_in_between_is_not_tried_again(alice: Any) -> None:
    first, between = (plan(name, None, trial_days=14) for name in ("first", "between"))
    with on("2027-01-01"):
        row = request_subscription(actor=ALICE, plan=first, user=alice)
        assert row.status == "trial"
        for each in (between, first):
            change_plan(actor=ALICE, subscription=row, plan=each)
        cancel(actor=ALICE, subscription=row)
        assert request_subscription(actor=ALICE, plan=between, user=alice).status == "active"


class TestAPlanToComeThatRestsByThen:
    @pytest.fixture
    def plans(self, db: None) -> tuple[Plan, Plan]:
        model = AiModel.objects.create(id="gpt", name="gpt")
        return plan("misused", None, ai_model=model), plan("wanted", None, ai_model=model)

    def renewed(self, row: Subscription, plans: tuple[Plan, Plan], alice: Any, *, agreed: bool = False) -> Subscription:
        misused, wanted = plans
        beside = subscribe(misused, "2027-01-01", user=alice)
        change(row, wanted, "2027-01-10", at_period_end=True)
        with on("2027-01-11"):
            suspend_subscription(actor=FIN, subscription=beside, cause="staff", reason="misuse")
        if agreed:
            assert change(row, wanted, "2027-01-12", at_period_end=True, actor=FIN, approved=True)
        renew("2027-02-02")
        row.refresh_from_db()
        return row

    def test_does_not_begin_and_the_present_one_goes_on(
        self, row: Subscription, plans: tuple[Plan, Plan], alice: Any
    ) -> None:
        found = self.renewed(row, plans, alice)
        assert (found.plan.code, found.next_plan, parked_words(found)) == ("pro", None, "")
        assert [each[3] for each in fees(found)] == ["310", "310"], "and nothing runs for nothing meanwhile"
        assert found.changes.filter(action="keep", reason="wanted: needs approval").exists()

    def test_begins_where_the_staff_has_agreed_since(
        self, row: Subscription, plans: tuple[Plan, Plan], alice: Any
    ) -> None:
        assert self.renewed(row, plans, alice, agreed=True).plan == plans[1]

    def test_is_nobodys_trouble_where_all_rested_for_want_of_payment(self, plans: tuple[Plan, Plan]) -> None:
        """Each is resumed by itself, while the others still rest."""
        one, other = plans
        lab = place()
        rows = [subscribe(each, "2027-01-01", organisation=lab) for each in plans]
        third, fourth = plan("third", None, ai_model=one.ai_model), plan("fourth", None, ai_model=other.ai_model)
        for each, wish in zip(rows, (third, fourth), strict=True):
            change(each, wish, "2027-01-10", at_period_end=True)
        with on("2027-01-20"):
            for each in rows:
                suspend_subscription(actor=FIN, subscription=each, cause="payment", reason="overdue")
        with on("2027-02-10"):
            for each in rows:
                assert resume_subscription(actor=FIN, subscription=each, cause="payment")
        assert {Subscription.objects.get(pk=each.pk).plan.code for each in rows} == {"third", "fourth"}


def test_a_plan_that_was_paid_for_after_the_trial_of_another_was_not_tried(alice: Any) -> None:
    first, second, third = (plan(name, None, trial_days=14) for name in ("first", "second", "third"))
    with on("2027-01-01"):
        row = request_subscription(actor=ALICE, plan=first, user=alice)
    renew("2027-01-16")
    for each, day in ((second, "2027-03-01"), (third, "2027-04-01")):
        renew(day)
        row.refresh_from_db()
        assert change(row, each, day)
    with on("2027-04-02"):
        assert request_subscription(actor=ALICE, plan=second, user=alice).status == "trial"


def test_what_the_staff_has_approved_since_may_change_to_its_like(
    plans_of_one_model: tuple[Plan, Plan], alice: Any
) -> None:
    small, big = plans_of_one_model
    former = subscribe(small, "2027-01-01", user=alice)
    with on("2027-01-02"):
        suspend_subscription(actor=FIN, subscription=former, cause="staff", reason="misuse")
        cancel(actor=ALICE, subscription=former)
        row = request_subscription(actor=ALICE, plan=small, user=alice)
        assert approve_subscription(actor=FIN, subscription=row)
    assert change(row, big, "2027-01-03")


@pytest.fixture
def plans_of_one_model(db: None) -> tuple[Plan, Plan]:
    model = AiModel.objects.create(id="gpt", name="gpt")
    return plan("small", None, ai_model=model), plan("large", None, ai_model=model)


def test_a_plan_that_rests_is_not_had_by_a_change(row: Subscription, big: Plan, alice: Any) -> None:
    rests = subscribe(big, "2027-01-02", user=alice)
    with on("2027-01-03"):
        suspend_subscription(actor=FIN, subscription=rests, cause="staff", reason="misuse")
        cancel(actor=ALICE, subscription=rests)
    for later in (False, True):
        with pytest.raises(NeedsApproval):
            change(row, big, "2027-01-04", at_period_end=later)
    assert change(row, big, "2027-01-04", actor=FIN, approved=True)


def test_who_has_left_the_organisation_changes_nothing_and_costs_it_nothing(alice: Any, bob: Any) -> None:
    org = place(alice)
    member = Member.objects.create(organisation=org, user=bob, role="member")
    row = subscribe(plan(), "2027-01-01", user=bob, organisation=org)
    for role in ("viewer", ""):
        if role:
            Member.objects.filter(pk=member.pk).update(role=role)
        else:
            member.delete()
        assert not manages(bob, row)
        with pytest.raises(HolderGone):
            change(row, plan(f"big{role}", "310000"), "2027-01-16")
    assert renew("2027-03-02").fees == 0
    assert fees(row) == [("fee", "2027-01-01", "2027-02-01", "310")]
