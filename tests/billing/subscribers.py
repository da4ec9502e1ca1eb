"""Plans with prices, and those who subscribe to them, at a day of one's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.core.management import call_command

from accounts.models import Member, Organisation
from billing.models import SubscriptionCharge
from billing.services.subscriptions.renewals import Renewed, renew_subscriptions
from core.context import SYSTEM, Actor
from subscriptions.models import Plan, PlanPrice, Subscription
from subscriptions.services.subscriptions import request_subscription

ALICE, FIN = Actor("alice"), Actor("fin")
BANGKOK = ZoneInfo("Asia/Bangkok")
LONG_AGO = date(2020, 1, 1)


def plan(code: str = "pro", amount: str | None = "310", **more: Any) -> Plan:
    """Begins at once; monthly, in THB, from long ago on. Without an amount it has no prices."""
    row = Plan.objects.create(code=code, name=code.title(), **{"requires_approval": False, **more})
    if amount is not None:
        price(row, amount)
    return row


def price(row: Plan, amount: str, start: date = LONG_AGO, cycle: str = "monthly", currency: str = "THB") -> PlanPrice:
    return PlanPrice.objects.create(
        plan=row, billing_cycle=cycle, amount=Decimal(amount), currency=currency, effective_from=start, set_by="fin"
    )


def place(owner: Any = None, **more: Any) -> Organisation:
    row = Organisation.objects.create(**{"name": "Lab", "currency": "THB", **more})
    if owner is not None:
        Member.objects.create(organisation=row, user=owner, role="owner")
    return row


def moment(text: str, zone: ZoneInfo = BANGKOK) -> datetime:
    """``2027-01-31`` is noon of that day."""
    found = datetime.fromisoformat(text if "T" in text else f"{text}T12:00")
    return found.replace(tzinfo=zone)


@contextmanager
def on(text: str, zone: ZoneInfo = BANGKOK) -> Iterator[None]:
    with time_machine.travel(moment(text, zone), tick=False):
        yield


def subscribe(to: Plan, when: str, *, zone: ZoneInfo = BANGKOK, **holder: Any) -> Subscription:
    with on(when, zone):
        return request_subscription(actor=ALICE, plan=to, **holder)


def renew(when: str, zone: ZoneInfo = BANGKOK) -> Renewed:
    with on(when, zone):
        return renew_subscriptions(actor=SYSTEM)


def command(when: str, *arguments: str) -> tuple[int, str]:
    """Exit code and words of ``renew_subscriptions``."""
    out, code = StringIO(), 0
    with on(when):
        try:
            call_command("renew_subscriptions", *arguments, stdout=out)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue()


def fees(row: Subscription, zone: ZoneInfo = BANGKOK) -> list[tuple[str, str, str, str]]:
    """``(kind, from, to, amount)`` in local days, the oldest first."""
    rows = SubscriptionCharge.objects.filter(subscription=row).order_by("period_start", "pk")
    days = [
        (each, *(f"{at.astimezone(zone):%Y-%m-%d}" for at in (each.period_start, each.period_end))) for each in rows
    ]
    return [(each.kind, start, end, f"{each.amount.normalize():f}") for each, start, end in days]


def local(at: datetime | None, zone: ZoneInfo = BANGKOK) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""
