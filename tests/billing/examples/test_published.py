"""What others publish, lived as a customer would: prices set, use reported, months run, the invoice read over the API."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from billing.charging import Step
from billing.cycles import Span, part, share
from billing.models import Invoice
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.pricing.price_checks import NewPrice
from billing.services.pricing.usage_prices import create_price
from billing.services.subscriptions.plan_changes import change_plan
from tests.billing.examples import published
from tests.billing.examples.test_examples import items_of, named
from tests.billing.examples.test_examples import test_charges as costs
from tests.billing.invoicing import FIN, NOON, fee, finalized, make_customer, off, settle
from tests.billing.subscribers import ALICE, fees, on, plan, renew, subscribe
from tests.usage.events import row
from usage.events.rows import Batch
from usage.events.store import open_store

D = Decimal
FIRST = date(2026, 1, 1)


def list_price(metric: str, model: str, price: Any, minimum: str = "0", currency: str = "THB") -> None:
    asked: dict[str, Any] = {}
    if model in ("graduated", "volume"):
        asked["steps"] = tuple(Step(D(up_to) if up_to else None, D(each), D(flat)) for up_to, each, flat in price)
    elif model == "package":
        asked |= {"package_size": D(price[0]), "price_per_unit": D(price[1])}
    else:
        asked["price_per_unit"] = D(price)
    wanted = NewPrice(metric, currency, FIRST, charge_model=model, minimum_charge=D(minimum), **asked)
    create_price(actor=FIN, price=wanted)


def billed(rows: list[tuple[str, str]], client: Any, superuser: Any, **customer: Any) -> dict[str, Any]:
    """The invoice of October with so much of each metric used, as the API shows it."""
    project = make_customer(account="", **customer)
    events = [row(project, timestamp=NOON, metric_name=name, metric_value=D(much)) for name, much in rows if D(much)]
    if events:
        open_store().add(Batch(events, []))
    call_command("run_invoices", "--month", "2026-10", "--finalize")
    invoice = Invoice.objects.filter(organisation=project.organisation).first()
    if invoice is None:
        return {"lines": []}
    call_command("check_books")
    client.force_login(superuser)
    found: dict[str, Any] = client.get(f"/api/v1/invoices/{invoice.uuid}").json()
    return found


@pytest.mark.parametrize(
    ("model", "price", "quantity", "amount", "why"),
    [pytest.param(*each[1:], id=f"{place:02d} {each[0]}: {each[-1]}") for place, each in enumerate(published.CHARGES)],
)
def test_charges(model: str, price: Any, quantity: str, amount: str, why: str) -> None:
    costs(model, price, quantity, amount, why)


@pytest.mark.django_db
def test_charges_on_one_invoice(client: Any, superuser: Any) -> None:
    """Each its own metric; what costs nothing has no line."""
    used = []
    for place, (_whose, model, price, quantity, _amount, _why) in enumerate(published.CHARGES):
        list_price(f"m{place:02d}", model, price)
        used.append((f"m{place:02d}", quantity))
    lines = {each["metric"]: D(each["total"]) for each in billed(used, client, superuser)["lines"]}
    wanted = {f"m{place:02d}": D(each[4]) for place, each in enumerate(published.CHARGES) if D(each[4])}
    assert lines == wanted


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "price", "minimum", "quantity", "lines", "why"),
                         named([each[1:] for each in published.MINIMUMS]))  # fmt: skip
def test_minimums(
    model: str, price: Any, minimum: str, quantity: str, lines: list[str], why: str, client: Any, superuser: Any
) -> None:
    list_price("m", model, price, minimum)
    assert [each["total"] for each in billed([("m", quantity)], client, superuser)["lines"]] == lines, why


PLACES = {
    # what each model comes to, rounded once a line: 456.765, 175.35, 82.315, 28.5
    "JPY": ["457", "175", "82", "29"],
    "KRW": ["457", "175", "82", "29"],
    "THB": ["456.77", "175.35", "82.32", "28.50"],
    "LAK": ["456.77", "175.35", "82.32", "28.50"],
    "KWD": ["456.765", "175.350", "82.315", "28.500"],
    "IQD": ["456.765", "175.350", "82.315", "28.500"],
}


@pytest.mark.django_db
@pytest.mark.parametrize("currency", PLACES)
def test_every_model_in_currencies_of_all_places(currency: str, client: Any, superuser: Any) -> None:
    steps = (("100", "1.25", "0.4"), (None, "0.333", "0"))
    prices = {"a": ("standard", "0.37", "1234.5"), "b": ("graduated", steps, "250"),
              "c": ("volume", (("100", "1.25", "0"), (None, "0.815", "0")), "101"),
              "d": ("package", ("1000", "9.5"), "2500")}  # fmt: skip
    for name, (model, price, _quantity) in prices.items():
        list_price(name, model, price, currency=currency)
    used = [(name, quantity) for name, (_model, _price, quantity) in prices.items()]
    found = billed(used, client, superuser, currency=currency)
    assert [each["total"] for each in found["lines"]] == PLACES[currency]
    assert D(found["total"]) == sum(map(D, PLACES[currency]))


@pytest.mark.parametrize(
    ("lines", "offs", "inclusive", "decimals", "subtotal", "discount", "tax", "total", "why"),
    [pytest.param(*each[1:], id=f"{place:02d} {each[0]}: {each[-1]}") for place, each in enumerate(published.TOTALS)],
)
def test_totals(
    lines: str, offs: str, inclusive: bool, decimals: int, subtotal: str, discount: str, tax: str, total: str, why: str
) -> None:
    from billing.invoicing.sums import Off

    wanted = [Off(percent=D(each[:-1])) if each.endswith("%") else Off(amount=D(each)) for each in offs.split()]
    found = settle(items_of(lines), wanted, inclusive=inclusive, decimals=decimals)
    assert (found.subtotal, found.discount, found.tax, found.total) == (D(subtotal), D(discount), D(tax), D(total)), why


@pytest.mark.parametrize(
    ("start", "end", "begin", "until", "whole", "currency", "amount", "why"),
    [pytest.param(*each[1:], id=f"{place:02d} {each[0]}: {each[-1]}") for place, each in enumerate(published.PARTS)],
)
def test_parts(
    start: str, end: str, begin: str, until: str, whole: str, currency: str, amount: str, why: str
) -> None:  # fmt: skip
    where = ZoneInfo("Asia/Bangkok")
    a, b, c, d = (datetime.fromisoformat(each).replace(tzinfo=where).astimezone(UTC)
                  for each in (start, end, begin, until))  # fmt: skip
    assert f"{share(D(whole), currency, part('day', Span(a, b), Span(c, d), where))}" == amount, why


@pytest.mark.django_db
@pytest.mark.parametrize(("line", "rate", "inclusive", "parts", "why"),
                         named([each[1:] for each in published.CREDITS]))  # fmt: skip
def test_credits(
    line: str, rate: str, inclusive: bool, parts: list[tuple[str, str]], why: str, settings: Any
) -> None:  # fmt: skip
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_RATE, settings.BILLING_TAX_INCLUSIVE = True, D(rate), inclusive
    fee(project := make_customer(account=""), line)
    invoice = finalized(project)
    for amount, tax in parts:
        note = write_credit_note(actor=FIN, invoice=invoice, reason="a part", lines={1: D(amount)})
        assert (note.subtotal, note.tax) == (D(amount), D(tax)), why
    assert (invoice.amount_credited, invoice.amount_due) == (invoice.total, 0)
    call_command("check_books")


@pytest.mark.django_db
def test_two_upgrades_in_an_hour(settings: Any) -> None:
    """Lago's scenario: 10, then 15, then 19 a month, 25 % tax; there as invoices and credit notes: 12.50 - 9.68 + 14.51
    - 14.51 + 18.39 = 21.21."""
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_RATE = True, D(25)
    project = make_customer(account="")
    small, middle, large = plan("small", "10"), plan("middle", "15"), plan("large", "19")
    held = subscribe(small, "2024-03-05T12:12", organisation=project.organisation)
    for to, when in ((middle, "2024-03-12T12:12"), (large, "2024-03-12T13:12")):
        with on(when):
            change_plan(actor=ALICE, subscription=held, plan=to)
    with on("2024-04-01T08:00"):
        invoice = finalized(project, date(2024, 3, 1))
    assert [f"{each.total:.2f}" for each in invoice.lines.order_by("line_number")] == [
        "10.00", "-7.74", "11.61", "-11.61", "14.71",
    ]  # fmt: skip
    assert (invoice.subtotal, invoice.tax, invoice.total) == (D("16.97"), D("4.24"), D("21.21"))


@pytest.mark.django_db
def test_an_upgrade_after_a_week(alice: Any) -> None:
    """Baremetrics: from 12 to 24 a month after a week of four; with the next month 33 are asked for, after the 12."""
    project = make_customer(account="")
    held = subscribe(plan("small", "12"), "2027-02-01", organisation=project.organisation)
    with on("2027-02-08"):
        change_plan(actor=ALICE, subscription=held, plan=plan("large", "24"))
    renew("2027-03-01")
    assert [each[3] for each in fees(held)] == ["12", "-9", "18", "24"]


@pytest.mark.django_db
@pytest.mark.parametrize(("inclusive", "sums"), [(True, "37.38 3.74 2.36 36.00"), (False, "40.00 4.00 2.52 38.52")])
def test_a_minimum_is_discounted_and_taxed_as_any_line(
    inclusive: bool, sums: str, client: Any, superuser: Any, settings: Any
) -> None:
    """5.00 used, 40 at least: 35 more; 10 % off all of it; 7 % inside of 36 or on top. OpenMeter would ask for 40."""
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive
    list_price("m", "standard", "0.50", "40")
    off(make_customer(account=""), percent=D(10))
    found = billed([("m", "10")], client, superuser)
    assert [each["total"] for each in found["lines"]] == ["5.00", "35.00"]
    assert " ".join(found[name] for name in ("subtotal", "discount", "tax", "total")) == sums


@pytest.mark.django_db
@pytest.mark.parametrize("inclusive", [False, True], ids=["tax beside", "tax inside"])
@pytest.mark.parametrize(("currency", "unit"), [("THB", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
def test_taken_back_unit_by_unit_nothing_is_left(currency: str, unit: str, inclusive: bool, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive
    project, one = make_customer(account="", currency=currency), D(unit)
    fee(project, str(one * 17), currency=currency)
    fee(project, str(one * 6), currency=currency, period_start=datetime(2026, 10, 9, tzinfo=UTC))
    off(project, percent=D(10))
    invoice = finalized(project)
    for line in invoice.lines.order_by("line_number"):
        for _step in range(int(line.net / one)):
            write_credit_note(actor=FIN, invoice=invoice, reason="one", lines={line.line_number: one})
    notes = list(invoice.credit_notes.all())
    assert len(notes) == 21
    assert sum(each.tax for each in notes) == invoice.tax
    assert (invoice.amount_credited, invoice.amount_due) == (invoice.total, 0)
    call_command("check_books")
