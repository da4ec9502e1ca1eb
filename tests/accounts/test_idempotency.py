"""A write of the API under a key is done once, whoever repeats it, and its answer is the same ever after."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Approval, IdempotentRequest, Member
from accounts.services.approvals import approve, decline
from billing.models import CreditNote, Invoice, InvoicePayment, PricingPlan
from core.context import Actor
from hpcbilling.retention import prune
from subscriptions.models import Plan, Subscription
from tests.billing.invoicing import draft, fee, finalized, make_customer
from tests.races import at_once

pytestmark = pytest.mark.django_db
SLIP = {"amount": "10", "reference": "slip 1"}


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, address: str, body: Any, key: str | None = "k1") -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post(f"/api/v1/{address}", body, content_type="application/json", headers=headers)


@pytest.fixture
def plan(db: None) -> Plan:
    return Plan.objects.create(code="free", name="Free", name_th="ฟรี")


def test_a_repeat_gets_the_same_answer_and_does_nothing(alice: Any, plan: Plan) -> None:
    client, order = client_of(alice), {"plan": "free"}
    first, second = post(client, "subscriptions", order), post(client, "subscriptions", order)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Subscription.objects.count() == 1
    assert post(client, "subscriptions", order, key=None).status_code == 409, "without a key it is another request"


def test_a_key_is_good_for_one_request(alice: Any, plan: Plan) -> None:
    client = client_of(alice)
    post(client, "subscriptions", {"plan": "free"})
    other = post(client, "subscriptions", {"plan": "free", "billing_cycle": "yearly"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_keys_of_others_are_others(alice: Any, bob: Any, plan: Plan) -> None:
    for user in (alice, bob):
        assert post(client_of(user), "subscriptions", {"plan": "free"}).headers.get("Idempotent-Replayed") is None
    assert Subscription.objects.count() == 2


def test_what_was_refused_may_be_sent_again(alice: Any) -> None:
    client = client_of(alice)
    assert post(client, "subscriptions", {"plan": "free"}).status_code == 400
    assert not IdempotentRequest.objects.exists()
    Plan.objects.create(code="free", name="Free", name_th="ฟรี")
    assert post(client, "subscriptions", {"plan": "free"}).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "ก"])
def test_a_key_that_is_none_is_refused(alice: Any, plan: Plan, key: str) -> None:
    response = client_of(alice).post(
        "/api/v1/subscriptions", {"plan": "free"}, content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    )
    assert response.status_code == 400
    assert not Subscription.objects.exists()


def test_while_the_first_is_at_it_the_second_waits_and_a_dead_one_is_taken_over(alice: Any, plan: Plan) -> None:
    client = client_of(alice)
    post(client, "subscriptions", {"plan": "free"})
    Subscription.objects.all().update(status="canceled")
    row = IdempotentRequest.objects.get()
    IdempotentRequest.objects.update(status_code=None, claimed_until=timezone.now() + timedelta(minutes=1))
    busy = post(client, "subscriptions", {"plan": "free"})
    assert (busy.status_code, busy.json()["code"]) == (409, "idempotency_key_busy")
    IdempotentRequest.objects.filter(pk=row.pk).update(claimed_until=timezone.now())
    assert post(client, "subscriptions", {"plan": "free"}).status_code == 201


def test_every_billing_write_takes_a_key(superuser: Any, alice: Any) -> None:
    """Each of them twice: the second answer is the first one, and one thing was done."""
    client = client_of(superuser)
    project = make_customer()
    fee(project, "100")
    invoice = draft(project)
    fee_of, at = Subscription.objects.get(), f"invoices/{invoice.uuid}"
    other = Plan.objects.create(code="free", name="Free", name_th="ฟรี")
    price = {"metric_name": "api.call", "quantity": "value", "charge_model": "standard", "price_per_unit": "1",
             "currency": "THB", "effective_from": "2027-01-01"}  # fmt: skip
    writes = [
        ("usage-prices", price), (f"{at}/finalize", {}),
        (f"{at}/received", {"amount": "60", "reference": "slip 1"}),
        (f"{at}/credit-notes", {"reason": "outage", "lines": [{"line": 1, "amount": "10"}]}),
        (f"subscriptions/{fee_of.uuid}/change", {"plan": other.code, "at_period_end": True}),
        (f"subscriptions/{fee_of.uuid}/keep", {}), (f"subscriptions/{fee_of.uuid}/cancel", {}),
        ("receipts", {"start": None, "end": None, "user": "alice"}),
    ]  # fmt: skip
    for number, (address, body) in enumerate(writes):
        first, second = (post(client, address, body, key=f"k{number}") for _twice in range(2))
        assert first.status_code in (200, 201), (address, first.content)
        assert (second.status_code, second.json()) == (first.status_code, first.json()), address
        assert second.headers.get("Idempotent-Replayed") == "true", address
    invoice.refresh_from_db()
    assert (invoice.amount_paid, invoice.amount_credited, invoice.amount_due) == (60, 10, 30)
    assert (CreditNote.objects.count(), InvoicePayment.objects.count(), PricingPlan.objects.count()) == (1, 1, 1)


def test_what_waits_for_a_second_person_is_asked_for_once(finance: Any, make_user: Any, settings: Any) -> None:
    """Also when the second person has confirmed it meanwhile, or declined it."""
    settings.FOUR_EYES_ABOVE = Decimal(50)
    make_user("fin2", role="admin", groups=["Finance"])
    project = make_customer()
    fee(project, "100")
    at, order = f"invoices/{finalized(project).uuid}/received", {"amount": "60", "reference": "slip 1"}
    first, second = (post(client_of(finance), at, order) for _twice in range(2))
    decline(actor=Actor("fin2"), approval=Approval.objects.get(), note="no such slip")
    third = post(client_of(finance), at, order)
    for answer in (first, second, third):
        assert (answer.status_code, answer.json()["code"]) == (202, "waits_for_second")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json() == first.json()
    marks = [answer.headers.get("Idempotent-Replayed") for answer in (first, second, third)]
    assert marks == [None, "true", "true"]
    assert Approval.objects.count() == 1
    approve(actor=Actor("fin2"), approval=waiting(finance, at, order | {"reference": "slip 2"}))
    assert post(client_of(finance), at, order | {"reference": "slip 2"}, key="k2").status_code == 202
    assert InvoicePayment.objects.get().amount == 60


def waiting(finance: Any, at: str, order: dict[str, str]) -> Approval:
    assert post(client_of(finance), at, order, key="k2").status_code == 202
    return Approval.objects.get(status="open")


@pytest.fixture
def answered(make_user: Any) -> tuple[Any, str]:
    """Somebody of finance took money in for an invoice."""
    person, project = make_user("bob2", role="admin", groups=["Finance"]), make_customer()
    fee(project, "100")
    at = f"invoices/{finalized(project).uuid}/received"
    assert post(client_of(person), at, SLIP).status_code == 200
    return person, at


@pytest.mark.parametrize("lost", ["groups", "membership"])
def test_whoever_may_see_it_no_more_is_not_told_it_again(answered: tuple[Any, str], lost: str) -> None:
    person, at = answered
    client = client_of(person)
    if lost == "membership":
        member = Member.objects.create(organisation=Invoice.objects.get().organisation, user=person, role="viewer")
        assert post(client, at, {**SLIP, "reference": "slip 2"}, key="k2").status_code == 200
        assert post(client, at, {**SLIP, "reference": "slip 2"}, key="k2").headers["Idempotent-Replayed"] == "true"
        member.delete()
    else:
        assert post(client, at, SLIP).headers["Idempotent-Replayed"] == "true"
        person.groups.clear()
    key, slip = ("k2", {**SLIP, "reference": "slip 2"}) if lost == "membership" else ("k1", SLIP)
    answer = post(client, at, slip, key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_rights_changed")
    assert "100" not in answer.text
    assert InvoicePayment.objects.count() == (2 if lost == "membership" else 1)


def test_what_an_earlier_release_kept_is_still_told(answered: tuple[Any, str]) -> None:
    person, at = answered
    IdempotentRequest.objects.update(rights="")
    assert post(client_of(person), at, SLIP).headers["Idempotent-Replayed"] == "true"


def test_finance_acts_are_for_finance(alice: Any) -> None:
    project = make_customer()
    Member.objects.create(organisation=project.organisation, user=alice, role="owner")
    fee(project, "100")
    at = f"invoices/{finalized(project).uuid}"
    for address, body in ((f"{at}/finalize", {}), (f"{at}/credit-notes", {"reason": "x"}),
                          (f"{at}/received", {"amount": "1", "reference": "x"})):  # fmt: skip
        assert post(client_of(alice), address, body).status_code == 403
    assert Invoice.objects.get().amount_credited == 0


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_it_once(alice: Any, plan: Plan) -> None:
    """Whoever comes while the first is at it is told so; nobody does it a second time."""
    found = at_once(4, lambda _n: post(client_of(alice), "subscriptions", {"plan": "free"}).status_code)
    assert set(found) <= {201, 409}
    assert found.count(201) >= 1
    assert Subscription.objects.count() == 1


def test_old_keys_are_forgotten(alice: Any, plan: Plan) -> None:
    post(client_of(alice), "subscriptions", {"plan": "free"})
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(days=9), claimed_until=timezone.now())
    assert prune(kinds=["idempotency"], older_than=timedelta(days=2), dry_run=False) == {"idempotency": 1}
