"""Alerts and webhook addresses over the API: described, by right, and closed to everybody else."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from accounts.models import Member, Organisation, Project, ProjectLead, WebhookDelivery, WebhookEndpoint
from accounts.services import webhooks
from core.context import Actor
from usage.models import AlertHistory, AlertRule
from usage.services.alert_rules import create_rule
from usage.services.alert_runs import evaluate

pytestmark = pytest.mark.django_db
ME = Actor("alice")
NOBODYS = "0b0e7f4e-0000-4000-8000-000000000000"


def as_user(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")


@pytest.fixture
def organisation(alice: Any, make_user: Any) -> Organisation:
    organisation = Organisation.objects.create(name="Science", billing_email="pay@science.example")
    Member.objects.create(organisation=organisation, user=alice, role="billing_manager")
    Member.objects.create(organisation=organisation, user=make_user("vera"), role="viewer")
    return organisation


@pytest.fixture
def world(organisation: Organisation, settings: Any) -> dict[str, Any]:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    hook = webhooks.create_endpoint(actor=ME, organisation=organisation, url="https://127.0.0.1/hook")
    rule = create_rule(
        actor=ME, name="Quiet day", organisation=organisation, alert_type="usage_threshold", metric_name="tokens",
        threshold_value=Decimal(1), threshold_operator="lt", comparison_period="day", webhook=hook,
        notification_channels=["webhook"],
    )  # fmt: skip
    assert evaluate()["raised"] == 1
    return {"rule": rule.uuid, "raised": AlertHistory.objects.get().uuid, "hook": hook.uuid,
            "message": WebhookDelivery.objects.get().pk}  # fmt: skip


BUDGET = {"name": "Budget", "alert_type": "cost_threshold", "threshold_value": "500.50", "cooldown_minutes": 0}


def test_a_rule_is_made_read_changed_and_switched_off(alice: Any) -> None:
    client = as_user(alice)
    made = send(client, "post", "alerts", BUDGET)
    assert made.status_code == 201, made.json()
    rule = made.json()
    assert (rule["username"], rule["threshold_value"], rule["organisation"]) == ("alice", "500.5", None)
    path = f"alerts/{rule['id']}"
    assert send(client, "patch", path, {"threshold_value": "600"}).json()["threshold_value"] == "600"
    assert client.get(f"/api/v1/{path}").json()["threshold_value"] == "600"
    assert send(client, "delete", path).status_code == 204
    assert send(client, "delete", path).status_code == 204
    assert client.get("/api/v1/alerts").json()["results"][0]["is_active"] is False
    assert send(client, "patch", path, {"is_active": True}).json()["is_active"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"threshold_value": None}, "threshold_value"), ({"threshold_value": "NaN"}, "threshold_value"),
        ({"threshold_value": -1}, "threshold_value"), ({"metric_name": "tokens"}, "metric_name"),
        ({"alert_type": "x"}, "alert_type"), ({"colour": "red"}, "colour"), ({"name": 5}, "name"),
        ({"cooldown_minutes": 10**12}, "cooldown_minutes"), ({"notification_channels": []}, "notification_channels"),
        ({"webhook": NOBODYS}, "webhook"), ({"recipient_email": "x"}, "recipient_email"),
    ],
)  # fmt: skip
def test_a_refusal_names_its_field(alice: Any, change: dict[str, Any], field: str) -> None:
    answer = send(as_user(alice), "post", "alerts", {**BUDGET, **change})
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_cost_is_of_everything_and_no_single_metric(alice: Any, organisation: Organisation) -> None:
    of_all = {**BUDGET, "organisation": str(organisation.uuid)}
    assert send(as_user(alice), "post", "alerts", of_all).status_code == 201
    answer = send(as_user(alice), "post", "alerts", {**of_all, "metric_name": "api.call"})
    assert answer.status_code == 400
    assert "not of single metrics" in answer.json()["title"]


def test_rules_are_made_for_what_one_runs_or_leads_and_nothing_else(
    alice: Any, bob: Any, organisation: Organisation
) -> None:
    project = Project.objects.create(organisation=organisation, name="Cold")
    ProjectLead.objects.create(project=project, user=bob)
    rule = {"name": "x", "alert_type": "unusual_pattern", "metric_name": "tokens"}
    for user, subject, status in (
        (alice, {"organisation": str(organisation.uuid)}, 201),
        (alice, {"project": str(project.uuid)}, 201),
        (bob, {"project": str(project.uuid)}, 201),
        (bob, {"organisation": str(organisation.uuid)}, 404),
        (bob, {"organisation": NOBODYS}, 404),
        (alice, {"project": NOBODYS}, 404),
        (alice, {"project": str(project.uuid), "organisation": NOBODYS}, 400),
    ):
        assert send(as_user(user), "post", "alerts", {**rule, **subject}).status_code == status


READS = ["alerts/{rule}", "alerts/history/{raised}", "webhooks/{hook}", "webhooks/{hook}/deliveries",
         "webhooks/{hook}/deliveries/{message}"]  # fmt: skip
WRITES = [
    ("patch", "alerts/{rule}", {"name": "x"}), ("delete", "alerts/{rule}", None),
    ("post", "alerts/history/{raised}/acknowledge", None), ("patch", "webhooks/{hook}", {"description": "x"}),
    ("delete", "webhooks/{hook}", None), ("post", "webhooks/{hook}/rotate", None),
    ("post", "webhooks/{hook}/deliveries/{message}/replay", None),
]  # fmt: skip


def test_everything_of_others_is_as_absent_as_what_never_was(bob: Any, world: dict[str, Any]) -> None:
    client = as_user(bob)
    nowhere = dict.fromkeys(world, NOBODYS) | {"message": 10**18}
    for path in READS:
        answers = [client.get(f"/api/v1/{path.format(**names)}") for names in (world, nowhere)]
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert answers[0].content == answers[1].content
    for method, path, body in WRITES:
        answers = [send(client, method, path.format(**names), body) for names in (world, nowhere)]
        assert [answer.status_code for answer in answers] == [404, 404], path
    for path in ("alerts", "alerts/history", "webhooks"):
        assert client.get(f"/api/v1/{path}").json()["results"] == []


def test_a_viewer_reads_alerts_notes_them_as_seen_and_changes_nothing(world: dict[str, Any]) -> None:
    from accounts.models import User

    client = as_user(User.objects.get(pk="vera"))
    assert client.get(f"/api/v1/alerts/{world['rule']}").status_code == 200
    assert send(client, "patch", f"alerts/{world['rule']}", {"name": "x"}).status_code == 403
    assert send(client, "delete", f"alerts/{world['rule']}").status_code == 403
    assert client.get(f"/api/v1/webhooks/{world['hook']}").status_code == 404
    seen = send(client, "post", f"alerts/history/{world['raised']}/acknowledge")
    assert (seen.status_code, seen.json()["acknowledged_by"]) == (200, "vera")


def test_nobody_gets_in_without_signing_in(client: Any, world: dict[str, Any]) -> None:
    for path in ("alerts", "alerts/history", "webhooks", *READS):
        assert client.get(f"/api/v1/{path.format(**world)}").status_code == 401


def test_history_is_filtered_and_paged(alice: Any, world: dict[str, Any]) -> None:
    client = as_user(alice)
    row = client.get("/api/v1/alerts/history?status=pending").json()["results"][0]
    assert (row["actual_value"], row["threshold_value"], row["metadata"]["operator"]) == ("0", "1", "lt")
    assert client.get("/api/v1/alerts/history?status=sent").json()["results"] == []
    assert client.get(f"/api/v1/alerts/history?rule={world['rule']}&limit=1").json()["next"] is None
    assert client.get("/api/v1/alerts/history?status=sent&status=pending").status_code == 400


def test_a_webhook_is_made_with_its_secret_shown_once(alice: Any, organisation: Organisation, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    client = as_user(alice)
    made = send(client, "post", "webhooks", {"url": "https://127.0.0.1/", "organisation": str(organisation.uuid)})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    path = f"webhooks/{made.json()['id']}"
    assert "secret" not in client.get(f"/api/v1/{path}").json()
    rotated = send(client, "post", f"{path}/rotate").json()
    assert rotated["secret"] != made.json()["secret"]
    assert rotated["old_secret_until"]
    assert send(client, "patch", path, {"description": "bot"}).json()["description"] == "bot"
    assert send(client, "delete", path).status_code == 204
    assert client.get(f"/api/v1/{path}").json()["is_active"] is False
    mine = send(client, "post", "webhooks", {"url": "https://127.0.0.1/"})
    assert mine.json()["organisation"] is None
    assert WebhookEndpoint.objects.get(uuid=mine.json()["id"]).user == alice


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://[::1]/", "https://2130706433/", "x", "https://u:p@x.org/"]
)
def test_an_address_inside_is_refused_by_its_field(alice: Any, url: str) -> None:
    answer = send(as_user(alice), "post", "webhooks", {"url": url})
    assert (answer.status_code, answer.json()["code"]) == (400, "address_refused")
    assert "url" in answer.json()["errors"]


def test_deliveries_are_listed_with_their_tries_and_sent_again(alice: Any, world: dict[str, Any]) -> None:
    client = as_user(alice)
    path = f"webhooks/{world['hook']}/deliveries"
    assert client.get(f"/api/v1/{path}?status=sent").json()["results"] == []
    WebhookDelivery.objects.update(status="failed", attempts=8)
    one = client.get(f"/api/v1/{path}/{world['message']}").json()
    assert (one["status"], one["log"]) == ("failed", [])
    assert "alert.raised" in one["body"]
    assert send(client, "post", f"{path}/{world['message']}/replay").json()["status"] == "pending"
    assert send(client, "delete", f"webhooks/{world['hook']}").status_code == 204
    assert send(client, "post", f"{path}/{world['message']}/replay").json()["code"] == "webhook_off"
    assert AlertRule.objects.get().is_active
