"""What a rule must have, by its kind; who may see it and change it."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest

from accounts.models import Organisation, Project
from accounts.services import webhooks
from audit.models import AuditLog
from core.context import Actor
from core.errors import BadInput, Conflict
from usage.alerts import checks, forms, wording
from usage.models import AlertRule, AlertType
from usage.services import alert_rules
from usage.services.alert_rules import change_rule, create_rule, switch_rule

pytestmark = pytest.mark.django_db
FIN = Actor("fin")


@pytest.fixture
def organisation() -> Organisation:
    return Organisation.objects.create(name="Science")


@pytest.fixture
def project(organisation: Organisation) -> Project:
    return Project.objects.create(organisation=organisation, name="Low temperature")


THRESHOLD = {"alert_type": "usage_threshold", "metric_name": "tokens", "threshold_value": Decimal(1)}
SPIKE = {
    "alert_type": "usage_spike", "metric_name": "tokens", "spike_threshold_percent": Decimal(50),
    "spike_comparison_period": "day", "comparison_period": "day",
}  # fmt: skip
PATTERN = {"alert_type": "unusual_pattern", "metric_name": "tokens"}
COST = {"alert_type": "cost_threshold", "threshold_value": Decimal(1)}


def test_every_kind_has_all_that_the_page_about_adding_one_names(settings: Any) -> None:
    kinds = set(AlertType.values)
    alerts = (settings.BASE_DIR / "docs" / "alerts.md").read_text(encoding="utf-8")
    tables = (checks.KINDS, forms.FIELDS, forms.KINDS, wording.RULES, wording.SENTENCES)
    for place in (settings.ALERT_EVALUATORS, *tables):
        assert {str(kind) for kind in place} == kinds
    assert [kind for kind in kinds if f"| `{kind}` |" not in alerts] == []


@pytest.mark.parametrize("fields", [THRESHOLD, SPIKE, PATTERN, {**SPIKE, "spike_comparison_period": "month"}])
def test_each_kind_is_kept_with_what_it_needs(organisation: Organisation, fields: dict[str, Any]) -> None:
    rule = create_rule(actor=FIN, name=" Tokens ", organisation=organisation, **fields)
    assert (rule.name, rule.created_by, rule.is_active) == ("Tokens", "fin", True)
    assert AuditLog.objects.get(action="alert_create").changes["name"] == [None, "Tokens"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({**THRESHOLD, "name": " "}, "name"),
        ({**THRESHOLD, "name": "x" * 161}, "name"),
        ({**THRESHOLD, "alert_type": "other"}, "alert_type"),
        ({**THRESHOLD, "threshold_operator": "ne"}, "threshold_operator"),
        ({**THRESHOLD, "comparison_period": "year"}, "comparison_period"),
        ({**THRESHOLD, "metric_name": ""}, "metric_name"),
        ({**THRESHOLD, "threshold_value": None}, "threshold_value"),
        ({**THRESHOLD, "threshold_value": Decimal(-1)}, "threshold_value"),
        ({**THRESHOLD, "threshold_value": Decimal("NaN")}, "threshold_value"),
        ({**THRESHOLD, "threshold_value": Decimal("Infinity")}, "threshold_value"),
        ({**THRESHOLD, "threshold_value": Decimal("0.0000000001")}, "threshold_value"),
        ({**THRESHOLD, "threshold_value": Decimal(10) ** 31}, "threshold_value"),
        ({**THRESHOLD, "spike_threshold_percent": Decimal(5)}, "spike_threshold_percent"),
        ({**THRESHOLD, "cooldown_minutes": -1}, "cooldown_minutes"),
        ({**THRESHOLD, "cooldown_minutes": 10**7}, "cooldown_minutes"),
        ({**THRESHOLD, "notification_channels": []}, "notification_channels"),
        ({**THRESHOLD, "notification_channels": ["pigeon"]}, "notification_channels"),
        ({**THRESHOLD, "notification_channels": ["email", "email"]}, "notification_channels"),
        ({**THRESHOLD, "notification_channels": ["webhook"]}, "webhook"),
        ({**THRESHOLD, "recipient_email": "nobody"}, "recipient_email"),
        ({**THRESHOLD, "metric_name": "cpu_hours", "unit": "h"}, "unit"),
        ({**SPIKE, "threshold_operator": "lt"}, "threshold_operator"),
        ({**SPIKE, "spike_threshold_percent": None}, "spike_threshold_percent"),
        ({**SPIKE, "spike_threshold_percent": Decimal(0)}, "spike_threshold_percent"),
        ({**SPIKE, "spike_comparison_period": ""}, "spike_comparison_period"),
        ({**SPIKE, "spike_comparison_period": "hour"}, "spike_comparison_period"),
        ({**PATTERN, "threshold_operator": "eq"}, "threshold_operator"),
        ({**PATTERN, "spike_comparison_period": "day"}, "spike_comparison_period"),
        ({**COST, "threshold_value": None}, "threshold_value"),
        ({**COST, "metric_name": "tokens"}, "metric_name"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(organisation: Organisation, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        create_rule(actor=FIN, organisation=organisation, **{"name": "Tokens", **fields})
    assert refused.value.details["field"] == field
    assert not AlertRule.objects.exists()


def test_cost_is_watched_of_projects_with_and_without_slurm_accounts(project: Project) -> None:
    create_rule(actor=FIN, name="Cost", organisation=project.organisation, project=project, **COST)
    create_rule(actor=FIN, name="Cost", organisation=project.organisation, **COST)
    create_rule(actor=FIN, name="Cost", username="alice", **COST)
    assert AlertRule.objects.count() == 3


def test_a_rule_has_one_subject(organisation: Organisation) -> None:
    stranger = Project.objects.create(organisation=Organisation.objects.create(name="Arts"), name="Paint")
    for subject, field in (
        ({}, "organisation"),
        ({"organisation": organisation, "username": "alice"}, "organisation"),
        ({"organisation": organisation, "project": stranger}, "project"),
        ({"username": "alice", "project": stranger}, "project"),
    ):
        with pytest.raises(BadInput) as refused:
            create_rule(actor=FIN, name="x", **{**THRESHOLD, "metric_name": "jobs"}, **subject)
        assert refused.value.details["field"] == field
    with pytest.raises(BadInput, match="cpu_hours"):
        create_rule(actor=FIN, name="x", username="alice", **THRESHOLD)


def test_the_webhook_of_somebody_else_is_as_absent_as_none(
    organisation: Organisation, alice: Any, bob: Any, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    arts = Organisation.objects.create(name="Arts")
    owners: list[dict[str, Any]] = [{"organisation": organisation}, {"organisation": arts}, {"user": alice}]
    hooks = [webhooks.create_endpoint(actor=FIN, url="https://127.0.0.1/", **owner) for owner in owners]
    by_hook = {**THRESHOLD, "metric_name": "jobs", "notification_channels": ["webhook"]}
    for subject, good in (({"organisation": organisation}, hooks[0]), ({"username": "alice"}, hooks[2])):
        for hook in hooks:
            if hook == good:
                create_rule(actor=FIN, name="x", webhook=hook, **by_hook, **subject)
                continue
            with pytest.raises(BadInput) as refused:
                create_rule(actor=FIN, name="x", webhook=hook, **by_hook, **subject)
            assert refused.value.details["field"] == "webhook"


def test_a_change_is_checked_recorded_and_leaves_the_subject_alone(organisation: Organisation) -> None:
    rule = create_rule(actor=FIN, name="Tokens", organisation=organisation, **THRESHOLD)
    assert change_rule(actor=FIN, rule=rule, threshold_value=Decimal(2))
    assert rule.threshold_value == 2
    assert not change_rule(actor=FIN, rule=rule, threshold_value=Decimal("2.0"))
    with pytest.raises(BadInput):
        change_rule(actor=FIN, rule=rule, metric_name="")
    with pytest.raises(TypeError):
        change_rule(actor=FIN, rule=rule, username="bob")
    change = AuditLog.objects.get(action="alert_change")
    assert list(change.changes) == ["threshold_value"]
    assert switch_rule(actor=FIN, rule=rule, on=False)
    assert not switch_rule(actor=FIN, rule=rule, on=False)
    assert not rule.is_active


def test_nobody_makes_rules_without_end(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_rules, "MOST_RULES", 2)
    for _number in range(2):
        create_rule(actor=FIN, name="Tokens", organisation=organisation, **THRESHOLD)
    with pytest.raises(Conflict):
        create_rule(actor=FIN, name="Tokens", organisation=organisation, **THRESHOLD)
    create_rule(actor=FIN, name="Jobs", username="alice", **{**THRESHOLD, "metric_name": "jobs"})


def test_the_console_asks_and_switches_rules_off_and_on(superuser: Any) -> None:
    from django.test import Client

    from usage.models import AlertRule, AlertType

    rule = AlertRule.objects.create(
        username="alice", name="Budget", alert_type=AlertType.COST_THRESHOLD, threshold_value=5, created_by="root"
    )
    visitor = Client()
    visitor.force_login(superuser)
    for action, active in (("switch_off_action", False), ("switch_on_action", True)):
        form = {"action": action, "_selected_action": [str(rule.pk)]}
        assert b"Budget" in visitor.post("/admin/usage/alertrule/", form).content
        visitor.post("/admin/usage/alertrule/", {**form, "confirm": "1"})
        rule.refresh_from_db()
        assert rule.is_active is active
