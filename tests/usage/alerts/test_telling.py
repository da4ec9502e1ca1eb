"""Who is told of an alert, by what, and how its status follows."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from accounts.models import (
    EmailNotification,
    Identity,
    Project,
    WebhookDelivery,
)
from accounts.services import webhooks
from core.context import Actor
from core.errors import InvalidTransition
from tests.factories import make_job
from tests.usage.alerts.conftest import FIN, NOON, local, raised, rule, usage
from usage.models import AlertHistory
from usage.services.alert_rules import change_rule
from usage.services.alert_runs import evaluate
from usage.services.alert_telling import acknowledge

pytestmark = pytest.mark.django_db


# --- telling -----------------------------------------------------------------


def email_to() -> str:
    return EmailNotification.objects.get().recipient_email


def test_the_rules_own_address_comes_before_that_of_the_organisation(project: Project) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    watching = rule(project.organisation, recipient_email="me@science.example")
    assert raised() == 1
    assert email_to() == "me@science.example"
    change_rule(actor=FIN, rule=watching, recipient_email="")
    EmailNotification.objects.all().delete()
    AlertHistory.objects.all().delete()
    assert raised() == 1
    assert email_to() == "pay@science.example"


@pytest.mark.parametrize(("language", "word"), [("en", "Alert"), ("th", "แจ้งเตือน")])
def test_a_slurm_user_is_told_at_the_own_address_in_the_own_language(alice: Any, language: str, word: str) -> None:
    type(alice).objects.update(language=language)
    Identity.objects.create(user=alice, email="alice@uni.example")
    make_job(end_at=NOON)
    rule(username="alice", metric_name="jobs", threshold_value=Decimal(1), name="Too many <b>jobs</b>")
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert raised() == 1
    email = EmailNotification.objects.get()
    row = AlertHistory.objects.get()
    assert (email.kind, email.language, email.recipient_email) == ("alert", language, "alice@uni.example")
    assert word in email.subject
    assert "Too many <b>jobs</b>" in email.subject
    assert f"http://testserver/alerts/raised/{row.uuid}/" in email.body_text
    assert "<b>jobs" not in email.body_html
    assert email.dedupe_key == f"alert:{row.uuid.hex}"


def test_with_nobody_to_write_to_the_alert_has_failed_and_says_so(alice: Any) -> None:
    make_job(end_at=NOON - timedelta(minutes=1))
    rule(username="alice", metric_name="jobs", threshold_value=Decimal(1))
    assert raised() == 1
    row = AlertHistory.objects.get()
    assert row.status == "failed"
    assert "no e-mail address" in row.error_message


def test_a_webhook_is_queued_with_the_figures_as_text(project: Project, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    endpoint = webhooks.create_endpoint(
        actor=FIN, organisation=project.organisation, url="https://127.0.0.1/hook"
    )  # fmt: skip
    usage(project, "100.5", local("2026-11-01T00:00"))
    rule(project.organisation, notification_channels=["webhook"], webhook=endpoint)
    assert raised() == 1
    row, message = AlertHistory.objects.get(), WebhookDelivery.objects.get()
    body = json.loads(message.body)
    assert (body["type"], message.message_id) == ("alert.raised", f"alert_{row.uuid.hex}")
    data = body["data"]
    assert (data["actual_value"], data["threshold_value"], data["operator"]) == ("100.5", "100", "gte")
    assert data["period_start"] == "2026-10-31T17:00:00Z"
    assert data["organisation"] == str(project.organisation.uuid)
    webhooks.switch_off(actor=FIN, endpoint=endpoint)
    AlertHistory.objects.all().delete()
    assert raised() == 1
    assert AlertHistory.objects.get().status == "failed"


@pytest.mark.parametrize(
    ("email", "hook", "status"),
    [
        ("pending", "sent", "pending"), ("sent", "sent", "sent"), ("sent", "failed", "sent"), ("failed", "sent", "sent"),
        ("failed", "failed", "failed"), ("pending", "pending", "pending"),
    ],
)  # fmt: skip
def test_the_status_follows_the_messages(project: Project, settings: Any, email: str, hook: str, status: str) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    endpoint = webhooks.create_endpoint(
        actor=FIN, organisation=project.organisation, url="https://127.0.0.1/hook"
    )  # fmt: skip
    usage(project, "100", local("2026-11-01T00:00"))
    rule(project.organisation, notification_channels=["email", "webhook"], webhook=endpoint)
    evaluate()
    assert AlertHistory.objects.get().status == "pending"
    EmailNotification.objects.update(status=email, error_message="the mailbox is full" if email == "failed" else "")
    WebhookDelivery.objects.update(status=hook)
    evaluate()
    row = AlertHistory.objects.get()
    assert row.status == status
    assert (row.sent_at is not None) == (status == "sent")
    if email == "failed":
        assert "the mailbox is full" in row.error_message
    evaluate()
    assert AlertHistory.objects.get().error_message == row.error_message


def test_somebody_says_that_they_have_seen_it(project: Project) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    rule(project.organisation)
    evaluate()
    row = AlertHistory.objects.get()
    assert acknowledge(actor=Actor("alice"), alert=row)
    assert not acknowledge(actor=Actor("bob"), alert=row)
    assert (row.status, row.acknowledged_by) == ("acknowledged", "alice")
    EmailNotification.objects.update(status="sent")
    evaluate()
    row.refresh_from_db()
    assert row.status == "acknowledged"
    with pytest.raises(InvalidTransition):
        from core.states import transition
        from usage.models import ALERT_TRANSITIONS

        transition(row, "sent", table=ALERT_TRANSITIONS)


def test_the_command_counts_and_a_dry_run_writes_nothing(project: Project) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    rule(project.organisation)

    def run(**options: Any) -> dict[str, int]:
        out = StringIO()
        call_command("evaluate_alerts", format="json", stdout=out, **options)
        return dict(json.loads(out.getvalue()))

    wanted = {"rules": 1, "speaking": 1, "raised": 1, "quiet": 0, "failed": 0, "told": 0, "not_told": 0}
    assert run(dry_run=True) == wanted
    assert not AlertHistory.objects.exists()
    assert run() == wanted
    assert run() == {**wanted, "raised": 0, "quiet": 1}
    EmailNotification.objects.update(status="sent")
    assert run() == {**wanted, "raised": 0, "quiet": 1, "told": 1}
