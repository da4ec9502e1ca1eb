"""Receipts: what is billed, at which price, exactly once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Sum

from accounts.models import BillingMode, Organisation, Project, Tier, TierOverride
from audit.models import AuditLog
from billing.models import Receipt, ReceiptItem
from billing.pricing import Rates, price
from billing.selectors.jobs.billable import preview_receipts
from billing.selectors.pricing.rates import MissingRate
from billing.services.pricing import rates
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import TotalChanged, create_all, create_receipts, mark_paid, void_receipt
from core.context import SYSTEM, Actor
from core.errors import BadInput, InvalidTransition
from tests.factories import NOON, account_tier, make_job, make_jobs
from tests.races import at_once
from usage.models import Job

OCTOBER = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
pytestmark = pytest.mark.django_db


def bill(username: str = "alice", **window: Any) -> list[Receipt]:
    return create_receipts(actor=Actor(username), username=username, **(window or OCTOBER))


@pytest.fixture(autouse=True)
def _physics_is_mu(alice: Any) -> None:
    account_tier("physics", "mu")


def test_a_job_is_priced_by_its_allocation_and_the_tiers_rates() -> None:
    make_job(cpus=4, mem_mib=8192, gpus=2, elapsed_seconds=5400)
    (receipt,) = bill()
    item = receipt.items.get()
    assert (item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours) == (6, 3, 12)
    assert item.cost == receipt.total == Decimal("27.00")  # 6 x 1 + 3 x 5 + 12 x 0.5
    assert (receipt.pricing_tier_id, receipt.rate_cpu, receipt.currency) == ("mu", 1, "THB")


def test_the_total_is_the_sum_of_rounded_lines_and_equals_python() -> None:
    jobs = [make_job(elapsed_seconds=s, cpus=3, mem_mib=3410, gpus=s % 2) for s in (1, 7, 61, 86399, 12345)]
    (receipt,) = bill()
    version = receipt.rate_version
    expected = [
        price(cpu_seconds=job.cpu_core_seconds, gpu_seconds=job.gpu_seconds, mem_mib_seconds=job.mem_mib_seconds,
              rates=Rates(version.cpu, version.gpu, version.mem)).cost
        for job in jobs
    ]  # fmt: skip
    assert sorted(receipt.items.values_list("cost", flat=True)) == sorted(expected)
    assert receipt.total == sum(expected)


def test_a_second_receipt_finds_nothing_left() -> None:
    make_job()
    assert len(bill()) == 1
    assert bill() == []
    assert Receipt.objects.count() == 1


def test_one_receipt_for_each_tier() -> None:
    account_tier("gov-*", "gov")
    make_job(account="physics")
    make_job(account="gov-lab")
    make_job(account="elsewhere")
    receipts = bill()
    assert [receipt.pricing_tier_id for receipt in receipts] == ["mu", "gov", "private"]
    assert [receipt.total for receipt in receipts] == [Decimal("8.00"), Decimal("20.00"), Decimal("36.00")]
    assert "gov-*" in receipts[1].tier_reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "RUNNING", "end_at": None}, "not_ended"),
        ({"state": "PENDING", "end_at": None, "elapsed_seconds": 0}, "not_ended"),
        ({"state": "NODE_FAIL"}, "free_state"),
        ({"state": "BOOT_FAIL"}, "free_state"),
        ({"elapsed_seconds": 0}, "zero_time"),
    ],
)
def test_what_is_not_charged_stays_off_and_is_counted(fields: dict[str, Any], reason: str) -> None:
    make_job(**fields)
    assert preview_receipts(username="alice", **OCTOBER).skipped == {reason: 1}
    assert bill() == []


def test_which_states_are_free_is_a_setting(settings: Any) -> None:
    settings.BILLING_FREE_STATES = []
    make_job(state="NODE_FAIL")
    assert len(bill()) == 1


def test_failed_and_out_of_memory_jobs_are_charged() -> None:
    for state in ("FAILED", "OUT_OF_MEMORY", "TIMEOUT", "CANCELLED", "PREEMPTED", "SOMETHING_NEW"):
        make_job(state=state)
    assert bill()[0].items.count() == 6


def test_a_month_is_the_month_of_bangkok() -> None:
    last_moment = datetime(2026, 10, 31, 16, 59, 59, tzinfo=UTC)  # 23:59:59 on 31 October in Bangkok
    make_job(end_at=last_moment)
    make_job(end_at=last_moment + timedelta(seconds=1))
    make_job(end_at=datetime(2026, 9, 30, 17, 0, tzinfo=UTC))  # midnight, 1 October
    make_job(end_at=datetime(2026, 9, 30, 16, 59, 59, tzinfo=UTC))
    assert bill()[0].items.count() == 2


def test_an_open_window_covers_the_oldest_job_to_today() -> None:
    make_job(end_at=NOON - timedelta(days=300))
    (receipt,) = bill(start=None, end=None)
    assert receipt.start == (NOON - timedelta(days=300)).date()
    assert receipt.end >= date(2026, 10, 15)


def test_the_preview_equals_the_receipt() -> None:
    make_jobs(7, cpus=3, elapsed_seconds=4321)
    preview = preview_receipts(username="alice", **OCTOBER)
    receipt = create_receipts(actor=Actor("alice"), username="alice", **OCTOBER, expected=preview.token)[0]
    quote = preview.quotes[0]
    sums = receipt.items.aggregate(cpu=Sum("cpu_core_hours"), mem=Sum("mem_gb_hours"))
    assert (quote.total, quote.jobs) == (receipt.total, receipt.items.count())
    assert (quote.cpu_core_hours, quote.mem_gb_hours) == (sums["cpu"], sums["mem"])


def test_usage_that_arrives_after_the_preview_stops_the_order() -> None:
    make_job()
    token = preview_receipts(username="alice", **OCTOBER).token
    make_job()
    with pytest.raises(TotalChanged):
        create_receipts(actor=Actor("alice"), username="alice", **OCTOBER, expected=token)
    assert Receipt.objects.count() == 0
    assert not Job.objects.exclude(claimed_by="").exists()


def test_new_rates_change_no_receipt_that_exists() -> None:
    make_job()
    (receipt,) = bill()
    mu = Tier.objects.get(pk="mu")
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(9), Decimal(9), Decimal(9)))
    receipt.refresh_from_db()
    assert (receipt.total, receipt.rate_cpu) == (Decimal("8.00"), 1)
    make_job()
    assert bill()[0].rate_cpu == 9


def test_a_tier_without_a_rate_is_an_error_that_names_it_never_zero() -> None:
    new = Tier.objects.create(code="partner", name="Partner")
    account_tier("partner*", "partner")
    make_job(account="partner-x")
    with pytest.raises(MissingRate, match="partner"):
        bill()
    assert not Job.objects.exclude(claimed_by="").exists()
    set_rates(actor=SYSTEM, tier=new, rates=NewRates(Decimal(2), Decimal(2), Decimal(2)))
    assert bill()[0].total == Decimal("24.00")


def test_the_used_basis_bills_the_cpu_time_that_was_used() -> None:
    mu = Tier.objects.get(pk="mu")
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(1), Decimal(0), Decimal(0), cpu_basis="used"))
    make_job(cpus=4, used_cpu_seconds=1800)
    make_job(cpus=4, used_cpu_seconds=None)  # the source did not say: not billed rather than guessed
    assert preview_receipts(username="alice", **OCTOBER).skipped == {"no_cpu_time": 1}
    (receipt,) = bill()
    assert receipt.total == Decimal("0.50")
    assert (receipt.items.count(), receipt.cpu_basis) == (1, "used")


def test_an_override_beats_the_rules() -> None:
    TierOverride.objects.create(username="alice", tier_id="private", reason="contract", set_by="fin")
    make_job()
    assert bill()[0].pricing_tier_id == "private"


def test_jobs_of_an_invoiced_organisation_never_go_on_receipts() -> None:
    organisation = Organisation.objects.create(name="Big lab", billing_mode=BillingMode.INVOICES)
    project = Project.objects.create(organisation=organisation, name="p")
    project.accounts.create(account="physics")
    make_job()
    assert bill() == []
    assert preview_receipts(username="alice", **OCTOBER).skipped == {"billed_by_invoice": 1}


def test_a_voided_receipt_keeps_its_lines_and_frees_its_jobs() -> None:
    make_job()
    (first,) = bill()
    assert void_receipt(actor=Actor("fin"), receipt=first, reason="wrong account") is True
    assert (first.items.count(), first.items.filter(is_live=True).count()) == (1, 0)
    (second,) = bill()
    assert second.total == first.total
    assert void_receipt(actor=Actor("fin"), receipt=first, reason="again") is False


def test_voiding_needs_a_reason_and_an_unpaid_receipt() -> None:
    make_job()
    (receipt,) = bill()
    with pytest.raises(BadInput):
        void_receipt(actor=Actor("fin"), receipt=receipt, reason=" ")
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="slip 1")
    with pytest.raises(InvalidTransition):
        void_receipt(actor=Actor("fin"), receipt=receipt, reason="late")
    assert receipt.items.filter(is_live=True).count() == 1


def test_marking_paid_twice_changes_nothing_and_is_audited_once() -> None:
    make_job()
    (receipt,) = bill()
    assert mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="slip 1") is True
    paid_at = receipt.paid_at
    assert mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="slip 2") is False
    assert (receipt.tx_ref, receipt.paid_at) == ("slip 1", paid_at)
    assert AuditLog.objects.filter(action="mark_paid", target=str(receipt.pk)).count() == 1


def test_the_database_itself_refuses_a_job_on_two_live_receipts() -> None:
    make_job()
    (receipt,) = bill()
    item = receipt.items.get()
    other = Receipt.objects.get(pk=receipt.pk)
    other.pk = other.document_number = other.fiscal_year = other.serial = None
    other.save(force_insert=True)
    with pytest.raises(IntegrityError):
        ReceiptItem.objects.create(
            receipt=other,
            job_key=item.job_key,
            job_id_display="x",
            cpu_core_hours=0,
            gpu_hours=0,
            mem_gb_hours=0,
            cost=0,
        )


def test_an_unknown_user_and_a_reversed_window_are_named() -> None:
    with pytest.raises(BadInput, match="nobody"):
        bill("nobody")
    with pytest.raises(BadInput, match="before it begins"):
        bill(start=date(2026, 10, 2), end=date(2026, 10, 1))


def test_the_number_of_statements_does_not_grow_with_the_jobs(django_assert_max_num_queries: Any) -> None:
    make_jobs(3)
    with django_assert_max_num_queries(40) as few:
        bill()
    make_jobs(300)
    with django_assert_max_num_queries(len(few.captured_queries)):
        (receipt,) = bill()
    assert receipt.items.count() == 300


def test_a_months_run_bills_everybody_parks_who_fails_and_counts_who_has_no_account(bob: Any) -> None:
    Tier.objects.create(code="norate", name="No rate")
    account_tier("chem", "norate")
    make_job(username="alice")
    make_job(username="bob", account="chem")
    make_job(username="gone")
    run = create_all(actor=SYSTEM, **OCTOBER)
    assert [receipt.user_id for receipt in run.receipts] == ["alice"]
    assert list(run.failed) == ["bob"]
    assert run.skipped["no_user"] == 1


def test_each_receipt_is_audited_with_its_total() -> None:
    make_job()
    (receipt,) = bill()
    entry = AuditLog.objects.get(action="receipt_create")
    assert (entry.entity_id, entry.extra["total"]) == (str(receipt.pk), "8.00")


@pytest.mark.django_db(transaction=True)
def test_fifty_clients_over_the_same_jobs_bill_each_job_once_without_an_error() -> None:
    make_jobs(2000)
    results = at_once(50, lambda _index: bill())
    assert sum(len(receipts) for receipts in results) == 1
    assert ReceiptItem.objects.count() == ReceiptItem.objects.values("job_key").distinct().count() == 2000
    receipt = Receipt.objects.get()
    assert receipt.total == sum(receipt.items.values_list("cost", flat=True)) == Decimal(16000)


def test_default_rates_are_those_of_the_documents() -> None:
    found = {v.tier_id: (v.cpu, v.gpu, v.mem) for v in rates.RateVersion.objects.all()}
    assert found == {"mu": (1, 5, Decimal("0.5")), "gov": (3, 10, 1), "private": (5, 100, 2)}
