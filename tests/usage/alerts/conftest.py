"""A customer, usage in sums, and rules: what the tests of alerts begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts.models import (
    Organisation,
    Project,
)
from core.context import Actor
from usage.models import AlertRule, UsageAggregate
from usage.services.alert_rules import create_rule
from usage.services.alert_runs import evaluate

FIN = Actor("fin")
NOON = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)  # Friday noon in Bangkok


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as moving:
        yield moving


@pytest.fixture
def organisation() -> Organisation:
    return Organisation.objects.create(name="Science", billing_email="pay@science.example")


@pytest.fixture
def project(organisation: Organisation) -> Project:
    return Project.objects.create(organisation=organisation, name="Low temperature")


def local(text: str, zone: str = "+07:00") -> datetime:
    return datetime.fromisoformat(f"{text}:00{zone}")


def usage(project: Project, value: str, start: datetime, period: str = "month", **fields: Any) -> UsageAggregate:
    amount = Decimal(value)
    return UsageAggregate.objects.create(
        organisation=project.organisation, project=project, metric_name=fields.pop("metric", "tokens"),
        period_type=period, period_start=start, total_value=amount, event_count=1, min_value=amount, max_value=amount,
        latest_value=amount, latest_at=start, **fields,
    )  # fmt: skip


def rule(organisation: Organisation | None = None, **fields: Any) -> AlertRule:
    values = {
        "name": "Tokens", "organisation": organisation, "alert_type": "usage_threshold", "metric_name": "tokens",
        "threshold_value": Decimal(100), "cooldown_minutes": 0, **fields,
    }  # fmt: skip
    return create_rule(actor=FIN, **values)


def raised() -> int:
    return evaluate()["raised"]
