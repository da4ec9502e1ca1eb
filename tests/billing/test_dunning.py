"""Nobody pays: subscriptions are past due, then they rest, and go on when it is paid; others are left alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts.models import EmailNotification, Member
from billing.models import Invoice, SubscriptionCharge
from billing.services.invoices.dunning import follow_all, follow_dues
from billing.services.invoices.payments import record_payment_by_hand
from billing.services.subscriptions.fees import DuesUnpaid
from core.context import SYSTEM, Actor
from subscriptions.holders import OwnSubscription
from subscriptions.models import Plan, Subscription, SubscriptionChange
from subscriptions.services.subscriptions import (
    approve_subscription,
    cancel_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(db: None) -> Invoice:
    project = make_customer(billing_email="bills@institute.example")
    fee(project, "100")
    return finalized(project)


@pytest.fixture
def pro(invoice: Invoice) -> Subscription:
    return Subscription.objects.get()


def days_after(invoice: Invoice, days: int) -> Any:
    assert invoice.due_date is not None
    return follow_all(actor=SYSTEM, day=invoice.due_date + timedelta(days=days))


def state(row: Subscription) -> tuple[str, str]:
    row.refresh_from_db()
    return row.status, row.suspended_for


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, ("active", "")), (6, ("active", "")), (7, ("past_due", "")), (29, ("past_due", "")),
     (30, ("suspended", "payment")), (400, ("suspended", "payment"))],
)  # fmt: skip
def test_it_goes_as_far_as_the_days_say(invoice: Invoice, pro: Subscription, days: int, expected: Any) -> None:
    days_after(invoice, days)
    assert state(pro) == expected
    days_after(invoice, days)
    assert state(pro) == expected


def test_the_history_names_the_invoice_and_people_are_told_once(invoice: Invoice, pro: Subscription) -> None:
    for days in (7, 8, 30, 31):
        days_after(invoice, days)
    moves = SubscriptionChange.objects.filter(subscription=pro).order_by("pk")
    assert list(moves.values_list("action", "to_status", "reason")) == [
        ("past_due", "past_due", str(invoice)), ("suspend", "suspended", str(invoice)),
    ]  # fmt: skip
    mails = EmailNotification.objects.order_by("pk")
    assert [mail.kind for mail in mails] == ["past_due", "subscription"]
    assert str(invoice) in mails[0].body_text
    assert str(invoice) in mails[1].body_text


def test_a_payment_wakes_it_and_a_part_does_not(invoice: Invoice, pro: Subscription) -> None:
    days_after(invoice, 30)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(60), reference="slip 1")
    assert state(pro) == ("suspended", "payment")
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(40), reference="slip 2")
    assert state(pro) == ("active", "")
    assert "can be used again" in EmailNotification.objects.latest("pk").body_text


def test_what_was_past_due_before_it_rested_is_active_when_paid(invoice: Invoice, pro: Subscription) -> None:
    for days in (7, 30):
        days_after(invoice, days)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    assert state(pro) == ("active", "")


def test_what_finance_paused_is_not_woken_by_a_payment(invoice: Invoice, pro: Subscription) -> None:
    suspend_subscription(actor=FIN, subscription=pro, cause="staff", reason="misuse")
    days_after(invoice, 30)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    assert state(pro) == ("suspended", "staff")


def test_what_used_up_its_quota_is_not_woken_while_nothing_was_unpaid(invoice: Invoice, pro: Subscription) -> None:
    suspend_subscription(actor=FIN, subscription=pro, cause="quota")
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    assert state(pro) == ("suspended", "quota")


def test_an_unpaid_one_weighs_more_than_a_quota(invoice: Invoice, pro: Subscription) -> None:
    suspend_subscription(actor=FIN, subscription=pro, cause="quota")
    days_after(invoice, 29)
    assert state(pro) == ("suspended", "quota")
    days_after(invoice, 30)
    assert state(pro) == ("suspended", "payment")


def test_the_payment_of_who_answers_for_the_bills_wakes_it_too(invoice: Invoice, pro: Subscription, alice: Any) -> None:
    """Nobody resumes what is their own; that the reason is gone does."""
    Member.objects.create(organisation=invoice.organisation, user=alice, role="owner")
    days_after(invoice, 30)
    with pytest.raises(OwnSubscription):
        resume_subscription(actor=Actor("alice"), subscription=pro)
    follow_dues(actor=Actor("alice"), organisation=invoice.organisation, day=invoice.due_date)
    assert state(pro) == ("active", "")


def test_nothing_begins_beside_what_rests_for_want_of_payment(invoice: Invoice, pro: Subscription, alice: Any) -> None:
    """Else ending one and asking anew is a way around every bill."""
    days_after(invoice, 30)
    cancel_subscription(actor=Actor("alice"), subscription=pro)
    Plan.objects.update(requires_approval=False)
    with time_machine.travel(datetime.combine(invoice.due_date + timedelta(days=30), time(12), UTC), tick=False):
        for ask in (Plan.objects.get(), Plan.objects.create(code="other", name="Other", requires_approval=False)):
            try:
                row = request_subscription(actor=Actor("alice"), plan=ask, organisation=invoice.organisation)
            except DuesUnpaid:
                continue
            assert row.status == "pending", "it waits, as the one before it ended at rest"
            with pytest.raises(DuesUnpaid, match="long overdue"):
                approve_subscription(actor=FIN, subscription=row)
    assert not Subscription.objects.filter(status__in=("active", "trial")).exists()


def test_who_ends_what_rests_for_want_of_payment_gets_nothing_back(invoice: Invoice, pro: Subscription) -> None:
    days_after(invoice, 30)
    cancel_subscription(actor=Actor("alice"), subscription=pro)
    assert not SubscriptionCharge.objects.filter(subscription=pro, kind="credit").exists()


def test_others_are_left_alone(invoice: Invoice, pro: Subscription, alice: Any) -> None:
    other = make_customer(name="Other", account="other")
    plan = Plan.objects.get()
    theirs = Subscription.objects.create(organisation=other.organisation, plan=plan, currency="THB", status="active")
    own = Subscription.objects.create(user=alice, plan=plan, currency="THB", status="active")
    ended = Subscription.objects.create(
        organisation=invoice.organisation, user=alice, plan=plan, currency="THB", status="canceled"
    )
    days_after(invoice, 30)
    assert [state(row)[0] for row in (theirs, own, ended)] == ["active", "active", "canceled"]


def test_it_never_rests_where_the_site_says_never(invoice: Invoice, pro: Subscription, settings: Any) -> None:
    settings.DUNNING_SUSPEND_DAYS = 0
    days_after(invoice, 400)
    assert state(pro) == ("past_due", "")


def test_when_only_newer_ones_are_unpaid_it_runs_again_past_due(invoice: Invoice, pro: Subscription) -> None:
    days_after(invoice, 30)
    assert invoice.due_date is not None
    day = invoice.due_date + timedelta(days=10)
    done = follow_dues(actor=SYSTEM, organisation=invoice.organisation, day=day)
    assert (done.resumed, done.past_due) == (1, 1)
    assert state(pro) == ("past_due", "")


def test_a_plan_without_a_price_keeps_nobody_else_from_paying(invoice: Invoice, pro: Subscription) -> None:
    """Its period ran out while it rested, and there is no price to go on with: the payment stands."""
    days_after(invoice, 30)
    Subscription.objects.filter(pk=pro.pk).update(
        next_billing_at=datetime(2026, 11, 1, tzinfo=UTC), billing_cycle="yearly"
    )
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    invoice.refresh_from_db()
    assert (invoice.status, state(pro)) == ("paid", ("suspended", "payment"))
    assert days_after(invoice, 30).notes, "the next run says why it could not go on"


@pytest.mark.django_db(transaction=True)
def test_runs_and_a_payment_at_the_same_moment_leave_it_awake(invoice: Invoice, pro: Subscription) -> None:
    def work(number: int) -> object:
        if number == 0:
            return record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
        return days_after(invoice, 30)

    at_once(3, work)
    assert state(pro) == ("active", "")
