"""Reports of the books: every figure against one that was worked out by hand, and the rows behind it add up to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import SubscriptionCharge
from billing.reports.base import Asked, Report, all_reports, check, find
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.ledger.journal import post_journal
from billing.services.receipts import create_receipts, void_receipt
from core.errors import BadInput
from core.exports import Kind
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, price, use
from tests.billing.test_journal import yearly
from tests.factories import account_tier, make_job

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
BOTH = Asked(OCTOBER, NOVEMBER)
D = Decimal


def figures(name: str, asked: Asked | None = None, *columns: str) -> list[Any]:
    """The rows of a report, as dictionaries or as tuples of some columns; the journal is up to date."""
    post_journal(actor=FIN)
    report = find(name)
    found = [report.named(row) for row in report.rows(check(report, asked or Asked()))]
    return [tuple(row[column] for column in columns) for row in found] if columns else found


def behind(name: str, row: dict[str, Any], asked: Asked | None = None) -> list[dict[str, Any]]:
    report = find(name)
    assert report.key is not None
    assert report.detail is not None
    asked = asked or Asked()
    wanted = Asked(asked.start, asked.end, asked.as_of, asked.currency, asked.organisation, report.key(row))
    return [report.detail.named(each) for each in report.detail.rows(wanted)]


@pytest.fixture
def project(db: None) -> Any:
    return make_customer()


@pytest.fixture
def taxed(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True


def pay(invoice: Any, amount: str, day: date, reference: str = "slip") -> None:
    record_payment(
        actor=FIN, invoice=invoice, amount=D(amount), currency=invoice.currency, method="manual", reference=reference,
        received_on=day,
    )  # fmt: skip


def test_revenue_is_of_the_month_earned_and_credit_notes_of_their_own(project: Any, taxed: None) -> None:
    price()
    use(project, 10)
    fee(project, "100")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        write_credit_note(actor=FIN, invoice=invoice, reason="part", lines={1: D("2")})
        found = figures("revenue", BOTH)
        assert [tuple(row.values()) for row in found] == [
            (OCTOBER, "usage", D(5), D(0), D(5), "THB"), (OCTOBER, "fees", D(100), D(0), D(100), "THB"),
            (NOVEMBER, "usage", D(0), D(2), D(-2), "THB"),
        ]  # fmt: skip
        (entry,) = behind("revenue", found[2])
        assert (entry["amount"], entry["debit"], entry["document"]) == (D(2), "returns.usage", "CN2027-000001")
        assert sum(row["amount"] for row in behind("revenue", found[1])) == 100
        assert figures("revenue", Asked(NOVEMBER, NOVEMBER), "kind", "net") == [("usage", D(-2))]


def test_revenue_of_one_organisation_and_one_currency(project: Any) -> None:
    fee(project, "100")
    finalized(project)
    yen = make_customer("Tokyo", account="tokyo", currency="JPY")
    fee(yen, "900", currency="JPY")
    finalized(yen)
    assert figures("revenue", None, "currency", "revenue") == [("JPY", D(900)), ("THB", D(100))]
    assert figures("revenue", Asked(currency="JPY"), "revenue") == [(D(900),)]
    assert figures("revenue", Asked(organisation=project.organisation_id), "revenue") == [(D(100),)]
    report = find("revenue")
    assert report.totals(list(report.rows(Asked())))[0] == (
        "JPY", {"revenue": D(900), "taken_back": D(0), "net": D(900)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("day", "bucket"),
    [
        ("2026-12-02", "current"), ("2026-12-03", "days_1_30"), ("2027-01-01", "days_1_30"),
        ("2027-01-02", "days_31_60"), ("2027-01-31", "days_31_60"), ("2027-02-01", "days_61_90"),
        ("2027-03-02", "days_61_90"), ("2027-03-03", "days_over_90"),
    ],
)  # fmt: skip
def test_ages_begin_on_the_day_after_the_due_date(project: Any, settings: Any, day: str, bucket: str) -> None:
    settings.BILLING_INVOICE_DAYS = 30
    fee(project, "100")
    with time_machine.travel(datetime(2026, 11, 2, 5, tzinfo=UTC), tick=False):
        assert finalized(project).due_date == date(2026, 12, 2)
    with time_machine.travel(datetime(2027, 4, 2, 5, tzinfo=UTC), tick=False):
        (row,) = figures("ageing", Asked(as_of=date.fromisoformat(day)))
    assert {name: row[name] for name in row if row[name] == D(100)} == {bucket: D(100), "total": D(100)}


def test_ageing_tells_the_past_as_it_was(project: Any, settings: Any, alice: Any) -> None:
    settings.BILLING_INVOICE_DAYS = 30
    fee(project, "100")
    account_tier("physics", "mu")
    make_job()
    with time_machine.travel(datetime(2026, 12, 2, 5, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        (receipt,) = create_receipts(actor=FIN, username="alice")
        assert figures("ageing", Asked(as_of=date(2026, 12, 1))) == []
        pay(invoice, "30", date(2026, 12, 2))
    with time_machine.travel(datetime(2027, 2, 5, 5, tzinfo=UTC), tick=False):
        pay(invoice, "20", date(2027, 2, 5), "slip 2")
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
        before = figures("ageing", Asked(as_of=date(2027, 2, 4)))
        after = figures("ageing", Asked(as_of=date(2027, 2, 5)))
        late = {(row["customer"], row["total"]) for row in before}
        assert late == {("Institute", D(70)), ("alice", receipt.total)}
        assert [row["customer"] for row in after] == ["alice"]
        institute = next(row for row in before if row["customer"] == "Institute")
        (document,) = behind("ageing", institute, Asked(as_of=date(2027, 2, 4)))
        assert (document["document"], document["due"], document["days"], document["bucket"]) == (
            invoice.invoice_number, D(70), 34, "days_31_60",
        )  # fmt: skip


@pytest.fixture
def alice(make_user: Any) -> Any:
    return make_user("alice")


def test_tax_by_document_with_credit_notes_and_voids_negative(project: Any, taxed: None, alice: Any) -> None:
    fee(project, "100")
    account_tier("physics", "mu")
    make_job()
    with time_machine.travel(datetime(2026, 12, 2, 5, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        write_credit_note(actor=FIN, invoice=invoice, reason="part", lines={1: D("10")})
        (receipt,) = create_receipts(actor=FIN, username="alice")
    with time_machine.travel(datetime(2027, 1, 2, 5, tzinfo=UTC), tick=False):
        void_receipt(actor=FIN, receipt=receipt, reason="wrong")
        rows = figures("tax", Asked(date(2026, 12, 1), date(2027, 1, 1)))
        told = [(row["sequence"], row["kind"], row["rate"], row["base"], row["tax"], row["currency"]) for row in rows]
        base, tax = receipt.subtotal, receipt.tax_amount
        assert told == [
            (1, "credit_note", D(7), D(-10), D("-0.70"), "THB"), (2, "invoice", D(7), D(100), D(7), "THB"),
            (3, "receipt", D(7), base, tax, "THB"), (4, "receipt_void", D(7), -base, -tax, "THB"),
        ]  # fmt: skip
        assert rows[0]["corrects"] == rows[1]["number"] == invoice.invoice_number
        assert (rows[1]["buyer"], rows[1]["branch"]) == ("Institute", "00000")
        first, second = figures("tax_return", Asked(date(2026, 12, 1), date(2027, 1, 1)))
        assert (first["sales"], first["taxable"], first["output_tax"]) == (90 + base, 90 + base, D("6.30") + tax)
        assert (second["sales"], second["output_tax"], second["documents"]) == (-base, -tax, 1)
        assert sum(row["tax"] for row in behind("tax_return", first)) == first["output_tax"]


def test_sales_without_any_tax_are_outside_the_return(project: Any) -> None:
    fee(project, "100")
    finalized(project)
    (row,) = figures("tax")
    assert (row["category"], row["base"], row["tax"]) == ("O", D(100), D(0))
    assert figures("tax_return") == []


def test_sales_at_nought_per_cent_have_their_own_line(project: Any, taxed: None, settings: Any) -> None:
    settings.BILLING_TAX_RATE = D(0)
    fee(project, "100")
    finalized(project)
    (row,) = figures("tax_return")
    assert (row["sales"], row["zero_rated"], row["taxable"], row["output_tax"]) == (D(100), D(100), D(0), D(0))


def test_deferred_amounts_are_what_the_journal_holds(project: Any) -> None:
    yearly(project, "1200")
    with time_machine.travel(datetime(2026, 11, 2, 5, tzinfo=UTC), tick=False):
        invoice = finalized(project)
    with time_machine.travel(datetime(2027, 2, 10, 5, tzinfo=UTC), tick=False):
        write_credit_note(actor=FIN, invoice=invoice, reason="part", lines={1: D(365)})
        (row,) = figures("deferred")
        earned = sum(((D(835) * days / 365) for days in (31, 30, 31, 31)), D(0))
        assert abs(row["earned"] - earned) < D("0.05")
        assert row["amount"] - row["taken_back"] - row["earned"] == row["left"]
        assert (row["amount"], row["taken_back"]) == (D(1200), D(365))
        from billing.selectors.journal import trial_balance

        held = {each.role: each.amount for each in trial_balance()}
        assert held["deferred_revenue"] == -row["left"]
        (then,) = figures("deferred", Asked(as_of=date(2026, 12, 31)))
        assert (then["taken_back"], then["earned"]) == (D(0), D("302.47"))  # 101.92 + 98.63 + 101.92
        assert figures("deferred", Asked(as_of=date(2026, 11, 1))) == []


def charge(project: Any, cycle: str, amount: str, start: datetime, end: datetime, kind: str = "fee") -> None:
    from subscriptions.models import Plan, PlanPrice, Subscription

    plan, _made = Plan.objects.get_or_create(code=f"{cycle}{amount}", defaults={"name": cycle})
    listed, _made = PlanPrice.objects.get_or_create(
        plan=plan, billing_cycle=cycle, currency="THB", effective_from=date(2026, 1, 1),
        defaults={"amount": D(amount), "set_by": "fin"},
    )  # fmt: skip
    subscription, _made = Subscription.objects.get_or_create(
        organisation=project.organisation, plan=plan, defaults={"currency": "THB", "status": "active"}
    )
    sign = -1 if kind == "credit" else 1
    SubscriptionCharge.objects.create(
        subscription=subscription, kind=kind, price=listed, amount=sign * D(amount), currency="THB",
        period_start=start, period_end=end, due_at=start,
    )  # fmt: skip


def local(month: int, day: int = 1, year: int = 2026) -> datetime:
    """The first instant of a day of Bangkok."""
    return datetime(year, month, day, tzinfo=UTC) - timedelta(hours=7)


def test_recurring_revenue_and_what_moved_it(project: Any) -> None:
    other, third = make_customer("Other", account=""), make_customer("Third", account="")
    for month in (8, 9, 10):
        charge(project, "monthly", "100", local(month), local(month + 1))
    charge(other, "yearly", "1200", local(9), local(9, year=2027))  # new in September: 100 a month
    charge(other, "yearly", "1200", local(10, 15), local(9, year=2027), "credit")  # changed: 200 a month from October
    charge(other, "yearly", "2400", local(10, 15), local(9, year=2027), "proration")
    charge(third, "quarterly", "90", local(8), local(11))  # 30 a month until October
    charge(third, "quarterly", "90", local(10, 5), local(11), "credit")  # and ended in October
    with time_machine.travel(datetime(2026, 11, 20, tzinfo=UTC), tick=False):
        rows = figures("recurring", Asked(date(2026, 8, 1), date(2026, 11, 1)))
        told = [tuple(row.values())[:9] for row in rows]
        assert told == [
            (date(2026, 8, 1), D(0), D(130), D(0), D(0), D(0), D(130), D(1560), 2),
            (date(2026, 9, 1), D(130), D(100), D(0), D(0), D(0), D(230), D(2760), 3),
            (date(2026, 10, 1), D(230), D(0), D(100), D(0), D(-30), D(300), D(3600), 2),
            (date(2026, 11, 1), D(300), D(0), D(0), D(0), D(-100), D(200), D(2400), 1),
        ]  # fmt: skip
        for row in rows:
            moved = sum(row[name] for name in ("new", "expansion", "contraction", "churn"))
            assert row["opening"] + moved == row["mrr"]
            assert sum(each["now"] for each in behind("recurring", row)) == row["mrr"]
        assert [(each["customer"], each["move"]) for each in behind("recurring", rows[2])] == [
            ("Institute", ""), ("Other", "expansion"), ("Third", "churn"),
        ]  # fmt: skip
        mine = figures("recurring", Asked(date(2026, 10, 1), date(2026, 10, 1), organisation=third.organisation_id))
        assert [row["churn"] for row in mine] == [D(-30)]


def test_usage_without_an_invoice_is_unpriced_unbilled_or_in_a_draft(project: Any, alice: Any) -> None:
    price("api.call")
    use(project, 4)
    use(project, 2, metric_name="mystery")
    make_job(account="inst")
    make_job(username="alice", account="physics")
    told = {(row["state"], row["kind"], row["what"], row["customer"], row["count"]) for row in figures("uninvoiced")}
    assert told == {
        ("unbilled", "jobs", "inst", "Institute", 1), ("unbilled", "jobs", "physics", "alice", 1),
        ("unbilled", "usage", "api.call", "Institute", 4), ("unpriced", "usage", "mystery", "Institute", 2),
    }  # fmt: skip
    invoice = draft(project)
    drafts = [row for row in figures("uninvoiced") if row["state"] == "draft"]
    assert {(row["kind"], row["quantity"], row["draft"]) for row in drafts} == {
        ("jobs", D(1), invoice.pk), ("usage", D(4), invoice.pk),
    }  # fmt: skip
    assert {row["what"] for row in figures("uninvoiced") if row["state"] == "unpriced"} == {"mystery"}
    price("mystery")
    finalized(project)
    assert [(row["state"], row["customer"]) for row in figures("uninvoiced")] == [("unbilled", "alice")]
    assert figures("uninvoiced", Asked(NOVEMBER, NOVEMBER)) == []


def test_fees_without_an_invoice_are_unbilled_or_in_a_draft(project: Any) -> None:
    fee(project, "100")
    yearly(project)
    asked = Asked(date(2026, 8, 1), NOVEMBER)
    columns = ("state", "kind", "month", "customer", "what", "count", "amount", "currency")
    told = figures("uninvoiced", asked, *columns)
    assert told == [
        ("unbilled", "fee", OCTOBER, "Institute", "pro", 1, D(100), "THB"),
        ("unbilled", "fee", OCTOBER, "Institute", "year", 1, D(1200), "THB"),
    ]
    assert figures("uninvoiced", Asked(OCTOBER, OCTOBER, currency="THB"), *columns) == told
    assert figures("uninvoiced", Asked(OCTOBER, OCTOBER, currency="USD"), *columns) == []
    assert figures("uninvoiced", Asked(NOVEMBER, NOVEMBER), *columns) == []
    draft(project)
    assert figures("uninvoiced", asked, *columns) == [("draft", *row[1:]) for row in told]
    finalized(project)
    assert figures("uninvoiced", asked) == []


def test_months_in_disorder_and_currencies_that_are_none_are_refused(db: None) -> None:
    with pytest.raises(BadInput):
        check(find("revenue"), Asked(NOVEMBER, OCTOBER))
    with pytest.raises(BadInput):
        check(find("revenue"), Asked(currency="XXQ"))
    report = find("revenue")
    assert report.detail is not None
    for nonsense in ("", "a|b", "2026-13|jobs|THB"):
        with pytest.raises(BadInput):
            list(report.detail.rows(Asked(of=nonsense)))


def fill(number: int) -> None:
    for each in range(number):
        customer = make_customer(f"Org {number} {each}", account=f"acct{number}-{each}")
        use(customer, 2)
        fee(customer, "100")
        yearly(customer)
        make_job(account=f"acct{number}-{each}")
        pay(finalized(customer), "10", date(2026, 11, 1))
        use(customer, 2, timestamp=datetime(2026, 9, 15, 5, tzinfo=UTC))


def statements(report: Report) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        list(report.rows(Asked()))
    return len(queries)


def test_reports_take_as_many_statements_for_many_as_for_few(db: None) -> None:
    price()
    fill(2)
    post_journal(actor=FIN)
    few = {report.name: statements(report) for report in all_reports()}
    fill(4)
    post_journal(actor=FIN)
    assert {report.name: statements(report) for report in all_reports()} == few
    assert max(few.values()) <= 12


def test_columns_of_money_stand_beside_their_currency() -> None:
    for report in all_reports():
        for table in filter(None, (report, report.detail)):
            names = [column.name for column in table.columns]
            assert len(set(names)) == len(names)
            if any(column.kind == Kind.MONEY for column in table.columns):
                assert "currency" in names
