"""Which source, which window: from what was asked to the first row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from core import registry
from core.errors import AppError, BadInput, Misconfigured, Unavailable, UsageError
from usage.models import Cluster, Job
from usage.records import Item, JobRecord
from usage.sources.base import SourceRequest, UsageSource

AUTO = "auto"
LIVE = ("slurmrestd", "sacct")
CHAIN = (*LIVE, "csv")
OVERLAP = timedelta(days=2)
FIRST_LOOK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that has answered. ``cluster`` is the name under which the run is locked."""

    source: UsageSource
    items: Iterator[Item]
    cluster: str
    notes: list[str]


def make_request(
    *, file: str, start: datetime | None, end: datetime | None, user: str, cluster: str, delimiter: str, zone: str
) -> SourceRequest:
    """Check what was asked. Raises ``UsageError``."""
    if start is not None and end is not None and start >= end:
        raise UsageError(_("The window is empty: its start is not before its end."))
    if zone:
        check_zone(zone)
    return SourceRequest(
        zone_of=lambda name: zone_of(name, zone),
        cluster=cluster or settings.SLURM_CLUSTER,
        only_cluster=cluster,
        start=start,
        end=end,
        user=user,
        file=file,
        delimiter=delimiter,
    )


def check_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            _("%(name)r is not a time zone; write one such as Asia/Bangkok or UTC.") % {"name": name}
        ) from error


def zone_of(cluster: str, given: str = "") -> ZoneInfo:
    """Zone of local times: the one that was given, else the cluster's, else the site's."""
    if not given:
        given = Cluster.objects.filter(name=cluster).values_list("timezone", flat=True).first() or ""
    return check_zone(given or settings.TIME_ZONE)


def open_source(key: str, request: SourceRequest) -> Opened:
    """Start the named source, or with ``auto`` the first of the chain that answers; a file needs no chain."""
    if key == AUTO and request.file:
        key = "csv"
    if key != AUTO:
        return _open(key, request, [])
    notes: list[str] = []
    for name in CHAIN:
        try:
            return _open(name, request, notes)
        except Misconfigured as error:
            notes.append(_("%(source)s passed over: not configured. %(why)s") % {"source": name, "why": error})
        except (Unavailable, BadInput, UsageError) as error:
            notes.append(_("%(source)s passed over: %(why)s") % {"source": name, "why": error})
    raise Unavailable(_("No usage source answered.") + "\n" + "\n".join(notes), notes=notes)


def _open(key: str, request: SourceRequest, notes: list[str]) -> Opened:
    """A source is open once its first row has come (or it has truly answered with none)."""
    factory = registry.load("USAGE_SOURCES", key)
    if factory.live and request.file:
        raise UsageError(_("--file goes with the source csv, not with %(source)s.") % {"source": key})
    source: UsageSource = factory(with_window(request) if factory.live else request)
    source.check()
    items = source.rows()
    try:
        first = next(items, None)
    except AppError as error:
        error.details.setdefault("source", key)
        raise
    cluster = request.only_cluster or (first.cluster if isinstance(first, JobRecord) else request.cluster)
    return Opened(source, items if first is None else chain((first,), items), cluster, notes)


def with_window(request: SourceRequest) -> SourceRequest:
    """Without dates: from two days before the newest end that is stored (jobs end after one looked), until now."""
    end = request.end or timezone.now().replace(microsecond=0) + timedelta(seconds=1)
    start = request.start
    if start is None:
        newest = _newest_end(request)
        start = min(newest, end) - OVERLAP if newest else end - FIRST_LOOK
    if start >= end:
        raise UsageError(_("The window is empty: its start is not before its end."))
    return replace(request, start=start.astimezone(UTC), end=end.astimezone(UTC))


def _newest_end(request: SourceRequest) -> datetime | None:
    jobs = Job.objects.filter(cluster=request.cluster)
    if not request.only_cluster and not jobs.exists():
        # SLURM_CLUSTER may be unset while the source names its cluster itself.
        jobs = Job.objects.filter(source__in=LIVE)
    newest: datetime | None = jobs.aggregate(newest=Max("end_at"))["newest"]
    return newest
