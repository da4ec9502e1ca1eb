"""Staff decide about subscriptions over the API: approve, deny, suspend, resume."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from core.context import Actor
from subscriptions.models import Plan, Subscription
from subscriptions.services.subscriptions import request_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(alice: Any) -> Subscription:
    plan = Plan.objects.create(code="big", name="Big", requires_approval=True)
    return request_subscription(actor=Actor("alice"), plan=plan, user=alice)


@pytest.fixture
def staff(finance: Any) -> Client:
    return client_of(finance)


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, row: Subscription, act: str, body: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(
        f"/api/v1/subscriptions/{row.uuid}/{act}", body, content_type="application/json", headers=headers
    )


def twice(client: Client, row: Subscription, act: str, body: Any) -> dict[str, Any]:
    first, second = (send(client, row, act, body, key=act) for _twice in range(2))
    assert (first.status_code, second.json()) == (200, first.json()), first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    found: dict[str, Any] = first.json()
    return found


def test_a_request_is_approved_rests_and_goes_on(staff: Client, asked: Subscription) -> None:
    assert twice(staff, asked, "approve", {})["status"] == "active"
    rests = twice(staff, asked, "suspend", {"reason": "misuse"})
    assert (rests["status"], rests["suspended_for"]) == ("suspended", "staff")
    goes_on = twice(staff, asked, "resume", {"reason": "settled"})
    assert (goes_on["status"], goes_on["suspended_for"]) == ("active", "")
    said = [(each["action"], each["actor"], each["reason"]) for each in goes_on["history"]]
    assert sorted(said) == [
        ("approve", "fin", ""), ("request", "alice", ""), ("resume", "fin", "settled"), ("suspend", "fin", "misuse"),
    ]  # fmt: skip


def test_without_a_key_a_repeat_changes_nothing(staff: Client, asked: Subscription) -> None:
    for act, body in (("approve", {}), ("suspend", {"reason": "misuse"}), ("resume", {})):
        answers = [send(staff, asked, act, body).json() for _twice in range(2)]
        assert answers[0] == answers[1]
    assert asked.changes.count() == 4


def test_a_request_is_denied_with_a_reason(staff: Client, asked: Subscription) -> None:
    refused = send(staff, asked, "deny", {"reason": ""})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["reason"])
    assert twice(staff, asked, "deny", {"reason": "no budget"})["status"] == "canceled"
    for act, body in (("approve", {}), ("suspend", {"reason": "x"}), ("resume", {})):
        answer = send(staff, asked, act, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition"), act


def test_who_may_not_decide_does_not(alice: Any, bob: Any, auditor: Any, asked: Subscription) -> None:
    """Neither the one who asked, nor an auditor; for a stranger there is none."""
    for act, body in (("approve", {}), ("deny", {"reason": "x"}), ("suspend", {"reason": "x"}), ("resume", {})):
        found = [send(client_of(user), asked, act, body).status_code for user in (alice, auditor, bob)]
        assert found == [403, 403, 404]
    asked.refresh_from_db()
    assert asked.status == "pending"
