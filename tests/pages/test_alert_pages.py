"""The pages of alerts and webhook addresses: mine and my organisations', nobody else's."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Member, Organisation, Project, ProjectLead, WebhookDelivery, WebhookEndpoint
from accounts.services import webhooks
from accounts.services.webhook_sending import MOST_FAILURES
from core.context import Actor
from tests.factories import account_tier, make_job
from tests.pages.conftest import read, text
from usage.models import AlertHistory, AlertRule
from usage.services.alert_rules import create_rule
from usage.services.alert_runs import evaluate

ME = Actor("alice")


def as_user(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def organisation(alice: Any, make_user: Any) -> Organisation:
    """Alice owns it, Vera looks at it."""
    organisation = Organisation.objects.create(name="Science", billing_email="pay@science.example")
    Member.objects.create(organisation=organisation, user=alice, role="owner")
    Member.objects.create(organisation=organisation, user=make_user("vera"), role="viewer")
    return organisation


@pytest.fixture
def world(organisation: Organisation, alice: Any, settings: Any) -> dict[str, Any]:
    """A budget of Alice's that was reached, a rule of her organisation, an address with a message."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    account_tier("physics", "mu")
    make_job(end_at=timezone.now())
    hook = webhooks.create_endpoint(actor=ME, organisation=organisation, url="https://127.0.0.1/hook")
    budget = create_rule(
        actor=ME, name="Budget", username="alice", alert_type="cost_threshold", threshold_value=Decimal(8),
        cooldown_minutes=0, recipient_email="a@uni.example",
    )  # fmt: skip
    rule = create_rule(
        actor=ME, name="Quiet day", organisation=organisation, alert_type="usage_threshold", metric_name="tokens",
        threshold_value=Decimal(1), threshold_operator="lt", comparison_period="day", webhook=hook,
        notification_channels=["email", "webhook"],
    )  # fmt: skip
    assert evaluate()["raised"] == 2
    return {
        "budget": budget.uuid, "rule": rule.uuid, "raised": AlertHistory.objects.get(alert_rule=rule).uuid,
        "mine": AlertHistory.objects.get(alert_rule=budget).uuid, "hook": hook.uuid,
        "message": WebhookDelivery.objects.get().pk,
    }  # fmt: skip


PAGES = [
    "/alerts/", "/alerts/?show=new", "/alerts/new/", "/alerts/new/?kind=cost_threshold", "/alerts/new/?kind=usage_spike",
    "/alerts/new/?kind=unusual_pattern", "/alerts/budget/", "/alerts/{budget}/", "/alerts/{rule}/",
    "/alerts/raised/{raised}/", "/alerts/raised/{mine}/", "/webhooks/", "/webhooks/new/", "/webhooks/{hook}/",
    "/webhooks/{hook}/messages/{message}/",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_strict_plain_and_cheap(
    alice: Any, world: dict[str, Any], path: str, django_assert_max_num_queries: Any
) -> None:
    client = as_user(alice)
    with django_assert_max_num_queries(15):
        response = client.get(path.format(**world))
    assert response.status_code == 200
    seen = read(response)
    assert (seen.styles, seen.inline_scripts) == ([], [])
    page = response.content.decode()
    assert page.count("<h1") == 1
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    labelled = set(re.findall(r'<label\b[^>]* for="([^"]+)"', page))
    shown = [field for field in re.findall(r"<(?:input|select|textarea)[^>]*>", page) if 'type="hidden"' not in field]
    assert {match[1] for field in shown if (match := re.search(r' id="([^"]+)"', field))} == labelled
    assert page.count("<table") == page.count("<caption")
    assert "whsec_" not in page


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_sign_in(client: Any, world: dict[str, Any], path: str) -> None:
    assert client.get(path.format(**world)).status_code == 302


OF_OTHERS = ["/alerts/{rule}/", "/alerts/{budget}/", "/alerts/raised/{raised}/", "/alerts/raised/{mine}/",
             "/webhooks/{hook}/", "/webhooks/{hook}/messages/{message}/"]  # fmt: skip
NOBODYS = "0b0e7f4e-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", OF_OTHERS)
def test_what_is_somebody_elses_is_as_absent_as_what_never_was(bob: Any, world: dict[str, Any], path: str) -> None:
    client = as_user(bob)
    others = client.get(path.format(**world))
    nobodys = client.get(path.format(**dict.fromkeys(world, NOBODYS) | {"message": 9}))
    assert others.status_code == nobodys.status_code == 404
    assert text(others) == text(nobodys)
    for acts in ("/alerts/{rule}/switch/", "/alerts/raised/{raised}/seen/", "/webhooks/{hook}/switch/",
                 "/webhooks/{hook}/secret/", "/webhooks/{hook}/messages/{message}/again/"):  # fmt: skip
        assert client.post(acts.format(**world)).status_code == 404


