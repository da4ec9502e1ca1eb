"""``POST /api/v1/events``: what is taken, what is not, and what is said of it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.middleware.csrf import get_token
from django.test import Client

from accounts.models import ApiKey, Member, MemberRole, Project
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from subscriptions.models import AiModel, Plan, Subscription, SubscriptionStatus
from tests.factories import make_project
from tests.races import at_once
from tests.usage.events import body
from usage.events.store import Stretch, open_store
from usage.models import Aggregation, Meter, UsageAggregate, UsageDistinct, UsageEvent

pytestmark = pytest.mark.django_db
URL = "/api/v1/events"
NOW = datetime.now(UTC)


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def key(project: Project) -> str:
    return issue_key(actor=SYSTEM, name="gateway", scopes=["events:write"], project=project).secret


def send(key: str, content: Any, **extra: Any) -> Any:
    data = content if isinstance(content, bytes | str) else json.dumps(content)
    extra.setdefault("content_type", "application/json")
    return Client().post(URL, data, HTTP_AUTHORIZATION=f"Bearer {key}", **extra)


def test_one_event_is_taken_and_told_when_it_is_durable(key: str, project: Project) -> None:
    answer = send(key, body(metric_value="2.5", unit="page", metadata={"region": "th"}))
    assert answer.status_code == 202
    found = answer.json()
    assert (found["accepted"], found["rejected"]) == (1, 0)
    event = UsageEvent.objects.get(pk=found["results"][0]["id"])
    assert (event.project, event.organisation, event.metric_value) == (project, project.organisation, Decimal("2.5"))
    assert event.metadata == {"region": "th"}
    assert event.api_key == ApiKey.objects.get()


def test_a_batch_has_a_verdict_for_each_item(key: str) -> None:
    good, wrong = body(), body(metric_value=-1)
    answer = send(key, [good, wrong, good, {**good, "unit": "page"}])
    assert answer.status_code == 202
    found = answer.json()
    assert [each["status"] for each in found["results"]] == ["accepted", "rejected", "duplicate", "conflict"]
    assert (found["accepted"], found["duplicate"], found["conflict"], found["rejected"]) == (1, 1, 1, 1)
    assert found["results"][1] | {"reason": ""} == {
        "index": 1, "status": "rejected", "code": "bad_value", "reason": "", "field": "metric_value",
    }  # fmt: skip
    again = send(key, [good, {**good, "metric_value": 2}]).json()
    assert [each["status"] for each in again["results"]] == ["duplicate", "conflict"]


def test_the_same_number_written_otherwise_is_the_same_event(key: str) -> None:
    event = body(metric_value=1.50, timestamp=datetime.now(UTC).isoformat())
    assert send(key, event).json()["accepted"] == 1
    moment = datetime.fromisoformat(event["timestamp"]).astimezone().isoformat()
    assert send(key, {**event, "metric_value": "1.5", "timestamp": moment}).json()["duplicate"] == 1


def test_a_conflict_alone_is_409_and_a_wrong_event_422(key: str) -> None:
    event = body()
    send(key, event)
    conflict = send(key, {**event, "metric_value": 9})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")
    wrong = send(key, body(metric_value="many"))
    assert (wrong.status_code, wrong.json()["code"], wrong["Content-Type"]) == (
        422,
        "bad_value",
        "application/problem+json",
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "truth": ({"metric_value": True}, "metric_value"),
    "words": ({"metric_value": "seven"}, "metric_value"),
    "not a number": ({"metric_value": "NaN"}, "metric_value"),
    "underscores": ({"metric_value": "1_000"}, "metric_value"),
    "negative": ({"metric_value": -0.5}, "metric_value"),
    "nothing": ({"metric_value": None}, "metric_value"),
    "huge": ({"metric_value": "1e300"}, "metric_value"),
    "22 digits": ({"metric_value": 10**21}, "metric_value"),
    "10 places": ({"metric_value": "0.0000000001"}, "metric_value"),
    "10 places behind 21 digits": ({"metric_value": "100000000000000000000.0000000001"}, "metric_value"),
    "rounded up to 22 digits": ({"metric_value": "999999999999999999999.9999999999"}, "metric_value"),
    "32 nines": ({"metric_value": "0." + "9" * 32}, "metric_value"),
    "more cached than asked": ({"request_tokens": 1, "cached_tokens": 2}, "cached_tokens"),
    "more reasoning than answered": ({"reasoning_tokens": 2}, "reasoning_tokens"),
    "no name": ({"metric_name": ""}, "metric_name"),
    "odd name": ({"metric_name": "a b"}, "metric_name"),
    "no key": ({"idempotency_key": ""}, "idempotency_key"),
    "NUL in the key": ({"idempotency_key": "a\0"}, "idempotency_key"),
    "year 9999": ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp"),
    "year 1": ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp"),
    "no zone": ({"timestamp": "2026-11-10T04:00:00"}, "timestamp"),
    "epoch": ({"timestamp": 1_790_000_000}, "timestamp"),
    "no day": ({"timestamp": "2026-02-30T04:00:00Z"}, "timestamp"),
    "unknown field": ({"metrik": 1}, "metrik"),
    "list of facts": ({"metadata": []}, "metadata"),
    "NUL in facts": ({"metadata": {"a": "\0"}}, "metadata"),
    "large facts": ({"metadata": {"a": "x" * 9000}}, "metadata"),
    "negative tokens": ({"request_tokens": -1}, "request_tokens"),
    "tokens as text": ({"request_tokens": "5"}, "request_tokens"),
    "no status": ({"status_code": 99}, "status_code"),
    "no such project": ({"project": "0190e1f6-0000-7000-8000-000000000000"}, "project"),
    "no such subscription": ({"subscription": "0190e1f6-0000-7000-8000-000000000000"}, "subscription"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_bad_item_in_a_thousand_keeps_none_of_the_others_back(key: str, name: str, settings: Any) -> None:
    fields, field = WRONG[name]
    items = [body() for _each in range(20)]
    items.insert(7, body(**fields))
    found = send(key, items).json()
    assert (found["accepted"], found["rejected"]) == (20, 1)
    assert found["results"][7]["status"] == "rejected"
    assert found["results"][7]["field"] == field
    assert found["results"][7]["reason"]
    assert UsageEvent.objects.count() == 20


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1", b"null", b"12", b'"text"', b"[]", b'{"metric_value": NaN}', b"\xff\xfe", b"[" * 5000 + b"]" * 5000,
     b'{"metadata":' * 3000 + b"{}" + b"}" * 3000],
)  # fmt: skip
def test_what_is_no_list_of_events_is_a_problem_not_a_fault(key: str, text: bytes) -> None:
    answer = send(key, text)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"


def test_facts_with_numbers_beyond_the_database_are_refused_alone(key: str) -> None:
    good = json.dumps(body())
    bad = json.dumps(body(metadata={"n": 1})).replace('"n": 1', '"n": 1e999999')
    assert send(key, f"[{good},{bad}]").json() | {"results": []} == {
        "accepted": 1, "duplicate": 0, "conflict": 0, "rejected": 1, "late": 0, "results": [],
    }  # fmt: skip


def test_at_most_a_thousand_at_once(key: str, settings: Any) -> None:
    settings.EVENTS_MAX_ITEMS = 5
    answer = send(key, [body() for _each in range(6)])
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert not UsageEvent.objects.exists()


def test_a_packed_body_is_unpacked_and_its_size_is_bounded(key: str, settings: Any) -> None:
    packed = gzip.compress(json.dumps([body(), body()]).encode())
    assert send(key, packed, HTTP_CONTENT_ENCODING="gzip").json()["accepted"] == 2
    assert send(key, packed[:-4], HTTP_CONTENT_ENCODING="gzip").status_code == 400
    assert send(key, b"no gzip", HTTP_CONTENT_ENCODING="gzip").status_code == 400
    assert send(key, packed, HTTP_CONTENT_ENCODING="br").status_code == 415
    settings.EVENTS_MAX_BODY_BYTES = 100_000
    bomb = gzip.compress(b" " * 200_000)
    answer = send(key, bomb, HTTP_CONTENT_ENCODING="gzip")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_packed_body_may_have_several_members(key: str, settings: Any) -> None:
    whole = json.dumps([body(), body()]).encode()
    members = [gzip.compress(each) for each in (whole[:50], b"", whole[50:])]
    assert send(key, b"".join(members), HTTP_CONTENT_ENCODING="gzip").json()["accepted"] == 2
    for rest in (b"x", members[2][:3]):
        assert send(key, members[0] + rest, HTTP_CONTENT_ENCODING="gzip").status_code == 400
    settings.EVENTS_MAX_BODY_BYTES = 100_000
    for much in (gzip.compress(b" " * 99_000) * 2, gzip.compress(b"") * 20_000):
        assert send(key, much, HTTP_CONTENT_ENCODING="gzip").status_code == 413


def test_an_event_in_which_a_name_stands_twice_is_refused_alone(key: str) -> None:
    good = json.dumps(body())
    twice = json.dumps(body()).replace('"metric_name"', '"metric_value": 5, "metric_value": 1, "metric_name"')
    found = send(key, f"[{good},{twice}]").json()
    assert (found["accepted"], found["results"][1]["field"]) == (1, "metric_value")


def cloud(**fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "17", "source": "/gateway", "type": "api.call", "time": NOW.isoformat(),
        "subject": "customer", "traceparent": "00-1-1-00", "data": {"metric_value": 3, "metadata": {"region": "th"}},
        **fields,
    }  # fmt: skip


def test_cloud_events_are_understood(key: str) -> None:
    kind = "application/cloudevents+json; charset=utf-8"
    assert send(key, cloud(), content_type=kind).json()["accepted"] == 1
    event = UsageEvent.objects.get()
    assert (event.metric_name, event.metric_value, event.idempotency_key) == ("api.call", 3, "/gateway#17")
    assert event.metadata == {"region": "th", "subject": "customer"}
    batch = [cloud(), cloud(id="18", data=None), cloud(specversion="0.3", id="19")]
    found = send(key, batch, content_type="application/cloudevents-batch+json").json()
    assert [each["status"] for each in found["results"]] == ["duplicate", "accepted", "rejected"]


def test_late_events_are_taken_and_marked_and_too_old_ones_refused(key: str, settings: Any) -> None:
    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=5), now - timedelta(days=3), now - timedelta(days=36), now + timedelta(hours=1)]
    found = send(key, [body(timestamp=moment.isoformat()) for moment in moments]).json()
    assert [each.get("code", each.get("late", False)) for each in found["results"]] == [
        False, True, "too_old", "in_the_future",
    ]  # fmt: skip
    assert found["late"] == 1
    assert UsageAggregate.objects.filter(late_count=1).count() >= 1


def test_meters_read_what_comes_in(key: str) -> None:
    pages = Meter.objects.create(code="pages", metric_name="api.call", value_path="doc.pages")
    people = Meter.objects.create(
        code="people", metric_name="api.call", value_path="who", aggregation=Aggregation.UNIQUE
    )
    facts = [
        {"doc": {"pages": 2}, "who": "a"},
        {"doc": {"pages": "3"}, "who": "b"},
        {"doc": {"pages": "x"}, "who": "a"},
    ]
    send(key, [body(metadata=each) for each in facts])
    assert UsageAggregate.objects.get(meter=pages, period_type="month").total_value == 5
    assert UsageDistinct.objects.filter(meter=people).values("value_hash").distinct().count() == 2
    assert open_store().check(Stretch()) == []


def subscribe(project: Project, **fields: Any) -> Subscription:
    plan, _made = Plan.objects.get_or_create(code="chat", defaults={"name": "Chat", **fields.pop("plan", {})})
    return Subscription.objects.create(
        organisation=fields.pop("organisation", project.organisation), plan=plan, currency="THB",
        **{"status": SubscriptionStatus.ACTIVE, **fields},
    )  # fmt: skip


def test_a_call_of_a_model_is_counted_for_its_subscription(key: str, project: Project) -> None:
    mine = subscribe(project)
    call = {"model": "gpt", "request_tokens": 10, "response_tokens": 4, "cached_tokens": 8, "latency_ms": 250,
            "status_code": 500, "error_message": "overloaded", "subscription": str(mine.uuid)}  # fmt: skip
    assert send(key, body(metric_name="ai.request", **call)).json()["accepted"] == 1
    day = UsageAggregate.objects.get(period_type="day")
    assert (day.subscription, day.model_id, day.error_count) == (mine, "gpt", 1)
    assert (day.request_tokens, day.response_tokens, day.latency_ms_sum) == (10, 4, 250)
    assert UsageEvent.objects.get().metadata == {"error_message": "overloaded"}


def test_subscriptions_of_others_are_as_absent_as_none(key: str, project: Project) -> None:
    theirs = subscribe(project, organisation=make_project("Other institute").organisation)
    ended = subscribe(project, status=SubscriptionStatus.EXPIRED)
    found = send(key, [body(subscription=str(each.uuid)) for each in (theirs, ended)]).json()
    assert [each["code"] for each in found["results"]] == ["unknown_subscription", "subscription_ended"]


def test_a_restricted_model_is_open_only_through_a_subscription_that_names_it(key: str, project: Project) -> None:
    model = AiModel.objects.create(id="secret", name="Secret", restricted=True)
    mine = subscribe(project, plan={"ai_model": model})
    found = send(
        key, [body(model="secret"), body(model="secret", subscription=str(mine.uuid)), body(model="new")]
    ).json()
    assert [each["status"] for each in found["results"]] == ["rejected", "accepted", "accepted"]
    assert found["results"][0]["code"] == "model_restricted"


def test_a_key_bound_to_one_subscription_needs_not_name_it(key: str, project: Project) -> None:
    mine, other = subscribe(project), subscribe(make_project("Other institute"))
    mine.keys.create(api_key=ApiKey.objects.get())
    other.organisation = project.organisation
    assert send(key, body()).json()["accepted"] == 1
    assert UsageEvent.objects.get().subscription == mine
    assert send(key, body(subscription=str(other.uuid))).json()["results"][0]["code"] == "unknown_subscription"


def test_who_is_refused_and_how(key: str, project: Project) -> None:
    reader = issue_key(actor=SYSTEM, name="reader", scopes=["usage:read"], project=project).secret
    assert send("", body()).status_code == 401
    assert send("hpcb_00000000_x", body()).json()["code"] == "bad_api_key"
    assert send(reader, body()).json()["code"] == "scope_missing"
    project.organisation.is_active = False
    project.organisation.save()
    answer = send(key, body())
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_api_key")
    assert not UsageEvent.objects.exists()


def test_a_member_names_the_project_and_a_viewer_may_not_send(alice: Any, bob: Any, project: Project) -> None:
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.MEMBER)
    Member.objects.create(organisation=project.organisation, user=bob, role=MemberRole.VIEWER)
    neighbour = make_project("Other institute")
    keys = {
        name: issue_key(actor=SYSTEM, name=name, scopes=["events:write"], user=user).secret
        for name, user in (("alice", alice), ("bob", bob))
    }
    assert send(keys["alice"], body(project=str(project.uuid))).status_code == 202
    assert send(keys["alice"], body()).json()["code"] == "unknown_project"
    assert send(keys["alice"], body(project=str(neighbour.uuid))).json()["code"] == "unknown_project"
    assert send(keys["bob"], body(project=str(project.uuid))).json()["code"] == "unknown_project"


def test_a_page_in_a_browser_needs_its_token(alice: Any, project: Project) -> None:
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.OWNER)
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(alice)
    answer = visitor.post(URL, json.dumps(body(project=str(project.uuid))), content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    token = {"X-CSRFToken": get_token(visitor.get("/keys/").wsgi_request)}
    answer = visitor.post(
        URL, json.dumps(body(project=str(project.uuid))), content_type="application/json", headers=token
    )
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


def test_the_number_of_statements_does_not_grow_with_the_batch(
    key: str, project: Project, django_assert_max_num_queries: Any
) -> None:
    mine = subscribe(project)
    for size in (1, 50):
        items = [body(subscription=str(mine.uuid), model="m") for _each in range(size)]
        with django_assert_max_num_queries(20):  # on SQLite, where sums are read and written apart
            assert send(key, items).json()["accepted"] == size


@pytest.mark.django_db(transaction=True)
def test_eight_clients_with_a_third_of_duplicates_leave_each_event_once(key: str) -> None:
    shared = [body() for _each in range(30)]

    def client(number: int) -> dict[str, int]:
        own = [body() for _each in range(70)]
        found: dict[str, int] = send(key, shared + own).json()
        return found

    answers = at_once(8, client)
    assert sum(each["accepted"] for each in answers) == 30 + 8 * 70
    assert sum(each["duplicate"] for each in answers) == 7 * 30
    assert UsageEvent.objects.count() == 590
    assert open_store().check(Stretch()) == []


def test_no_key_is_ever_logged(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    send(key, body())
    send(key + "x", body())
    assert key[14:] not in caplog.text


def test_nothing_but_wrong_items_is_answered_item_by_item(key: str) -> None:
    assert send(key, {"metric_name": ""}).status_code == 422
    found = send(key, [{"metric_name": ""}, {}]).json()
    assert (found["accepted"], found["rejected"]) == (0, 2)


def test_numbers_that_differ_in_their_last_digit_are_other_events(key: str) -> None:
    event = body(metric_value="123456789012345678901.123456781")
    assert send(key, event).json()["accepted"] == 1
    assert send(key, {**event, "metric_value": "123456789012345678901.123456789"}).status_code == 409


def test_blanks_before_an_object_change_nothing(key: str) -> None:
    assert send(key, " " * 200 + json.dumps(body())).json()["accepted"] == 1


def test_no_two_cloud_events_share_a_key_by_their_mark(key: str) -> None:
    kind = "application/cloudevents+json"
    assert send(key, cloud(source="a#b", id="1"), content_type=kind).json()["accepted"] == 1
    assert send(key, cloud(source="a", id="b#1", time=NOW.isoformat()), content_type=kind).json()["accepted"] == 1


def test_a_persons_own_subscription_serves_that_person_alone(key: str, alice: Any, bob: Any, project: Project) -> None:
    """A project's key, or a colleague's, must not use up somebody's personal quota, nor open a model by it."""
    for user in (alice, bob):
        Member.objects.create(organisation=project.organisation, user=user, role=MemberRole.MEMBER)
    mine = subscribe(project, organisation=None, user=alice)
    event = body(subscription=str(mine.uuid), project=str(project.uuid))
    keys = [issue_key(actor=SYSTEM, name="x", scopes=["events:write"], user=user).secret for user in (bob, alice)]
    assert send(key, event).json()["code"] == "unknown_subscription"
    assert send(keys[0], event).json()["code"] == "unknown_subscription"
    assert send(keys[1], event).json()["accepted"] == 1


def test_one_limit_holds_for_a_body_packed_or_not(key: str, settings: Any) -> None:
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == settings.EVENTS_MAX_BODY_BYTES == 8 << 20
    large = json.dumps([body(metadata={"a": "x" * 7_500}) for _each in range(500)]).encode()
    assert 3 << 20 < len(large) < 8 << 20
    assert send(key, large).json()["accepted"] == 500
    over = b"[" + b" " * (8 << 20) + b"]"
    plain, packed = send(key, over), send(key, gzip.compress(over), HTTP_CONTENT_ENCODING="gzip")
    assert [(each.status_code, each.json()["code"]) for each in (plain, packed)] == [(413, "too_large")] * 2
