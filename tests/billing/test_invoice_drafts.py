"""Drafts: what an organisation owes for a month, in lines that say how each came about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BillingMode, Organisation, Tier
from audit.models import AuditLog
from billing.models import Invoice, InvoiceStatus, LineKind, SubscriptionCharge
from billing.services.invoices.drafts import NotDraft, cancel_draft, draft_invoice, draft_invoices, refresh_invoice
from billing.services.months import close_month
from billing.services.receipts import create_receipts
from core.errors import BadInput
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import FIN, MONTH, NOON, draft, exchange, fee, finalized, make_customer, off, price, use
from tests.factories import make_job, make_jobs
from usage.models import Aggregation, Job, Meter

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Any:
    return make_customer()


def lines(invoice: Invoice) -> list[tuple[str, str, Decimal, Decimal]]:
    return [(line.kind, line.description, line.quantity, line.total) for line in invoice.lines.all()]


def codes(invoice: Invoice) -> list[str]:
    return [each["code"] for each in invoice.problems]


def test_jobs_usage_and_fees_of_a_month_stand_on_one_invoice(project: Any) -> None:
    make_job(account="inst", username="x", gpus=1)
    make_job(account="inst", username="y")
    price(description="API calls")
    use(project, 3)
    fee(project, "100")
    invoice = draft(project)
    assert lines(invoice) == [
        ("jobs", "Slurm jobs, tier Private sector", 2, invoice.lines.get(kind="jobs").total),
        ("usage", "API calls", 3, Decimal("1.50")),
        ("fee", "Pro, 1 Oct 2026 – 31 Oct 2026", 1, Decimal(100)),
    ]
    assert invoice.total == sum(line.total for line in invoice.lines.all()) == invoice.subtotal
    assert invoice.amount_due == invoice.total
    assert (invoice.status, invoice.invoice_number, codes(invoice)) == ("draft", None, [])


def test_jobs_cost_what_receipts_would_ask_for_them(project: Any, alice: Any) -> None:
    for account in ("inst", "elsewhere"):
        for seconds in (61, 3601, 86399):
            make_job(account=account, elapsed_seconds=seconds, cpus=3, mem_mib=3410)
    (receipt,) = create_receipts(actor=FIN, username="alice", start=MONTH, end=date(2026, 10, 31))
    line = draft(project).lines.get()
    assert line.total == receipt.total
    assert line.source["version"] == receipt.rate_version_id


def test_jobs_are_claimed_by_the_invoice_whoever_ran_them(project: Any) -> None:
    make_job(account="inst", username="gone")
    make_job(account="inst", username="free", state="NODE_FAIL")
    make_job(account="other")
    invoice = draft(project)
    assert list(Job.objects.exclude(claimed_by="").values_list("username", "claimed_by")) == [("gone", invoice.claim)]


def test_each_project_and_each_tier_has_a_line_of_its_own(project: Any) -> None:
    other = make_customer(account="inst2", project="chemistry")
    make_jobs(2, account="inst")
    make_job(account="inst2")
    found = draft(project).lines.values_list("project", "quantity", "line_number")
    assert list(found) == [(project.pk, 2, 1), (other.pk, 1, 2)]
    Organisation.objects.update(tier=Tier.objects.get(pk="mu"))
    assert set(draft(project).lines.values_list("source__tier", flat=True)) == {"mu"}


def test_an_organisation_billed_by_receipts_has_no_jobs_on_its_invoice(project: Any) -> None:
    Organisation.objects.update(billing_mode=BillingMode.RECEIPTS)
    make_job(account="inst")
    fee(project)
    assert [line.kind for line in draft(project).lines.all()] == ["fee"]
    assert Job.objects.get().claimed_by == ""


def test_a_month_without_anything_has_no_invoice(project: Any) -> None:
    assert draft_invoice(actor=FIN, organisation=project.organisation, month=MONTH) is None
    assert not Invoice.objects.exists()


def test_months_begin_where_the_organisation_is() -> None:
    tokyo = make_customer("Tokyo", account="", time_zone="Asia/Tokyo")
    price()
    use(tokyo, timestamp=datetime(2026, 9, 30, 15, tzinfo=UTC))  # midnight in Tokyo
    use(tokyo, timestamp=datetime(2026, 10, 31, 15, tzinfo=UTC))  # the first instant of November there
    assert draft(tokyo).lines.get().quantity == 1
    assert draft(tokyo, date(2026, 11, 1)).lines.get().quantity == 1


def test_a_job_at_the_edge_of_the_month_is_in_the_organisations_month() -> None:
    tokyo = make_customer("Tokyo", account="tok", time_zone="Asia/Tokyo")
    for moment in (datetime(2026, 9, 30, 14, 59, 59, tzinfo=UTC), datetime(2026, 9, 30, 15, tzinfo=UTC),
                   datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 15, tzinfo=UTC)):  # fmt: skip
        make_job(account="tok", end_at=moment)
    assert draft(tokyo).lines.get().quantity == 2


def test_usage_without_a_price_is_named_and_never_left_out(project: Any) -> None:
    use(project, 2, metric_name="storage", unit="GB")
    invoice = draft(project)
    assert codes(invoice) == ["no_price"]
    assert invoice.problems[0]["metric"] == "storage"
    assert "storage was used (2 GB) and has no price" in invoice.problems[0]["message"]
    price("storage", "0")
    assert codes(refresh_invoice(actor=FIN, invoice=invoice)) == []
    assert lines(invoice) == [("usage", "storage", Decimal(2), Decimal(0))]


def test_token_classes_are_priced_apart_and_parts_as_their_whole(project: Any) -> None:
    tokens = {"request_tokens": 1000, "cached_tokens": 400, "response_tokens": 500, "reasoning_tokens": 200}
    use(project, metric_name="llm", model_id="m1", **tokens)
    price("llm", "0.01", quantity="request_tokens")
    price("llm", "0.03", quantity="response_tokens")
    invoice = draft(project)
    assert lines(invoice) == [
        ("usage", "llm · m1 · request tokens", Decimal(1000), Decimal(10)),
        ("usage", "llm · m1 · response tokens", Decimal(500), Decimal(15)),
    ]
    price("llm", "0.001", quantity="cached_tokens")
    price("llm", "0.05", quantity="reasoning_tokens", model_id="m1")
    refresh_invoice(actor=FIN, invoice=invoice)
    assert {line[1]: (line[2], line[3]) for line in lines(invoice)} == {
        "llm · m1 · cached request tokens": (400, Decimal("0.4")),
        "llm · m1 · reasoning tokens": (200, Decimal(10)),
        "llm · m1 · request tokens": (600, Decimal(6)),
        "llm · m1 · response tokens": (300, Decimal(9)),
    }


def test_tokens_without_a_price_beside_others_with_one_stop_the_invoice(project: Any) -> None:
    use(project, metric_name="llm", request_tokens=10, response_tokens=5)
    price("llm", "0.01", quantity="request_tokens")
    assert codes(draft(project)) == ["no_token_price"]


def test_a_price_by_events_covers_the_tokens_too(project: Any) -> None:
    use(project, 3, metric_name="llm", request_tokens=10, response_tokens=5)
    price("llm", "2", quantity="events")
    invoice = draft(project)
    assert (lines(invoice), codes(invoice)) == ([("usage", "llm · number of events", 3, Decimal(6))], [])


def test_steps_are_kept_with_the_line(project: Any) -> None:
    price(per_unit=None, charge_model="graduated", steps=[(Decimal(2), "1"), (None, "0.5")])
    use(project, 5)
    line = draft(project).lines.get()
    assert line.total == Decimal("3.5")
    assert line.source["parts"] == [["2", "1", "0", "2"], ["3", "0.5", "0", "1.5"]]
    assert line.unit_price is None


def test_the_least_of_a_price_is_a_line_of_its_own_once_an_organisation(project: Any) -> None:
    plan = price(minimum_charge=Decimal(10), description="Calls", description_th="การเรียกใช้")
    use(project, 4)
    use(make_customer(account="", project="second"), 2)
    invoice = draft(project)
    assert [line.total for line in invoice.lines.filter(kind=LineKind.USAGE)] == [2, 1]
    least = invoice.lines.get(kind=LineKind.MINIMUM)
    assert (least.description, least.total, least.pricing_plan) == ("Minimum charge: Calls", 7, plan)
    assert invoice.total == 10


def test_a_meter_prices_what_it_makes_of_the_events(project: Any) -> None:
    Meter.objects.create(code="storage.peak", metric_name="storage", aggregation=Aggregation.MAX, unit="GB")
    price("storage.peak", "3")
    use(project, metric_name="storage", metric_value=Decimal(7))
    use(project, metric_name="storage", metric_value=Decimal(5))
    invoice = draft(project)
    assert lines(invoice) == [("usage", "storage.peak", Decimal(7), Decimal(21))]
    assert codes(invoice) == []


def test_prices_in_another_currency_are_converted_at_a_rate_that_is_kept(project: Any) -> None:
    price(per_unit="1.5", currency="USD")
    use(project, 3)
    invoice = draft(project)
    assert codes(invoice) == ["no_exchange_rate"]
    exchange("USD", "THB", "33.3333")
    refresh_invoice(actor=FIN, invoice=invoice)
    line = invoice.lines.get()
    assert (line.total, line.original_amount, line.original_currency) == (Decimal("150.00"), Decimal("4.5"), "USD")
    assert (line.exchange_rate, line.exchange_source) == (Decimal("33.3333"), "manual")
    assert (invoice.original_currency, invoice.exchange_rate, invoice.conversion_source) == (
        "USD", Decimal("33.3333"), "manual",
    )  # fmt: skip
    assert invoice.conversion_date == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "333"), ("THB", "333.33"), ("KWD", "333.333")])
def test_amounts_have_the_places_of_their_currency(currency: str, expected: str) -> None:
    customer = make_customer(currency=currency, account="")
    price(per_unit="333.3333", currency=currency)
    use(customer)
    assert draft(customer).total == Decimal(expected)


def test_discounts_come_off_before_tax_and_no_unit_of_them_is_lost(project: Any, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True
    for name in ("a", "b", "c"):
        price(name, "10")
        use(project, metric_name=name)
    off(project, amount=Decimal(10))
    invoice = draft(project)
    assert [line.discount for line in invoice.lines.all()] == [Decimal("3.34"), Decimal("3.33"), Decimal("3.33")]
    assert (invoice.subtotal, invoice.discount, invoice.tax, invoice.total) == (
        30,
        10,
        Decimal("1.40"),
        Decimal("21.40"),
    )
    tax = invoice.taxes.get()
    assert (tax.label, tax.rate, tax.category, tax.base, tax.amount) == ("VAT", 7, "S", 20, Decimal("1.40"))


def test_tax_inside_the_prices_adds_nothing_to_the_total(project: Any, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = settings.BILLING_TAX_INCLUSIVE = True
    price(per_unit="107")
    use(project)
    off(project, percent=Decimal(10))
    invoice = draft(project)
    assert (invoice.subtotal, invoice.discount, invoice.tax, invoice.total) == (
        100, 10, Decimal("6.30"), Decimal("96.30"),
    )  # fmt: skip


def test_a_credit_larger_than_everything_else_waits_for_the_next_month(project: Any) -> None:
    fee(project, "30")
    credit = fee(project, "-100", kind="credit")
    first = finalized(project)
    assert (first.total, first.status) == (0, InvoiceStatus.PAID)
    assert [line.total for line in first.lines.all()] == [30, -100, 70]
    assert first.lines.last().description == "Credit kept for the next invoice"
    fee(project, "100", due_at=NOON + timedelta(days=30), period_start=NOON + timedelta(days=30),
        period_end=NOON + timedelta(days=60))  # fmt: skip
    second = draft(project, date(2026, 11, 1))
    assert second.total == 30
    assert SubscriptionCharge.objects.get(pk=credit.pk).claimed_by == first.claim


def test_computing_a_draft_anew_changes_nothing_but_what_changed(project: Any) -> None:
    price()
    use(project, 2)
    make_job(account="inst")
    fee(project)
    invoice = draft(project)
    before, entries = lines(invoice), AuditLog.objects.count()
    assert draft(project) == invoice
    assert lines(invoice) == before
    assert AuditLog.objects.count() == entries
    make_job(account="inst")
    refresh_invoice(actor=FIN, invoice=invoice)
    assert invoice.lines.get(kind="jobs").quantity == 2
    assert AuditLog.objects.latest("id").action == "invoice_refresh"
    assert Job.objects.filter(claimed_by=invoice.claim).count() == 2


def test_what_came_after_the_invoice_goes_on_the_next_one(project: Any) -> None:
    make_job(account="inst")
    finalized(project)
    make_job(account="inst")  # the source told of it late
    fee(project)
    (line, late) = draft(project, date(2026, 11, 1)).lines.order_by("kind", "line_number")
    assert (line.kind, late.kind, late.quantity) == ("fee", "jobs", 1)


def test_a_month_that_was_closed_keeps_no_job_off_the_invoice(project: Any) -> None:
    """Its proof said of them that they wait for it."""
    make_job(account="inst")
    close_month(actor=FIN, month=MONTH)
    invoice = finalized(project)
    assert [line.kind for line in invoice.lines.all()] == ["jobs"]
    assert {name: found for name, check in INVARIANTS.items() if (found := check())} == {}


def test_jobs_without_rates_keep_all_jobs_off_until_there_are_some(project: Any) -> None:
    Tier.objects.create(code="new", name="New", name_th="ใหม่", position=99)
    Organisation.objects.update(tier="new")
    make_job(account="inst")
    invoice = draft(project)
    assert (lines(invoice), codes(invoice)) == ([], ["no_rates"])
    assert Job.objects.get().claimed_by == ""


def test_a_canceled_draft_frees_its_jobs_and_fees(project: Any) -> None:
    make_job(account="inst")
    fee(project)
    invoice = draft(project)
    with pytest.raises(BadInput):
        cancel_draft(actor=FIN, invoice=invoice, reason=" ")
    assert cancel_draft(actor=FIN, invoice=invoice, reason="by mistake")
    assert not cancel_draft(actor=FIN, invoice=invoice, reason="by mistake")
    assert not Job.objects.exclude(claimed_by="").exists()
    assert not SubscriptionCharge.objects.exclude(claimed_by="").exists()
    again = draft(project)
    assert again != invoice
    assert again.total == invoice.total
    with pytest.raises(NotDraft):
        refresh_invoice(actor=FIN, invoice=invoice)


def test_a_month_that_has_not_begun_has_no_draft(project: Any) -> None:
    with pytest.raises(BadInput):
        draft_invoice(actor=FIN, organisation=project.organisation, month=date(2099, 1, 1))


def test_the_number_of_statements_does_not_grow_with_what_is_billed() -> None:
    price()

    def world(name: str, number: int) -> list[Organisation]:
        found = []
        for place in range(number):
            project = make_customer(f"{name}{place}", account=f"{name}{place}")
            make_jobs(number, account=f"{name}{place}")
            for metric in range(number):
                price(f"m{name}{metric}")
                use(project, metric_name=f"m{name}{metric}")
            fee(project)
            found.append(project.organisation)
        return found

    counts = []
    for number in (2, 6):
        organisations = world(f"w{number}", number)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            made = draft_invoices(actor=FIN, organisations=organisations, month=MONTH)
        assert len(made.drafted) == number
        # what is written to the audit log is one entry an invoice
        counts.append(len([q for q in queries if "audit" not in q["sql"] and "SAVEPOINT" not in q["sql"].upper()]))
    assert counts[1] <= counts[0] + 6  # the locks of audit entries
