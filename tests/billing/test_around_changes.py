"""A change of plans, or an end, is no way around what is due, what rests, or who belongs to an organisation."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Member
from billing.services.subscriptions.plan_changes import NeedsApproval, cancel
from subscriptions.holders import manages
from subscriptions.models import Plan, Subscription
from subscriptions.services.subscriptions import HolderGone, suspend_subscription
from tests.billing.subscribers import ALICE, FIN, fees, on, place, plan, renew, subscribe
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
