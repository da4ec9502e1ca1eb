"""The metered part of the demo world: what a project's programs have reported in the last three weeks."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone

from accounts.models import ApiKey, Project
from accounts.services.api_keys import issue_key
from core.context import Actor
from subscriptions.models import Subscription, SubscriptionStatus
from usage.events.checking import Sender
from usage.events.schema import Event
from usage.models import Aggregation, Meter
from usage.services.events import take_events
from usage.services.quota_watch import watch_quotas

DAYS = 21
CACHED, FAILED = 0.4, 0.03  # shares of the calls
PROJECT = "Language models"
_METERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pages", {"metric_name": "ocr.page", "aggregation": Aggregation.SUM, "name": "Pages read", "name_th": "หน้าที่อ่าน"}),
    ("readers", {"metric_name": "ocr.page", "aggregation": Aggregation.UNIQUE, "value_path": "reader",
                 "name": "People who had pages read", "name_th": "ผู้ใช้ที่อ่านเอกสาร"}),
)  # fmt: skip


def make_metering() -> int:
    """Meters, a key and some hundred events; returns how many events there are. Safe to repeat."""
    project = Project.objects.select_related("organisation").filter(name=PROJECT).first()
    if project is None:
        return 0
    for code, values in _METERS:
        Meter.objects.get_or_create(code=code, defaults=values)
    if not ApiKey.objects.filter(project=project).exists():
        issue_key(actor=Actor("alice"), name="Gateway", scopes=["events:write", "usage:read"], project=project)
    mine = Subscription.objects.filter(user="alice", status=SubscriptionStatus.ACTIVE).select_related("plan").first()
    now, dice, taken = timezone.now(), random.Random(5), 0  # noqa: S311 - the same figures each time
    for days in range(DAYS, -1, -1):
        day = now - timedelta(days=days)
        events = [_page(dice, day, n) for n in range(dice.randrange(4, 14))]
        if mine is not None:
            events += [_call(dice, day, n, mine) for n in range(dice.randrange(6, 20))]
        found = take_events(
            sender=Sender(project=project, trusted=True), items=[each for each in events if each.timestamp <= now]
        )
        taken += found.counts["accepted"]
    watch_quotas(actor=Actor("system"))
    return taken


def _page(dice: random.Random, day: datetime, number: int) -> Event:
    return Event(
        metric_name="ocr.page", idempotency_key=f"demo-page-{day:%Y%m%d}-{number}",
        timestamp=day - timedelta(seconds=dice.randrange(60_000)), metric_value=_raw(dice.randrange(1, 40)),
        unit="page",
        metadata={"reader": f"reader{dice.randrange(9)}"},
    )  # fmt: skip


def _call(dice: random.Random, day: datetime, number: int, subscription: Subscription) -> Event:
    asked = dice.randrange(200, 3000)
    return Event(
        metric_name="ai.request", idempotency_key=f"demo-call-{day:%Y%m%d}-{number}",
        timestamp=day - timedelta(seconds=dice.randrange(60_000)), model=subscription.plan.ai_model_id or "",
        subscription=subscription.uuid, request_tokens=asked, cached_tokens=asked // 3 if dice.random() < CACHED else 0,
        response_tokens=dice.randrange(50, 900), latency_ms=dice.randrange(180, 2400),
        status_code=500 if dice.random() < FAILED else 200,
    )  # fmt: skip


def _raw(value: int) -> msgspec.Raw:
    return msgspec.Raw(str(value).encode())
