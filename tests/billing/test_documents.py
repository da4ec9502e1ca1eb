"""What a receipt says is written when it is issued, and never follows a setting that changed later."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Tier, TierOverride
from billing import digest
from billing.models import DocumentCounter, Receipt, ReceiptItem
from billing.selectors.documents.genuine import LINE_FIELDS, content_of, digest_of, is_unchanged
from billing.selectors.jobs.billable import preview_receipts
from billing.selectors.pricing.rates import MissingRate
from billing.services.pricing.rates import NewRates, set_rates, sync_current_rates
from billing.services.receipts import create_receipts, void_receipt
from billing.tax import Tax, apply
from core.context import SYSTEM, Actor
from core.errors import BadInput
from core.periods import fiscal_year
from hpcbilling.books import INVARIANTS
from tests.factories import NOON, account_tier, make_job, make_jobs
from tests.races import at_once

OCTOBER = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
pytestmark = pytest.mark.django_db


def bill(username: str = "alice", **more: Any) -> list[Receipt]:
    return create_receipts(actor=Actor(username), username=username, **{**OCTOBER, **more})


@pytest.fixture(autouse=True)
def _physics_is_mu(alice: Any) -> None:
    account_tier("physics", "mu")


def books() -> list[str]:
    return [trouble for check in INVARIANTS.values() for trouble in check()]


# --- numbers -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("day", "first_month", "year"),
    [
        (date(2026, 9, 30), 10, 2026),
        (date(2026, 10, 1), 10, 2027),
        (date(2026, 12, 31), 1, 2026),
        (date(2027, 1, 1), 1, 2027),
    ],
)
def test_a_fiscal_year_is_named_for_the_year_in_which_it_ends(day: date, first_month: int, year: int) -> None:
    assert fiscal_year(day, first_month) == year


def test_numbers_count_up_within_a_fiscal_year_and_begin_anew_with_the_next() -> None:
    numbers = []
    for moment in ("2027-09-29 12:00", "2027-09-30 16:59", "2027-09-30 17:00", "2027-11-01 00:00"):
        with time_machine.travel(datetime.fromisoformat(moment).replace(tzinfo=UTC), tick=False):
            make_job(end_at=datetime(2027, 9, 15, tzinfo=UTC))
            numbers.append(bill(start=None, end=None)[0].document_number)
    assert numbers == ["RC2027-000001", "RC2027-000002", "RC2028-000001", "RC2028-000002"]
    assert books() == []


def test_what_is_undone_leaves_no_gap() -> None:
    partner = Tier.objects.create(code="partner", name="Partner")
    account_tier("partner*", "partner")
    make_job()
    make_job(account="partner-x")
    with pytest.raises(MissingRate):
        bill()
    assert not DocumentCounter.objects.exists()
    set_rates(actor=SYSTEM, tier=partner, rates=NewRates(Decimal(2), Decimal(2), Decimal(2)))
    assert sorted(receipt.serial or 0 for receipt in bill()) == [1, 2]


def test_a_voided_receipt_keeps_its_number() -> None:
    make_job()
    (first,) = bill()
    void_receipt(actor=Actor("fin"), receipt=first, reason="wrong account")
    (second,) = bill()
    assert (first.serial, second.serial) == (1, 2)
    assert books() == []


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_numbers_without_a_gap(make_user: Any) -> None:
    names = [f"user{number}" for number in range(12)]
    for name in names:
        make_user(name)
        make_job(username=name)
    at_once(12, lambda number: bill(names[number]))
    assert sorted(Receipt.objects.values_list("serial", flat=True)) == list(range(1, 13))
    assert books() == []


# --- tax ---------------------------------------------------------------------
def test_tax_on_top_is_added_once_on_the_sum_of_the_lines(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_RATE = True, Decimal("7")
    make_job(elapsed_seconds=45)  # 0.05 + 0.05
    preview = preview_receipts(username="alice", **OCTOBER)
    (receipt,) = bill(expected=preview.token)
    assert (receipt.subtotal, receipt.tax_amount, receipt.total) == (Decimal("0.10"), Decimal("0.01"), Decimal("0.11"))
    assert (receipt.tax_label, receipt.tax_rate, preview.total) == ("VAT", 7, receipt.total)
    assert books() == []


def test_tax_inside_the_prices_leaves_the_total_at_the_sum_of_the_lines(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, True
    make_job()
    (receipt,) = bill()
    assert (receipt.subtotal, receipt.tax_amount, receipt.total) == (Decimal("7.48"), Decimal("0.52"), Decimal("8.00"))
    assert books() == []


def test_a_tax_that_changes_later_changes_no_receipt(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True
    make_job()
    (receipt,) = bill()
    settings.BILLING_TAX_RATE = Decimal(10)
    receipt.refresh_from_db()
    assert (receipt.tax_rate, receipt.total) == (7, Decimal("8.56"))
    assert books() == []


@given(
    lines=st.decimals(0, 10**9, places=2),
    rate=st.decimals(0, 100, places=2),
    inclusive=st.booleans(),
)
def test_the_parts_of_a_taxed_total_add_up_and_no_satang_is_lost(
    lines: Decimal, rate: Decimal, inclusive: bool
) -> None:
    sums = apply(Tax("VAT", rate, inclusive), lines)
    assert sums.subtotal + sums.tax == sums.total
    assert (sums.total if inclusive else sums.subtotal) == lines
    exact = sums.subtotal * rate / 100  # of an inclusive price the tax is that of what remains, to the satang
    assert abs(sums.tax - exact) <= Decimal("0.01")


# --- seller, note, content hash ----------------------------------------------
def test_the_seller_and_the_note_are_those_of_the_day_of_issue(settings: Any) -> None:
    settings.ORG_NAME, settings.ORG_TAX_ID = "Computing Centre", "0-1234"
    make_job()
    (receipt,) = bill(note=" for project 7 ")
    settings.ORG_NAME = "Renamed"
    receipt.refresh_from_db()
    assert (receipt.seller["name"], receipt.seller["tax_id"], receipt.note) == (
        "Computing Centre",
        "0-1234",
        "for project 7",
    )


@pytest.mark.parametrize("note", ["x" * 501, "bell \x07"])
def test_a_note_that_cannot_be_printed_is_refused(note: str) -> None:
    make_job()
    with pytest.raises(BadInput, match="500"):
        bill(note=note)
    assert not Receipt.objects.exists()


def test_the_hash_is_the_one_that_anybody_can_compute() -> None:
    make_jobs(5, cpus=3, elapsed_seconds=4321, mem_mib=3410)
    (receipt,) = bill()
    lines = list(receipt.items.order_by("id").values_list(*LINE_FIELDS))
    assert receipt.digest == digest.document_hash(content_of(receipt), digest.lines_hash(lines))
    assert is_unchanged(receipt)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: ReceiptItem.objects.filter(receipt=r).update(cost=Decimal("7.99")),
        lambda r: ReceiptItem.objects.filter(receipt=r).update(job_key="bench:1:1"),
        lambda r: Receipt.objects.filter(pk=r.pk).update(total=Decimal("7.99")),
        lambda r: Receipt.objects.filter(pk=r.pk).update(seller={"name": "Somebody"}),
        lambda r: Receipt.objects.filter(pk=r.pk).update(end=date(2026, 10, 30)),
        lambda r: Receipt.objects.filter(pk=r.pk).update(note="changed"),
    ],
)
def test_any_change_of_what_it_says_is_seen(change: Any) -> None:
    make_job()
    (receipt,) = bill()
    change(receipt)
    stored = Receipt.objects.get(pk=receipt.pk)
    assert digest_of(stored) != receipt.digest
    assert not is_unchanged(stored)
    assert INVARIANTS["receipt_digests"]() != []


# --- which moment's rates ----------------------------------------------------
def at(text: str) -> Any:
    return time_machine.travel(datetime.fromisoformat(text), tick=False)


def test_rates_of_the_jobs_end_split_a_month_at_the_change(settings: Any) -> None:
    settings.BILLING_PRICE_AT = "job_end"
    mu = Tier.objects.get(pk="mu")
    with at("2026-12-01T00:00:00+07:00"):
        change = datetime(2026, 12, 14, 17, tzinfo=UTC)  # 15 December, midnight in Bangkok
        set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(2), Decimal(5), Decimal(1)), effective_at=change)
    make_job(end_at=change - timedelta(seconds=1))
    make_job(end_at=change)
    with at("2027-01-05T12:00:00+07:00"):
        preview = preview_receipts(username="alice", start=date(2026, 12, 1), end=date(2026, 12, 31))
        receipts = bill(start=date(2026, 12, 1), end=date(2026, 12, 31), expected=preview.token)
        sync_current_rates()
        assert books() == []
    assert [(receipt.rate_cpu, receipt.total) for receipt in receipts] == [(1, Decimal(8)), (2, Decimal(16))]
    assert {receipt.price_at for receipt in receipts} == {"job_end"}


def test_the_rates_of_the_receipts_moment_are_the_default_and_are_recorded(settings: Any) -> None:
    mu = Tier.objects.get(pk="mu")
    make_job()
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(2), Decimal(5), Decimal(1)))
    (receipt,) = bill()
    settings.BILLING_PRICE_AT = "job_end"
    receipt.refresh_from_db()
    assert (receipt.price_at, receipt.total) == ("receipt", Decimal(16))


def test_an_override_prices_only_the_jobs_that_ended_in_its_days(settings: Any) -> None:
    settings.BILLING_PRICE_AT = "job_end"
    TierOverride.objects.create(
        username="alice", tier_id="gov", reason="loan", set_by="fin",
        valid_from=date(2026, 12, 10), valid_until=date(2026, 12, 19),
    )  # fmt: skip
    for day in (9, 10, 19, 20):
        make_job(end_at=datetime(2026, 12, day, 5, tzinfo=UTC))
    with at("2027-01-05T12:00:00+07:00"):
        receipts = bill(start=date(2026, 12, 1), end=date(2026, 12, 31))
    assert [(receipt.pricing_tier_id, receipt.items.count()) for receipt in receipts] == [("mu", 2), ("gov", 2)]


def test_a_job_that_ended_before_the_first_rate_is_an_error_that_names_tier_and_day(settings: Any) -> None:
    settings.BILLING_PRICE_AT = "job_end"
    make_job(end_at=NOON)  # the rates of the tests begin when the database is made
    with pytest.raises(MissingRate, match=r"mu.*2026-10-15"):
        bill()
    assert not Receipt.objects.exists()
