"""The console: prices, rates and discounts are added and ended, never edited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation
from audit.models import AuditLog
from billing.models import Discount, ExchangeRate, PricingPlan
from tests.pages.conftest import as_finance, text

__all__ = ["as_finance"]
pytestmark = pytest.mark.django_db
PRICES, RATES, DISCOUNTS = (f"/admin/billing/{name}/" for name in ("pricingplan", "exchangerate", "discount"))
FORM = {
    "organisation": "", "metric_name": "storage", "quantity": "value", "unit": "", "model_id": "",
    "charge_model": "standard", "price_per_unit": "1.50", "package_size": "", "minimum_charge": "0", "currency": "THB",
    "description": "", "description_th": "", "effective_from": "2026-10-01",
}  # fmt: skip


@pytest.fixture
def lab() -> Organisation:
    return Organisation.objects.create(name="Lab")


def form(*steps: tuple[str, str, str], **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {**FORM, **changes, "steps-TOTAL_FORMS": 3, "steps-INITIAL_FORMS": 0}
    for place in range(3):
        up_to, price, fee = steps[place] if place < len(steps) else ("", "", "0")
        data |= {f"steps-{place}-up_to": up_to, f"steps-{place}-price_per_unit": price, f"steps-{place}-flat_fee": fee}
    return data


STEPPED = {"charge_model": "graduated", "price_per_unit": ""}


# --- prices ---------------------------------------------------------------------------
def test_a_price_is_added_and_its_page_shows_its_history(as_finance: Client, lab: Organisation) -> None:
    answer = as_finance.post(f"{PRICES}add/", form())
    assert answer.status_code == 302, answer.context["errors"]
    assert as_finance.post(f"{PRICES}add/", form(effective_from="2026-11-01", price_per_unit="2")).status_code == 302
    first, second = PricingPlan.objects.order_by("effective_from")
    assert (first.price_per_unit, str(first.effective_to), first.set_by) == (Decimal("1.5"), "2026-10-31", "fin")
    page = text(as_finance.get(f"{PRICES}{second.pk}/change/"))
    assert "2.00 THB" in page
    assert "1.50 THB" in page
    assert "storage" in text(as_finance.get(PRICES))
    assert AuditLog.objects.filter(action="usage_price_create", actor="fin").count() == 2
    assert as_finance.post(f"{PRICES}{first.pk}/change/", form(price_per_unit="9")).status_code == 403


@pytest.mark.parametrize("key", ["x", "1e30", "9" * 400, "999", "-1"])
@pytest.mark.parametrize("name", ["pricingplan", "discount", "taxrule"])
def test_a_key_that_nothing_has_is_no_choice(as_finance: Client, lab: Organisation, name: str, key: str) -> None:
    answer = as_finance.post(f"/admin/billing/{name}/add/", form(organisation=key))
    assert answer.status_code == 200
    assert "organisation" in answer.context["adminform"].errors


def test_a_price_with_steps_is_added_with_them(as_finance: Client) -> None:
    steps = (("100", "1", "0"), ("", "0.5", "10"))
    answer = as_finance.post(f"{PRICES}add/", form(*steps, **STEPPED))
    assert answer.status_code == 302, answer.context["errors"]
    plan = PricingPlan.objects.get()
    assert [(step.up_to, step.price_per_unit, step.flat_fee) for step in plan.steps.order_by("id")] == [
        (100, 1, 0), (None, Decimal("0.5"), 10),
    ]  # fmt: skip
    assert "≤ 100: 1.00" in text(as_finance.get(PRICES))
    assert "0.5" in text(as_finance.get(f"{PRICES}{plan.pk}/change/"))


@pytest.mark.parametrize(
    ("steps", "changes", "words"),
    [
        ((), {"price_per_unit": ""}, "wants a price"),
        ((), {"currency": "thb"}, "Three capital letters"),
        ((), {"charge_model": "package"}, "how many units are in a package"),
        ((), STEPPED, "The last step is open"),
        ((("100", "1", "0"),), STEPPED, "The last step is open"),
        ((("100", "1", "0"), ("50", "1", "0"), ("", "1", "0")), STEPPED, "ends above the one before"),
        ((("", "1", "0"),), {}, "has no steps"),
        ((("", "1", "0"),), {"effective_from": ""}, "required"),
        ((("", "-1", "0"),), STEPPED, "0 or more"),
    ],
)
def test_what_is_no_price_is_refused_in_words(as_finance: Client, steps: Any, changes: Any, words: str) -> None:
    answer = as_finance.post(f"{PRICES}add/", form(*steps, **changes))
    assert answer.status_code == 200
    assert words in text(answer)
    assert not PricingPlan.objects.exists()


def test_a_day_that_is_taken_is_refused_on_the_form(as_finance: Client) -> None:
    as_finance.post(f"{PRICES}add/", form())
    answer = as_finance.post(f"{PRICES}add/", form())
    assert answer.status_code == 200
    assert "There is a price from 1 Oct 2026 on already" in text(answer)


def act(client: Client, where: str, name: str, pk: int, words: str) -> str:
    fields = {"action": name, "_selected_action": [pk], "confirm": "1", "text": words}
    return text(client.post(where, fields, follow=True))


def test_a_price_is_ended_and_a_mistake_switched_off(as_finance: Client) -> None:
    as_finance.post(f"{PRICES}add/", form())
    plan = PricingPlan.objects.get()
    assert "is no day" in act(as_finance, PRICES, "end_action", plan.pk, "soon")
    assert "1 price ended." in act(as_finance, PRICES, "end_action", plan.pk, "2026-12-31")
    assert "1 price switched off." in act(as_finance, PRICES, "off_action", plan.pk, "wrong currency")
    plan.refresh_from_db()
    assert (str(plan.effective_to), plan.is_active) == ("2026-12-31", False)


def test_who_may_only_look_is_offered_no_form(client: Client, make_user: Any, as_finance: Client) -> None:
    as_finance.post(f"{PRICES}add/", form())
    plan = PricingPlan.objects.get()
    looker = Client()
    looker.force_login(make_user("aud", role="admin", groups=["Auditor"]))
    assert looker.get(f"{PRICES}{plan.pk}/change/").status_code == 200
    assert looker.get(f"{PRICES}add/").status_code == 403
    act(looker, PRICES, "off_action", plan.pk, "x")
    plan.refresh_from_db()
    assert plan.is_active


# --- rates ------------------------------------------------------------------------------
RATE = {"base_currency": "USD", "target_currency": "THB", "rate": "36.5", "effective_from_0": "2026-10-01",
        "effective_from_1": "00:00:00"}  # fmt: skip


def test_a_rate_is_set_and_cannot_be_edited(as_finance: Client) -> None:
    answer = as_finance.post(f"{RATES}add/", RATE)
    assert answer.status_code == 302, answer.context["errors"]
    row = ExchangeRate.objects.get()
    assert (row.rate, row.source, row.set_by) == (Decimal("36.5"), "manual", "fin")
    assert "USD → THB" in text(as_finance.get(RATES))
    assert as_finance.get(f"{RATES}{row.pk}/change/").status_code == 200
    assert as_finance.post(f"{RATES}{row.pk}/change/", {**RATE, "rate": "9"}).status_code == 403
    again = as_finance.post(f"{RATES}add/", RATE, follow=True)
    assert "already exists" in text(again)
    later = as_finance.post(f"{RATES}add/", {**RATE, "effective_from_0": "2026-11-01", "rate": "37"})
    assert later.status_code == 302, later.context["errors"]
    assert ExchangeRate.objects.filter(effective_to__isnull=True).get().rate == 37


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": "0"}, "A rate is above 0"),
        ({"target_currency": "USD"}, "Two different"),
        ({"base_currency": "x"}, "Three capital"),
    ],
)
def test_what_is_no_rate_is_refused_in_words(as_finance: Client, change: dict[str, str], words: str) -> None:
    answer = as_finance.post(f"{RATES}add/", {**RATE, **change})
    assert answer.status_code == 200
    assert words in text(answer)


# --- discounts --------------------------------------------------------------------------
def test_a_discount_is_given_and_ended(as_finance: Client, lab: Organisation) -> None:
    data = {"organisation": lab.pk, "name": "Partner", "percent": "7.5", "amount": "", "effective_from": "2026-10-01",
            "effective_to": ""}  # fmt: skip
    answer = as_finance.post(f"{DISCOUNTS}add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    row = Discount.objects.get()
    assert (row.percent, row.set_by) == (Decimal("7.5"), "fin")
    assert "7.5 %" in text(as_finance.get(DISCOUNTS))
    assert as_finance.get(f"{DISCOUNTS}{row.pk}/change/").status_code == 200
    assert "1 discount ended." in act(as_finance, DISCOUNTS, "end_action", row.pk, "2026-12-31")
    both = as_finance.post(f"{DISCOUNTS}add/", {**data, "amount": "5"})
    assert "not both" in text(both)
    assert Discount.objects.count() == 1
