"""Fees of periods: at the start, after a trial, with every period; once each, whoever asks how often."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Organisation
from audit.models import AuditLog
from billing.models import SubscriptionCharge
from billing.selectors.fees import NoPrice, parked_words
from billing.services.subscriptions.renewals import renew_subscriptions
from core.context import SYSTEM
from subscriptions.models import Plan, PlanPrice, Subscription
from subscriptions.selectors import usable_subscriptions
from subscriptions.services.ending import end_due
from subscriptions.services.subscriptions import (
    approve_subscription,
    cancel_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.billing.subscribers import ALICE, FIN, command, fees, local, moment, on, place, plan, price, renew, subscribe
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(db: None) -> Plan:
    return plan()


@pytest.fixture
def row(pro: Plan, alice: Any) -> Subscription:
    """From 31 January 2027, noon."""
    return subscribe(pro, "2027-01-31", user=alice)


# --- the first fee --------------------------------------------------------------------
def test_the_first_fee_comes_with_the_start(row: Subscription) -> None:
    assert fees(row) == [("fee", "2027-01-31", "2027-02-28", "310")]
    assert (row.anchor_day, local(row.period_start), local(row.period_end), row.next_billing_at) == (
        31, "2027-01-31 00:00", "2027-02-28 00:00", row.period_end,
    )  # fmt: skip
    charge = SubscriptionCharge.objects.get()
    assert (charge.price, charge.due_at, charge.claimed_by) == (row.price, row.period_start, "")
    assert charge.explanation == {
        "why": "start", "plan": "pro", "cycle": "monthly", "fee": "310", "currency": "THB", "price_from": "2020-01-01",
        "zone": "Asia/Bangkok", "from": "2027-01-31", "to": "2027-02-28", "convention": "whole",
    }  # fmt: skip
    told = AuditLog.objects.get(action="subscription_fees")
    assert (told.actor, told.entity_id, told.extra["sums"]) == ("alice", str(row.pk), {"THB": "310.00"})


def test_after_a_trial_the_first_fee_comes_with_its_end(alice: Any) -> None:
    row = subscribe(plan(trial_days=7), "2027-01-24", user=alice)
    assert (row.status, fees(row), local(row.next_billing_at)) == ("trial", [], "2027-01-31 12:00")
    assert renew("2027-01-31T11:59").renewed == 0
    assert renew("2027-01-31T12:00").fees == 1
    row.refresh_from_db()
    assert (row.status, row.anchor_day, fees(row)) == ("active", 31, [("fee", "2027-01-31", "2027-02-28", "310")])


def test_one_that_is_approved_pays_from_then_on(alice: Any) -> None:
    row = subscribe(plan(requires_approval=True), "2027-01-10", user=alice)
    assert renew("2027-01-20").renewed == 0
    with on("2027-01-25"):
        approve_subscription(actor=FIN, subscription=row)
    assert fees(row) == [("fee", "2027-01-25", "2027-02-25", "310")]


def test_days_are_those_of_the_organisation(pro: Plan) -> None:
    zone = ZoneInfo("America/New_York")
    price(pro, "10", currency="USD")
    row = subscribe(pro, "2027-02-01T09:00", organisation=place(currency="USD", time_zone=zone.key))
    assert fees(row, zone) == [("fee", "2027-01-31", "2027-02-28", "10")]
    renew("2027-04-01", zone)
    row.refresh_from_db()
    assert local(row.period_start, zone) == "2027-03-31 00:00"
    assert [local(each.period_start, ZoneInfo("UTC")) for each in SubscriptionCharge.objects.order_by("pk")] == [
        "2027-01-31 05:00", "2027-02-28 05:00", "2027-03-31 04:00",
    ]  # fmt: skip


# --- no price -------------------------------------------------------------------------
def test_a_start_without_a_price_is_refused_and_nothing_is_left_of_it(alice: Any) -> None:
    late = plan(amount=None)
    price(late, "310", date(2027, 3, 1))
    with pytest.raises(NoPrice) as refused:
        subscribe(late, "2027-02-28", user=alice)
    assert refused.value.code == "no_price"
    assert refused.value.message == "The plan pro has no fee for monthly, THB on 28 Feb 2027."
    assert not Subscription.objects.exists()
    assert subscribe(late, "2027-03-01", user=alice).price is not None


@pytest.mark.parametrize("other", [{"cycle": "yearly"}, {"currency": "USD"}])
def test_a_price_of_another_cycle_or_currency_does_not_count(alice: Any, other: dict[str, str]) -> None:
    there = plan(amount=None)
    price(there, "310", **other)
    with pytest.raises(NoPrice):
        subscribe(there, "2027-02-28", user=alice)


def test_a_plan_without_any_price_is_free_and_its_periods_pass(alice: Any) -> None:
    free = plan("free", None)
    row = subscribe(free, "2027-01-31", user=alice)
    assert (row.price, local(row.period_end)) == (None, "2027-02-28 00:00")
    found = renew("2027-05-01")
    assert (found.renewed, found.fees, found.free) == (1, 0, 3)
    price(free, "99")
    assert renew("2027-05-02").renewed == 0, "a period that has begun stays as it is"
    renew("2027-05-31")
    assert fees(row) == [("fee", "2027-05-31", "2027-06-30", "99")]


def test_a_missing_price_parks_that_one_and_the_others_go_on(row: Subscription, alice: Any) -> None:
    other = subscribe(plan("basic", "100"), "2027-01-31", user=alice)
    PlanPrice.objects.filter(plan__code="basic").update(effective_from=date(2027, 3, 15))
    code, words = command("2027-03-01", "--format", "json")
    told = json.loads(words)
    assert (code, told["renewed"], told["failed"], told["sums"]) == (3, 1, 1, {"THB": "310.00"})
    assert told["notes"] == ["alice · Basic: The plan basic has no fee for monthly, THB on 28 Feb 2027."]
    other.refresh_from_db()
    assert (parked_words(other), local(other.next_billing_at)) == (
        "The plan basic has no fee for monthly, THB on 28 Feb 2027.", "2027-02-28 00:00",
    )  # fmt: skip
    price(other.plan, "100", date(2027, 2, 1))
    assert command("2027-03-02")[0] == 0
    other.refresh_from_db()
    assert (parked_words(other), fees(other)[1]) == ("", ("fee", "2027-02-28", "2027-03-31", "100"))


# --- period after period ----------------------------------------------------------------
def test_missed_periods_are_caught_up_each_at_the_price_of_its_first_day(row: Subscription) -> None:
    price(row.plan, "400", date(2027, 3, 31))
    price(row.plan, "500", date(2027, 5, 1))
    found = renew("2027-06-01")
    assert (found.renewed, found.fees, found.sums) == (1, 4, {"THB": Decimal("1610.00")})
    assert fees(row) == [
        ("fee", "2027-01-31", "2027-02-28", "310"),
        ("fee", "2027-02-28", "2027-03-31", "310"),
        ("fee", "2027-03-31", "2027-04-30", "400"),
        ("fee", "2027-04-30", "2027-05-31", "400"),
        ("fee", "2027-05-31", "2027-06-30", "500"),
    ]
    row.refresh_from_db()
    assert row.price is not None
    assert row.price.amount == 500


@pytest.mark.parametrize(("cycle", "ends"), [("quarterly", "2027-04-30"), ("yearly", "2028-01-31")])
def test_longer_cycles(pro: Plan, alice: Any, cycle: str, ends: str) -> None:
    price(pro, "900", cycle=cycle)
    row = subscribe(pro, "2027-01-31", user=alice, billing_cycle=cycle)
    assert fees(row) == [("fee", "2027-01-31", ends, "900")]
    assert renew(ends).renewed == 1


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1001"), ("KWD", "1000.568"), ("THB", "1000.57")])
def test_a_fee_has_the_places_of_its_currency(db: None, currency: str, amount: str) -> None:
    there = plan(amount=None)
    price(there, "1000.5675", currency=currency)
    row = subscribe(there, "2027-01-31", organisation=place(currency=currency))
    assert fees(row)[0][3] == amount


def test_a_run_again_changes_nothing(row: Subscription) -> None:
    assert renew("2027-03-01").fees == 1
    before = list(SubscriptionCharge.objects.order_by("pk").values())
    assert (renew("2027-03-01").renewed, renew("2027-03-02").renewed) == (0, 0)
    assert list(SubscriptionCharge.objects.order_by("pk").values()) == before


def test_a_dry_run_counts_and_writes_nothing(row: Subscription) -> None:
    code, words = command("2027-03-01", "--dry-run")
    assert (code, "fees         1" in words, "310.00 THB" in words) == (0, True, True)
    assert len(fees(row)) == 1
    assert renew("2027-03-01").fees == 1


def test_the_database_allows_one_fee_a_period(row: Subscription) -> None:
    charge = SubscriptionCharge.objects.get()
    charge.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        charge.save(force_insert=True)


def test_a_fee_that_is_there_is_not_charged_again(row: Subscription) -> None:
    """As after a restore of half of the tables."""
    renew("2027-03-01")
    Subscription.objects.update(next_billing_at=moment("2027-02-28T00:00"), period_end=moment("2027-02-28T00:00"))
    found = renew("2027-03-01")
    assert (found.renewed, found.fees, len(fees(row))) == (1, 0, 2)


@pytest.mark.django_db(transaction=True)
def test_runs_side_by_side_charge_each_period_once(pro: Plan, make_user: Any) -> None:
    for number in range(12):
        subscribe(pro, "2027-01-31", user=make_user(f"u{number}"))
    now = moment("2027-04-15")
    done = at_once(5, lambda _index: renew_subscriptions(actor=SYSTEM, now=now))
    assert (sum(each.fees for each in done), sum(each.failed for each in done)) == (24, 0)
    assert SubscriptionCharge.objects.count() == 36


def test_a_chunk_asks_as_much_for_many_as_for_few(pro: Plan, make_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def statements(number: int, when: str) -> int:
        for each in range(number):
            subscribe(pro, "2027-01-31", user=make_user(f"u{when}{each}"))
        with CaptureQueriesContext(connection) as asked:
            assert renew(when).renewed >= number
        return len(asked)

    few, many = statements(2, "2027-03-01"), statements(20, "2027-04-01")
    assert few == many
    monkeypatch.setattr("billing.services.subscriptions.renewals.CHUNK", 5)
    found = renew("2027-05-01")
    assert (found.renewed, found.fees) == (22, 22)


# --- ending -----------------------------------------------------------------------------
def test_what_is_over_pays_no_more(row: Subscription) -> None:
    Subscription.objects.update(end_at=moment("2027-03-10"))
    renew("2027-06-01")
    row.refresh_from_db()
    assert (row.status, row.next_billing_at, len(fees(row))) == ("expired", None, 2)
    assert renew("2027-07-01").renewed == 0


def test_periods_before_an_end_are_charged_whoever_looks_first(row: Subscription) -> None:
    Subscription.objects.update(end_at=moment("2027-03-10"))
    end_due(actor=SYSTEM, now=moment("2027-06-01"))
    assert fees(row)[1:] == [("fee", "2027-02-28", "2027-03-31", "310")]


def test_one_that_ends_with_its_period_is_canceled_then_and_usable_until_then(row: Subscription, alice: Any) -> None:
    Subscription.objects.update(cancel_at_period_end=True)
    last = moment("2027-02-27T23:59")
    assert usable_subscriptions(user=alice, at=last).exists()
    assert not usable_subscriptions(user=alice, at=moment("2027-02-28T00:00")).exists()
    assert renew("2027-02-27T23:59").canceled == 0
    assert renew("2027-03-05").canceled == 1
    row.refresh_from_db()
    assert (row.status, local(row.end_at), row.next_billing_at, len(fees(row))) == (
        "canceled", "2027-02-28 00:00", None, 1,
    )  # fmt: skip
    assert renew("2027-06-05").canceled == 0


def test_canceling_charges_what_had_begun(row: Subscription) -> None:
    with on("2027-03-31T00:00"):
        cancel_subscription(actor=ALICE, subscription=row)
    assert [each[3] for each in fees(row)] == ["310", "310", "310", "-299.67"], "one day of thirty is paid"


# --- the next plan ------------------------------------------------------------------------
def test_the_next_plan_takes_over_with_the_period(row: Subscription) -> None:
    big = plan("big", "900")
    Subscription.objects.update(next_plan=big)
    found = renew("2027-04-15")
    assert (found.new_plans, found.fees) == (1, 2)
    row.refresh_from_db()
    assert (row.plan, row.next_plan, [each[3] for each in fees(row)]) == (big, None, ["310", "900", "900"])
    change = row.changes.get(action="new_plan")
    assert (change.actor, change.reason, change.to_status) == ("system", "pro → big", "active")
    assert AuditLog.objects.get(action="subscription_new_plan").changes["plan"] == ["pro", "big"]


def test_a_plan_that_the_holder_has_already_does_not_take_over(row: Subscription, alice: Any) -> None:
    big = plan("big", "900")
    other = subscribe(big, "2027-02-01", user=alice)
    Subscription.objects.filter(pk=row.pk).update(next_plan=big)
    assert (renew("2027-03-01").failed, len(fees(row))) == (1, 1)
    row.refresh_from_db()
    assert parked_words(row) == "The holder has another subscription to big, which was to begin."
    cancel_subscription(actor=ALICE, subscription=other)
    assert renew("2027-03-01").new_plans == 1


# --- pauses ---------------------------------------------------------------------------------
@pytest.mark.parametrize("cause", ["staff", "payment"])
def test_while_it_is_paused_no_fee_comes_about_and_it_goes_on_with_a_new_period(row: Subscription, cause: str) -> None:
    with on("2027-03-10"):
        suspend_subscription(actor=FIN, subscription=row, cause=cause, reason="audit")
    assert len(fees(row)) == 2, "what had begun before is charged"
    assert renew("2027-06-01").renewed == 0
    with on("2027-06-15"):
        resume_subscription(actor=FIN, subscription=row)
    assert fees(row)[2:] == [("fee", "2027-06-15", "2027-07-15", "310")]
    assert (row.anchor_day, local(row.next_billing_at)) == (15, "2027-07-15 00:00")
    assert SubscriptionCharge.objects.latest("pk").explanation["why"] == "resume"


def test_a_pause_within_a_period_costs_nothing_and_saves_nothing(row: Subscription) -> None:
    for act, when in ((suspend_subscription, "2027-02-05"), (resume_subscription, "2027-02-20")):
        more = {"cause": "staff", "reason": "audit"} if act is suspend_subscription else {}
        with on(when):
            act(actor=FIN, subscription=row, **more)
    assert (len(fees(row)), row.anchor_day) == (1, 31)
    assert renew("2027-03-01").fees == 1


def test_a_used_up_quota_pauses_no_fee(row: Subscription) -> None:
    with on("2027-02-10"):
        suspend_subscription(actor=SYSTEM, subscription=row, cause="quota")
    assert renew("2027-03-01").fees == 1


def test_a_trial_that_was_paused_beyond_its_days_pays_from_the_day_it_goes_on(alice: Any) -> None:
    row = subscribe(plan(trial_days=7), "2027-01-24", user=alice)
    with on("2027-01-25"):
        suspend_subscription(actor=FIN, subscription=row, cause="staff", reason="audit")
    assert renew("2027-02-10").renewed == 0
    with on("2027-02-12"):
        resume_subscription(actor=FIN, subscription=row)
    assert (row.status, fees(row)) == ("active", [("fee", "2027-02-12", "2027-03-12", "310")])


def test_one_goes_on_only_with_a_price(row: Subscription) -> None:
    with on("2027-02-10"):
        suspend_subscription(actor=FIN, subscription=row, cause="staff", reason="audit")
    PlanPrice.objects.update(effective_from=date(2028, 1, 1))
    with on("2027-06-15"), pytest.raises(NoPrice):
        resume_subscription(actor=FIN, subscription=row)
    row.refresh_from_db()
    assert row.status == "suspended"


# --- others -----------------------------------------------------------------------------------
def test_what_an_inactive_organisation_holds_costs_nothing_meanwhile(pro: Plan) -> None:
    lab = place()
    row = subscribe(pro, "2027-01-31", organisation=lab)
    Organisation.objects.update(is_active=False)
    assert (renew("2027-04-15").free, len(fees(row))) == (2, 1)
    Organisation.objects.update(is_active=True)
    renew("2027-05-01")
    assert fees(row)[1:] == [("fee", "2027-04-30", "2027-05-31", "310")]


def test_a_zone_that_changes_moves_no_anchor(pro: Plan) -> None:
    lab = place()
    row = subscribe(pro, "2027-01-02", organisation=lab)
    Organisation.objects.update(time_zone="America/New_York")
    renew("2027-02-03")
    row.refresh_from_db()
    zone = ZoneInfo("America/New_York")
    assert (local(row.period_start), local(row.period_end, zone)) == ("2027-02-02 00:00", "2027-03-02 00:00")


def test_a_subscription_from_before_there_were_fees_is_charged_from_its_start(alice: Any) -> None:
    there = plan(amount=None)
    with on("2027-01-31"):
        row = request_subscription(actor=ALICE, plan=there, user=alice)
    Subscription.objects.update(period_start=None, period_end=None, anchor_day=None, next_billing_at=None)
    price(there, "310")
    assert renew("2027-02-01").fees == 1
    assert fees(row) == [("fee", "2027-01-31", "2027-02-28", "310")]
