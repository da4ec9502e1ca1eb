"""Which price counts: the organisation's before that for all, the model's before any, those of the first of the month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organisation
from billing.models import PricingPlan
from billing.selectors.pricing.usage_prices import charge_by, price_tables, prices_for

pytestmark = pytest.mark.django_db
OCTOBER = date(2026, 10, 1)


@pytest.fixture
def lab() -> Organisation:
    return Organisation.objects.create(name="Lab")


def plan(**fields: Any) -> PricingPlan:
    given = {
        "metric_name": "storage",
        "price_per_unit": Decimal(1),
        "currency": "THB",
        "effective_from": date(2026, 1, 1),
        "set_by": "fin",
    }
    return PricingPlan.objects.create(**{**given, **fields})


def test_a_metric_without_a_price_has_none(lab: Organisation) -> None:
    plan(metric_name="other")
    assert prices_for(lab, OCTOBER).price("storage") is None


def test_its_own_price_comes_before_one_for_all(lab: Organisation) -> None:
    general, own = plan(), plan(organisation=lab)
    other = Organisation.objects.create(name="Other")
    assert prices_for(lab, OCTOBER).price("storage") == own
    assert prices_for(other, OCTOBER).price("storage") == general


def test_a_price_of_the_model_comes_before_one_of_any_but_after_its_own(lab: Organisation) -> None:
    general, modelled = plan(), plan(model_id="typhoon")
    table = prices_for(lab, OCTOBER)
    assert table.price("storage", model_id="typhoon") == modelled
    assert table.price("storage", model_id="llama") == general
    assert table.price("storage") == general
    own = plan(organisation=lab)
    assert prices_for(lab, OCTOBER).price("storage", model_id="typhoon") == own


def test_a_price_of_a_unit_prices_that_unit_alone(lab: Organisation) -> None:
    gigabytes = plan(unit="GB")
    table = prices_for(lab, OCTOBER)
    assert table.price("storage", unit="GB") == gigabytes
    assert table.price("storage", unit="MB") is None
    assert table.price("storage") is None
    anything = plan()
    assert prices_for(lab, OCTOBER).price("storage", unit="MB") == anything
    assert prices_for(lab, OCTOBER).price("storage", unit="GB") == gigabytes


def test_what_is_counted_has_prices_of_its_own(lab: Organisation) -> None:
    tokens = plan(quantity="request_tokens")
    table = prices_for(lab, OCTOBER)
    assert table.price("storage", "request_tokens") == tokens
    assert table.price("storage", "response_tokens") is None
    assert table.price("storage") is None


@pytest.mark.parametrize(
    ("begins", "ends", "counts"),
    [
        (date(2026, 10, 1), None, True),
        (date(2026, 10, 2), None, False),
        (date(2026, 1, 1), date(2026, 10, 1), True),
        (date(2026, 1, 1), date(2026, 9, 30), False),
    ],
)
def test_the_first_day_of_the_month_decides(lab: Organisation, begins: date, ends: date | None, counts: bool) -> None:
    plan(effective_from=begins, effective_to=ends)
    assert (prices_for(lab, OCTOBER).price("storage") is not None) is counts


def test_a_price_that_is_switched_off_does_not_count(lab: Organisation) -> None:
    general = plan()
    plan(organisation=lab, is_active=False)
    assert prices_for(lab, OCTOBER).price("storage") == general


def test_one_or_many_organisations_are_read_in_two_queries(lab: Organisation, django_assert_num_queries: Any) -> None:
    organisations = [lab, *(Organisation.objects.create(name=f"Org {n}") for n in range(20))]
    for owner in (None, *organisations):
        row = plan(organisation=owner, charge_model="graduated", price_per_unit=None)
        row.steps.create(up_to=None, price_per_unit=Decimal(1))
        row.steps.create(up_to=Decimal(10), price_per_unit=Decimal(3))
    with django_assert_num_queries(2):
        tables = price_tables([each.pk for each in organisations], OCTOBER)
        for each in organisations:
            found = tables[each.pk].price("storage")
            assert found is not None
            assert found.organisation_id == each.pk
            assert charge_by(found, Decimal(12)).amount == 32, "steps count from the lowest, in whatever order they lie"
    with django_assert_num_queries(2):
        prices_for(lab, OCTOBER)
