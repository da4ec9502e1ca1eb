"""What every store of events must do. A second store is added to ``EVENT_STORES``, and must pass this as it stands."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import Project
from core.periods import period_start
from tests.factories import make_project
from tests.races import at_once
from tests.usage.events import MOMENT, row
from usage import partitions
from usage.events.rows import Batch, Point, hash_of
from usage.events.store import EventStore, Stretch, open_store
from usage.models import Aggregation, Meter, UsageAggregate, UsageDistinct, UsageEvent

pytestmark = pytest.mark.django_db


@pytest.fixture(params=sorted(settings.EVENT_STORES))
def store(request: pytest.FixtureRequest) -> EventStore:
    return open_store(request.param)


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def sums(project: Project, **where: Any) -> dict[tuple[str, datetime], UsageAggregate]:
    found = UsageAggregate.objects.filter(project=project, **{"meter": None, **where})
    return {(each.period_type, each.period_start): each for each in found}


def test_an_event_is_kept_and_counted_in_its_hour_day_and_month(store: EventStore, project: Project) -> None:
    assert store.add(Batch([row(project, metric_value=Decimal("2.5"), unit="page")])) == ["accepted"]
    event = UsageEvent.objects.get()
    assert (event.metric_value, event.unit, event.timestamp) == (Decimal("2.5"), "page", MOMENT)
    bangkok = {
        ("hour", datetime(2026, 11, 10, 4, 0, tzinfo=UTC)),
        ("day", datetime(2026, 11, 9, 17, 0, tzinfo=UTC)),
        ("month", datetime(2026, 10, 31, 17, 0, tzinfo=UTC)),
    }
    found = sums(project)
    assert set(found) == bangkok
    assert {(each.total_value, each.event_count) for each in found.values()} == {(Decimal("2.5"), 1)}


def test_the_same_event_again_is_a_duplicate_and_counts_once(store: EventStore, project: Project) -> None:
    event = row(project, idempotency_key="a")
    assert store.add(Batch([event])) == ["accepted"]
    assert store.add(Batch([event, row(project)])) == ["duplicate", "accepted"]
    assert {each.event_count for each in sums(project).values()} == {2}


def test_another_event_under_a_key_is_a_conflict_also_in_another_month(store: EventStore, project: Project) -> None:
    store.add(Batch([row(project, idempotency_key="a")]))
    other = row(project, idempotency_key="a", timestamp=MOMENT - timedelta(days=31))
    assert store.add(Batch([other])) == ["conflict"]
    assert UsageEvent.objects.count() == 1


def test_the_same_key_of_another_project_is_another_event(store: EventStore, project: Project) -> None:
    neighbour = make_project("Other institute")
    assert store.add(Batch([row(project, idempotency_key="a")])) == ["accepted"]
    assert store.add(Batch([row(neighbour, idempotency_key="a")])) == ["accepted"]


def test_errors_tokens_and_latencies_are_added_up(store: EventStore, project: Project) -> None:
    calls = [
        row(
            project,
            model_id="m",
            status_code=200,
            latency_ms=100,
            request_tokens=10,
            response_tokens=5,
            cached_tokens=4,
        ),
        row(project, model_id="m", status_code=503, latency_ms=300, request_tokens=1, reasoning_tokens=0),
        row(project, model_id="m", is_late=True),
    ]
    store.add(Batch(calls))
    hour = sums(project)["hour", datetime(2026, 11, 10, 4, 0, tzinfo=UTC)]
    assert (hour.event_count, hour.error_count, hour.late_count) == (3, 1, 1)
    assert (hour.request_tokens, hour.response_tokens, hour.cached_tokens) == (11, 5, 4)
    assert (hour.latency_ms_sum, hour.latency_count) == (400, 2)


def test_the_last_value_is_that_of_the_latest_moment_whatever_came_first(store: EventStore, project: Project) -> None:
    late = row(project, metric_value=Decimal(7), timestamp=MOMENT + timedelta(minutes=5))
    store.add(Batch([late]))
    store.add(Batch([row(project, metric_value=Decimal(9))]))
    month = sums(project)["month", datetime(2026, 10, 31, 17, 0, tzinfo=UTC)]
    assert (month.latest_value, month.latest_at) == (Decimal(7), late.timestamp)
    assert (month.min_value, month.max_value, month.total_value) == (Decimal(7), Decimal(9), Decimal(16))


def test_quantities_stay_exact(store: EventStore, project: Project) -> None:
    large, small = Decimal("999999999999999999999.999999999"), Decimal("0.000000001")
    store.add(Batch([row(project, metric_value=large)]))
    store.add(Batch([row(project, metric_value=small), row(project, metric_value=small)]))
    total = Decimal("1000000000000000000000.000000001")
    assert {each.total_value for each in sums(project).values()} == {total}


def test_what_meters_read_has_sums_of_its_own(store: EventStore, project: Project) -> None:
    pages = Meter.objects.create(code="pages", metric_name="api.call", value_path="pages")
    people = Meter.objects.create(
        code="people", metric_name="api.call", value_path="who", aggregation=Aggregation.UNIQUE
    )
    rows = [row(project, metadata='{"pages":3,"who":"a"}'), row(project, metadata='{"pages":4,"who":"a"}')]
    points = [Point(0, pages.pk, Decimal(3)), Point(1, pages.pk, Decimal(4))]
    points += [Point(n, people.pk, Decimal(0), hash_of("a")) for n in (0, 1)]
    store.add(Batch(rows, points))
    assert {each.total_value for each in sums(project, meter=pages).values()} == {Decimal(7)}
    assert UsageDistinct.objects.filter(meter=people).count() == 1
    assert store.check(Stretch()) == []


def test_points_of_duplicates_do_not_count(store: EventStore, project: Project) -> None:
    pages = Meter.objects.create(code="pages", metric_name="api.call", value_path="pages")
    event = row(project, metadata='{"pages":3}')
    for _each in range(2):
        store.add(Batch([event], [Point(0, pages.pk, Decimal(3))]))
    assert {each.total_value for each in sums(project, meter=pages).values()} == {Decimal(3)}


def test_nothing_of_a_batch_is_kept_when_one_row_cannot_be(store: EventStore, project: Project) -> None:
    broken = row(project)._replace(project_id=10**9)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        from django.db import connection, transaction

        with transaction.atomic():
            store.add(Batch([row(project), broken]))
            connection.check_constraints()
    assert not UsageEvent.objects.exists()
    assert not UsageAggregate.objects.exists()


def test_a_check_finds_what_was_changed_behind_its_back(store: EventStore, project: Project) -> None:
    store.add(Batch([row(project), row(project, unit="page")]))
    assert store.check(Stretch()) == []
    changed = UsageAggregate.objects.filter(period_type="day", unit="page").get()
    UsageAggregate.objects.filter(pk=changed.pk).update(total_value=Decimal(5))
    (difference,) = store.check(Stretch())
    assert "day" in difference.series
    assert "5" in difference.stored
    assert store.check(Stretch(month=date(2026, 10, 1))) == []
    assert len(store.check(Stretch(month=date(2026, 11, 1), organisation_id=project.organisation_id))) == 1


def test_a_rebuild_makes_the_same_figures_again(store: EventStore, project: Project) -> None:
    Meter.objects.create(code="pages", metric_name="api.call", value_path="a.pages")
    Meter.objects.create(code="people", metric_name="api.call", value_path="who", aggregation=Aggregation.UNIQUE)
    Meter.objects.create(code="values", metric_name="api.call", aggregation=Aggregation.UNIQUE)
    texts = ['{"a":{"pages":3},"who":"ก"}', '{"a":{"pages":"1.50"},"who":7}', '{"a":{"pages":-1},"who":true}', "{}"]
    rows = [
        row(project, metadata=text, timestamp=MOMENT - timedelta(days=9 * n), latency_ms=n, status_code=200 + 100 * n)
        for n, text in enumerate(texts)
    ]
    store.add(Batch(rows))  # without points, as events have been that are older than the meters
    assert store.check(Stretch()) != []
    assert store.rebuild(Stretch()) > 0
    assert store.check(Stretch()) == []
    before = list(UsageAggregate.objects.order_by("metric_name", "meter", "period_type", "period_start").values())
    store.rebuild(Stretch(month=date(2026, 11, 1)))
    after = list(UsageAggregate.objects.order_by("metric_name", "meter", "period_type", "period_start").values())
    drop = ("id", "updated_at")
    assert [{k: v for k, v in each.items() if k not in drop} for each in before] == [
        {k: v for k, v in each.items() if k not in drop} for each in after
    ]


def test_figures_are_those_of_a_hand_made_sum_whatever_order_and_batches(store: EventStore, project: Project) -> None:
    dice = random.Random(7)
    zone = project.organisation.zone
    rows = [
        row(
            project,
            metric_value=Decimal(dice.randrange(10**9)) / 10**6,
            timestamp=MOMENT + timedelta(minutes=dice.randrange(-20_000, 20_000)),
            metric_name=dice.choice(["a", "b"]),
        )
        for _each in range(200)
    ]
    expected: dict[Any, Decimal] = defaultdict(Decimal)
    for each in rows:
        for kind in ("hour", "day", "month"):
            expected[each.metric_name, kind, period_start(kind, each.timestamp, zone)] += each.metric_value
    dice.shuffle(rows)
    while rows:
        size = dice.randrange(1, 60)
        store.add(Batch(rows[:size]))
        rows = rows[size:]
    found = {
        (each.metric_name, each.period_type, each.period_start): each.total_value
        for each in UsageAggregate.objects.all()
    }
    assert found == dict(expected)
    assert store.check(Stretch()) == []


ZONES = ("Asia/Bangkok", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago")


@pytest.mark.parametrize("zone", ZONES)
@hypothesis_settings(max_examples=25)
@given(minutes=st.lists(st.integers(0, 525_600), min_size=1, max_size=30))
def test_periods_begin_as_the_zone_has_it(store: EventStore, zone: str, minutes: list[int]) -> None:
    """Both ways of adding up, and the calendar, agree on the days on which clocks change, too."""
    project = make_project(f"In {zone}", time_zone=zone)
    UsageAggregate.objects.all().delete()
    UsageEvent.objects.all().delete()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [row(project, timestamp=start + timedelta(minutes=each)) for each in minutes]
    store.add(Batch(rows))
    wanted = {
        (kind, period_start(kind, each.timestamp, project.organisation.zone))
        for each in rows
        for kind in ("hour", "day", "month")
    }
    assert set(sums(project)) == wanted
    assert store.check(Stretch()) == []


@pytest.mark.django_db(transaction=True)
def test_of_many_who_send_the_same_at_once_one_is_accepted(store: EventStore, project: Project) -> None:
    rows = [row(project, idempotency_key=f"k{n}") for n in range(40)]

    def send(number: int) -> list[str]:
        mine = rows[:]
        random.Random(number).shuffle(mine)
        return open_store().add(Batch(mine))

    verdicts = [verdict for some in at_once(8, send) for verdict in some]
    assert (verdicts.count("accepted"), verdicts.count("duplicate")) == (40, 280)
    store.fold()
    assert sum(each.event_count for each in UsageAggregate.objects.filter(period_type="month")) == 40
    assert store.check(Stretch()) == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_slots_are_folded_when_nobody_writes(store: EventStore, project: Project) -> None:
    """Two writers at once take two slots; readers add them up, and later they are one row again."""
    from django.db import connections, transaction

    first = connections["default"]
    partitions.ensure({partitions.month_of(row(project).timestamp)})  # whoever makes one keeps others waiting
    with transaction.atomic():
        store.add(Batch([row(project)]))

        def other(_number: int) -> list[str]:
            return open_store().add(Batch([row(project)]))

        at_once(1, other)
        assert first.in_atomic_block
    assert sorted(UsageAggregate.objects.filter(period_type="day").values_list("slot", flat=True)) == [0, 1]
    assert store.check(Stretch()) == []
    assert store.fold() == 0  # too fresh
    UsageAggregate.objects.update(updated_at=MOMENT)
    assert store.fold() == 3
    assert {each.event_count for each in sums(project).values()} == {2}
    assert store.check(Stretch()) == []
