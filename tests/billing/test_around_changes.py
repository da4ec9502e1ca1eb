"""A change of plans, or an end, is no way around what is due, what rests, or who belongs to an organisation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Member
from billing.selectors.fees import parked_words
from billing.services.subscriptions.plan_changes import NeedsApproval, cancel, change_plan, keep
from subscriptions.holders import manages
from subscriptions.models import AiModel, Plan, Subscription
from subscriptions.services.subscriptions import HolderGone, request_subscription, suspend_subscription
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

    def renewed(self, row: Subscription, plans: tuple[Plan, Plan], alice: Any, **wish: Any) -> Subscription:
        misused, wanted = plans
        beside = subscribe(misused, "2027-01-01", user=alice)
        change(row, wanted, "2027-01-10", at_period_end=True, **wish)
        with on("2027-01-11"):
            suspend_subscription(actor=FIN, subscription=beside, cause="staff", reason="misuse")
        renew("2027-02-02")
        row.refresh_from_db()
        return row

    def test_does_not_begin_and_says_why(self, row: Subscription, plans: tuple[Plan, Plan], alice: Any) -> None:
        found = self.renewed(row, plans, alice)
        assert (found.plan.code, found.next_plan) == ("pro", plans[1])
        assert "wanted was to begin, but needs approval" in parked_words(found)
        with pytest.raises(NeedsApproval):
            change(found, plan("else"), "2027-02-02")
        with on("2027-02-02"):
            keep(actor=ALICE, subscription=found)
        renew("2027-02-03")
        found.refresh_from_db()
        assert (found.plan.code, parked_words(found)) == ("pro", ""), "it goes on with the plan that it has"

    def test_begins_where_the_staff_has_agreed(self, row: Subscription, plans: tuple[Plan, Plan], alice: Any) -> None:
        assert self.renewed(row, plans, alice, actor=FIN, approved=True).plan == plans[1]


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