def test_lists_hold_only_what_is_mine(bob: Any, world: dict[str, Any]) -> None:
    for path in ("/alerts/", "/webhooks/"):
        words = text(as_user(bob).get(path))
        assert "Quiet day" not in words
        assert "Budget" not in words.replace("Set a budget", "").replace("New budget", "")
        assert "127.0.0.1" not in words


def test_a_viewer_sees_the_rules_of_the_organisation_and_changes_none(world: dict[str, Any]) -> None:
    from accounts.models import User

    client = as_user(User.objects.get(pk="vera"))
    words = text(client.get("/alerts/"))
    assert "Quiet day" in words
    assert "Budget" not in words.replace("New budget", "")
    assert client.get(f"/alerts/{world['rule']}/").status_code == 200
    assert client.post(f"/alerts/{world['rule']}/", {"name": "x"}).status_code == 403
    assert client.post(f"/alerts/{world['rule']}/switch/", {"on": "0"}).status_code == 403
    assert client.get(f"/webhooks/{world['hook']}/").status_code == 404
    assert AlertRule.objects.get(uuid=world["rule"]).is_active


def test_a_budget_is_set_with_one_number(alice: Any, db: None) -> None:
    client = as_user(alice)
    assert "Nothing is watched yet" in text(client.get("/alerts/"))
    response = client.post("/alerts/budget/", {"subject": "me", "amount": "500"}, follow=True)
    assert "Cost of alice: at least THB 500.00" in text(response)
    rule = AlertRule.objects.get()
    assert (rule.username, rule.alert_type, rule.comparison_period, rule.cooldown_minutes) == (
        "alice", "cost_threshold", "month", 0,
    )  # fmt: skip
    for amount in ("", "0", "-5", "abc"):
        assert client.post("/alerts/budget/", {"subject": "me", "amount": amount}).status_code == 400
    assert client.post("/alerts/budget/", {"subject": f"organisation:{NOBODYS}", "amount": "5"}).status_code == 400
    assert AlertRule.objects.count() == 1


def test_an_organisation_without_jobs_may_have_a_budget(alice: Any, organisation: Organisation) -> None:
    fields = {"subject": f"organisation:{organisation.uuid}", "amount": "5"}
    assert as_user(alice).post("/alerts/budget/", fields).status_code == 302
    assert AlertRule.objects.get().organisation == organisation


RULE = {
    "subject": "me", "name": "Much GPU", "metric_name": "gpu_hours", "threshold_operator": "gte",
    "threshold_value": "10", "comparison_period": "week", "channels": "email", "cooldown_minutes": "0",
}  # fmt: skip


def test_a_rule_is_made_changed_and_switched_off_on_its_pages(alice: Any, db: None) -> None:
    client = as_user(alice)
    made = client.post("/alerts/new/", RULE)
    rule = AlertRule.objects.get()
    assert made["Location"] == f"/alerts/{rule.uuid}/"
    assert "GPU-hours of alice: at least 10, by the week" in text(client.get(made["Location"]))
    change = {name: value for name, value in RULE.items() if name != "subject"} | {"threshold_value": "20"}
    assert client.post(made["Location"], change).status_code == 302
    rule.refresh_from_db()
    assert (rule.threshold_value, rule.username) == (20, "alice")
    client.post(f"/alerts/{rule.uuid}/switch/", {"on": "0"})
    rule.refresh_from_db()
    assert not rule.is_active


def test_what_a_kind_needs_is_asked_and_what_the_service_refuses_stands_beside_the_field(alice: Any, db: None) -> None:
    client = as_user(alice)
    wrong = client.post("/alerts/new/", {**RULE, "metric_name": "tokens"})
    assert wrong.status_code == 400
    assert "Of a Slurm user these are known" in text(wrong)
    spike = {**RULE, "spike_threshold_percent": "50", "spike_comparison_period": "day", "threshold_value": ""}
    short = client.post("/alerts/new/?kind=usage_spike", spike)
    assert "must not be shorter" in text(short)
    good = client.post("/alerts/new/?kind=usage_spike", {**spike, "spike_comparison_period": "month"})
    assert good.status_code == 302
    assert AlertRule.objects.get().alert_type == "usage_spike"


def test_a_lead_makes_rules_for_the_project_and_for_no_other(bob: Any, organisation: Organisation) -> None:
    led, other = (Project.objects.create(organisation=organisation, name=name) for name in ("Cold", "Hot"))
    ProjectLead.objects.create(project=led, user=bob)
    client = as_user(bob)
    rule = {**RULE, "metric_name": "tokens"}
    assert client.post("/alerts/new/", {**rule, "subject": f"project:{other.uuid}"}).status_code == 400
    assert client.post("/alerts/new/", {**rule, "subject": f"project:{led.uuid}"}).status_code == 302
    assert AlertRule.objects.get().project == led


