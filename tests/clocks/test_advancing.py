"""Advancing: all that would have happened happens in order, at its instants, whatever the number of steps."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.conf import settings
from django.core.management import call_command

from accounts.models import ClockStatus, Organisation, Project, TestClock
from accounts.services.test_clocks import Advancing, advance_clock, begin_advance, run_advance
from billing.models import DocumentCounter, Invoice, InvoiceNotice
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.invoices.reminders import send_reminders
from billing.services.invoices.runs import run_invoices
from billing.services.subscriptions.plan_changes import cancel, change_plan
from billing.services.subscriptions.renewals import renew_subscriptions
from core.context import SYSTEM, Actor
from core.errors import AppError, BadInput
from core.periods import fiscal_year, today
from payments.services.checkout import NotPayable, start_payment
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.services.subscriptions import request_subscription
from tests.billing.invoicing import finalized, make_customer, price, use
from tests.billing.subscribers import fees, plan
from tests.clocks.worlds import FIN, at, clock_at, clocked, documents, go, in_steps, used

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def _nothing_follows(settings: Any) -> None:
    """Nobody pays in here: what follows has its own tests below."""
    settings.DUNNING_PAST_DUE_DAYS, settings.DUNNING_SUSPEND_DAYS = 999, 0


@pytest.fixture
def clock() -> TestClock:
    return clock_at("2028-01-31T10:00")


@pytest.fixture
def lab(clock: TestClock) -> Organisation:
    return clocked(clock)


def subscribed(organisation: Organisation, to: Any) -> Subscription:
    return request_subscription(actor=FIN, plan=to, organisation=organisation)


def test_a_subscription_begins_at_the_time_of_the_clock(lab: Organisation) -> None:
    row = subscribed(lab, plan(trial_days=7))
    assert (row.start_at, row.trial_end_at) == (at("2028-01-31T10:00"), at("2028-02-07T10:00"))
    assert set(SubscriptionChange.objects.values_list("at", flat=True)) == {at("2028-01-31T10:00")}


def test_months_pass_each_with_its_fee_and_its_invoice(clock: TestClock, lab: Organisation) -> None:
    row = subscribed(lab, plan())
    go(clock, "2028-05-01")
    assert fees(row) == [  # 2028 has a 29 February
        ("fee", "2028-01-31", "2028-02-29", "310"), ("fee", "2028-02-29", "2028-03-31", "310"),
        ("fee", "2028-03-31", "2028-04-30", "310"), ("fee", "2028-04-30", "2028-05-31", "310"),
    ]  # fmt: skip
    found = Invoice.objects.order_by("year", "month").values_list("month", "status", "issue_date", "due_date", "total")
    assert list(found) == [
        (1, "finalized", date(2028, 2, 1), date(2028, 3, 2), 310),
        (2, "finalized", date(2028, 3, 1), date(2028, 3, 31), 310),
        (3, "finalized", date(2028, 4, 1), date(2028, 5, 1), 310),
        (4, "finalized", date(2028, 5, 1), date(2028, 5, 31), 310),
    ]
    assert [each.is_overdue for each in Invoice.objects.order_by("month")] == [True, True, False, False]


def test_one_step_or_many_come_to_the_same_documents(clock: TestClock, alice: Any) -> None:
    price(per_unit="0.5", minimum_charge=Decimal(40))
    trial, free = plan("trial", "310", trial_days=20), plan("late", "62.5")
    ways = {"at once": None, "by the day": timedelta(days=1), "by odd hours": timedelta(hours=37, minutes=11)}
    found = []
    for number, (name, step) in enumerate(ways.items()):
        own = clock_at("2028-01-31T10:00", f"clock {number}")
        lab = clocked(own, name)
        project = Project.objects.create(organisation=lab, name="p")
        for day in ("2028-02-03", "2028-02-29T23:59", "2028-03-01", "2028-04-30T23:59:59"):
            used(project, at(day), "12.5")
        for each in (trial, free):
            subscribed(lab, each)
        in_steps(own, "2028-05-02", step or timedelta(days=300))
        found.append(documents(lab))
    assert found[0] == found[1] == found[2]
    assert len([each for each in found[0] if len(each) == 8]) == 4  # January to April


def test_months_of_each_organisation_end_at_its_own_midnight(clock: TestClock) -> None:
    east, west = clocked(clock, "East"), clocked(clock, "West", time_zone="America/New_York")
    for each in (east, west):
        subscribed(each, plan(f"of-{each.name.lower()}"))
    go(clock, "2028-01-31T23:59:59")
    assert not Invoice.objects.exists()
    go(clock, "2028-02-01")  # Bangkok's
    assert list(Invoice.objects.values_list("organisation__name", "month")) == [("East", 1)]
    go(clock, "2028-02-01", NEW_YORK)
    assert set(Invoice.objects.values_list("organisation__name", "month")) == {("East", 1), ("West", 1)}


def test_real_time_leaves_organisations_with_a_clock_alone(clock: TestClock, lab: Organisation) -> None:
    row = subscribed(lab, plan())
    with time_machine.travel(at("2028-04-02"), tick=False):
        renew_subscriptions(actor=SYSTEM)
        assert not run_invoices(actor=SYSTEM, month=date(2028, 1, 1), finalize=True).rows
        call_command("expire_subscriptions", stdout=open("/dev/null", "w"))  # noqa: SIM115
    assert len(fees(row)) == 1


def test_a_clock_leaves_real_organisations_alone(clock: TestClock, lab: Organisation) -> None:
    with time_machine.travel(at("2027-01-31T12:00"), tick=False):
        real = subscribed(make_customer(currency="THB").organisation, plan())
        subscribed(lab, real.plan)
        go(clock, "2028-12-01")
    assert len(fees(real)) == 1
    assert not Invoice.objects.filter(organisation=real.organisation).exists()


def test_changes_and_ends_happen_by_the_clock(clock: TestClock, lab: Organisation) -> None:
    row = subscribed(lab, plan("small", "290"))
    go(clock, "2028-03-01T09:00")
    change_plan(actor=FIN, subscription=row, plan=plan("large", "580"))
    cancel(actor=FIN, subscription=row, at_period_end=True)
    go(clock, "2028-04-02")
    row.refresh_from_db()
    # the period from 29 February to 31 March has 31 days, 30 of them from 1 March on
    assert fees(row)[2:] == [("credit", "2028-03-01", "2028-03-31", "-280.65"), ("proration", "2028-03-01", "2028-03-31", "561.29")]  # fmt: skip
    assert (row.status, row.end_at) == ("canceled", at("2028-03-31"))


def test_a_test_takes_no_number_of_the_real_series(clock: TestClock, lab: Organisation) -> None:
    subscribed(lab, plan())
    use(real := make_customer())
    price()
    go(clock, "2028-03-01")
    one = finalized(real)
    now = fiscal_year(today(), settings.FISCAL_YEAR_START_MONTH)  # of the people who live without a clock
    assert (one.invoice_number, one.serial) == (f"INV{now}-000001", 1)
    tests = Invoice.objects.filter(organisation=lab).order_by("month")
    assert [(each.invoice_number, each.serial) for each in tests] == [
        ("TEST-INV2028-000001", None), ("TEST-INV2028-000002", None),
    ]  # fmt: skip
    note = write_credit_note(actor=FIN, invoice=tests[0], reason="as a test")
    assert (note.number, note.serial, note.issue_date) == ("TEST-CN2028-000001", None, date(2028, 3, 1))
    real_note = write_credit_note(actor=FIN, invoice=one, reason="wrong")
    assert (real_note.number, real_note.serial) == (f"CN{now}-000001", 1)
    assert set(DocumentCounter.objects.values_list("series", "last")) == {
        ("invoice", 1), ("credit_note", 1), ("test_invoice", 2), ("test_credit_note", 1),
    }  # fmt: skip
    call_command("check_books")


# --- when nobody pays -----------------------------------------------------------------------
def test_unpaid_invoices_are_reminded_of_and_subscriptions_follow_by_the_clock(clock: TestClock, settings: Any) -> None:
    settings.DUNNING_PAST_DUE_DAYS, settings.DUNNING_SUSPEND_DAYS = 7, 30
    lab = clocked(clock, billing_email="bills@lab.example")
    row = subscribed(lab, plan())
    go(clock, "2028-03-10")  # January's invoice was due on 2 March
    row.refresh_from_db()
    assert row.status == "past_due"
    steps = InvoiceNotice.objects.filter(kind="reminder").order_by("pk").values_list("step", flat=True)
    assert list(steps) == [-3, 1, 7]
    go(clock, "2028-05-02")
    row.refresh_from_db()
    assert (row.status, row.suspended_for, len(fees(row))) == ("suspended", "payment", 3)  # none while it rests
    for invoice in Invoice.objects.filter(status="finalized"):
        record_payment(actor=FIN, invoice=invoice, amount=invoice.amount_due, currency="THB", method="manual",
                       reference=f"r{invoice.pk}")  # fmt: skip
    row.refresh_from_db()
    assert (row.status, row.period_start) == ("active", at("2028-05-02"))  # a new period, by the clock
    paid = Invoice.objects.filter(status="paid").values_list("paid_at", flat=True)
    assert set(paid) == {at("2028-05-02")}


def test_reminders_in_one_step_or_many_are_the_same(clock: TestClock, settings: Any) -> None:
    settings.DUNNING_PAST_DUE_DAYS, settings.DUNNING_SUSPEND_DAYS = 7, 30
    one, found = plan(), []
    for number, step in enumerate((timedelta(days=300), timedelta(hours=31))):
        own = clock_at("2028-01-31T10:00", f"clock {number}")
        lab = clocked(own, f"lab {number}", billing_email="bills@lab.example")
        row = subscribed(lab, one)
        in_steps(own, "2028-05-02", step)
        told = InvoiceNotice.objects.filter(invoice__organisation=lab).order_by("invoice__month", "kind", "step")
        moves = row.changes.order_by("pk").values_list("action", "at")
        found.append((documents(lab), [*told.values_list("invoice__month", "kind", "step")], [*moves]))
    assert found[0] == found[1]


def test_the_real_run_tells_nothing_of_tests(clock: TestClock, lab: Organisation) -> None:
    subscribed(lab, plan())
    go(clock, "2028-02-02")
    with time_machine.travel(at("2028-04-20"), tick=False):
        assert send_reminders(actor=SYSTEM).unpaid == 0


def test_no_test_is_paid_online(clock: TestClock, lab: Organisation, alice: Any) -> None:
    subscribed(lab, plan())
    go(clock, "2028-02-02")
    with pytest.raises(NotPayable):
        start_payment(actor=Actor("alice"), invoice=Invoice.objects.get())


# --- refused, repeated, interrupted ------------------------------------------------------
@pytest.mark.parametrize("to", ["2028-01-31T10:00", "2027-12-01", "2029-02-15"])
def test_it_goes_forward_and_not_too_far(clock: TestClock, to: str) -> None:
    with pytest.raises(BadInput):
        go(clock, to)
    clock.refresh_from_db()
    assert (clock.status, clock.frozen_time) == (ClockStatus.READY, at("2028-01-31T10:00"))


def test_an_interrupted_way_is_gone_to_its_end_and_nothing_is_charged_twice(
    clock: TestClock, lab: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, seen = subscribed(lab, plan()), []

    def lights_out(*told: Any) -> None:
        seen.append(told)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advance_clock(actor=FIN, clock=clock, to=at("2028-05-01"), tell=lights_out)
    clock.refresh_from_db()
    assert clock.status == ClockStatus.ADVANCING
    assert at("2028-01-31T10:00") < clock.frozen_time < at("2028-05-01")
    with pytest.raises(Advancing):  # nobody else sends it elsewhere
        begin_advance(actor=FIN, clock=clock, to=at("2028-04-01"))
    run_advance(actor=FIN, clock=clock)
    assert (clock.status, clock.frozen_time) == (ClockStatus.READY, at("2028-05-01"))
    assert (len(fees(row)), Invoice.objects.count()) == (4, 4)


def test_what_goes_wrong_stops_the_clock_where_it_happened(
    clock: TestClock, lab: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing import clock_steps

    subscribed(lab, plan())
    whole = clock_steps.run_month_of

    def breaks(**asked: Any) -> Any:
        if asked["month"] == date(2028, 2, 1):
            raise BadInput("the disk is full")
        return whole(**asked)

    with monkeypatch.context() as patch:
        patch.setattr(clock_steps, "run_month_of", breaks)
        with pytest.raises(AppError):
            go(clock, "2028-05-01")
    clock.refresh_from_db()
    assert (clock.status, clock.frozen_time, clock.failure) == ("failed", at("2028-03-01"), "the disk is full")
    go(clock, "2028-05-01")
    assert list(Invoice.objects.order_by("month").values_list("month", flat=True)) == [1, 2, 3, 4]


def test_what_has_no_price_waits_and_is_finalized_at_the_next_instant(clock: TestClock, lab: Organisation) -> None:
    used(Project.objects.create(organisation=lab, name="p"), at("2028-01-31T11:00"))
    found = go(clock, "2028-02-02")
    assert found.done["invoices"]["blocked"] == 2  # on the first, and when it was looked at again
    assert Invoice.objects.get().status == "draft"
    price(per_unit="2", effective_from=date(2028, 1, 1))
    go(clock, "2028-02-03")
    row = Invoice.objects.get()
    assert (row.status, row.issue_date, row.total) == (
        "finalized",
        date(2028, 2, 2),
        2,
    )  # where it stood when it was told to go on


def test_the_command_advances_and_goes_on(clock: TestClock, lab: Organisation, capsys: Any) -> None:
    subscribed(lab, plan())
    call_command("advance_clock", clock.name, "--to", "2028-03-02", "--dry-run", "--format", "json")
    assert Invoice.objects.count() == 0
    assert '"finalized": 2' in capsys.readouterr().out
    call_command("advance_clock", clock.name, "--days", "30", "--format", "json")
    clock.refresh_from_db()
    assert clock.frozen_time == at("2028-03-01T10:00")
    assert Invoice.objects.count() == 2
