"""The FOCUS data set: conformant, and to the satang what the receipts ask for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine

from accounts.models import Tier
from billing.exports import FOCUS
from billing.models import RateVersion, Receipt
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts, mark_paid, void_receipt
from core.context import SYSTEM, Actor
from core.exports import ExportFilter, table_lines
from tests.billing.focus_validator import billed, faults, read
from tests.factories import NOON, account_tier, change_versions, make_job
from usage.models import Job

pytestmark = pytest.mark.django_db
NOVEMBER = datetime(2026, 11, 5, 5, 0, tzinfo=UTC)


def focus(start: date | None = None, end: date | None = None, **more: Any) -> str:
    rows = FOCUS.rows(ExportFilter(start, end, **more))
    return "".join(table_lines(FOCUS.columns, rows, byte_mark=FOCUS.byte_mark))


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


def bill(moment: datetime = NOVEMBER, username: str = "alice") -> list[Receipt]:
    with at(moment):
        return create_receipts(actor=Actor(username), username=username)


def taxed(settings: Any, *, inclusive: bool) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive


@pytest.fixture(autouse=True)
def _rates_since_january(alice: Any, settings: Any) -> None:
    settings.ORG_NAME = "Khon Kaen HPC"
    account_tier("physics", "mu")
    account_tier("ministry", "gov")
    change_versions(RateVersion.objects.all(), effective_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def crowd(make_user: Any) -> None:
    """Awkward seconds, four users, three tiers, GPUs on some."""
    dice = random.Random(7)
    for name in ("bob", "carol", "dave"):
        make_user(name)
    for _ in range(150):
        make_job(
            username=dice.choice(["alice", "bob", "carol", "dave"]), account=dice.choice(["physics", "ministry", "shop", ""]),
            elapsed_seconds=dice.randrange(1, 200_000), cpus=dice.randrange(0, 65), gpus=dice.choice([0, 0, 1, 3]),
            mem_mib=dice.randrange(0, 300_000), end_at=NOON + timedelta(minutes=dice.randrange(10_000)),
            job_name=dice.choice(["=1+1", "งาน", ""]), partition="=p", qos="",
        )  # fmt: skip


def test_a_tiny_world_reads_as_worked_out_by_hand(settings: Any, data_dir: Path) -> None:
    """27.00 (6 core-hours, 3 GPU-hours, 12 GB-hours) and 0.10 (0.0833 x 1 + 0.0271 x 0.5 rounded up), 7 % on top."""
    taxed(settings, inclusive=False)
    make_job(job_id=501, cpus=4, gpus=2, elapsed_seconds=5400, job_name="lattice", qos="high")
    make_job(job_id=502, cpus=3, mem_mib=1000, elapsed_seconds=100, account="physics", end_at=NOON + timedelta(hours=1))
    (receipt,) = bill()
    expected = (data_dir / "focus" / "tiny.csv").read_text().replace("{version}", str(receipt.rate_version_id))
    assert read(focus()) == read(expected)


@pytest.mark.parametrize("tax", ["none", "on top", "inside"])
def test_any_world_conforms_and_adds_up_to_the_satang(settings: Any, crowd: None, tax: str) -> None:
    if tax != "none":
        taxed(settings, inclusive=tax == "inside")
    receipts = [receipt for name in ("alice", "bob", "carol", "dave") for receipt in bill(username=name)]
    assert len(receipts) >= 8
    text = focus()
    assert faults(text) == []
    assert billed(text) == {receipt.document_number: receipt.total for receipt in receipts}
    assert billed(text, "Usage", "Adjustment") == {receipt.document_number: receipt.subtotal for receipt in receipts}
    assert billed(text, "Tax") == ({} if tax == "none" else {r.document_number: r.tax_amount for r in receipts})


def test_the_rows_of_a_line_add_up_to_its_cost(crowd: None) -> None:
    (receipt, *_others) = bill()
    rows = read(focus())
    for item in receipt.items.all():
        mine = [row for row in rows if row["ResourceId"] == item.job_key]
        assert sum(Decimal(row["BilledCost"]) for row in mine) == item.cost
        usage = [Decimal(row["PricingQuantity"]) for row in mine if row["ChargeCategory"] == "Usage"]
        assert usage == [hours for hours in (item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours) if hours]


def test_the_receipts_own_rates_price_the_rows_whatever_came_later() -> None:
    make_job()
    (receipt,) = bill()
    set_rates(actor=SYSTEM, tier=Tier.objects.get(pk="mu"), rates=NewRates(Decimal(9), Decimal(9), Decimal(9)))
    assert billed(focus()) == {receipt.document_number: Decimal("8.00")}
    assert {row["ListUnitPrice"] for row in read(focus())} == {"1.00", "0.50"}


# --- months ------------------------------------------------------------------
EDGE = [
    (datetime(2026, 10, 31, 16, 59, 59, tzinfo=UTC), date(2026, 10, 31), "2026-09-30T17:00:00Z", "2026-10-31T17:00:00Z"),
    (datetime(2026, 10, 31, 17, 0, 0, tzinfo=UTC), date(2026, 11, 1), "2026-10-31T17:00:00Z", "2026-11-30T17:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "day", "start", "end"), EDGE)
def test_a_receipt_belongs_to_the_month_of_bangkok_in_which_it_was_issued(
    moment: datetime, day: date, start: str, end: str
) -> None:
    make_job()
    bill(moment)
    rows = read(focus(day, day))
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in rows} == {(start, end)}
    assert read(focus(day + timedelta(days=1))) == read(focus(None, day - timedelta(days=1))) == []


def test_a_receipt_voided_in_its_own_month_was_never_payable_and_is_left_out() -> None:
    make_job()
    (receipt,) = bill()
    with at(NOVEMBER + timedelta(days=20)):
        void_receipt(actor=Actor("fin"), receipt=receipt, reason="wrong")
    (again,) = bill(NOVEMBER + timedelta(days=21))
    assert billed(focus()) == {again.document_number: again.total}


@pytest.mark.parametrize("inclusive", [False, True])
def test_one_voided_later_stays_and_is_corrected_in_the_month_of_its_voiding(settings: Any, inclusive: bool) -> None:
    taxed(settings, inclusive=inclusive)
    make_job()
    (receipt,) = bill()
    november, december = (date(2026, 11, 1), date(2026, 11, 30)), (date(2026, 12, 1), date(2026, 12, 31))
    before = focus(*november)
    with at(datetime(2026, 11, 30, 17, 0, tzinfo=UTC)):  # 1 December in Bangkok
        void_receipt(actor=Actor("fin"), receipt=receipt, reason="wrong")
    assert focus(*november) == before
    assert billed(focus(*december)) == {receipt.document_number: -receipt.total}
    assert billed(focus(*december), "Tax") == {receipt.document_number: -receipt.tax_amount}
    assert {row["ChargeClass"] for row in read(focus(*december))} == {"Correction"}
    assert {row["BillingPeriodStart"] for row in read(focus(*december))} == {"2026-11-30T17:00:00Z"}
    assert billed(focus()) == {receipt.document_number: 0}
    assert faults(focus()) == []


# --- what is in it -----------------------------------------------------------
def test_usage_without_a_receipt_comes_on_request_only_and_without_an_invoice(crowd: None) -> None:
    make_job(state="NODE_FAIL")
    make_job(username="nobody-here")
    assert read(focus()) == []
    text = focus(unbilled=True)
    assert faults(text) == []
    assert {row["InvoiceId"] for row in read(text)} == {""}
    estimate = billed(text)[""]
    assert estimate == sum(
        receipt.total for name in ("alice", "bob", "carol", "dave") for receipt in bill(username=name)
    )
    assert "" not in billed(focus(unbilled=True))


def test_user_and_tier_filter_whole_receipts(crowd: None) -> None:
    mine = {receipt.pricing_tier_id: receipt for receipt in bill()}
    bill(username="bob")
    assert billed(focus(user="alice")) == {receipt.document_number: receipt.total for receipt in mine.values()}
    assert billed(focus(user="alice", tier="gov")) == {mine["gov"].document_number: mine["gov"].total}


def test_paying_changes_nothing() -> None:
    make_job()
    (receipt,) = bill()
    before = focus()
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="1")
    assert focus() == before


def test_a_line_whose_job_is_gone_is_dated_by_the_receipt() -> None:
    make_job()
    bill()
    Job.objects.all().delete()
    text = focus()
    assert faults(text) == []
    assert {row["ChargePeriodStart"][:10] for row in read(text)} == {"2026-10-14"}


def test_queries_grow_with_chunks_not_with_lines(crowd: None, django_assert_num_queries: Any) -> None:
    bill()
    with django_assert_num_queries(3):  # lines with their receipts, their jobs, what was voided later
        few = read(focus())
    bill(username="bob")
    bill(username="carol")
    with django_assert_num_queries(3):
        assert len(read(focus())) > len(few)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Usage,,", "Use,,", "ChargeCategory may not be 'Use'"),
        ("6.00,alice", "6.01,alice", "EffectiveCost is not BilledCost"),
        (",Core-Hours,", ",core-hour,", "ConsumedUnit is no unit"),
        ("BilledCost,", "Cost,", "column BilledCost is missing"),
        ("2026-10-15T05:00:00Z", "2026-10-15 05:00", "ChargePeriodEnd is no moment of UTC"),
        (",physics,physics,", ",physics,,", "SubAccountName is null"),
    ],
)
def test_the_validator_sees_what_is_wrong(data_dir: Path, old: str, new: str, words: str) -> None:
    good = (data_dir / "focus" / "tiny.csv").read_text()
    assert faults(good) == []
    bad = good.replace(old, new, 1)
    assert bad != good
    assert any(words in fault for fault in faults(bad))