def test_an_alert_is_seen_once(alice: Any, world: dict[str, Any]) -> None:
    client = as_user(alice)
    page = f"/alerts/raised/{world['mine']}/"
    assert "Cost of alice came to THB 8.00" in text(client.get(page))
    client.post(f"{page}seen/")
    row = AlertHistory.objects.get(uuid=world["mine"])
    assert (row.status, row.acknowledged_by) == ("acknowledged", "alice")
    assert "I have seen it" not in text(client.get(page))
    assert "Budget" not in text(client.get("/alerts/?show=new")).split("Rules")[1].split("Quiet day")[0]


def test_the_front_page_tells_how_much_of_the_budget_is_gone(alice: Any, world: dict[str, Any]) -> None:
    assert "THB 8.00 of THB 8.00 (100 %)" in text(as_user(alice).get("/"))


# --- webhook addresses -------------------------------------------------------


def test_a_secret_is_shown_once_and_kept_out_of_every_other_page(
    alice: Any, organisation: Organisation, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    client = as_user(alice)
    fields = {"owner": str(organisation.uuid), "url": "https://127.0.0.1/a", "description": "bot"}
    made = client.post("/webhooks/new/", fields)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.organisation == organisation
    assert endpoint.signing_secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert endpoint.signing_secret not in client.get(f"/webhooks/{endpoint.uuid}/").content.decode()
    rotated = client.post(f"/webhooks/{endpoint.uuid}/secret/")
    endpoint.refresh_from_db()
    assert endpoint.signing_secret in rotated.content.decode()
    assert "the former secret signs, too" in text(rotated)


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "http://169.254.169.254/", "javascript:alert(1)", ""])
def test_an_address_inside_is_refused_beside_its_field(alice: Any, db: None, url: str) -> None:
    response = as_user(alice).post("/webhooks/new/", {"owner": "me", "url": url})
    assert response.status_code == 400
    assert not WebhookEndpoint.objects.exists()


def test_a_message_is_sent_again_and_an_address_that_gave_up_says_so(alice: Any, world: dict[str, Any]) -> None:
    client = as_user(alice)
    page = f"/webhooks/{world['hook']}/messages/{world['message']}/"
    WebhookDelivery.objects.update(status="failed", attempts=8)
    assert "Send again" in text(client.get(page))
    client.post(f"{page}again/")
    assert WebhookDelivery.objects.get().status == "pending"
    webhooks.switch_off(actor=ME, endpoint=WebhookEndpoint.objects.get(), failures=MOST_FAILURES)
    assert "switched off by itself" in text(client.get(f"/webhooks/{world['hook']}/"))
    client.post(f"/webhooks/{world['hook']}/switch/", {"on": "1"})
    assert WebhookEndpoint.objects.get().is_active


# --- console -----------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/admin/usage/alertrule/", "/admin/usage/alerthistory/", "/admin/accounts/webhookendpoint/",
     "/admin/accounts/webhookdelivery/"],
)  # fmt: skip
def test_the_console_lists_and_shows_without_secrets(auditor: Any, world: dict[str, Any], path: str) -> None:
    client = as_user(auditor)
    page = client.get(path)
    assert page.status_code == 200
    assert (read(page).styles, read(page).inline_scripts) == ([], [])
    pk = re.findall(rf'href="{path}(\d+)/change/', page.content.decode())[0]
    one = client.get(f"{path}{pk}/change/")
    assert one.status_code == 200
    assert "whsec_" not in one.content.decode()


def test_finance_notes_alerts_as_seen_and_operators_send_messages_again(
    finance: Any, make_user: Any, world: dict[str, Any]
) -> None:
    row = AlertHistory.objects.get(uuid=world["mine"])
    order = {"action": "acknowledge_action", "_selected_action": [row.pk], "confirm": "1"}
    as_user(finance).post("/admin/usage/alerthistory/", order)
    row.refresh_from_db()
    assert (row.status, row.acknowledged_by) == ("acknowledged", "fin")
    WebhookDelivery.objects.update(status="failed", sent_at=timezone.now() - timedelta(days=1))
    operator = make_user("opr", role="admin", groups=["Operator"])
    order = {"action": "send_again_action", "_selected_action": [world["message"]], "confirm": "1"}
    as_user(finance).post("/admin/accounts/webhookdelivery/", order)
    assert WebhookDelivery.objects.get().status == "failed"
    as_user(operator).post("/admin/accounts/webhookdelivery/", order)
    assert WebhookDelivery.objects.get().status == "pending"
