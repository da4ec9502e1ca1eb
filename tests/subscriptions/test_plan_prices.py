"""What plans cost: a fee a cycle and currency, from a day on, shown wherever a plan is chosen."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation
from audit.models import AuditLog
from core.errors import BadInput
from core.periods import today
from subscriptions.fees import price_at, prices_on
from subscriptions.models import Plan, PlanPrice
from subscriptions.services.prices import set_plan_price
from tests.pages.conftest import text
from tests.races import at_once
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db
D = Decimal
DAY = timedelta(days=1)


def put(plan: Plan, amount: str = "1500", day: date | None = None, **fields: Any) -> PlanPrice:
    given = {"billing_cycle": "monthly", "currency": "THB", **fields}
    return set_plan_price(actor=FIN, plan=plan, amount=D(amount), effective_from=day, **given)


def test_a_fee_counts_from_its_day_until_the_next_one(plan: Plan) -> None:
    first, second = put(plan), put(plan, "1800", today() + 30 * DAY)
    assert price_at(plan, "monthly", "THB", today() - DAY) is None
    assert price_at(plan, "monthly", "THB", today() + 29 * DAY) == first
    assert price_at(plan, "monthly", "THB", today() + 30 * DAY) == second
    assert price_at(plan, "yearly", "THB", today()) is None
    assert price_at(plan, "monthly", "USD", today()) is None
    entry = AuditLog.objects.filter(action="plan_price_set").latest("id")
    assert (entry.actor, entry.target) == ("fin", "typhoon")
    assert entry.changes["amount"] == ["1500.0000", "1800"]


def test_each_cycle_and_currency_has_its_own(plan: Plan) -> None:
    put(plan, "15000", billing_cycle="yearly")
    put(plan, "45", currency="USD")
    put(plan, "4200", billing_cycle="quarterly")
    put(plan)
    assert [(row.billing_cycle, row.currency) for row in prices_on(plan)] == [
        ("monthly", "THB"), ("monthly", "USD"), ("quarterly", "THB"), ("yearly", "THB"),
    ]  # fmt: skip


def test_only_the_first_fee_may_begin_in_the_past_and_no_day_has_two(plan: Plan) -> None:
    put(plan, day=date(2020, 1, 1))
    with pytest.raises(BadInput, match="cannot begin in the past"):
        put(plan, day=today() - DAY)
    with pytest.raises(BadInput, match="from this day on already"):
        put(plan, day=date(2020, 1, 1))
    put(plan, "2000")
    assert PlanPrice.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("billing_cycle", {"billing_cycle": "weekly"}), ("currency", {"currency": "baht"}), ("amount", {"amount": "-1"}),
        ("amount", {"amount": "1.005"}), ("amount", {"amount": "0.5", "currency": "JPY"}), ("amount", {"amount": "NaN"}),
        ("amount", {"amount": "1e11"}), ("effective_from", {"day": date(1999, 1, 1)}),
    ],
)  # fmt: skip
def test_what_is_no_fee_is_refused_by_field(plan: Plan, field: str, values: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refusal:
        put(plan, **values)
    assert list(refusal.value.details["errors"]) == [field]  # type: ignore[call-overload]
    assert not PlanPrice.objects.exists()


def test_three_decimals_are_kept_where_the_currency_has_them(plan: Plan) -> None:
    put(plan, "12.345", currency="KWD")
    assert PlanPrice.objects.get().amount == D("12.345")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_the_same_day_one_wins(plan: Plan) -> None:
    def work(place: int) -> str:
        try:
            put(plan, str(place + 1))
        except BadInput:
            return "late"
        return "set"

    assert sorted(at_once(6, work)) == ["late"] * 5 + ["set"]


# --- shown ----------------------------------------------------------------------------
def test_whoever_asks_for_a_plan_sees_its_fees_in_both_steps(as_alice: Client, plan: Plan, open_plan: Plan) -> None:
    put(plan)
    put(plan, "15000", billing_cycle="yearly")
    put(plan, "9999", today() + DAY)
    first = text(as_alice.get("/subscriptions/new/"))
    assert "THB 1,500.00 monthly" in first.replace("\u00a0", " ")
    assert "THB 15,000.00 yearly" in first.replace("\u00a0", " ")
    assert "no fee" in first, "the open plan"
    assert "9,999" not in first
    second = text(as_alice.get("/subscriptions/new/", {"plan": "typhoon", "holder": "me", "billing_cycle": "yearly"}))
    assert "THB 15,000.00 yearly" in second.replace("\u00a0", " ")
    assert "1,500.00 monthly" not in second
    third = text(as_alice.get("/subscriptions/new/", {"plan": "typhoon", "holder": "me", "billing_cycle": "quarterly"}))
    assert "none for this cycle" in third


def test_the_api_names_the_fees_in_force_and_asks_no_more_for_more_plans(
    as_alice: Client, plan: Plan, open_plan: Plan, django_assert_max_num_queries: Any
) -> None:
    put(plan)
    put(plan, "9999", today() + DAY)
    put(plan, "5000", currency="JPY")
    for number in range(5):
        put(Plan.objects.create(code=f"p{number}", name="P"), "1")
    with django_assert_max_num_queries(7):
        rows = as_alice.get("/api/v1/plans").json()["results"]
    prices = {row["code"]: row["prices"] for row in rows}
    assert prices["typhoon"] == [
        {"billing_cycle": "monthly", "amount": "5000", "currency": "JPY", "effective_from": today().isoformat()},
        {"billing_cycle": "monthly", "amount": "1500.00", "currency": "THB", "effective_from": today().isoformat()},
    ]
    assert prices["basic"] == []
    assert as_alice.get("/api/v1/plans/typhoon").json()["prices"] == prices["typhoon"]


# --- the console ----------------------------------------------------------------------
PLANS = "/admin/subscriptions/plan/"


def form(plan: Plan, *rows: dict[str, str]) -> dict[str, Any]:
    there = plan.prices.count() if plan.pk else 0
    data: dict[str, Any] = {
        "name": plan.name, "name_th": "", "ai_model": plan.ai_model_id or "", "trial_days": "0", "is_active": "on",
        "limits-TOTAL_FORMS": 0, "limits-INITIAL_FORMS": 0, "prices-TOTAL_FORMS": there + len(rows),
        "prices-INITIAL_FORMS": there,
    }  # fmt: skip
    for place, price in enumerate(plan.prices.all() if plan.pk else ()):
        data |= {f"prices-{place}-id": price.pk, f"prices-{place}-plan": plan.pk, f"prices-{place}-amount": "77"}
    for place, row in enumerate(rows, there):
        filled = {"billing_cycle": "monthly", "amount": "", "currency": "THB", "effective_from": "", **row}
        data |= {f"prices-{place}-{name}": value for name, value in filled.items()}
    return data


def test_a_fee_is_added_on_the_page_of_its_plan_and_those_before_cannot_be_touched(
    client: Client, superuser: Any, open_plan: Plan
) -> None:
    client.force_login(superuser)
    old = put(open_plan, day=today() - DAY)
    answer = client.post(f"{PLANS}{open_plan.pk}/change/", form(open_plan, {"amount": "2000"}))
    assert answer.status_code == 302, answer.context["errors"]
    assert [row.amount for row in prices_on(open_plan)] == [2000]
    shown = text(client.get(f"{PLANS}{open_plan.pk}/change/"))
    assert "1,500.00" in shown
    assert "1500.0000" not in shown
    old.refresh_from_db()
    assert (old.amount, PlanPrice.objects.count()) == (1500, 2)
    assert AuditLog.objects.filter(action="plan_price_set", actor="root").count() == 1


def test_a_plan_is_made_with_its_fee(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    data = {**form(Plan(code="x", name="New")), "code": "new", "prices-TOTAL_FORMS": 1}
    data |= {"prices-0-billing_cycle": "yearly", "prices-0-amount": "10", "prices-0-currency": "USD"}
    answer = client.post(f"{PLANS}add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    assert [str(row) for row in PlanPrice.objects.all()] == ["USD\u00a010.00, yearly"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"amount": "-5"}, "A fee of 0 or more"), ({"amount": "5.001"}, "at most 2 decimal places"),
        ({"amount": "5", "currency": "thb"}, "Three capital letters"),
        ({"amount": "5", "effective_from": "2020-01-01"}, "cannot begin in the past"),
    ],
)  # fmt: skip
def test_a_fee_of_no_sense_is_refused_in_words(
    client: Client, superuser: Any, open_plan: Plan, row: dict[str, str], words: str
) -> None:
    client.force_login(superuser)
    put(open_plan, day=today() - DAY)
    answer = client.post(f"{PLANS}{open_plan.pk}/change/", form(open_plan, row))
    assert answer.status_code == 200
    assert words in text(answer)
    assert PlanPrice.objects.count() == 1


def test_finance_adds_fees_without_changing_plans(as_finance: Client, open_plan: Plan, lab: Organisation) -> None:
    data = {"plan": open_plan.pk, "billing_cycle": "monthly", "amount": "12", "currency": "THB", "effective_from": ""}
    answer = as_finance.post("/admin/subscriptions/planprice/add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    row = PlanPrice.objects.get()
    assert (row.amount, row.effective_from, row.set_by) == (12, today(), "fin")
    assert as_finance.get("/admin/subscriptions/planprice/").status_code == 200
    assert as_finance.post(f"/admin/subscriptions/planprice/{row.pk}/change/", data).status_code == 403
    again = as_finance.post("/admin/subscriptions/planprice/add/", data)
    assert "from this day on already" in text(again)
