"""Another billing cycle: now, with the rest given back and a whole new period, or with the next period."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing.models import SubscriptionCharge
from billing.selectors.fees import NoPrice
from billing.services.subscriptions.plan_changes import QuoteOver, cancel, change_plan, keep, quote_change
from core.errors import BadInput
from subscriptions.models import Plan, Subscription
from tests.billing.subscribers import ALICE, fees, local, on, plan, price, renew, subscribe

pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(db: None) -> Plan:
    """310 a month, 3,650 a year."""
    found = plan()
    price(found, "3650", cycle="yearly")
    return found


@pytest.fixture
def row(pro: Plan, alice: Any) -> Subscription:
    """From 1 January 2027, monthly: 10 a day."""
    return subscribe(pro, "2027-01-01", user=alice)


def cycle(row: Subscription, to: str, when: str, **more: Any) -> bool:
    with on(when):
        return change_plan(actor=ALICE, subscription=row, plan=more.pop("plan", row.plan), cycle=to, **more)


def test_now_the_rest_comes_back_and_a_whole_new_period_begins_that_day(row: Subscription) -> None:
    assert cycle(row, "yearly", "2027-01-16T11:30")
    assert fees(row) == [  # the 16th belongs to the new period: 16 of 31 days come back
        ("fee", "2027-01-01", "2027-02-01", "310"),
        ("credit", "2027-01-16", "2027-02-01", "-160"),
        ("fee", "2027-01-16", "2028-01-16", "3650"),
    ]
    assert (row.billing_cycle, row.anchor_day, local(row.period_end), row.next_billing_at) == (
        "yearly", 16, "2028-01-16 00:00", row.period_end,
    )  # fmt: skip
    renew("2027-02-02")
    assert len(fees(row)) == 3
    renew("2028-01-16")
    assert fees(row)[-1] == ("fee", "2028-01-16", "2029-01-16", "3650")


def test_back_to_months_the_unused_part_of_the_year_comes_back(row: Subscription) -> None:
    cycle(row, "yearly", "2027-01-01T13:00")
    cycle(row, "monthly", "2027-03-02")
    # 365 days from 1 January, 60 used: 305 x 10
    assert fees(row)[-2:] == [
        ("credit", "2027-03-02", "2028-01-01", "-3050"),
        ("fee", "2027-03-02", "2027-04-02", "310"),
    ]


def test_on_the_first_day_everything_comes_back_and_is_charged_anew(row: Subscription) -> None:
    cycle(row, "yearly", "2027-01-01T18:00")
    assert [(each.kind, each.amount) for each in SubscriptionCharge.objects.order_by("pk")] == [
        ("fee", 310), ("credit", -310), ("proration", 3650),
    ]  # fmt: skip
    renew("2028-01-01")
    assert fees(row)[-1] == ("fee", "2028-01-01", "2029-01-01", "3650")


def test_by_seconds_it_begins_at_that_second_and_ends_at_midnight(row: Subscription, settings: Any) -> None:
    settings.BILLING_PRORATION = "second"
    cycle(row, "yearly", "2027-01-16T12:00")
    credit, fee = SubscriptionCharge.objects.order_by("pk")[1:]
    assert (credit.amount, fee.amount) == (-155, 3650)
    assert (local(fee.period_start), local(fee.period_end)) == ("2027-01-16 12:00", "2028-01-16 00:00")


def test_with_the_next_period_nothing_is_charged_before_and_the_anchor_stays(pro: Plan, alice: Any) -> None:
    row = subscribe(pro, "2027-01-31", user=alice)
    assert cycle(row, "yearly", "2027-02-10", at_period_end=True)
    assert not cycle(row, "yearly", "2027-02-11", at_period_end=True)
    assert (row.billing_cycle, row.next_cycle, len(fees(row))) == ("monthly", "yearly", 1)
    renew("2027-02-28")
    row.refresh_from_db()
    assert (row.billing_cycle, row.next_cycle, row.anchor_day) == ("yearly", "", 31)
    renew("2028-02-29")
    assert fees(row)[1:] == [("fee", "2027-02-28", "2028-02-29", "3650"), ("fee", "2028-02-29", "2029-02-28", "3650")]


def test_plan_and_cycle_change_together(row: Subscription) -> None:
    big = plan("big", "620")
    price(big, "7300", cycle="yearly")
    cycle(row, "yearly", "2027-01-16", plan=big)
    assert (row.plan, fees(row)[1:]) == (
        big, [("credit", "2027-01-16", "2027-02-01", "-160"), ("fee", "2027-01-16", "2028-01-16", "7300")],
    )  # fmt: skip
    assert row.changes.last().reason == "pro monthly → big yearly"


def test_the_last_wish_counts(row: Subscription) -> None:
    cycle(row, "yearly", "2027-01-10", at_period_end=True)
    with on("2027-01-11"):
        cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert (row.next_cycle, row.cancel_at_period_end) == ("", True)
    cycle(row, "yearly", "2027-01-12", at_period_end=True)
    assert (row.next_cycle, row.cancel_at_period_end) == ("yearly", False)
    with on("2027-01-13"):
        assert keep(actor=ALICE, subscription=row)
    assert row.next_cycle == ""
    cycle(row, "yearly", "2027-01-14", at_period_end=True)
    assert cycle(row, "monthly", "2027-01-15", at_period_end=True)  # its own again takes the wish back
    assert row.next_cycle == ""


def test_on_trial_it_changes_for_nothing(pro: Plan, alice: Any) -> None:
    row = subscribe(plan("try", "31", trial_days=7), "2027-01-01", user=alice)
    price(row.plan, "365", cycle="yearly")
    cycle(row, "yearly", "2027-01-03")
    assert (row.billing_cycle, row.status, fees(row)) == ("yearly", "trial", [])
    renew("2027-01-09")
    assert fees(row) == [("fee", "2027-01-08", "2028-01-08", "365")]


@pytest.mark.parametrize("at_end", [False, True])
def test_a_cycle_without_a_fee_is_refused_and_nothing_changes(row: Subscription, at_end: bool) -> None:
    with pytest.raises(NoPrice):
        cycle(row, "quarterly", "2027-01-16", at_period_end=at_end)
    row.refresh_from_db()
    assert (row.billing_cycle, row.next_cycle, len(fees(row))) == ("monthly", "", 1)


def test_without_proration_it_changes_with_the_next_period_only(row: Subscription, settings: Any) -> None:
    settings.BILLING_PRORATION = "none"
    with pytest.raises(BadInput):
        cycle(row, "yearly", "2027-01-16")
    assert cycle(row, "yearly", "2027-01-16", at_period_end=True)


def test_a_cycle_that_is_none_is_refused(row: Subscription) -> None:
    for later in (False, True):
        with pytest.raises(BadInput):
            cycle(row, "weekly", "2027-01-16", at_period_end=later)
    assert not cycle(row, "monthly", "2027-01-16")


def test_a_plan_that_is_closed_may_still_be_paid_by_the_year(row: Subscription, pro: Plan) -> None:
    Plan.objects.update(is_active=False)
    assert cycle(row, "yearly", "2027-01-16")


def test_what_was_shown_is_what_is_charged(row: Subscription, pro: Plan) -> None:
    with on("2027-01-16T11:30"):
        quote = quote_change(subscription=row, plan=pro, cycle="yearly")
        other = quote_change(subscription=row, plan=plan("big", "620"))
    assert (quote.net, local(quote.period_end), SubscriptionCharge.objects.count()) == (3490, "2028-01-16 00:00", 1)
    for token in (other.token, "forged"):
        with pytest.raises(QuoteOver):
            cycle(row, "yearly", "2027-01-16T11:35", expected=token)
    assert cycle(row, "yearly", "2027-01-16T11:40", expected=quote.token)
    assert sum(each.amount for each in SubscriptionCharge.objects.all()) == 3800


def test_over_the_api_and_on_the_page(row: Subscription, alice: Any, client: Any) -> None:
    where = f"/api/v1/subscriptions/{row.uuid}/change"
    body = {"plan": "pro", "cycle": "yearly"}
    with on("2027-01-16T11:30"):
        client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        shown = client.post(f"{where}/preview", json.dumps(body), content_type="application/json").json()
        assert (shown["net"], [part["kind"] for part in shown["parts"]]) == ("3490.00", ["credit", "fee"])
        page = client.get(f"/subscriptions/{row.uuid}/change/", {**body, "when": "now"})
        assert "3,490.00" in page.content.decode()
        assert 'name="cycle" value="yearly"' in page.content.decode()
        later = {**body, "at_period_end": True}
        answer = client.post(where, json.dumps(later), content_type="application/json").json()
        assert (answer["billing_cycle"], answer["next_cycle"]) == ("monthly", "yearly")
        assert "billed yearly" in client.get(f"/subscriptions/{row.uuid}/").content.decode()
        client.post(f"/subscriptions/{row.uuid}/change/", {**body, "when": "now", "expected": shown["expected"]})
    row.refresh_from_db()
    assert (row.billing_cycle, row.next_cycle) == ("yearly", "")
