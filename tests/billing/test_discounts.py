"""Discounts of organisations: by percentage or amount, from a day to a day, never changed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organisation
from audit.models import AuditLog
from billing.models import Discount, Invoice
from billing.selectors.pricing.discounts import discount_tables, discounts_for
from billing.services.pricing.discounts import create_discount, end_discount
from core.context import Actor
from core.errors import BadInput

pytestmark = pytest.mark.django_db
D = Decimal
FIN = Actor("fin")
OCT, NOV = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture
def lab() -> Organisation:
    return Organisation.objects.create(name="Lab", currency="THB")


def give(organisation: Organisation, **fields: Any) -> Discount:
    given: dict[str, Any] = {"name": "Partner", "effective_from": OCT, **fields}
    if "percent" not in fields and "amount" not in fields:
        given["percent"] = D(10)
    return create_discount(actor=FIN, organisation=organisation, **given)


def test_a_month_has_the_discounts_of_its_first_day(lab: Organisation) -> None:
    one = give(lab, effective_to=OCT)
    two = give(lab, name="Launch", amount=D("500.50"), percent=None)
    give(lab, effective_from=date(2026, 10, 2))
    give(Organisation.objects.create(name="Other"))
    assert discounts_for(lab, OCT) == [one, two]
    assert one not in discounts_for(lab, NOV)
    assert AuditLog.objects.filter(action="discount_create", actor="fin").count() == 4


def test_those_of_many_organisations_are_read_in_one_query(lab: Organisation, django_assert_num_queries: Any) -> None:
    mine = give(lab)
    other = Organisation.objects.create(name="Other")
    with django_assert_num_queries(1):
        assert discount_tables([lab.pk, other.pk], OCT) == {lab.pk: [mine], other.pk: []}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("percent", {"percent": D(10), "amount": D(5)}), ("percent", {"percent": None, "amount": None}),
        ("percent", {"percent": D(0)}), ("percent", {"percent": D("100.01")}), ("percent", {"percent": D("1.005")}),
        ("percent", {"percent": D("NaN")}), ("amount", {"amount": D(0)}), ("amount", {"amount": D("0.005")}),
        ("amount", {"amount": D(10) ** 11}), ("name", {"name": " "}), ("name", {"name": "x" * 121}),
        ("effective_to", {"effective_to": date(2026, 9, 30)}), ("effective_from", {"effective_from": date(1999, 1, 1)}),
    ],
)  # fmt: skip
def test_what_is_no_discount_is_refused_by_field(lab: Organisation, field: str, values: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refusal:
        give(lab, **values)
    assert list(refusal.value.details["errors"]) == [field]  # type: ignore[call-overload]
    assert not Discount.objects.exists()


@pytest.mark.parametrize(
    ("currency", "amount", "taken"), [("JPY", "0.5", False), ("JPY", "5", True), ("KWD", "0.005", True)]
)
def test_an_amount_has_the_places_of_the_organisations_currency(currency: str, amount: str, taken: bool) -> None:
    place = Organisation.objects.create(name="Lab", currency=currency)
    try:
        give(place, amount=D(amount))
    except BadInput:
        assert not taken
    else:
        assert taken


def test_a_discount_ends_but_not_before_a_month_that_rests_on_it(lab: Organisation) -> None:
    discount = give(lab)
    document = Invoice.objects.create(
        organisation=lab, year=2026, month=11, currency="THB", status="finalized", created_by="system",
        invoice_number="IV-1", issue_date=NOV, due_date=NOV,
    )  # fmt: skip
    document.discounts.add(discount)
    with pytest.raises(BadInput, match="Invoice IV-1 rests on it for November 2026"):
        end_discount(actor=FIN, discount=discount, last_day=date(2026, 10, 31))
    assert end_discount(actor=FIN, discount=discount, last_day=NOV)
    assert not end_discount(actor=FIN, discount=discount, last_day=NOV)
    with pytest.raises(BadInput, match="from its first day"):
        end_discount(actor=FIN, discount=discount, last_day=date(2026, 12, 1))
    assert discounts_for(lab, date(2026, 12, 1)) == []
