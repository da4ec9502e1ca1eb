"""Windows that follow what Slurm can answer; every record once; how far a cluster has been read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine

from core.errors import Unavailable, UsageError
from usage.batches import Batch, table_of
from usage.models import Cluster
from usage.parsing import JobId, Tres
from usage.records import BadRow, Draft, JobRecord, build
from usage.services import opening
from usage.sources.base import UsageSource
from usage.sources.windows import LEAST, MOST, Answer, Once, TooMuch, spoken, walk

START = datetime(2026, 9, 30, 17, 0, tzinfo=UTC)  # midnight in Bangkok
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Windows = list[tuple[datetime, datetime]]


def record(job: int, end: datetime | None, start: datetime | None = None) -> JobRecord:
    began = int((start or START).timestamp())
    return build(
        Draft(
            cluster="c1", job_id=job, display=JobId(job), job_id_display=str(job), username="alice", account="physics",
            state="COMPLETED" if end else "RUNNING", submit=began, start=began,
            end=int(end.timestamp()) if end else None, elapsed=10, billed=Tres(), requested=Tres(),
        )
    )  # fmt: skip


class Slurm:
    """Answers windows as slurmdbd does: whatever overlaps, both ends included. ``refuse`` says what is too much."""

    def __init__(self, *records: JobRecord, refuse: Callable[[timedelta], str] = lambda _size: "") -> None:
        self.records, self.refuse = records, refuse
        self.asked: Windows = []
        self.rows_a_day = 0

    def __call__(self, start: datetime, end: datetime) -> Answer:
        self.asked.append((start, end))
        if why := self.refuse(end - start):
            raise TooMuch(why)
        first, last = start.timestamp(), end.timestamp()
        shown = [
            each
            for each in self.records
            if (each.start_at or 0) <= last and (each.end_at is None or each.end_at >= first)
        ]
        steps = self.rows_a_day * ((end - start) // HOUR) // 24
        return Answer((Batch(table_of(shown), steps),))

    @property
    def sizes(self) -> list[timedelta]:
        return [end - start for start, end in self.asked]


def told(slurm: Slurm, end: datetime, *, rows: int = 1000) -> list[Batch]:
    return list(walk(START, end, slurm, rows=rows, quick=60))


def keys(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.jobs["job_key"].to_pylist()]


# --- how long a window is ------------------------------------------------------
def test_windows_begin_with_a_day_and_double_up_to_a_month_without_gap_or_overlap() -> None:
    slurm = Slurm()
    end = START + timedelta(days=120)
    told(slurm, end)
    assert [size.days for size in slurm.sizes] == [1, 2, 4, 8, 16, 31, 31, 27]
    assert (slurm.asked[0][0], slurm.asked[-1][1]) == (START, end)
    assert all(first[1] == second[0] for first, second in pairwise(slurm.asked))


def test_a_busy_cluster_is_read_in_windows_that_hold_as_much_as_is_wanted() -> None:
    slurm = Slurm()
    slurm.rows_a_day = 300
    told(slurm, START + timedelta(days=20))
    assert [size.days for size in slurm.sizes] == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1], "4 days would be over 1,000"
    slurm = Slurm()
    slurm.rows_a_day = 4800
    told(slurm, START + 2 * DAY)
    assert min(slurm.sizes) == 3 * HOUR, "after a rich answer the next window is shorter"


def test_what_is_too_much_is_asked_again_in_halves_and_windows_grow_when_it_is_over() -> None:
    slurm = Slurm(refuse=lambda size: "too slow." if size > 4 * HOUR and len(slurm.asked) < 8 else "")
    told(slurm, START + 3 * DAY)
    assert slurm.sizes[:4] == [DAY, 12 * HOUR, 6 * HOUR, 3 * HOUR]
    assert slurm.asked[0][0] == slurm.asked[3][0] == START
    assert slurm.sizes[-2] > 4 * HOUR
    answered = [
        window for window in slurm.asked if not (window[1] - window[0] > 4 * HOUR and slurm.asked.index(window) < 7)
    ]
    assert all(first[1] == second[0] for first, second in pairwise(answered))


def test_an_answer_that_was_slow_or_large_lets_no_window_grow() -> None:
    asked: Windows = []

    def ask(start: datetime, end: datetime) -> Answer:
        asked.append((start, end))
        return Answer((), small=False)

    list(walk(START, START + 4 * DAY, ask, rows=1000, quick=60))
    assert len(asked) == 4
    list(walk(START, START + 4 * DAY, Slurm(), rows=1000, quick=0))
    assert len(asked) == 4


def test_the_shortest_window_that_is_still_too_much_is_named() -> None:
    slurm = Slurm(refuse=lambda _size: "Slurm did not answer.")
    with pytest.raises(
        Unavailable, match=r"Slurm did not answer\. The window was 2026-10-01 00:00 to 2026-10-01 00:15;"
    ):
        told(slurm, START + 3 * DAY)
    assert min(slurm.sizes) == LEAST
    assert len(slurm.asked) == 8
    assert timedelta(days=31) == MOST


def test_a_short_window_is_not_cut_at_all() -> None:
    slurm = Slurm(refuse=lambda _size: "late.")
    with pytest.raises(Unavailable, match=r"2026-10-01 00:00:00 to 2026-10-01 00:00:01"):
        told(slurm, START + timedelta(seconds=1))
    assert len(slurm.asked) == 1


# --- one record once -----------------------------------------------------------
def test_each_record_is_told_once_by_the_window_its_end_lies_in() -> None:
    end = START + 7 * DAY
    records = [
        record(1, START),
        record(2, START + DAY),  # on the border of the first two windows
        record(3, START + DAY - timedelta(seconds=1)),
        record(4, START + 6 * DAY),  # in all three
        record(5, None),
        record(6, end),  # not in the walk
        record(7, START - timedelta(seconds=1), START - DAY),  # nor this one: Slurm does not show it
        record(8, end - timedelta(seconds=1), START + 5 * DAY),
    ]
    batches = told(Slurm(*records), end)
    assert sorted(keys(batches)) == sorted(each.job_key for each in records if each.job_id != 7)
    by_window = [set(batch.jobs["job_id"].to_pylist()) for batch in batches]
    assert by_window == [{1, 3, 5, 6}, {2}, {4, 8}]


def test_memory_is_that_of_what_has_not_ended() -> None:
    once = Once(START, START + DAY)
    ended = [record(job, START + timedelta(minutes=job)) for job in range(1, 500)]
    running = [record(job, None) for job in range(1000, 1003)]
    for _ in range(2):
        once.part(Batch(table_of(ended + running)), START, START + DAY, 1.0)
    assert len(once._seen) == 3


def test_a_refused_row_is_refused_once_and_steps_pass() -> None:
    once = Once(START, START + DAY)
    parts = [
        once.part(Batch(table_of(()), 2, [BadRow(line, "same text", "no_user")]), START, START + DAY, 0.5)
        for line in (1, 9)
    ]
    assert [(part.steps, len(part.refused)) for part in parts] == [(2, 1), (2, 0)]


def test_the_instant_between_two_seconds_belongs_to_one_window() -> None:
    half = timedelta(microseconds=500_000)
    once = Once(START, START + DAY)
    batch = Batch(table_of([record(1, START + HOUR), record(2, START + HOUR + timedelta(seconds=1))]))
    first = once.part(batch, START, START + HOUR + half, 0.5)
    second = once.part(batch, START + HOUR + half, START + DAY, 1.0)
    assert [keys([first]), keys([second])] == [[record(1, START).job_key], [record(2, START).job_key]]


# --- how far it has come -------------------------------------------------------
def test_every_window_says_where_it_is_and_how_much_is_done_also_without_jobs() -> None:
    batches = told(Slurm(), START + 7 * DAY)
    assert [(batch.where, batch.done) for batch in batches] == [
        ("2026-10-01 00:00 to 2026-10-02 00:00", 1 / 7),
        ("2026-10-02 00:00 to 2026-10-04 00:00", 3 / 7),
        ("2026-10-04 00:00 to 2026-10-08 00:00", 1),
    ]
    assert spoken(START, START + HOUR) == "2026-10-01 00:00 to 2026-10-01 01:00"


def test_only_the_last_batch_of_a_window_completes_it() -> None:
    parts = [Batch(table_of([record(job, START + HOUR)])) for job in (1, 2, 3)]
    assert [batch.done for batch in walk(START, START + DAY, lambda _a, _b: Answer(iter(parts)), rows=9, quick=9)] == [
        0,
        0,
        1,
    ]


# --- without dates -------------------------------------------------------------
NOW = datetime(2026, 11, 20, 15, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def request(**changes: Any) -> Any:
    asked = opening.make_request(file="", start=None, end=None, user="", cluster="bench", delimiter="", zone="UTC")
    return replace(asked, **changes)


class Told(UsageSource):
    key, live = "sacct", True

    def check(self) -> None: ...

    def batches(self) -> Any: ...


def mark(cluster: str = "bench") -> datetime | None:
    return Cluster.objects.get(name=cluster).read_until


@pytest.fixture
def bench() -> Cluster:
    return Cluster.objects.create(name="bench")


@time_machine.travel(NOW, tick=False)
def test_the_first_look_goes_back_thirty_days_and_later_ones_an_overlap_before_what_was_read(
    bench: Cluster, settings: Any
) -> None:
    window = opening.with_window(request())
    assert (NOW - window.start, window.end, window.asked_at) == (
        30 * DAY - timedelta(seconds=1),
        NOW + timedelta(seconds=1),
        NOW,
    )
    opening.note_read(cluster="bench", source=Told(window))
    assert mark() == NOW
    assert opening.with_window(request()).start == NOW - 2 * DAY
    settings.USAGE_OVERLAP_DAYS = 0
    assert opening.with_window(request()).start == NOW
    assert opening.with_window(request(cluster="other", only_cluster="other")).start == window.start


@time_machine.travel(NOW, tick=False)
def test_a_site_that_does_not_name_its_cluster_goes_on_from_where_its_clusters_were_read(bench: Cluster) -> None:
    Cluster.objects.filter(pk=bench.pk).update(read_until=NOW - DAY)
    Cluster.objects.create(name="other", read_until=NOW - 5 * DAY)
    assert opening.with_window(request(cluster="cluster", only_cluster="")).start == NOW - 7 * DAY
    assert opening.with_window(request(cluster="bench", only_cluster="")).start == NOW - 3 * DAY


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ({}, True),
        ({"user": "alice"}, False),
        ({"start": NOW - HOUR}, False),  # ten days before it were not read
        ({"start": NOW - 40 * DAY, "end": NOW - 20 * DAY}, False),  # it never falls
        ({"start": NOW - 40 * DAY, "end": NOW - 5 * DAY}, True),
        ({"end": NOW + 9 * DAY}, True),  # but not into the future
    ],
)
def test_only_a_window_that_was_read_whole_and_joins_the_last_one_moves_the_mark(
    bench: Cluster, changes: dict[str, Any], moves: bool
) -> None:
    before = NOW - 10 * DAY
    Cluster.objects.filter(pk=bench.pk).update(read_until=before)
    source = Told(opening.with_window(request(**changes)))
    opening.note_read(cluster="bench", source=source)
    assert mark() == (min(NOW, changes.get("end", NOW)) if moves else before)
    source.whole = False
    Cluster.objects.filter(pk=bench.pk).update(read_until=before)
    opening.note_read(cluster="bench", source=source)
    assert mark() == before


def test_a_file_moves_no_mark(bench: Cluster) -> None:
    source = Told(request(start=START, end=START + DAY))
    opening.note_read(cluster="bench", source=source)
    assert mark() is None, "its window was not fixed by a live source"


def test_a_window_that_ends_before_it_starts_is_refused(bench: Cluster) -> None:
    with pytest.raises(UsageError, match="empty"):
        opening.with_window(request(start=NOW, end=NOW - DAY))


def test_a_size_that_was_too_much_is_not_tried_again_soon() -> None:
    slurm = Slurm(refuse=lambda size: "too slow." if size > 2 * HOUR else "")
    list(walk(START, START + 3 * DAY, slurm, rows=1000, quick=10))
    refused = [window for window in slurm.asked if window[1] - window[0] > 2 * HOUR]
    assert len(slurm.asked) - len(refused) >= 36, "everything was read"
    assert len(refused) <= 4 + 60 // 8, "a day, 12 and 6 and 3 hours; then one try after every eight good answers"
