"""Single events that come at the same time are committed together; each caller is told what became of the own one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from prometheus_client import REGISTRY

from accounts.models import ApiKey, Project
from accounts.services.api_keys import digest_of, issue_key, revoke_key
from core.context import SYSTEM
from core.database.grouping import Groups
from subscriptions.models import Plan, Subscription, SubscriptionStatus
from tests.factories import make_project
from tests.races import at_once
from tests.usage.events import body
from usage.events.schema import Event, read_one
from usage.events.store import Stretch, open_store
from usage.models import Aggregation, Meter, UsageAggregate, UsageDistinct, UsageEvent
from usage.services import single_events
from usage.services.single_events import Single, take_singles

URL = "/api/v1/events"
USUAL = {"Accept": "application/json, text/plain"}  # another way to say the same, which only the usual way reads
POISON = "poison"


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def key_of(project: Project, *scopes: str) -> str:
    return issue_key(actor=SYSTEM, name="gateway", scopes=scopes or ["events:write"], project=project).secret


@pytest.fixture
def key(project: Project) -> str:
    return key_of(project)


def event(**fields: Any) -> Event:
    found = read_one(json.dumps(body(**fields)).encode(), cloud=False)
    assert isinstance(found, Event)
    return found


def send(key: str, content: Any, headers: dict[str, str] | None = None) -> Any:
    told = {"Authorization": f"Bearer {key}", **(headers or {})}
    client = Client(raise_request_exception=False)
    return client.post(URL, json.dumps(content), content_type="application/json", headers=told)


def verdicts(singles: list[Single]) -> list[str | None]:
    return [each and each.verdict.status for each in take_singles(singles)]


# --- what a group makes of its events ------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_events_of_several_keys_and_projects_are_each_stored_for_their_own(project: Project) -> None:
    other = make_project("Other institute")
    digests = [digest_of(key_of(each)) for each in (project, other)]
    assert verdicts([Single(digest, event()) for digest in digests * 2]) == ["accepted"] * 4
    for owner in (project, other):
        mine = UsageEvent.objects.filter(project=owner, organisation=owner.organisation)
        assert {each.api_key.project for each in mine if each.api_key} == {owner}
        assert mine.count() == 2
    assert open_store().check(Stretch()) == []


@pytest.mark.django_db
def test_the_same_event_twice_in_a_group_is_accepted_once_and_another_under_its_key_conflicts(key: str) -> None:
    sent, digest = event(idempotency_key="a"), digest_of(key)
    other = event(idempotency_key="a", metric_value=9)
    group = [Single(digest, each) for each in (sent, sent, other)]
    assert verdicts(group) == ["accepted", "duplicate", "conflict"]
    assert verdicts(group) == ["duplicate", "duplicate", "conflict"]
    assert UsageEvent.objects.get().metric_value == 1


@pytest.mark.django_db
def test_a_wrong_event_or_key_keeps_none_of_the_others_back(project: Project, alice: Any, key: str) -> None:
    good = digest_of(key)
    reader = digest_of(key_of(project, "usage:read"))
    persons = digest_of(issue_key(actor=SYSTEM, name="p", scopes=["events:write"], user=alice).secret)
    gone = issue_key(actor=SYSTEM, name="gone", scopes=["events:write"], project=project)
    revoke_key(actor=SYSTEM, key=gone.key)
    group = [
        Single(good, event()), Single(good, event(timestamp="2001-01-01T00:00:00Z")), Single(reader, event()),
        Single(persons, event()), Single(digest_of(gone.secret), event()), Single("0" * 64, event()),
        Single(good, event()),
    ]  # fmt: skip
    assert verdicts(group) == ["accepted", "rejected", None, None, None, None, "accepted"]
    assert UsageEvent.objects.count() == 2


@pytest.mark.django_db
def test_each_key_uses_the_subscriptions_it_is_bound_to_and_meters_read_each_event(project: Project) -> None:
    Meter.objects.create(code="people", metric_name="api.call", value_path="who", aggregation=Aggregation.UNIQUE)
    pages = Meter.objects.create(code="pages", metric_name="api.call", value_path="pages")
    secrets, subscriptions = [key_of(project), key_of(project), key_of(project)], []
    for secret in secrets[:2]:
        plan = Plan.objects.create(code=secret[5:13], name="Plan")
        holder = {"organisation": project.organisation, "status": SubscriptionStatus.ACTIVE}
        made = Subscription.objects.create(plan=plan, **holder)
        made.keys.create(api_key=ApiKey.objects.get(key_hash=digest_of(secret)))
        subscriptions.append(made)
    facts = {"who": "a", "pages": 3}
    assert verdicts([Single(digest_of(each), event(metadata=facts)) for each in secrets]) == ["accepted"] * 3
    found = UsageEvent.objects.values_list("api_key__key_hash", "subscription_id")
    assert dict(found) == {
        digest_of(secret): pk for secret, pk in zip(secrets, [*(each.pk for each in subscriptions), None], strict=True)
    }
    assert {each.total_value for each in UsageAggregate.objects.filter(meter=pages)} == {3}
    assert UsageDistinct.objects.count() == 3
    assert open_store().check(Stretch()) == []


@pytest.mark.django_db
def test_a_group_costs_as_many_statements_as_one_event(key: str, django_assert_max_num_queries: Any) -> None:
    digest = digest_of(key)
    take_singles([Single(digest, event())])
    with django_assert_max_num_queries(12):  # on SQLite, where sums are read and written apart
        assert verdicts([Single(digest, event()) for _each in range(20)]) == ["accepted"] * 20


# --- over HTTP -----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(
    "content",
    [
        body(idempotency_key="one"),
        [body(idempotency_key="one")],
        body(timestamp="2001-01-01T00:00:00Z"),
        [body(metric_value=-1)],
        {"metric_name": ""},
        [],
        "words",
    ],
)
def test_the_short_way_answers_as_the_usual_one_does(content: Any, project: Project) -> None:
    """Same status, same words, same headers; only what tells of languages and sessions it does not have."""
    short, usual = (send(key_of(make_project(f"Institute {n}")), content, how) for n, how in enumerate((None, USUAL)))
    assert (short.status_code, scrubbed(short)) == (usual.status_code, scrubbed(usual))
    told = {name: value for name, value in usual.headers.items() if name not in ("Vary", "Content-Language")}
    assert {name: short.headers.get(name) for name in told} | {"X-Request-ID": "", "Content-Length": ""} == {
        **told, "X-Request-ID": "", "Content-Length": "",
    }  # fmt: skip
    assert short.headers["Content-Length"] == str(len(short.content))
    assert short.headers["Content-Security-Policy"]


def scrubbed(answer: Any) -> Any:
    found = answer.json()
    for each in found.get("results", []):
        each.pop("id", None)
        each.pop("reason", None)  # names the moment
    return {**found, "title": ""}


@pytest.mark.django_db
def test_the_short_way_is_the_one_that_is_taken_and_it_is_counted_and_logged(
    key: str, project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counting(singles: list[Single]) -> Any:
        taken.append(len(singles))
        return take_singles(singles)

    monkeypatch.setattr("hpcbilling.express.groups", Groups(counting))
    caplog.set_level("INFO", "hpcbilling.request")
    name = "django_http_responses_total_by_status_view_method_total"
    labels = {"status": "202", "view": "api:usage:events", "method": "POST"}
    labels["view"] = Client().options(URL).wsgi_request.resolver_match.view_name
    before = REGISTRY.get_sample_value(name, labels) or 0
    for content in (body(), [body()]):
        assert send(key, content).status_code == 202
    assert taken == [1, 1]
    assert REGISTRY.get_sample_value(name, labels) == before + 2
    fields = caplog.records[-1].fields  # type: ignore[attr-defined]
    assert (fields["status"], fields["user"]) == (202, f"key:{ApiKey.objects.get().key_prefix}")
    for content in ([body(), body()], body(metadata={"a": "x" * 20_000}), {}):
        send(key, content)
    assert taken == [1, 1]


@pytest.mark.django_db
def test_a_revoked_key_is_refused_from_the_next_event_on(key: str) -> None:
    assert send(key, body()).status_code == 202
    revoke_key(actor=SYSTEM, key=ApiKey.objects.get())
    answer = send(key, body())
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_api_key")
    assert UsageEvent.objects.count() == 1


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused(key: str) -> None:
    answer = send(key, body(), {"Host": "evil.example"})
    assert (answer.status_code, UsageEvent.objects.count()) == (400, 0)


# --- at the same time ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_of_eight_that_send_the_same_event_one_is_accepted(key: str) -> None:
    sent = body()
    statuses = [answer.json()["results"][0]["status"] for answer in at_once(8, lambda _n: send(key, sent))]
    assert sorted(statuses) == ["accepted"] + ["duplicate"] * 7
    assert UsageEvent.objects.count() == 1
    assert open_store().check(Stretch()) == []


@contextmanager
def writers_held_up() -> Iterator[None]:
    """Whoever wants to store an event waits until this is over."""
    with transaction.atomic():  # on SQLite that is the lock
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE usage_event_keys, api_keys IN EXCLUSIVE MODE")
        yield


def in_one_group(key: str, contents: list[dict[str, Any]], meanwhile: Any = None) -> list[Any]:
    """Answers to events, of which the first leads alone and the others wait behind it, to be one group."""
    answers: dict[int, Any] = {}

    def run(number: int) -> None:
        try:
            answers[number] = send(key, contents[number])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(contents))]
    with writers_held_up():
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(lambda number=number: single_events.groups._led and len(single_events.groups._waiting) == number)
        if meanwhile:
            meanwhile()
    for thread in threads:
        thread.join(60)
    return [answers[number] for number in range(len(contents))]


def wait_for(what: Any) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, they wait for their group."""
    monkeypatch.setattr(single_events.groups, "_patience", 60)


