"""What must not matter does not: order, batches, repeats, zones and calendars; and each event is in exactly one month."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command

from accounts.models import Project
from billing.models import Invoice
from billing.services.invoices.drafts import draft_invoice
from billing.services.invoices.runs import run_invoices
from core.context import SYSTEM
from tests.billing.invoicing import FIN, draft, fee, make_customer, off, price
from tests.factories import account_tier, make_job
from tests.usage.events import row
from usage.events.rows import Batch, EventRow
from usage.events.store import open_store

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def events(project: Project, seed: int = 7) -> list[EventRow]:
    """Two hundred of three metrics, two models and odd values, over October."""
    dice, found = random.Random(seed), []
    for number in range(200):
        moment = datetime(2026, 9, 30, 17, tzinfo=UTC) + timedelta(seconds=dice.randrange(31 * 86400))
        metric = dice.choice(("api.call", "storage", "llm"))
        tokens = {"request_tokens": dice.randrange(900), "model_id": dice.choice(("a", "b"))} if metric == "llm" else {}
        value = Decimal(dice.randrange(1, 10**6)).scaleb(-dice.randrange(7))
        found.append(row(project, timestamp=moment, metric_name=metric, metric_value=value,
                         idempotency_key=f"e{number}", **tokens))  # fmt: skip
    return found


def prices() -> None:
    price("api.call", None, charge_model="graduated", steps=[(1000, "0.03"), (None, "0.013")])
    price("storage", "0.0071", minimum_charge=Decimal(5))
    price("llm", "0.002", quantity="request_tokens")
    price("llm", "0")


def says(invoice: Invoice) -> Any:
    """All that its reader sees, but for ids."""
    lines = invoice.lines.order_by("line_number").values_list(
        "kind", "description", "metric_name", "unit", "quantity", "total", "discount", "net"
    )
    return (invoice.subtotal, invoice.discount, invoice.tax, invoice.total, [*lines])


def take(batches: Sequence[Sequence[EventRow]]) -> None:
    for batch in batches:
        open_store().add(Batch(list(batch), []))


def whole(found: list[EventRow]) -> list[list[EventRow]]:
    return [found]


def shuffled(found: list[EventRow]) -> list[list[EventRow]]:
    return [random.Random(1).sample(found, len(found))]


def backwards_one_by_one(found: list[EventRow]) -> list[list[EventRow]]:
    return [[each] for each in reversed(found)]


def split(found: list[EventRow]) -> list[list[EventRow]]:
    return [found[start : start + 17] for start in range(0, len(found), 17)]


def replayed(found: list[EventRow]) -> list[list[EventRow]]:
    return [found, found[50:], *split(found)]


@pytest.mark.parametrize("way", [shuffled, backwards_one_by_one, split, replayed])
def test_how_events_come_makes_no_other_invoice(way: Any, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True
    prices()
    found = []
    for name, each in (("First", whole), ("Second", way)):
        project = make_customer(name, account="", project="imaging")
        off(project, percent=Decimal("12.5"))
        take(each(events(project)))
        found.append(says(draft(project)))
    assert found[0] == found[1]
    assert found[0][3] > 0


def test_run_twice_or_drafted_before_makes_no_other_invoice() -> None:
    prices()
    account_tier("inst", "mu")
    project = make_customer()
    take([events(project)])
    make_job(account="inst")
    fee(project)
    first = says(draft(project))
    assert says(draft(project)) == first
    run = run_invoices(actor=SYSTEM, month=date(2026, 10, 1), finalize=True)
    again = run_invoices(actor=SYSTEM, month=date(2026, 10, 1), finalize=True)
    assert [each["finalized"] for each in (*run.rows, *again.rows)] == [True, False]
    assert says(Invoice.objects.get()) == first
    call_command("check_books")


def test_sums_built_anew_make_no_other_invoice() -> None:
    prices()
    project = make_customer(account="")
    take([events(project)])
    first = says(draft(project))
    call_command("refresh_aggregates", "--rebuild", "--month", "2026-10")
    assert says(draft(project)) == first


# --- each event and each job in exactly one month --------------------------------------------
ZONES = ["Asia/Bangkok", "America/New_York", "Europe/Berlin", "Pacific/Auckland", "Pacific/Kiritimati", "UTC"]
EDGES = {
    "the end of a year": (2026, [11, 12], 2027, [1]),
    "a leap February": (2028, [1, 2, 3], 2028, []),
    "a short February": (2027, [1, 2, 3], 2027, []),
    "spring": (2027, [2, 3, 4], 2027, []),
    "autumn": (2026, [10, 11], 2026, [12]),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("edge", EDGES)
def test_what_happens_around_midnight_is_in_exactly_one_month(zone: str, edge: str) -> None:
    where = ZoneInfo(zone)
    year, months, next_year, more = EDGES[edge]
    project = make_customer(account="inst", time_zone=zone)
    account_tier("inst", "mu")
    price(per_unit="1", effective_from=date(2020, 1, 1))
    firsts = [date(year, month, 1) for month in months] + [date(next_year, month, 1) for month in more]
    starts = [datetime(each.year, each.month, 1, tzinfo=where).astimezone(UTC) for each in firsts]
    number = 0
    for start in starts[1:]:
        for shift in (-SECOND, timedelta(0), SECOND):  # before midnight, at it, after it
            number += 1
            take([[row(project, timestamp=start + shift, idempotency_key=f"e{number}")]])
            make_job(account="inst", end_at=start + shift, username="alice")
    with time_machine.travel(starts[-1] + timedelta(days=40), tick=False):
        counts = []
        for first in firsts:
            invoice = draft_invoice(actor=FIN, organisation=project.organisation, month=first)
            lines = {} if invoice is None else dict(invoice.lines.values_list("kind", "quantity"))
            counts.append((int(lines.get("usage", 0)), int(lines.get("jobs", 0))))
    inner = len(firsts) - 2
    assert counts == [(1, 1), *[(3, 3)] * inner, (2, 2)]


@pytest.mark.parametrize(
    ("day", "hours"), [("2027-03-14", 23), ("2026-11-01", 25), ("2026-11-02", 24)]
)  # fmt: skip
def test_each_hour_of_a_day_on_which_the_clocks_change_is_counted_once(day: str, hours: int) -> None:
    """In New York; the hour that comes twice in autumn is two hours."""
    where = ZoneInfo("America/New_York")
    project = make_customer(account="", time_zone=where.key)
    price(per_unit="1", effective_from=date(2020, 1, 1))
    begin = datetime.fromisoformat(day).replace(tzinfo=where).astimezone(UTC)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=where).astimezone(UTC)
    moments = [
        begin + timedelta(minutes=30 * step) for step in range(100) if begin + timedelta(minutes=30 * step) < end
    ]
    assert len(moments) == 2 * hours
    take([[row(project, timestamp=each, idempotency_key=f"e{place}") for place, each in enumerate(moments)]])
    month = date.fromisoformat(day).replace(day=1)
    with time_machine.travel(end + timedelta(days=40), tick=False):
        assert draft(project, month).total == 2 * hours
    from usage.models import UsageAggregate

    by_hour = UsageAggregate.objects.filter(period_type="hour").values_list("total_value", flat=True)
    assert [*by_hour] == [2] * hours
    (of_day,) = UsageAggregate.objects.filter(period_type="day")
    assert of_day.total_value == 2 * hours


def test_the_zone_of_an_organisation_moves_events_between_months_and_loses_none() -> None:
    price(per_unit="1", effective_from=date(2020, 1, 1))
    moment = datetime(2026, 10, 31, 20, tzinfo=UTC)  # 1 November in Bangkok, 31 October in New York
    months = {}
    for zone in ("Asia/Bangkok", "America/New_York"):
        project = make_customer(zone, account="", time_zone=zone)
        take([[row(project, timestamp=moment)]])
        with time_machine.travel(datetime(2026, 12, 5, tzinfo=UTC), tick=False):
            months[zone] = [
                month for month in (10, 11)
                if draft_invoice(actor=FIN, organisation=project.organisation, month=date(2026, month, 1))
            ]  # fmt: skip
    assert months == {"Asia/Bangkok": [11], "America/New_York": [10]}
