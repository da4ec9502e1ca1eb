"""What finance does over the API: rates of exchange, discounts, fees of plans, drafts, bad debt, periods of the books."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Approval, Member
from accounts.services.approvals import approve
from audit.models import AuditLog
from billing.models import AccountingPeriod, Discount, ExchangeRate, Invoice, WriteOff
from billing.services.months import close_month
from core.context import Actor
from subscriptions.models import Plan, PlanPrice
from tests.billing.invoicing import FIN, fee, finalized, make_customer, price, use
from tests.billing.test_api import problem, signed_in

pytestmark = pytest.mark.django_db
API = "/api/v1"
RATE = {"base_currency": "USD", "target_currency": "THB", "rate": "33.125"}
FEE = {"billing_cycle": "monthly", "amount": "310", "currency": "THB"}


@pytest.fixture
def staff(finance: Any) -> Client:
    return signed_in(finance)


@pytest.fixture
def project() -> Any:
    return make_customer()


def send(client: Client, address: str, body: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"{API}/{address}", body, content_type="application/json", headers=headers)


def twice(client: Client, address: str, body: Any, status: int) -> dict[str, Any]:
    """The answer, which a repeat under the same key gets, too."""
    first, second = (send(client, address, body, key=f"key of {address}") for _twice in range(2))
    assert (first.status_code, second.status_code) == (status, status), first.content
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    found: dict[str, Any] = first.json()
    return found


class TestRatesOfExchange:
    def test_one_is_added_once_and_ends_the_one_before(self, staff: Client) -> None:
        first = send(staff, "exchange-rates", RATE | {"effective_from": "2026-01-01T00:00:00Z"}).json()
        row = twice(staff, "exchange-rates", RATE | {"rate": "34", "effective_from": "2026-02-01T00:00:00Z"}, 201)
        assert (row["rate"], row["source"], row["set_by"], row["effective_to"]) == ("34", "manual", "fin", None)
        assert ExchangeRate.objects.count() == 2
        listed = staff.get(f"{API}/exchange-rates", {"base_currency": "USD"}).json()["results"]
        assert [each["id"] for each in listed] == [row["id"], first["id"]]
        assert listed[1]["effective_to"] == row["effective_from"]
        at = staff.get(f"{API}/exchange-rates", {"at": "2026-01-15T00:00:00Z"}).json()["results"]
        assert [each["rate"] for each in at] == ["33.125"]
        assert AuditLog.objects.filter(action="exchange_rate_set", actor="fin").count() == 2

    @pytest.mark.parametrize(
        ("change", "field"),
        [({"rate": "0"}, "rate"), ({"base_currency": "usd"}, "base_currency"),
         ({"target_currency": "USD"}, "target_currency"), ({"rate": None}, "rate"), ({"colour": "red"}, "colour")],
    )  # fmt: skip
    def test_what_is_none_is_refused_by_field(self, staff: Client, change: dict[str, Any], field: str) -> None:
        answer = send(staff, "exchange-rates", RATE | change)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert not ExchangeRate.objects.exists()

    def test_another_one_of_the_same_moment_is_a_conflict(self, staff: Client) -> None:
        order = RATE | {"effective_from": "2026-01-01T00:00:00Z"}
        send(staff, "exchange-rates", order)
        problem(send(staff, "exchange-rates", order | {"rate": "1"}), 409, "conflict")


class TestDiscounts:
    def test_one_is_given_read_and_ended(self, staff: Client, project: Any) -> None:
        order = {"organisation": str(project.organisation.uuid), "name": "agreed", "percent": "12.5",
                 "effective_from": "2026-10-01"}  # fmt: skip
        row = twice(staff, "discounts", order, 201)
        assert (row["percent"], row["amount"], row["currency"]) == ("12.5", None, "THB")
        ended = twice(staff, f"discounts/{row['id']}/end", {"last_day": "2026-12-31"}, 200)
        assert ended["effective_to"] == "2026-12-31"
        for on, there in (("2026-12-31", [ended]), ("2027-01-01", [])):
            assert staff.get(f"{API}/discounts", {"on": on}).json()["results"] == there
        assert staff.get(f"{API}/discounts", {"organisation": row["organisation"]}).json()["results"] == [ended]

    def test_one_that_cannot_be_is_refused(self, staff: Client, project: Any) -> None:
        order = {"organisation": str(project.organisation.uuid), "name": "agreed", "effective_from": "2026-10-01"}
        for change, field in (({"percent": "5", "amount": "5"}, "percent"), ({"amount": "0.001"}, "amount"),
                              ({"percent": "101"}, "percent"),
                              ({"percent": "5", "organisation": "5f0c0f52-4b6f-4d0e-9a38-3c7b4a3a3a3a"}, "organisation")):  # fmt: skip
            answer = send(staff, "discounts", order | change)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        problem(send(staff, "discounts/999999/end", {"last_day": "2026-12-31"}), 404, "not_found")
        assert not Discount.objects.exists()


class TestFeesOfPlans:
    @pytest.fixture(autouse=True)
    def plan(self) -> Plan:
        return Plan.objects.create(code="pro", name="Pro")

    def test_one_is_added_and_all_are_listed(self, staff: Client) -> None:
        send(staff, "plans/pro/prices", FEE | {"effective_from": "2026-01-01"})
        row = twice(staff, "plans/pro/prices", FEE | {"amount": "400.5", "effective_from": "2030-01-01"}, 201)
        assert (row["amount"], row["set_by"]) == ("400.50", "fin")
        listed = staff.get(f"{API}/plans/pro/prices").json()["results"]
        assert [each["amount"] for each in listed] == ["400.50", "310.00"]

    def test_what_does_not_fit_is_refused(self, staff: Client) -> None:
        send(staff, "plans/pro/prices", FEE)
        for change, field in (({"amount": "-1"}, "amount"), ({"amount": "0.001"}, "amount"),
                              ({"currency": "JPY", "amount": "0.5"}, "amount"), ({"billing_cycle": "daily"}, "billing_cycle"),
                              ({"effective_from": "2020-01-01"}, "effective_from")):  # fmt: skip
            answer = send(staff, "plans/pro/prices", FEE | change)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), change
        problem(send(staff, "plans/none/prices", FEE), 404, "not_found")
        assert PlanPrice.objects.count() == 1


class TestDrafts:
    def test_one_is_made_computed_anew_and_given_up(self, staff: Client, project: Any) -> None:
        fee(project, "100")
        order = {"organisation": str(project.organisation.uuid), "month": "2026-10"}
        made = twice(staff, "invoices", order, 201)
        assert (made["status"], made["total"], made["month"], len(made["lines"])) == ("draft", "100.00", 10, 1)
        price("api.call", "5")
        use(project, 2)
        at = f"invoices/{made['uuid']}"
        assert twice(staff, f"{at}/refresh", {}, 200)["total"] == "110.00"
        problem(send(staff, f"{at}/cancel", {"reason": " "}), 400, "invalid")
        assert twice(staff, f"{at}/cancel", {"reason": "agreed otherwise"}, 200)["status"] == "canceled"
        again = send(staff, "invoices", order)
        assert (again.status_code, again.json()["uuid"] != made["uuid"]) == (201, True)

    def test_where_nothing_is_to_bill_none_is_made(self, staff: Client, project: Any) -> None:
        order = {"organisation": str(project.organisation.uuid), "month": "2026-10"}
        problem(send(staff, "invoices", order), 409, "nothing_to_bill")
        for change, field in (({"month": "2026-13"}, "month"), ({"month": "9999-01"}, "month"), ({"month": "x"}, "month"), ({"month": "0001-01"}, "month"),
                              ({"organisation": "5f0c0f52-4b6f-4d0e-9a38-3c7b4a3a3a3a"}, "organisation")):  # fmt: skip
            answer = send(staff, "invoices", order | change)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), change
        assert not Invoice.objects.exists()

    def test_a_finalized_one_is_neither_computed_anew_nor_given_up(self, staff: Client, project: Any) -> None:
        fee(project, "100")
        at = f"invoices/{finalized(project).uuid}"
        problem(send(staff, f"{at}/refresh", {}), 409, "invoice_not_draft")
        problem(send(staff, f"{at}/cancel", {"reason": "x"}), 409, "invoice_not_draft")


class TestBadDebt:
    def test_what_is_due_is_written_off_and_expected_again(self, staff: Client, project: Any) -> None:
        fee(project, "100")
        at = f"invoices/{finalized(project).uuid}"
        problem(send(staff, f"{at}/write-off", {"reason": "bankrupt", "expected": "99"}), 409, "nothing_due")
        lost = twice(staff, f"{at}/write-off", {"reason": "bankrupt", "expected": "100"}, 200)
        assert (lost["amount_due"], lost["amount_written_off"], lost["status"]) == ("0.00", "100.00", "finalized")
        back = twice(staff, f"{at}/write-off/take-back", {"reason": "they pay"}, 200)
        assert (back["amount_due"], back["amount_written_off"]) == ("100.00", "0.00")
        assert [row.amount for row in WriteOff.objects.order_by("pk")] == [100, -100]

    def test_a_large_one_waits_for_a_second_person(
        self, staff: Client, project: Any, settings: Any, make_user: Any
    ) -> None:
        settings.FOUR_EYES_ABOVE = Decimal(50)
        make_user("fin2", role="admin", groups=["Finance"])
        fee(project, "100")
        at = f"invoices/{finalized(project).uuid}"
        assert twice(staff, f"{at}/write-off", {"reason": "bankrupt"}, 202)["code"] == "waits_for_second"
        assert not WriteOff.objects.exists()
        approve(actor=Actor("fin2"), approval=Approval.objects.get())
        assert WriteOff.objects.get().amount == 100


class TestPeriodsOfTheBooks:
    @pytest.fixture(autouse=True)
    def december(self, project: Any) -> Any:
        with time_machine.travel("2026-12-02T05:00:00Z", tick=False):
            fee(project, "100")
            with time_machine.travel("2026-11-02T05:00:00Z", tick=False):
                finalized(project)
            yield

    def test_one_is_closed_and_opened_again(self, staff: Client) -> None:
        problem(send(staff, "accounting-periods/close", {"month": "2026-11"}), 409, "conflict")
        close_month(actor=FIN, month=date(2026, 11, 1), note="ok", accept_open=True)
        closed = twice(staff, "accounting-periods/close", {"month": "2026-11", "note": "all in"}, 200)
        assert (closed["month"], closed["status"], closed["closed_by"]) == ("2026-11", "closed", "fin")
        assert closed["figures"]["THB"]["receivable"] == "100.00"
        assert staff.get(f"{API}/accounting-periods").json()["results"] == [closed]
        opened = twice(staff, "accounting-periods/open", {"month": "2026-11", "reason": "forgot one"}, 200)
        assert (opened["status"], opened["note"]) == ("open", "forgot one")

    def test_what_cannot_be_is_refused(self, staff: Client) -> None:
        for address, body, field in (
            ("close", {"month": "2026-12"}, "month"), ("close", {"month": "soon"}, "month"),
            ("open", {"month": "2026-11", "reason": "x"}, "month"), ("open", {"month": "2026-11", "reason": " "}, "reason"),
        ):  # fmt: skip
            answer = send(staff, f"accounting-periods/{address}", body)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), body
        assert not AccountingPeriod.objects.exists()


def test_nobody_else_does_what_finance_does(alice: Any, auditor: Any, project: Any) -> None:
    """Neither who looks after the organisation's bills, nor an auditor, who may read it."""
    Member.objects.create(organisation=project.organisation, user=alice, role="owner")
    fee(project, "100")
    at = f"invoices/{finalized(project).uuid}"
    Plan.objects.create(code="plus", name="Plus")
    discount = Discount.objects.create(
        organisation=project.organisation, name="agreed", percent=5, effective_from=date(2026, 1, 1), set_by="fin"
    )
    order = {"organisation": str(project.organisation.uuid), "month": "2026-10"}
    writes = [
        ("exchange-rates", RATE), ("discounts", {}), (f"discounts/{discount.pk}/end", {"last_day": "2026-12-31"}),
        ("plans/plus/prices", FEE), ("invoices", order), (f"{at}/refresh", {}), (f"{at}/cancel", {"reason": "x"}),
        (f"{at}/write-off", {"reason": "x"}), (f"{at}/write-off/take-back", {"reason": "x"}),
        ("accounting-periods/close", {"month": "2026-10"}), ("accounting-periods/open", {"month": "2026-10", "reason": "x"}),
    ]  # fmt: skip
    for user in (alice, auditor):
        for address, body in writes:
            problem(send(signed_in(user), address, body), 403, "permission_denied")
    for address in ("exchange-rates", "discounts", "plans/plus/prices", "accounting-periods"):
        problem(signed_in(alice).get(f"{API}/{address}"), 403, "permission_denied")
        assert signed_in(auditor).get(f"{API}/{address}").status_code == 200
    assert not ExchangeRate.objects.exists()
    assert not PlanPrice.objects.filter(plan__code="plus").exists()
