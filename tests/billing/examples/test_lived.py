"""Examples that need a month to be lived: trials, minimum charges, credit, and whole documents in JPY and KWD."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from billing.api.invoice_shapes import InvoiceDetailSerializer
from billing.documents.invoice_pdf import invoice_pdf
from billing.models import CreditEntry
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from core.errors import BadInput
from tests.billing.invoicing import FIN, exchange, fee, finalized, make_customer, off, price, use
from tests.billing.subscribers import fees, place, plan, renew, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_receipt_pdf import pages, squeezed

pytestmark = pytest.mark.django_db
D = Decimal
NEW_YORK = ZoneInfo("America/New_York")

TRIALS = [
    # begins (noon unless told), days of trial, zone, first period, why
    ("2027-01-01", 7, "Asia/Bangkok", ("2027-01-08", "2027-02-08"), "ends on the 8th at noon; the 8th is paid for"),
    ("2027-01-24", 7, "Asia/Bangkok", ("2027-01-31", "2027-02-28"), "mid-period: the 31st becomes the anchor"),
    ("2028-02-22", 7, "Asia/Bangkok", ("2028-02-29", "2028-03-29"), "ends on a leap day"),
    ("2027-02-22", 7, "Asia/Bangkok", ("2027-03-01", "2027-04-01"), "no leap day"),
    ("2027-03-10", 5, "America/New_York", ("2027-03-15", "2027-04-15"), "over the night of 13 March, an hour short"),
    ("2027-03-10T23:30", 7, "America/New_York", ("2027-03-17", "2027-04-17"), "seven days, though an hour is missing"),
    ("2027-11-04T00:30", 7, "America/New_York", ("2027-11-11", "2027-12-11"), "and though there is one too many"),
    ("2027-03-20T23:45", 9, "Europe/Berlin", ("2027-03-29", "2027-04-29"), "over 28 March, an hour short"),
    ("2027-12-25", 14, "Asia/Bangkok", ("2028-01-08", "2028-02-08"), "over the end of the year"),
]


@pytest.mark.parametrize(("begins", "days", "zone", "first", "why"), TRIALS)
def test_trials(begins: str, days: int, zone: str, first: tuple[str, str], why: str, alice: Any) -> None:
    lab = place(alice, time_zone=zone)
    row = subscribe(plan(trial_days=days), begins, zone=ZoneInfo(zone), organisation=lab)
    assert fees(row, ZoneInfo(zone)) == []
    renew(f"{first[0]}T23:59", ZoneInfo(zone))
    assert fees(row, ZoneInfo(zone)) == [("fee", *first, "310")], why


MINIMUMS = [
    # quantities by project at 0.50, minimum, lines, why
    ([[10]], "40", ["5.00", "35.00"], "5 used, 35 up to the minimum"),
    ([[80]], "40", ["40.00"], "just enough"),
    ([[100]], "40", ["50.00"], "more than enough"),
    ([[10], [90]], "40", ["5.00", "45.00"], "once an organisation: both projects together exceed it"),
    ([[10], [20]], "40", ["5.00", "10.00", "25.00"], "once an organisation: together they lack 25"),
]


@pytest.mark.parametrize(("quantities", "minimum", "lines", "why"), MINIMUMS)
def test_minimum_charges(quantities: list[list[int]], minimum: str, lines: list[str], why: str) -> None:
    """It is due in full for a month of which only a part was used (elsewhere it may be prorated)."""
    price(minimum_charge=D(minimum))
    for number, (quantity,) in enumerate(quantities):
        project = make_customer(account="", project=f"p{number}")
        use(project, metric_value=D(quantity), timestamp=datetime(2026, 10, 28, tzinfo=UTC))
    found = [f"{line.total:.2f}" for line in finalized(project).lines.order_by("line_number")]
    assert found == lines, why


def test_no_minimum_without_use() -> None:
    price(minimum_charge=D(40))
    fee(project := make_customer(account=""), "1")
    assert finalized(project).total == 1


BALANCES = [
    # in favour before, due, status, left in favour, why
    ("50.00", "57.00", "finalized", "0.00", "credit pays after tax: 107 - 50"),
    ("107.00", "0.00", "paid", "0.00", "exactly"),
    ("200.00", "0.00", "paid", "93.00", "the rest waits"),
]


@pytest.mark.parametrize(("balance", "due", "status", "left", "why"), BALANCES)
def test_credit_in_favour(balance: str, due: str, status: str, left: str, why: str, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True
    fee(project := make_customer(account=""), "100")
    CreditEntry.objects.create(
        organisation=project.organisation, amount=D(balance), currency="THB", reason="goodwill", created_by="fin"
    )
    invoice = finalized(project)
    assert (invoice.tax, invoice.total) == (7, 107)  # credit is money, no discount: the tax stays
    kept = sum(each.amount for each in CreditEntry.objects.all())
    assert (invoice.amount_due, invoice.status, kept) == (D(due), status, D(left)), why


WHOLE = [
    # currency, fee, use x price, discount %, subtotal, discount, tax 7 %, total, part paid, why
    ("JPY", "1980", ("1234.5", "0.37"), "10", "2437", "244", "154", "2347", "1000",
     "456.765 is 457; 243.7 off is 244; 153.51 of tax is 154"),
    ("KWD", "12.345", ("1000", "0.0015"), "10", "13.845", "1.385", "0.872", "13.332", "3.332",
     "1.5; 1.3845 off is 1.385; 7 % of 12.460 is 0.8722"),
    ("THB", "70.07", ("3", "0.0035"), "0", "70.08", "0", "4.91", "74.99", "0.99", "0.0105 is a cent; 4.9056"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "fee_of", "used", "percent", "subtotal", "discount", "tax", "total", "part", "why"), WHOLE
)
def test_whole_documents(
    currency: str, fee_of: str, used: tuple[str, str], percent: str, subtotal: str, discount: str, tax: str,
    total: str, part: str, why: str, settings: Any,
) -> None:  # fmt: skip
    settings.BILLING_TAX_ENABLED = True
    project = make_customer(account="", currency=currency)
    fee(project, fee_of, currency=currency)
    price(per_unit=used[1], currency=currency)
    use(project, metric_value=D(used[0]))
    if percent != "0":
        off(project, percent=D(percent))
    invoice = finalized(project)
    assert (invoice.subtotal, invoice.discount, invoice.tax, invoice.total) == (
        D(subtotal), D(discount), D(tax), D(total),
    ), why  # fmt: skip
    record_payment(actor=FIN, invoice=invoice, amount=D(part), currency=currency, method="manual", reference="r1")
    assert invoice.amount_due == D(total) - D(part)
    with pytest.raises(BadInput):  # more places than the currency has
        record_payment(
            actor=FIN, invoice=invoice, amount=D(part) + D("0.0001"), currency=currency, method="manual", reference="r2"
        )
    answer = json.loads(json.dumps(InvoiceDetailSerializer(invoice).data, default=str))
    assert (answer["total"], answer["amount_due"]) == (total, f"{D(total) - D(part)}")
    assert squeezed(f"{D(total):,}") in pages(invoice_pdf(invoice=invoice, language="en"))[0]
    first = invoice.lines.order_by("line_number").first()
    assert first is not None
    write_credit_note(actor=FIN, invoice=invoice, reason="a line", lines={first.line_number: None})
    write_credit_note(actor=FIN, invoice=invoice, reason="the rest")
    notes = list(invoice.credit_notes.all())
    assert (sum(each.total for each in notes), sum(each.tax for each in notes)) == (D(total), D(tax))
    assert sum(each.amount for each in CreditEntry.objects.all()) == D(part)  # what was paid is theirs again
    call_command("check_books")


@pytest.mark.parametrize(
    ("currency", "rate", "line", "why"),
    [("JPY", "4.2", "42", "10.00 THB x 4.2"), ("KWD", "0.0085", "0.085", "10.00 THB x 0.0085")],
)
def test_a_fee_in_another_currency(currency: str, rate: str, line: str, why: str) -> None:
    project = make_customer(account="", currency=currency)
    exchange("THB", currency, rate)
    fee(project, "10.00", currency="THB")
    invoice = finalized(project)
    found = invoice.lines.get()
    assert (found.total, found.original_amount, found.original_currency) == (D(line), 10, "THB"), why
    assert (invoice.original_currency, invoice.exchange_rate) == ("THB", D(rate))


@pytest.mark.parametrize(("currency", "amount", "half"), [("JPY", "1000", "516"), ("KWD", "10.001", "5.162")])
def test_plan_fees_and_their_parts(currency: str, amount: str, half: str, alice: Any) -> None:
    from billing.services.subscriptions.plan_changes import change_plan
    from tests.billing.subscribers import ALICE, on

    small, free = plan(amount=None), plan("free", None)
    plan_price(small, amount, currency=currency)
    row = subscribe(small, "2027-01-01", organisation=place(alice, currency=currency))
    with on("2027-01-16"):
        change_plan(actor=ALICE, subscription=row, plan=free)
    assert [each[3] for each in fees(row)] == [amount, f"-{half}"]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo", "America/Havana"]
)
@pytest.mark.parametrize(
    ("begins", "cycle", "first"),
    [
        ("2027-01-31T00:00", "monthly", ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        ("2028-01-30T23:59:59", "monthly", ["01-30", "02-29", "03-30", "04-30", "05-30"]),
        ("2027-11-30T02:30", "quarterly", ["11-30", "02-29", "05-30", "08-30", "11-30"]),
        ("2028-02-29T23:59:59", "yearly", ["02-29", "02-28", "02-28", "02-28", "02-29"]),
        ("2027-12-31T23:59:59", "monthly", ["12-31", "01-31", "02-29", "03-31", "04-30"]),
    ],
)
def test_anchors_in_zones_whose_clocks_change(
    zone: str, begins: str, cycle: str, first: list[str], alice: Any
) -> None:  # fmt: skip
    """Midnights that are skipped (Cairo, Havana), offsets of a quarter of an hour, the first zone of the day."""
    where, row = ZoneInfo(zone), plan("p", None)
    plan_price(row, "365", cycle=cycle)
    held = subscribe(row, begins, zone=where, organisation=place(alice, time_zone=zone), billing_cycle=cycle)
    renew("2033-01-01", where)
    found = fees(held, where)
    assert [start[5:] for _kind, start, _end, _amount in found][:5] == first
    assert [each[2] for each in found[:-1]] == [each[1] for each in found[1:]]
    assert {each[3] for each in found} == {"365"}


EDGES = [
    # convention, moment of the change from 310 to 620 a month, back, charged, why
    ("day", "2027-01-01T00:00:00", ["-310", "620"], "the first instant: all of it"),
    ("day", "2027-01-31T23:59:59", ["-10", "20"], "the last second is a day"),
    ("day", "2027-02-01T00:00:00", ["310", "-310", "620"], "the next period, charged first"),
    ("second", "2027-01-01T00:00:00", ["-310", "620"], "all of it"),
    ("second", "2027-01-01T00:00:01", ["-310", "620"], "309.9999 and 619.9998"),
    ("second", "2027-01-31T23:59:59", ["0"], "0.0001 and 0.0002"),
    ("second", "2027-02-01T00:00:00", ["310", "-310", "620"], "the next period, charged first"),
]


@pytest.mark.parametrize(("convention", "when", "amounts", "why"), EDGES)
def test_changes_at_the_edges_of_a_period(
    convention: str, when: str, amounts: list[str], why: str, alice: Any, settings: Any
) -> None:
    from billing.services.subscriptions.plan_changes import change_plan
    from tests.billing.subscribers import ALICE, on

    settings.BILLING_PRORATION = convention
    held = subscribe(plan("small", "310"), "2027-01-01T00:00", organisation=place(alice))
    with on(when):
        change_plan(actor=ALICE, subscription=held, plan=plan("large", "620"))
    assert [each[3] for each in fees(held)] == ["310", *amounts], why


def test_an_end_that_is_kept_at_the_last_second(alice: Any) -> None:
    from billing.services.subscriptions.plan_changes import cancel, keep
    from core.errors import Conflict
    from tests.billing.subscribers import ALICE, on

    held = subscribe(plan(), "2027-01-31", organisation=place(alice))
    with on("2027-02-10"):
        cancel(actor=ALICE, subscription=held, at_period_end=True)
    with on("2027-02-27T23:59:59"):
        assert keep(actor=ALICE, subscription=held)
    renew("2027-03-01")
    with on("2027-03-30T23:59:59"):
        cancel(actor=ALICE, subscription=held, at_period_end=True)
    with on("2027-03-31T00:00"), pytest.raises(Conflict):
        keep(actor=ALICE, subscription=held)
    renew("2027-05-01")
    assert [each[1] for each in fees(held)] == ["2027-01-31", "2027-02-28"]
