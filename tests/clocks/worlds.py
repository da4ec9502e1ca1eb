"""Organisations with a test clock, and what became of them in words that do not name rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import Organisation, Project, TestClock
from accounts.services.organisations import create_organisation
from accounts.services.test_clocks import advance_clock, bind_organisation, create_clock
from billing.models import CreditNote, Invoice, SubscriptionCharge
from core.context import Actor
from tests.usage.events import row
from usage.events.rows import Batch
from usage.events.store import open_store

FIN = Actor("fin")
BANGKOK = ZoneInfo("Asia/Bangkok")


def at(text: str, zone: ZoneInfo = BANGKOK) -> datetime:
    """``2028-01-31`` is its midnight in the zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def clock_at(text: str, name: str = "trial run", zone: ZoneInfo = BANGKOK) -> TestClock:
    return create_clock(actor=FIN, name=name, frozen_time=at(text, zone))


def clocked(clock: TestClock, name: str = "Integrator", **fields: Any) -> Organisation:
    found = create_organisation(actor=FIN, name=name, **{"currency": "THB", "time_zone": "Asia/Bangkok", **fields})
    bind_organisation(actor=FIN, clock=clock, organisation=found)
    return found


def go(clock: TestClock, text: str, zone: ZoneInfo = BANGKOK) -> Any:
    clock.refresh_from_db()
    return advance_clock(actor=FIN, clock=clock, to=at(text, zone))


def in_steps(clock: TestClock, text: str, step: timedelta, zone: ZoneInfo = BANGKOK) -> None:
    end = at(text, zone)
    while clock.frozen_time < end:
        advance_clock(actor=FIN, clock=clock, to=min(clock.frozen_time + step, end))
        clock.refresh_from_db()


def used(project: Project, moment: datetime, value: str = "1", **fields: Any) -> None:
    number = fields.pop("key", f"k{moment.timestamp()}-{value}")
    event = row(project, timestamp=moment, metric_value=Decimal(value), idempotency_key=number, **fields)
    assert set(open_store().add(Batch([event], []))) == {"accepted"}


def documents(organisation: Organisation) -> list[Any]:
    """Everything on its documents that a reader sees, but for numbers and ids."""
    found: list[Any] = []
    for each in Invoice.objects.filter(organisation=organisation).order_by("year", "month", "pk"):
        lines = [
            (line.kind, line.description, line.quantity, line.total, line.net, line.period_start, line.period_end)
            for line in each.lines.order_by("line_number")
        ]
        found.append((each.year, each.month, each.status, each.issue_date, each.due_date, each.total, each.tax, lines))
    fees = SubscriptionCharge.objects.filter(subscription__organisation=organisation).order_by("due_at", "pk")
    notes = CreditNote.objects.filter(invoice__organisation=organisation).order_by("pk")
    found += fees.values_list("kind", "amount", "due_at", "period_start", "period_end")
    return [*found, *notes.values_list("issue_date", "total")]
