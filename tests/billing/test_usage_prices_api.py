"""``/api/v1/usage-prices``: staff read and add prices of usage."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation
from billing.models import PricingPlan
from tests.billing.test_api import post, problem, signed_in

pytestmark = pytest.mark.django_db
PRICES = "/api/v1/usage-prices"
BODY = {"metric_name": "storage", "price_per_unit": "1.50", "currency": "THB", "effective_from": "2026-10-01"}
STEPS = [{"up_to": "100", "price_per_unit": "1"}, {"up_to": None, "price_per_unit": "0.5", "flat_fee": "10"}]


@pytest.fixture
def staff(finance: Any) -> Client:
    return signed_in(finance)


def test_a_price_is_added_read_and_ended_by_the_next(staff: Client) -> None:
    answer = post(staff, PRICES, BODY)
    assert answer.status_code == 201, answer.json()
    row = answer.json()
    assert {name: row[name] for name in ("organisation", "charge_model", "price_per_unit", "steps", "effective_to")} == {
        "organisation": None, "charge_model": "standard", "price_per_unit": "1.5", "steps": [], "effective_to": None,
    }  # fmt: skip
    second = post(staff, PRICES, {**BODY, "effective_from": "2026-11-01"}).json()
    assert staff.get(f"{PRICES}/{row['id']}").json()["effective_to"] == "2026-10-31"
    assert [each["id"] for each in staff.get(PRICES).json()["results"]] == [second["id"], row["id"]]
    assert [each["id"] for each in staff.get(PRICES, {"on": "2026-10-31"}).json()["results"]] == [row["id"]]
    problem(staff.get(f"{PRICES}/999999"), 404, "not_found")


def test_steps_and_an_organisation_go_in_and_come_out(staff: Client) -> None:
    lab = Organisation.objects.create(name="Lab")
    body = {**BODY, "price_per_unit": None, "charge_model": "graduated", "steps": STEPS, "organisation": str(lab.uuid)}
    row = post(staff, PRICES, body).json()
    assert row["organisation"] == str(lab.uuid)
    assert row["steps"] == [
        {"up_to": "100", "price_per_unit": "1", "flat_fee": "0"},
        {"up_to": None, "price_per_unit": "0.5", "flat_fee": "10"},
    ]
    assert staff.get(PRICES, {"organisation": str(lab.uuid)}).json()["results"] == [row]
    assert staff.get(PRICES, {"metric_name": "other"}).json()["results"] == []


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("metric_name", {"metric_name": 5}), ("currency", {"currency": "zz"}), ("price_per_unit", {"price_per_unit": None}),
        ("steps", {"charge_model": "volume", "price_per_unit": None, "steps": STEPS[:1]}),
        ("organisation", {"organisation": "5f0c0f52-4b6f-4d0e-9a38-3c7b4a3a3a3a"}), ("colour", {"colour": "red"}),
        ("effective_from", {"effective_from": "soon"}), ("charge_model", {"charge_model": "percentage"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_field(staff: Client, field: str, change: dict[str, Any]) -> None:
    answer = post(staff, PRICES, {**BODY, **change})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not PricingPlan.objects.exists()


def test_a_repeat_is_refused(staff: Client) -> None:
    post(staff, PRICES, BODY)
    assert "effective_from" in post(staff, PRICES, BODY).json()["errors"]
    assert PricingPlan.objects.count() == 1


def test_prices_are_for_staff_with_the_right_to_them(alice: Any, make_user: Any) -> None:
    problem(Client().get(PRICES), 401, "not_authenticated")
    problem(signed_in(alice).get(PRICES), 403, "permission_denied")
    problem(post(signed_in(alice), PRICES, BODY), 403, "permission_denied")
    auditor = signed_in(make_user("aud", role="admin", groups=["Auditor"]))
    assert auditor.get(PRICES).status_code == 200
    problem(post(auditor, PRICES, BODY), 403, "permission_denied")
    problem(signed_in(make_user("op", role="admin", groups=["Operator"])).get(PRICES), 403, "permission_denied")


def test_a_list_takes_no_more_statements_for_more_prices(staff: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(6):
        body = {**BODY, "metric_name": f"m{number}", "price_per_unit": None, "charge_model": "volume", "steps": STEPS}
        assert post(staff, PRICES, body).status_code == 201
    with django_assert_max_num_queries(9):
        assert len(staff.get(PRICES).json()["results"]) == 6
