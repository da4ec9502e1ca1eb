"""Quotas: what is set aside never passes a hard limit, what was used counts, and people hear of it in time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import EmailNotification, Identity, Project
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from subscriptions.models import (
    AiModel,
    LimitWindow,
    Plan,
    PlanLimit,
    Subscription,
    SubscriptionStatus,
    SuspendedFor,
)
from tests.factories import make_project
from tests.races import at_once
from tests.usage.events import row
from usage.events.checking import Sender
from usage.events.rows import Batch
from usage.events.schema import Event
from usage.events.store import open_store
from usage.models import Meter, QuotaReservation, QuotaWindow
from usage.quotas import open_windows, standings
from usage.services.events import take_events
from usage.services.quota_watch import watch_quotas
from usage.services.reservations import NotUsable, QuotaExhausted, expire_reservations, reserve_quota

pytestmark = pytest.mark.django_db
URL = "/api/v1/quota/reservations"


@pytest.fixture
def project(db: None) -> Project:
    return make_project(billing_email="bills@institute.example")


def subscribe(project: Project, limits: dict[str, int | None], **fields: Any) -> Subscription:
    """``limits`` maps ``requests/day`` to a number; a trailing ``!`` makes it soft."""
    number = Plan.objects.count()
    plan = Plan.objects.create(code=f"p{number}", name=f"Plan {number}", ai_model=fields.pop("ai_model", None))
    for name, limit in limits.items():
        metric, window = name.rstrip("!").split("/")
        PlanLimit.objects.create(plan=plan, metric=metric, window=window, limit=limit, is_hard=not name.endswith("!"))
    return Subscription.objects.create(
        plan=plan, currency="THB", start_at=timezone.now() - timedelta(days=40),
        **{"organisation": project.organisation, "status": SubscriptionStatus.ACTIVE, **fields},
    )  # fmt: skip


def use(project: Project, subscription: Subscription, number: int = 1, **fields: Any) -> None:
    """So many calls of an AI model, now."""
    values = {"model_id": "gpt", "metric_name": "ai.request", "timestamp": timezone.now(), **fields}
    open_store().add(Batch([row(project, subscription_id=subscription.pk, **values) for _each in range(number)]))


def left(subscription: Subscription) -> dict[str, Decimal | None]:
    found = standings(open_windows([subscription], timezone.now()))
    return {f"{each.window.metric}/{each.window.window}": each.left for each in found}


def test_what_is_used_and_what_is_set_aside_leave_the_rest(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 10, "tokens/month": 1000})
    use(project, mine, 3, request_tokens=100, response_tokens=20)
    assert left(mine) == {"requests/day": 7, "tokens/month": 640}
    reserve_quota(subscription=mine, amounts={"requests": Decimal(2), "tokens": Decimal(40)})
    assert left(mine) == {"requests/day": 5, "tokens/month": 600}


def test_a_hard_limit_is_told_with_its_figures_and_when_it_begins_anew(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 2})
    use(project, mine, 2)
    with pytest.raises(QuotaExhausted) as error:
        reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
    midnight = timezone.now().astimezone(project.organisation.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    reset = (midnight + timedelta(days=1)).astimezone(UTC)
    assert error.value.details == {
        "metric": "requests", "window": "day", "limit": "2", "used": "2", "held": "0",
        "reset_at": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip
    assert not QuotaReservation.objects.exists()


def test_a_soft_limit_a_metric_without_one_and_nought(project: Project) -> None:
    mine = subscribe(project, {"requests/day!": 1, "tokens/day": None, "pages/day": 0})
    use(project, mine, 5)
    reserve_quota(subscription=mine, amounts={"requests": Decimal(5), "tokens": Decimal(10**9)})
    with pytest.raises(QuotaExhausted):
        reserve_quota(subscription=mine, amounts={"pages": Decimal(1)})


def test_all_of_it_or_nothing(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 10, "tokens/day": 5})
    with pytest.raises(QuotaExhausted):
        reserve_quota(subscription=mine, amounts={"requests": Decimal(1), "tokens": Decimal(6)})
    assert left(mine) == {"requests/day": 10, "tokens/day": 5}


def test_the_event_settles_what_was_set_aside(project: Project) -> None:
    mine = subscribe(project, {"tokens/day": 1000})
    held = reserve_quota(subscription=mine, amounts={"tokens": Decimal(800)})
    assert left(mine) == {"tokens/day": 200}
    call = Event(
        metric_name="ai.request", idempotency_key="a", timestamp=timezone.now(), model="gpt", request_tokens=100,
        response_tokens=50, subscription=mine.uuid, reservation=held.uuid,
    )  # fmt: skip
    for _repeat in range(2):
        take_events(sender=Sender(project=project), items=[call])
        assert left(mine) == {"tokens/day": 850}
    held.refresh_from_db()
    assert held.status == "settled"


def test_what_nobody_reports_is_given_back_and_counts_when_it_comes_late(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 1})
    with time_machine.travel(datetime(2026, 11, 10, 4, 0, tzinfo=UTC)) as clock:
        held = reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
        with pytest.raises(QuotaExhausted):
            reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
        clock.shift(601)
        again = reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})  # the first one has run out
        clock.shift(601)
        assert expire_reservations() == 1
        assert left(mine) == {"requests/day": 1}
        call = Event(
            metric_name="ai.request", idempotency_key="late", timestamp=timezone.now(), model="gpt",
            subscription=mine.uuid, reservation=held.uuid,
        )  # fmt: skip
        take_events(sender=Sender(project=project), items=[call])
        assert left(mine) == {"requests/day": 0}
    again.refresh_from_db()
    held.refresh_from_db()
    assert (held.status, again.status) == ("settled", "expired")


def test_meters_are_limits_too(project: Project) -> None:
    Meter.objects.create(code="pages", metric_name="print", value_path="pages")
    mine = subscribe(project, {"pages/month": 100, "mail.sent/hour": 5, "tokens/total": 10_000})
    event = row(
        project, metric_name="print", metadata='{"pages":30}', subscription_id=mine.pk, timestamp=timezone.now()
    )
    from usage.events.rows import Point

    open_store().add(Batch([event], [Point(0, Meter.objects.get().pk, Decimal(30))]))
    use(project, mine, 2, metric_name="mail.sent", model_id="", metric_value=Decimal("1.5"))
    use(project, mine, 1, request_tokens=500)
    assert left(mine) == {"pages/month": 70, "mail.sent/hour": 2, "tokens/total": 9500}


def test_a_user_has_windows_of_the_sites_time(project: Project, alice: Any) -> None:
    mine = subscribe(project, {"requests/month": 10}, organisation=None, user=alice)
    use(project, mine, 4)
    assert left(mine) == {"requests/month": 6}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("calls", [60])
def test_of_many_at_once_no_more_than_the_limit_get_through(project: Project, calls: int) -> None:
    mine = subscribe(project, {"requests/day": 25, "tokens/month": 10**6})
    use(project, mine, 5)

    def ask(_number: int) -> bool:
        try:
            reserve_quota(subscription=mine, amounts={"requests": Decimal(1), "tokens": Decimal(10)})
        except QuotaExhausted:
            return False
        return True

    assert sum(at_once(calls, ask)) == 20
    assert left(mine)["requests/day"] == 0


def test_warnings_come_once_each_and_at_the_end_it_rests_until_the_reset(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 10})
    with time_machine.travel(datetime(2026, 11, 10, 4, 0, tzinfo=UTC)) as clock:
        for number, warned in ((7, 0), (1, 1), (0, 0), (1, 1), (1, 1), (3, 0)):
            use(project, mine, number)
            assert watch_quotas(actor=SYSTEM).warned == warned
        mine.refresh_from_db()
        assert (mine.status, mine.suspended_for) == (SubscriptionStatus.SUSPENDED, SuspendedFor.QUOTA)
        assert mine.reset_at == datetime(2026, 11, 10, 17, 0, tzinfo=UTC)
        with pytest.raises(QuotaExhausted, match="2026-11-10T17:00:00Z"):
            reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
        clock.move_to(datetime(2026, 11, 10, 17, 1, tzinfo=UTC))
        assert watch_quotas(actor=SYSTEM).resumed == 1
        mine.refresh_from_db()
        assert (mine.status, mine.reset_at) == (SubscriptionStatus.ACTIVE, None)
        reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
    subjects = list(EmailNotification.objects.order_by("id").values_list("subject", flat=True))
    assert subjects == [
        *(f"{mine.plan.name}: {mark} % of requests used" for mark in (80, 90, 100)),
        f"{mine.plan.name}: suspended", f"{mine.plan.name}: goes on",
    ]  # fmt: skip


def test_the_holder_reads_it_in_their_language(project: Project, alice: Any) -> None:
    Identity.objects.create(user=alice, email="alice@institute.example")
    alice.language = "th"
    alice.save()
    mine = subscribe(project, {"requests/day": 1}, organisation=None, user=alice)
    use(project, mine, 1)
    watch_quotas(actor=SYSTEM)
    warning, suspended = EmailNotification.objects.order_by("id")
    for email in (warning, suspended):
        assert (email.recipient_email, email.language) == ("alice@institute.example", "th")
    assert "100%" in warning.subject
    assert "ระงับการใช้งาน" in suspended.subject
    for email in (warning, suspended):
        assert "requests" not in email.body_text, "a metric that has a word is not told by its name"


def test_watching_does_not_ask_more_for_more_subscriptions(project: Project, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for _round in range(2):
        for _each in range(5):
            subscribe(project, {"requests/day": 10, "tokens/month": 5})
        watch_quotas(actor=SYSTEM)
        with CaptureQueriesContext(connection) as found:
            watch_quotas(actor=SYSTEM)
        counts.append(len(found))
    assert counts[0] == counts[1] <= 15


def test_a_dry_run_counts_and_changes_nothing(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 1})
    use(project, mine, 1)
    call_command("watch_quotas", "--dry-run")
    mine.refresh_from_db()
    assert mine.status == SubscriptionStatus.ACTIVE
    assert not EmailNotification.objects.exists()
    call_command("watch_quotas")
    mine.refresh_from_db()
    assert mine.status == SubscriptionStatus.SUSPENDED


@pytest.mark.parametrize(
    "status", [SubscriptionStatus.PENDING, SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
)
def test_what_is_not_open_serves_no_call(project: Project, status: str) -> None:
    mine = subscribe(project, {"requests/day": 5}, status=status)
    with pytest.raises(NotUsable):
        reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})


@pytest.mark.parametrize(
    ("cause", "words"),
    [("payment", "until what is due is paid"), ("staff", "by staff"), ("quota", "its quota is used up")],
)
def test_what_rests_says_why(project: Project, cause: str, words: str) -> None:
    mine = subscribe(project, {"requests/day": 5}, status=SubscriptionStatus.SUSPENDED, suspended_for=cause)
    with pytest.raises(NotUsable, match=words) as refused:
        reserve_quota(subscription=mine, amounts={"requests": Decimal(1)})
    assert refused.value.details == {"subscription_status": "suspended", "suspended_for": cause}


def test_a_plan_that_changes_changes_the_open_windows(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 5})
    assert left(mine) == {"requests/day": 5}
    mine.plan.limits.update(limit=8)
    assert left(mine) == {"requests/day": 8}
    assert QuotaWindow.objects.count() == 1


# --- over HTTP -----------------------------------------------------------------


def call(key: str, method: str, path: str, body: Any = None) -> Any:
    extra = {"content_type": "application/json", "HTTP_AUTHORIZATION": f"Bearer {key}"}
    return getattr(Client(), method)(path, **({"data": json.dumps(body)} if body is not None else {}), **extra)


@pytest.fixture
def key(project: Project) -> str:
    scopes = ["events:write", "usage:read"]
    return issue_key(actor=SYSTEM, name="gateway", scopes=scopes, project=project).secret


def test_a_gateway_reserves_reports_and_reads(key: str, project: Project) -> None:
    model = AiModel.objects.create(id="openai/gpt", name="GPT")
    mine = subscribe(project, {"requests/day": 2}, ai_model=model)
    made = call(key, "post", URL, {"model": "openai/gpt", "amounts": {"requests": 1}})
    assert made.status_code == 201, made.content
    assert made.json()["subscription"] == str(mine.uuid)
    event = {
        "metric_name": "ai.request", "idempotency_key": "1", "timestamp": timezone.now().isoformat(), "model": "openai/gpt",
        "subscription": str(mine.uuid), "reservation": made.json()["reservation"],
    }  # fmt: skip
    assert call(key, "post", "/api/v1/events", event).status_code == 202
    (window,) = call(key, "get", f"/api/v1/subscriptions/{mine.uuid}/quota").json()["windows"]
    assert (window["used"], window["held"], window["left"]) == ("1.000000000", "0.000000000", "1.000000000")
    other = call(key, "post", URL, {"subscription": str(mine.uuid), "amounts": {"requests": "1"}}).json()
    for _repeat in range(2):
        assert call(key, "delete", f"{URL}/{other['reservation']}").status_code == 204
    use(project, mine, 1)
    refused = call(key, "post", URL, {"subscription": str(mine.uuid), "amounts": {"requests": 1}})
    assert (refused.status_code, refused.json()["code"], refused.json()["metric"]) == (
        429,
        "quota_exhausted",
        "requests",
    )
    assert int(refused["Retry-After"]) > 0
    mine.refresh_from_db()
    assert mine.status == SubscriptionStatus.SUSPENDED, "the refusal itself suspends what is used up"


@pytest.mark.parametrize(
    "body",
    [{}, {"amounts": {"requests": 1}}, {"model": "gpt", "amounts": {}}, {"model": "gpt", "amounts": {"requests": -1}},
     {"model": "gpt", "amounts": {"requests": True}}, {"model": "gpt", "amounts": {"requests": "NaN"}},
     {"model": "none", "amounts": {"requests": 1}}, {"model": "gpt", "amounts": {"\0": 1}}, {"model": "gpt", "amounts": {"requests": 1}, "x": 1}],
)  # fmt: skip
def test_an_order_that_says_nothing_is_refused_by_field(key: str, body: Any) -> None:
    AiModel.objects.create(id="gpt", name="GPT")
    answer = call(key, "post", URL, body)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_another_organisations_subscription_is_as_absent_as_none(key: str) -> None:
    theirs = subscribe(make_project("Other institute"), {"requests/day": 5})
    held = reserve_quota(subscription=theirs, amounts={"requests": Decimal(1)})
    assert call(key, "post", URL, {"subscription": str(theirs.uuid), "amounts": {"requests": 1}}).status_code == 404
    assert call(key, "get", f"/api/v1/subscriptions/{theirs.uuid}/quota").status_code == 404
    assert call(key, "delete", f"{URL}/{held.uuid}").status_code == 404


def test_windows_are_those_of_the_calendar(project: Project) -> None:
    """Bangkok's midnight is 17:00 UTC; a month that ends on the 31st, and February."""
    mine = subscribe(project, {"requests/hour": 1, "requests/day": 1, "requests/month": 1})
    with time_machine.travel(datetime(2026, 1, 31, 17, 30, tzinfo=UTC)):
        found = {each.window: (each.starts_at, each.ends_at) for each in open_windows([mine], timezone.now())}
    assert found == {
        LimitWindow.HOUR: (datetime(2026, 1, 31, 17, 0, tzinfo=UTC), datetime(2026, 1, 31, 18, 0, tzinfo=UTC)),
        LimitWindow.DAY: (datetime(2026, 1, 31, 17, 0, tzinfo=UTC), datetime(2026, 2, 1, 17, 0, tzinfo=UTC)),
        LimitWindow.MONTH: (datetime(2026, 1, 31, 17, 0, tzinfo=UTC), datetime(2026, 2, 28, 17, 0, tzinfo=UTC)),
    }
