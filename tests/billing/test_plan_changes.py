"""Another plan or an end, now or with the period: what it costs, what comes back, who may be late."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from audit.models import AuditLog
from billing.models import SubscriptionCharge
from billing.selectors.fees import NoPrice
from billing.services.subscriptions.plan_changes import (
    NeedsApproval,
    QuoteOver,
    cancel,
    change_plan,
    keep,
    quote_change,
)
from core.errors import BadInput, Conflict, InvalidTransition
from subscriptions.holders import OwnSubscription
from subscriptions.models import Plan, PlanPrice, Subscription
from subscriptions.services.subscriptions import AlreadySubscribed, PlanClosed, suspend_subscription
from tests.billing.subscribers import ALICE, FIN, fees, local, moment, on, plan, price, renew, subscribe
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(db: None) -> Plan:
    return plan()


@pytest.fixture
def big(db: None) -> Plan:
    return plan("big", "620")


@pytest.fixture
def row(pro: Plan, alice: Any) -> Subscription:
    """All of January 2027, for 310: 10 a day."""
    return subscribe(pro, "2027-01-01", user=alice)


def change(row: Subscription, to: Plan, when: str, **more: Any) -> bool:
    with on(when):
        return change_plan(**{"actor": ALICE} | more, subscription=row, plan=to)


# --- another plan now -------------------------------------------------------------------
def test_by_days_the_rest_comes_back_and_the_rest_of_the_new_plan_is_charged(row: Subscription, big: Plan) -> None:
    assert change(row, big, "2027-01-16T11:30")
    assert fees(row) == [
        ("fee", "2027-01-01", "2027-02-01", "310"),
        ("credit", "2027-01-16", "2027-02-01", "-160"),
        ("proration", "2027-01-16", "2027-02-01", "320"),
    ]
    assert (row.plan, row.price, local(row.period_end), row.anchor_day) == (
        big, big.prices.get(), "2027-02-01 00:00", 1,
    )  # fmt: skip
    credit, charge = SubscriptionCharge.objects.exclude(kind="fee").order_by("pk")
    assert credit.due_at == charge.due_at == moment("2027-01-16T11:30")
    facts = ("why", "plan", "fee", "convention", "units", "whole")
    assert [[each.explanation[name] for name in facts] for each in (credit, charge)] == [
        ["credit", "pro", "310", "day", 16, 31], ["change", "big", "620", "day", 16, 31],
    ]  # fmt: skip
    renew("2027-02-01")
    assert fees(row)[-1] == ("fee", "2027-02-01", "2027-03-01", "620")


def test_by_seconds_it_counts_from_that_second(row: Subscription, big: Plan, settings: Any) -> None:
    settings.BILLING_PRORATION = "second"
    change(row, big, "2027-01-16T12:00")
    assert [each[3] for each in fees(row)] == ["310", "-155", "310"]
    assert SubscriptionCharge.objects.get(kind="credit").period_start == moment("2027-01-16T12:00")


def test_without_proration_the_new_plan_costs_from_the_next_period_on(
    row: Subscription, big: Plan, settings: Any
) -> None:
    settings.BILLING_PRORATION = "none"
    change(row, big, "2027-01-16")
    assert (row.plan, len(fees(row))) == (big, 1)
    renew("2027-02-01")
    assert [each[3] for each in fees(row)] == ["310", "620"]


def test_no_more_comes_back_than_was_charged(row: Subscription, big: Plan, pro: Plan, settings: Any) -> None:
    settings.BILLING_PRORATION = "none"
    change(row, big, "2027-01-02")
    settings.BILLING_PRORATION = "day"
    change(row, plan("third", "31"), "2027-01-02")
    assert [each[3] for each in fees(row)] == ["310", "-310", "30"]


def test_a_credit_that_an_invoice_carries_on_does_not_count_twice(row: Subscription, big: Plan, pro: Plan) -> None:
    change(row, big, "2027-01-16")
    carried = SubscriptionCharge.objects.get(kind="credit")
    carried.pk, carried.amount, carried.explanation = None, -300, {"carried_from": "INV-1"}
    carried.save(force_insert=True)
    change(row, pro, "2027-01-16T15:00")
    assert SubscriptionCharge.objects.latest("pk").amount == 160
    assert SubscriptionCharge.objects.filter(kind="credit").latest("pk").amount == -320


def test_there_and_back_on_one_day_costs_nothing(row: Subscription, big: Plan, pro: Plan) -> None:
    change(row, big, "2027-01-16T09:00")
    change(row, pro, "2027-01-16T17:00")
    assert sum(each.amount for each in SubscriptionCharge.objects.all()) == 310


def test_a_free_plan_and_one_that_costs(alice: Any, big: Plan) -> None:
    free = plan("free", None)
    row = subscribe(free, "2027-01-01", user=alice)
    change(row, big, "2027-01-16")
    assert fees(row) == [("proration", "2027-01-16", "2027-02-01", "320")]
    change(row, free, "2027-01-31")
    assert (fees(row)[1:], row.price) == ([("credit", "2027-01-31", "2027-02-01", "-20")], None)


def test_on_trial_the_plan_changes_and_the_trial_goes_on(alice: Any, big: Plan) -> None:
    row = subscribe(plan(trial_days=7), "2027-01-01", user=alice)
    assert change(row, big, "2027-01-03")
    assert (row.plan, row.status, fees(row)) == (big, "trial", [])
    renew("2027-01-10")
    assert fees(row) == [("fee", "2027-01-08", "2027-02-08", "620")]


def test_a_period_that_nobody_has_charged_yet_is_charged_first(row: Subscription, big: Plan) -> None:
    change(row, big, "2027-02-15")
    assert [each[:2] + each[3:] for each in fees(row)] == [
        ("fee", "2027-01-01", "310"), ("fee", "2027-02-01", "310"), ("credit", "2027-02-15", "-155"),
        ("proration", "2027-02-15", "310"),
    ]  # fmt: skip


def test_history_and_audit_tell_of_it(row: Subscription, big: Plan) -> None:
    change(row, big, "2027-01-16")
    line = row.changes.get(action="change")
    assert (line.actor, line.reason, line.from_status, line.to_status) == ("alice", "pro → big", "active", "active")
    told = AuditLog.objects.get(action="subscription_change")
    assert (told.changes["plan"], told.extra["convention"]) == (["pro", "big"], "day")
    assert AuditLog.objects.filter(action="subscription_fees").latest("id").extra["sums"] == {"THB": "160.00"}


def test_the_same_plan_again_changes_nothing(row: Subscription, big: Plan) -> None:
    assert change(row, big, "2027-01-16")
    assert not change(row, big, "2027-01-17")
    assert len(fees(row)) == 3


# --- refused ------------------------------------------------------------------------------
def test_what_may_not_be_chosen_is_refused_and_nothing_changes(row: Subscription, alice: Any) -> None:
    closed = plan("closed", "10", is_active=False)
    careful = plan("careful", "10", requires_approval=True)
    unpriced = plan("unpriced", None)
    price(unpriced, "10", date(2028, 1, 1))
    held = plan("held", "10")
    subscribe(held, "2027-01-02", user=alice)
    for later in (False, True):
        for to, error in ((closed, PlanClosed), (careful, NeedsApproval), (unpriced, NoPrice),
                          (held, AlreadySubscribed)):  # fmt: skip
            with pytest.raises(error):
                change(row, to, "2027-01-16", at_period_end=later)
    row.refresh_from_db()
    assert (row.plan.code, row.next_plan, len(fees(row))) == ("pro", None, 1)
    for later in (False, True):
        with pytest.raises(OwnSubscription):
            change(row, careful, "2027-01-16", approved=True, at_period_end=later)
    assert change(row, careful, "2027-01-16", actor=FIN, approved=True)


def test_only_one_that_runs_changes(row: Subscription, big: Plan) -> None:
    with on("2027-01-10"):
        suspend_subscription(actor=FIN, subscription=row, cause="staff", reason="audit")
    for later in (False, True):
        with pytest.raises(Conflict):
            change(row, big, "2027-01-16", at_period_end=later)
    with on("2027-01-20"):
        cancel(actor=ALICE, subscription=row)
    with pytest.raises(Conflict):
        change(row, big, "2027-01-21")


# --- shown before ---------------------------------------------------------------------------
def test_a_quote_writes_nothing_and_says_what_would_be_charged(row: Subscription, big: Plan) -> None:
    with on("2027-02-15"):
        quote = quote_change(subscription=row, plan=big)
    assert quote.credit is not None
    assert quote.charge is not None
    assert (quote.credit.amount, quote.charge.amount, quote.net, local(quote.period_end)) == (
        -155, 310, 155, "2027-03-01 00:00",
    )  # fmt: skip
    assert (len(fees(row)), AuditLog.objects.filter(action="subscription_change").exists()) == (1, False)
    with pytest.raises(BadInput):
        quote_change(subscription=row, plan=row.plan)


def test_what_was_shown_is_what_is_charged(row: Subscription, big: Plan, settings: Any) -> None:
    settings.BILLING_PRORATION = "second"
    with on("2027-01-16T12:00"):
        token = quote_change(subscription=row, plan=big).token
    assert change(row, big, "2027-01-16T12:14", expected=token)
    assert [each[3] for each in fees(row)] == ["310", "-155", "310"]


@pytest.mark.parametrize("why", ["old", "forged", "other plan", "new price", "next period", "early"])
def test_amounts_that_no_longer_hold_are_not_charged(row: Subscription, big: Plan, why: str) -> None:
    shown = "2027-01-31T23:55" if why == "next period" else "2027-01-16T12:00"
    with on(shown):
        token = quote_change(subscription=row, plan=big).token
    when = {"old": "2027-01-16T12:16", "next period": "2027-02-01T00:05", "early": "2027-01-16T11:59"}.get(why, shown)
    to = plan("other", "620") if why == "other plan" else big
    if why == "new price":
        price(big, "930", date(2027, 1, 16))
    with pytest.raises(QuoteOver):
        change(row, to, when, expected="x" if why == "forged" else token)
    row.refresh_from_db()
    assert row.plan.code == "pro"


# --- another plan with the period -----------------------------------------------------------
def test_at_the_end_of_the_period_nothing_is_charged_before(row: Subscription, big: Plan, pro: Plan) -> None:
    assert change(row, big, "2027-01-16", at_period_end=True)
    assert not change(row, big, "2027-01-17", at_period_end=True)
    assert (row.plan, row.next_plan, len(fees(row))) == (pro, big, 1)
    assert row.changes.get(action="change_at_end").reason == "pro → big"
    renew("2027-02-01")
    assert fees(row)[1:] == [("fee", "2027-02-01", "2027-03-01", "620")]


def test_the_last_wish_counts(row: Subscription, big: Plan, pro: Plan) -> None:
    change(row, big, "2027-01-16", at_period_end=True)
    with on("2027-01-17"):
        assert cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert (row.cancel_at_period_end, row.next_plan) == (True, None)
    change(row, big, "2027-01-18", at_period_end=True)
    assert (row.cancel_at_period_end, row.next_plan) == (False, big)
    assert change(row, pro, "2027-01-19", at_period_end=True), "its own plan again"
    assert (row.cancel_at_period_end, row.next_plan) == (False, None)
    with on("2027-01-20"):
        assert not keep(actor=ALICE, subscription=row)


def test_the_last_wish_can_be_taken_back(row: Subscription, big: Plan) -> None:
    change(row, big, "2027-01-16", at_period_end=True)
    with on("2027-01-17"):
        assert keep(actor=ALICE, subscription=row)
        cancel(actor=ALICE, subscription=row, at_period_end=True)
        assert keep(actor=ALICE, subscription=row)
        assert not keep(actor=ALICE, subscription=row)
    renew("2027-02-01")
    assert fees(row)[1:] == [("fee", "2027-02-01", "2027-03-01", "310")]


# --- an end -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("convention", "back"), [("day", ["-160"]), ("second", ["-155"]), ("none", [])])
def test_canceling_now_gives_the_rest_back_by_the_convention(
    row: Subscription, settings: Any, convention: str, back: list[str]
) -> None:
    settings.BILLING_PRORATION = convention
    with on("2027-01-16T12:00"):
        assert cancel(actor=ALICE, subscription=row, reason="moved")
        assert not cancel(actor=ALICE, subscription=row)
    assert (row.status, [each[3] for each in fees(row)[1:]]) == ("canceled", back)
    assert renew("2027-06-01").renewed == 0


def test_canceling_with_the_period_costs_and_gives_nothing(row: Subscription) -> None:
    with on("2027-01-16"):
        assert cancel(actor=ALICE, subscription=row, at_period_end=True, reason="moved")
        assert not cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert (row.status, row.is_usable, row.changes.get(action="cancel_at_end").reason) == ("active", True, "moved")
    assert renew("2027-01-31T23:59").canceled == 0
    assert renew("2027-02-01T00:00").canceled == 1
    assert len(fees(row)) == 1
    with on("2027-02-02"), pytest.raises(Conflict):
        change_plan(actor=ALICE, subscription=row, plan=plan("x"))


def test_one_that_ends_with_its_period_can_end_sooner(row: Subscription) -> None:
    with on("2027-01-16"):
        cancel(actor=ALICE, subscription=row, at_period_end=True)
    with on("2027-01-31"):
        assert cancel(actor=ALICE, subscription=row)
    assert fees(row)[1:] == [("credit", "2027-01-31", "2027-02-01", "-10")]


def test_a_trial_that_is_canceled_with_its_end_comes_to_no_fee(alice: Any) -> None:
    row = subscribe(plan(trial_days=7), "2027-01-01", user=alice)
    with on("2027-01-02"):
        assert cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert renew("2027-01-08T12:00").canceled == 1
    row.refresh_from_db()
    assert (row.status, fees(row), local(row.end_at)) == ("canceled", [], "2027-01-08 12:00")


def test_a_request_is_taken_back_at_once(alice: Any) -> None:
    row = subscribe(plan(requires_approval=True), "2027-01-01", user=alice)
    assert cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert (row.status, fees(row)) == ("canceled", [])


def test_what_has_run_out_is_not_canceled(row: Subscription) -> None:
    Subscription.objects.update(end_at=moment("2027-01-10"))
    renew("2027-01-20")
    for at_end in (False, True):
        with pytest.raises(InvalidTransition):
            cancel(actor=ALICE, subscription=row, at_period_end=at_end)


def test_one_without_a_price_can_be_canceled(row: Subscription) -> None:
    PlanPrice.objects.update(effective_from=date(2028, 1, 1))
    renew("2027-02-02")
    with on("2027-02-03"):
        assert cancel(actor=ALICE, subscription=row, at_period_end=True)
    assert (row.status, len(fees(row))) == ("canceled", 1)


# --- at the same moment -------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_of_many_changes_at_once_each_counts_on_the_one_before(row: Subscription, big: Plan) -> None:
    third = plan("third", "930")

    def one(place: int) -> bool:
        with_row = Subscription.objects.get(pk=row.pk)
        return change_plan(actor=ALICE, subscription=with_row, plan=(big, third)[place % 2])

    with time_machine.travel(moment("2027-01-16"), tick=False):
        done = at_once(8, one)
    row.refresh_from_db()
    changes = row.changes.filter(action="change").count()
    assert sum(done) == changes >= 2
    net = sum(each.amount for each in SubscriptionCharge.objects.exclude(kind="fee"))
    assert net == {"big": 160, "third": 320}[row.plan.code]


@pytest.mark.django_db(transaction=True)
def test_of_many_cancellations_at_once_one_gives_the_rest_back(row: Subscription) -> None:
    with time_machine.travel(moment("2027-01-16"), tick=False):
        done = at_once(6, lambda _index: cancel(actor=ALICE, subscription=Subscription.objects.get(pk=row.pk)))
    assert sum(done) == 1
    assert [each[3] for each in fees(row)] == ["310", "-160"]


@pytest.mark.django_db(transaction=True)
def test_a_change_and_a_renewal_at_once_agree(row: Subscription, big: Plan) -> None:
    when = moment("2027-02-01") + timedelta(hours=1)
    with time_machine.travel(when, tick=False):

        def one(place: int) -> object:
            if place % 2:
                return renew_quietly()
            return change_plan(actor=ALICE, subscription=Subscription.objects.get(pk=row.pk), plan=big)

        at_once(4, one)
    assert sorted(each[3] for each in fees(row)) == ["-310", "310", "310", "620"]


def renew_quietly() -> int:
    from billing.services.subscriptions.renewals import renew_subscriptions
    from core.context import SYSTEM

    return renew_subscriptions(actor=SYSTEM).failed
