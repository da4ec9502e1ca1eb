"""Receipts while the world moves: rates change, clocks change, records come in any order."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum

from accounts.models import Tier
from billing.models import Receipt, ReceiptItem
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_all, create_receipts
from core.context import SYSTEM, Actor
from core.periods import month_end
from hpcbilling.books import INVARIANTS
from tests.factories import account_tier, make_job
from tests.races import at_once
from tests.usage.helpers import HIST, run_import
from usage.models import Job

pytestmark = pytest.mark.django_db


def books() -> list[str]:
    return [trouble for check in INVARIANTS.values() for trouble in check()]


@pytest.mark.django_db(transaction=True)
def test_rates_that_change_during_fifty_creations_never_mix_on_one_receipt(make_user: Any) -> None:
    account_tier("physics", "mu")
    mu = Tier.objects.get(pk="mu")
    names = [f"user{number}" for number in range(50)]
    for name in names:
        make_user(name)
        for _ in range(3):
            make_job(username=name)

    def work(number: int) -> None:
        if number % 10 == 0:
            price = Decimal(number + 1)
            set_rates(actor=SYSTEM, tier=mu, rates=NewRates(price, price, price), note=f"change {number}")
        create_receipts(actor=Actor(names[number]), username=names[number])

    at_once(50, work)
    assert Receipt.objects.count() == 50
    for receipt in Receipt.objects.select_related("rate_version"):
        version = receipt.rate_version
        assert (receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem) == (version.cpu, version.gpu, version.mem)
        assert receipt.total == 3 * (4 * version.cpu + 8 * version.mem)
    assert books() == []


@pytest.mark.parametrize("zone", ["Asia/Bangkok", "America/New_York"])
def test_month_by_month_every_job_is_billed_exactly_once_across_clock_changes(
    zone: str, settings: Any, make_user: Any
) -> None:
    """Jobs end on every half hour around month ends and both changes of the clock in New York."""
    settings.TIME_ZONE = zone
    make_user("alice")
    here = ZoneInfo(zone)
    edges = [datetime(2026, *moment, tzinfo=here) for moment in ((3, 1), (3, 8, 2), (4, 1), (11, 1), (11, 1, 1))]
    ends = {
        edge.astimezone(UTC) + timedelta(minutes=30 * step, seconds=-step % 2)
        for edge in edges
        for step in range(-5, 6)
    }
    for end in ends:
        make_job(end_at=end)
    for month in (date(2026, number, 1) for number in range(1, 13)):
        create_receipts(actor=SYSTEM, username="alice", start=month, end=month_end(month))
    assert ReceiptItem.objects.count() == len(ends)
    for receipt in Receipt.objects.all():
        window = Job.objects.filter(claimed_by=receipt.claim).values_list("end_at", flat=True)
        local = {end.astimezone(here).date().replace(day=1) for end in window}
        assert local == {receipt.start}
    assert books() == []


def test_records_in_any_order_give_the_same_receipts(tmp_path: Path, make_user: Any) -> None:
    """The synthetic history of a real Slurm, imported as it came and twice shuffled."""
    with gzip.open(HIST / "sacct-X-D.psv.gz", "rt", encoding="utf-8") as handle:
        header, *rows = handle.read().splitlines()
    for name in {*(row.split("|")[header.split("|").index("User")] for row in rows)} - {""}:
        make_user(name)
    found = []
    for seed in (None, 1, 2):
        ReceiptItem.objects.all().delete()
        Receipt.objects.all().delete()
        Job.objects.all().delete()
        shuffled = list(rows)
        if seed is not None:
            random.Random(seed).shuffle(shuffled)
        file = tmp_path / f"{seed}.psv"
        file.write_text("\n".join([header, *shuffled]) + "\n", encoding="utf-8")
        run_import(file)
        create_all(actor=SYSTEM, start=None, end=None)
        receipts = Receipt.objects.order_by("user_id", "pricing_tier")
        sums = receipts.annotate(cpu=Sum("items__cpu_core_hours"), gpu=Sum("items__gpu_hours"))
        found.append(list(sums.values_list("user_id", "pricing_tier", "total", "cpu", "gpu")))
    assert found[0]
    assert found[0] == found[1] == found[2]
