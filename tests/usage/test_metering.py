"""Reading metered usage: sums by period over the API and on the page, meters, views, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Identity, Member, MemberRole, Project, ProjectLead
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from subscriptions.models import AiModel, LimitWindow, Plan, PlanLimit, Subscription, SubscriptionStatus
from tests.factories import make_project
from tests.usage.events import row
from usage.events.rows import Batch, Point, hash_of
from usage.events.store import open_store
from usage.models import Aggregation, Meter, UsageAggregate
from usage.quotas import open_windows

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 10, 4, 30, tzinfo=UTC)
STRETCH = {"start": "2026-11-01T00:00:00+07:00", "end": "2026-12-01T00:00:00+07:00"}


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def member(alice: Any, project: Project) -> Client:
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.VIEWER)
    visitor = Client()
    visitor.force_login(alice)
    return visitor


def store(*rows: Any, points: list[Point] | None = None) -> None:
    assert set(open_store().add(Batch(list(rows), points or []))) == {"accepted"}


def read(visitor: Client, path: str, **query: Any) -> Any:
    answer = visitor.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_sums_are_read_by_period_with_slots_added_up(member: Client, project: Project) -> None:
    store(
        row(project, metric_value=Decimal("2.5"), unit="page", latency_ms=100),
        row(project, unit="page", latency_ms=201),
    )
    day = UsageAggregate.objects.get(period_type="day")
    day.pk, day.slot, day.total_value, day.event_count = None, 3, Decimal(10), 4
    day.save(force_insert=True)
    (found,) = read(member, "aggregates", period="day", **STRETCH)["results"]
    assert (found["total_value"], found["event_count"], found["unit"]) == ("13.500000000", 6, "page")
    assert (found["project"], found["period_start"]) == (str(project.uuid), "2026-11-10T00:00:00+07:00")
    assert found["average_latency_ms"] == "150.500"


def test_pages_of_sums_hold_together(member: Client, project: Project) -> None:
    store(*(row(project, metric_name=f"m{n:02}") for n in range(7)))
    seen, query = [], {"period": "hour", "limit": 3, "start": "2026-11-10T00:00:00Z", "end": "2026-11-11T00:00:00Z"}
    body = read(member, "aggregates", **query)
    while True:
        seen += [each["metric_name"] for each in body["results"]]
        if body["next"] is None:
            break
        body = member.get(body["next"]).json()
    assert seen == [f"m{n:02}" for n in range(7)]


def test_filters_narrow_what_is_read(member: Client, project: Project) -> None:
    other = make_project(name="second")
    store(row(project, metric_name="a", model_id="gpt"), row(project, metric_name="b"), row(other, metric_name="a"))
    assert len(read(member, "aggregates", **STRETCH)["results"]) == 3
    assert len(read(member, "aggregates", metric="a", **STRETCH)["results"]) == 2
    assert len(read(member, "aggregates", project=str(other.uuid), **STRETCH)["results"]) == 1
    assert len(read(member, "aggregates", model="gpt", **STRETCH)["results"]) == 1
    assert read(member, "aggregates", start="2026-10-01T00:00:00Z", end="2026-10-02T00:00:00Z")["results"] == []


@pytest.mark.parametrize(
    "query",
    [{"period": "week"}, {"start": "x"}, {"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
     {"period": "hour", "start": "2020-01-01T00:00:00Z"}, {"end": "9999-12-31T23:59:59Z"}, {"cursor": "x"},
     {"limit": 0}, {"what": "1"}, {"project": "x"}],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused_by_field(member: Client, query: dict[str, str]) -> None:
    answer = member.get("/api/v1/aggregates", query)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_what_meters_say(member: Client, project: Project) -> None:
    rows = [
        row(project, metric_value=Decimal(value), timestamp=MOMENT + timedelta(hours=n), metadata=f'{{"who":"{who}"}}')
        for n, (value, who) in enumerate([(3, "a"), (9, "b"), (5, "a")])
    ]
    unique = Meter.objects.create(
        code="unique", metric_name="api.call", value_path="who", aggregation=Aggregation.UNIQUE
    )
    points = [Point(n, unique.pk, Decimal(0), hash_of(who)) for n, who in enumerate("aba")]
    for how in (Aggregation.COUNT, Aggregation.SUM, Aggregation.MAX, Aggregation.MIN, Aggregation.LATEST):
        Meter.objects.create(code=how.value, metric_name="api.call", aggregation=how)
    store(*rows, points=points)
    said = {}
    for meter in Meter.objects.all():
        (value,) = read(member, "meters", meter=meter.code, period="day", **STRETCH)["values"]
        assert value["period_start"] == "2026-11-10T00:00:00+07:00"
        said[meter.code] = Decimal(value["value"])
    assert said == {"count": 3, "sum": 17, "max": 9, "min": 3, "latest": 5, "unique": 2}
    assert member.get("/api/v1/meters", {"meter": "none"}).status_code == 404


def test_single_events_are_read_newest_first(member: Client, project: Project) -> None:
    store(
        row(project, idempotency_key="old", timestamp=MOMENT - timedelta(hours=1)), row(project, idempotency_key="new")
    )
    body = read(member, "events", limit=1)
    assert [each["idempotency_key"] for each in body["results"]] == ["new"]
    assert [each["idempotency_key"] for each in member.get(body["next"]).json()["results"]] == ["old"]


READS = ("aggregates", "events", "meters?meter=m")


def test_nobody_reads_another_organisations_usage(member: Client, bob: Any, project: Project) -> None:
    theirs = make_project("Other institute")
    Meter.objects.create(code="m", metric_name="api.call")
    store(row(theirs))
    key = issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], project=project).secret
    stranger = Client()
    stranger.force_login(bob)
    for path in READS:
        mark = "&" if "?" in path else "?"
        for who, extra in ((member, {}), (stranger, {}), (Client(), {"HTTP_AUTHORIZATION": f"Bearer {key}"})):
            body = who.get(f"/api/v1/{path}", **extra).json()
            assert body.get("results", body.get("values")) == []
            for name, uuid in (("project", theirs.uuid), ("organisation", theirs.organisation.uuid)):
                assert who.get(f"/api/v1/{path}{mark}{name}={uuid}", **extra).status_code == 404
        assert Client().get(f"/api/v1/{path}").status_code == 401


def test_a_lead_and_staff_read_and_a_former_member_does_not(
    member: Client, bob: Any, auditor: Any, project: Project
) -> None:
    store(row(project))
    ProjectLead.objects.create(project=project, user=bob)
    for user in (bob, auditor):
        visitor = Client()
        visitor.force_login(user)
        assert len(read(visitor, "aggregates", **STRETCH)["results"]) == 1
    Member.objects.all().delete()
    assert read(member, "aggregates", **STRETCH)["results"] == []


# --- the page --------------------------------------------------------------------


def test_the_page_shows_sums_trends_and_models(member: Client, project: Project) -> None:
    now = timezone.now()
    store(
        row(project, timestamp=now - timedelta(days=35), metric_value=Decimal(4)),
        row(project, timestamp=now, metric_value=Decimal(5)),
        row(
            project, timestamp=now, metric_name="ai.request", model_id="openai/gpt", request_tokens=1200, latency_ms=250
        ),
    )
    text = member.get("/metering/").content.decode()
    assert "Institute / imaging" in text
    assert "+25" in text, "5 against the 4 of the thirty days before"
    assert "openai/gpt" in text
    assert "1,200" in text
    assert 'class="chart"' in text
    for by in ("hour", "month"):
        assert "api.call" in member.get("/metering/", {"by": by, "metric": "api.call"}).content.decode()


def test_the_page_takes_any_address_and_shows_ones_own(member: Client, project: Project) -> None:
    theirs = make_project("Other institute")
    store(row(theirs, metric_name="secret.metric", timestamp=timezone.now()))
    for query in ({"of": f"p{theirs.pk}"}, {"of": "x", "by": "year", "metric": "x"}, {"by": "\0x"}):
        answer = member.get("/metering/", query)
        assert answer.status_code in (200, 400)
        assert "secret.metric" not in answer.content.decode()
        assert "Other institute" not in answer.content.decode()


def test_who_belongs_nowhere_is_told_what_it_is_about(bob: Any) -> None:
    visitor = Client()
    visitor.force_login(bob)
    assert "No project reports usage to you" in visitor.get("/metering/").content.decode()


def test_the_table_is_downloaded_whole_and_recorded(member: Client, project: Project) -> None:
    store(row(project, timestamp=timezone.now(), metric_name="=cmd()", metric_value=Decimal("0.25")))
    answer = member.get("/metering/", {"format": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert text.splitlines()[0].startswith("period_start,organisation,project,metric,")
    assert "'=cmd()" in text
    assert ",0.25" in text
    assert b"".join(member.get("/metering/", {"format": "xlsx"}).streaming_content)[:2] == b"PK"


def test_the_page_asks_as_much_for_much_as_for_little(member: Client, project: Project) -> None:
    from django.test.utils import CaptureQueriesContext

    counts = []
    for number in (1, 40):
        store(*(row(project, timestamp=timezone.now(), metric_name=f"m{n}", model_id=f"x{n}") for n in range(number)))
        with CaptureQueriesContext(connection) as found:
            member.get("/metering/")
        counts.append(len(found))
    assert counts[0] == counts[1] <= 15


# --- the console and the views -----------------------------------------------------


def test_the_console_lists_meters_sums_and_quotas(superuser: Any, project: Project) -> None:
    plan = Plan.objects.create(code="p", name="P")
    PlanLimit.objects.create(plan=plan, metric="requests", window=LimitWindow.DAY, limit=10)
    mine = Subscription.objects.create(
        organisation=project.organisation, plan=plan, currency="THB", status=SubscriptionStatus.ACTIVE
    )
    store(row(project, subscription_id=mine.pk, model_id="gpt", timestamp=timezone.now()))
    open_windows([mine], timezone.now())
    visitor = Client()
    visitor.force_login(superuser)
    for path in ("usageaggregate", "usageaggregate/?period_type=hour", "quotawindow", "meter"):
        answer = visitor.get(f"/admin/usage/{path}{'' if '?' in path else '/'}")
        assert answer.status_code == 200, path
    form = {"code": "calls", "metric_name": "api.call", "aggregation": "count", "value_path": "", "is_active": "on"}
    assert visitor.post("/admin/usage/meter/add/", form).status_code == 302
    meter = Meter.objects.get()
    visitor.post(f"/admin/usage/meter/{meter.pk}/change/", {**form, "metric_name": "other", "name": "Calls"})
    meter.refresh_from_db()
    assert (meter.metric_name, meter.name) == ("api.call", "Calls"), "what it reads stands"


def test_the_views_say_what_is_left_and_what_was_used(alice: Any, project: Project) -> None:
    Identity.objects.create(user=alice, email="alice@institute.example")
    model = AiModel.objects.create(id="gpt", name="GPT", provider="local")
    plan = Plan.objects.create(code="p", name="P", ai_model=model)
    for metric, limit in (("requests", 10), ("tokens", 1000)):
        PlanLimit.objects.create(plan=plan, metric=metric, window=LimitWindow.MONTH, limit=limit)
    mine = Subscription.objects.create(user=alice, plan=plan, currency="THB", status=SubscriptionStatus.ACTIVE)
    open_windows([mine], timezone.now())
    calls = [
        row(project, subscription_id=mine.pk, model_id="gpt", timestamp=timezone.now(), request_tokens=100,
            response_tokens=20, latency_ms=latency, status_code=status)
        for latency, status in ((100, 200), (300, 500))
    ]  # fmt: skip
    store(*calls)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT username, email, model_name, provider, remaining_requests, remaining_tokens FROM active_subscriptions"
        )
        assert [(*each[:4], int(each[4]), int(each[5])) for each in cursor.fetchall()] == [
            ("alice", "alice@institute.example", "GPT", "local", 8, 760)
        ]
        cursor.execute(
            "SELECT user_id, model_id, request_count, total_tokens, avg_latency_ms, error_count FROM usage_statistics"
        )
        assert [(*each[:2], *map(int, each[2:])) for each in cursor.fetchall()] == [("alice", "gpt", 2, 240, 200, 1)]