@pytest.mark.django_db(transaction=True)
def test_those_that_wait_are_one_group_and_all_are_stored(key: str, patient: None) -> None:
    answers = in_one_group(key, [body() for _each in range(6)])
    assert [answer.json()["accepted"] for answer in answers] == [1] * 6
    ids = {answer.json()["results"][0]["id"] for answer in answers}
    assert {str(pk) for pk in UsageEvent.objects.values_list("pk", flat=True)} == ids
    assert open_store().check(Stretch()) == []


@pytest.fixture
def poisoned(transactional_db: None) -> Iterator[None]:
    """A database that cannot store one certain event, whatever the reason."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'poison'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER poison BEFORE INSERT ON usage_event_keys FOR EACH ROW"
                f" WHEN (NEW.idempotency_key = '{POISON}') EXECUTE FUNCTION refuse_poison()"
            )
        else:
            cursor.execute(
                "CREATE TRIGGER poison BEFORE INSERT ON usage_event_keys"
                f" WHEN NEW.idempotency_key = '{POISON}' BEGIN SELECT RAISE(ABORT, 'poison'); END"
            )
    yield
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TRIGGER poison ON usage_event_keys; DROP FUNCTION refuse_poison()")
        else:
            cursor.execute("DROP TRIGGER poison")


@pytest.mark.usefixtures("poisoned", "patient")
def test_an_event_that_breaks_its_group_takes_no_other_with_it(key: str) -> None:
    with pytest.raises(DatabaseError):
        take_singles([Single(digest_of(key), event()), Single(digest_of(key), event(idempotency_key=POISON))])
    assert UsageEvent.objects.count() == 0
    contents = [body(), body(), body(idempotency_key=POISON), body()]
    answers = in_one_group(key, contents)
    assert [answer.status_code for answer in answers] == [202, 202, 500, 202]
    stored = set(UsageEvent.objects.values_list("idempotency_key", flat=True))
    assert stored == {content["idempotency_key"] for content in contents} - {POISON}
    assert open_store().check(Stretch()) == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_cut_below_a_group_loses_nothing_and_nobody_is_told_what_is_not_so(
    key: str, patient: None
) -> None:
    send(key, body())  # when it was last used is noted: the first to come waits at the events, not at its key

    def cut() -> None:
        """First the one who leads alone; then the next, with all others behind it, and the first on its second try."""
        for number in (1, 2):
            wait_for(lambda number=number: waiting_connections("SELECT pid") == number)
            waiting_connections("SELECT pg_terminate_backend(pid)")

    contents = [body() for _each in range(5)]
    answers = in_one_group(key, contents, meanwhile=cut)
    assert [answer.status_code for answer in answers] == [503, 202, 202, 202, 202]
    told = [answer.json()["accepted"] + answer.json()["duplicate"] for answer in answers[1:]]
    assert told == [1] * 4
    stored = set(UsageEvent.objects.values_list("idempotency_key", flat=True))
    assert {content["idempotency_key"] for content in contents[1:]} <= stored
    assert contents[0]["idempotency_key"] not in stored
    assert open_store().check(Stretch()) == []


def waiting_connections(select: str) -> int:
    """How many connections wait for a lock that we hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{select} FROM pg_locks WHERE NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return len(cursor.fetchall())
