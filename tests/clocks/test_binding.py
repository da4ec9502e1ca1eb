"""Who may be bound to a clock: organisations without a past, for good, where the site allows it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import BillingMode, Organisation, TestClock
from accounts.services.organisations import FieldFixed, change_organisation, create_organisation
from accounts.services.test_clocks import ClocksOff, HasPast, advance_clock, bind_organisation, create_clock
from audit.models import AuditLog
from core.errors import BadInput
from subscriptions.services.subscriptions import request_subscription
from tests.billing.invoicing import draft, fee, make_customer, price, use
from tests.billing.subscribers import plan
from tests.clocks.worlds import FIN, at, clock_at, clocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> TestClock:
    return clock_at("2028-01-31T10:00")


def test_binding_is_for_good_and_brings_invoices(clock: TestClock) -> None:
    lab = create_organisation(actor=FIN, name="Lab")
    assert lab.billing_mode == BillingMode.RECEIPTS
    assert bind_organisation(actor=FIN, clock=clock, organisation=lab)
    assert not bind_organisation(actor=FIN, clock=clock, organisation=lab)
    assert (lab.test_clock, lab.billing_mode, lab.is_test) == (clock, BillingMode.INVOICES, True)
    with pytest.raises(FieldFixed):
        change_organisation(actor=FIN, organisation=lab, changes={"billing_mode": "receipts"})
    with pytest.raises(HasPast):
        bind_organisation(actor=FIN, clock=clock_at("2029-01-01", "another"), organisation=lab)
    assert AuditLog.objects.filter(action="test_clock_bind").count() == 1


PASTS = {
    "counted usage": use,
    "a fee": fee,
    "a draft": lambda project: (use(project), price(), draft(project)),
    "a subscription that has begun": lambda project: request_subscription(
        actor=FIN, plan=plan(trial_days=5), organisation=project.organisation
    ),
}


@pytest.mark.parametrize("past", PASTS)
def test_an_organisation_with_a_past_keeps_real_time(clock: TestClock, past: str) -> None:
    project = make_customer(currency="THB")
    PASTS[past](project)
    with pytest.raises(HasPast):
        bind_organisation(actor=FIN, clock=clock, organisation=project.organisation)
    project.organisation.refresh_from_db()
    assert project.organisation.test_clock is None


def test_a_request_that_waits_is_no_past(clock: TestClock) -> None:
    lab = create_organisation(actor=FIN, name="Lab")
    request_subscription(actor=FIN, plan=plan(requires_approval=True), organisation=lab)
    assert bind_organisation(actor=FIN, clock=clock, organisation=lab)


def test_a_site_that_does_not_allow_it_refuses_everything(clock: TestClock, settings: Any) -> None:
    lab = clocked(clock)
    settings.TEST_CLOCKS = False
    for act in (
        lambda: create_clock(actor=FIN, name="x", frozen_time=at("2028-01-01")),
        lambda: bind_organisation(actor=FIN, clock=clock, organisation=lab),
        lambda: advance_clock(actor=FIN, clock=clock, to=at("2028-02-01")),
    ):
        with pytest.raises(ClocksOff):
            act()


def test_a_clock_has_a_name_of_its_own_and_a_time_with_a_zone(clock: TestClock) -> None:
    with pytest.raises(BadInput):
        create_clock(actor=FIN, name=clock.name, frozen_time=at("2028-01-01"))
    with pytest.raises(BadInput):
        create_clock(actor=FIN, name="naive", frozen_time=at("2028-01-01").replace(tzinfo=None))
    with pytest.raises(BadInput):
        create_clock(actor=FIN, name=" ", frozen_time=at("2028-01-01"))


def test_the_database_knows_that_it_goes_forward(clock: TestClock) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TestClock.objects.update(target_time=at("2027-01-01"))


def test_a_clock_with_organisations_is_not_removed(clock: TestClock) -> None:
    clocked(clock)
    with pytest.raises(IntegrityError), transaction.atomic():
        TestClock.objects.all().delete()
    assert Organisation.objects.filter(test_clock=clock).exists()
