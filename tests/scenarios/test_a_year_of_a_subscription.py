"""A year lived month by month: trial, fees, a dearer plan, a pause, a new price, a plan for later, and the end.

The hourly runner works throughout; on some days it does not come, and what it missed is there the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command

from billing.models import SubscriptionCharge
from billing.services.subscriptions.plan_changes import cancel, change_plan
from billing.services.subscriptions.renewals import renew_subscriptions
from core.context import SYSTEM
from subscriptions.models import Subscription
from subscriptions.services.subscriptions import request_subscription, resume_subscription, suspend_subscription
from tests.billing.subscribers import ALICE, FIN, fees, local, place, plan, price

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


def live(start: date, days: int, acts: dict[str, Callable[[], object]], away: set[str]) -> None:
    """At noon of each local day: what happens on it, then the commands of the runner, unless it is away."""
    for number in range(days):
        day = start + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=BERLIN)
        with time_machine.travel(noon.astimezone(UTC), tick=False):
            if act := acts.get(day.isoformat()):
                act()
            if day.isoformat() not in away:
                renew_subscriptions(actor=SYSTEM)
                if day.day in (1, 15):
                    call_command("expire_subscriptions", stdout=open("/dev/null", "w"))  # noqa: SIM115


def test_a_year(alice: Any) -> None:
    lab = place(alice, currency="EUR", time_zone=BERLIN.key)
    small, large = plan("small", None, trial_days=30), plan("large", None)
    price(small, "31", currency="EUR")
    price(large, "62", currency="EUR")

    def row() -> Subscription:
        return Subscription.objects.get(organisation=lab)

    acts = {
        "2027-01-01": lambda: request_subscription(actor=ALICE, plan=small, organisation=lab),
        # its trial ends on 31 January: the anchor; February is short, the clocks change on 28 March
        "2027-04-15": lambda: change_plan(actor=ALICE, subscription=row(), plan=large),
        "2027-06-10": lambda: price(large, "93", date(2027, 7, 1), currency="EUR"),
        "2027-08-10": lambda: suspend_subscription(actor=FIN, subscription=row(), cause="staff", reason="audit"),
        "2027-09-20": lambda: resume_subscription(actor=FIN, subscription=row()),
        "2027-10-05": lambda: change_plan(actor=ALICE, subscription=row(), plan=small, at_period_end=True),
        "2027-11-25": lambda: cancel(actor=ALICE, subscription=row(), at_period_end=True),
    }
    away = {f"2027-05-{day:02d}" for day in range(25, 32)} | {f"2027-06-{day:02d}" for day in range(1, 8)}
    live(date(2027, 1, 1), 365, acts, away)

    assert fees(row(), BERLIN) == [
        ("fee", "2027-01-31", "2027-02-28", "31"),
        ("fee", "2027-02-28", "2027-03-31", "31"),
        ("fee", "2027-03-31", "2027-04-30", "31"),
        ("credit", "2027-04-15", "2027-04-30", "-15.5"),
        ("proration", "2027-04-15", "2027-04-30", "31"),
        ("fee", "2027-04-30", "2027-05-31", "62"),
        ("fee", "2027-05-31", "2027-06-30", "62"),
        ("fee", "2027-06-30", "2027-07-31", "62"),
        ("fee", "2027-07-31", "2027-08-31", "93"),
        ("fee", "2027-09-20", "2027-10-20", "93"),
        ("fee", "2027-10-20", "2027-11-20", "31"),
        ("fee", "2027-11-20", "2027-12-20", "31"),
    ]
    over = row()
    assert (over.status, local(over.end_at, BERLIN), over.plan, over.anchor_day) == (
        "canceled", "2027-12-20 00:00", small, 20,
    )  # fmt: skip
    told = [(each.action, each.to_status) for each in over.changes.all()]
    assert told == [
        ("request", "pending"), ("start", "trial"), ("trial_end", "active"), ("change", "active"),
        ("suspend", "suspended"), ("resume", "active"), ("change_at_end", "active"), ("new_plan", "active"),
        ("cancel_at_end", "active"), ("cancel", "canceled"),
    ]  # fmt: skip
    assert {each.currency for each in SubscriptionCharge.objects.all()} == {"EUR"}
    call_command("check_books")
