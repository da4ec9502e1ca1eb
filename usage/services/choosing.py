"""Which records of a batch go on to the database: asked for, once each, marked when implausible."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from usage.batches import frame_of
from usage.models import Hold, QuarantinedRow, ReviewStatus
from usage.records import CLOCK_SLACK, BadRow, clean
from usage.services.quarantine import digest
from usage.sources.base import SourceRequest

DAY = 86_400


def wanted(jobs: pa.Table, request: SourceRequest, left_out: Counter[str]) -> pa.Table:
    """Leave out what was not asked for; it is named in a note (``left_out``), not counted as read."""
    if request.only_cluster:
        jobs = _keep(jobs, pc.equal(jobs["cluster"], request.only_cluster), "cluster", left_out)
    if request.user:
        jobs = _keep(jobs, pc.equal(jobs["username"], request.user), "user", left_out)
    ended = jobs["end_at"]
    if request.start:
        # Whole seconds on both sides: End < start is the same as End < the next whole second.
        before = pc.less(ended, -int(-request.start.timestamp() // 1))
        jobs = _keep(jobs, pc.invert(pc.fill_null(before, False)), "window", left_out)
        ended = jobs["end_at"]
    if request.end:
        after = pc.greater_equal(ended, -int(-request.end.timestamp() // 1))
        jobs = _keep(jobs, pc.invert(pc.fill_null(after, False)), "window", left_out)
    return jobs


def _keep(jobs: pa.Table, mask: pa.ChunkedArray, why_not: str, left_out: Counter[str]) -> pa.Table:
    kept = jobs.filter(mask)
    if len(kept) < len(jobs):
        left_out[why_not] += len(jobs) - len(kept)
    return kept


def ended_by(jobs: pa.Table, now: datetime) -> tuple[pa.Table, list[BadRow]]:
    """What has ended by ``now``, or has not ended, and as refused what says that it ends later: a clock or a time zone
    is wrong there, and nothing is billed before it was used."""
    latest = int(now.timestamp()) + CLOCK_SLACK
    later = pc.fill_null(pc.greater(jobs["end_at"], latest), False)
    if not pc.any(later).as_py():
        return jobs, []
    return jobs.filter(pc.invert(later)), as_refusals(jobs.filter(later), "in_future")


def without_decided(jobs: pa.Table, source: str) -> pa.Table:
    """Without records that somebody decided about while they ended in the future: alone of all reasons that one passes
    by itself, and the decision stands."""
    decided = QuarantinedRow.objects.filter(reason="in_future").exclude(status=ReviewStatus.OPEN)
    names = dict(decided.values_list("raw_sha256", "job_id_display"))
    if not names:
        return jobs
    maybe = pc.is_in(jobs["job_id_display"], pa.array(sorted(set(names.values()))))
    there = [
        is_one and digest(source, clean(raw.as_py())) in names
        for is_one, raw in zip(maybe.to_pylist(), jobs["raw"], strict=True)
    ]
    return jobs.filter(pc.invert(pa.array(there, pa.bool_()))) if any(there) else jobs


def values(jobs: pa.Table, name: str) -> set[str]:
    """The different texts of a column."""
    return set(pc.unique(jobs[name]).to_pylist())


def last_end(jobs: pa.Table, before: int | None) -> int | None:
    """The newest of the ends, in seconds since 1970, and of one that was found ``before``; None without any."""
    newest: int | None = pc.max(jobs["end_at"]).as_py() if len(jobs) else None
    return max((each for each in (newest, before) if each is not None), default=None)


def last_of_each(jobs: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """One record a key, and the verdicts of the others. The last wins, but "not ended" never replaces "ended"."""
    verdicts: Counter[str] = Counter()
    if not len(jobs) or len(pc.unique(jobs["job_key"])) == len(jobs):
        return jobs, verdicts
    keyed = frame_of(jobs.select(["job_key", "end_at"]))
    keyed["ended"] = keyed["end_at"].notna()
    # A stable sort puts ended records last and keeps their order: the last of each key is the winner.
    order = keyed.sort_values("ended", kind="stable")
    losers = order.index[order["job_key"].duplicated(keep="last")]
    is_open = int((~keyed.loc[losers, "ended"]).sum())
    verdicts.update(pending=is_open, duplicate=len(losers) - is_open)
    keep = keyed.index.difference(losers)
    return jobs.take(pa.array(keep.to_numpy())), verdicts


def with_hold(jobs: pa.Table) -> pa.Table:
    """Add ``hold``: a record longer than any real job is shown to finance before it is billed."""
    limit = settings.USAGE_RUNAWAY_DAYS * DAY
    hold = pc.if_else(pc.greater(jobs["elapsed_seconds"], limit), Hold.RUNAWAY.value, Hold.NONE.value)
    return jobs.append_column("hold", hold)


def as_refusals(jobs: pa.Table, reason: str) -> list[BadRow]:
    names = ("raw", "job_key", "job_id_display", "username")
    return [
        BadRow(0, row["raw"], reason, row["job_key"], row["job_id_display"], row["username"])
        for row in jobs.select(names).to_pylist()
    ]
