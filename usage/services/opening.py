"""Which source, which window: from what was asked to the first row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from core import registry
from core.errors import AppError, BadInput, Misconfigured, Unavailable, UsageError
from core.words.said import lines, say
from usage import clusters
from usage.models import Cluster
from usage.sources import connections
from usage.sources.base import SourceRequest, UsageSource

if TYPE_CHECKING:
    from usage.batches import Batch

AUTO = "auto"
SLURMS = ("slurmrestd", "sacct")  # their settings are those of each cluster (``usage.sources.connections``)
FIRST_LOOK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that has answered. ``cluster`` is the name under which the run is locked."""

    source: UsageSource
    batches: Iterator[Batch]
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
        zone_of=zones(zone),
        zone=zone,
        cluster=(cluster or settings.SLURM_CLUSTER).lower(),
        only_cluster=cluster.lower(),
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


def zones(given: str = "") -> Callable[[str], ZoneInfo]:
    """Zone of local times by cluster: the one that was given, else the cluster's, else the site's.

    Read once, here: sources run in a thread that must not touch the database.
    """
    own = {} if given else dict(Cluster.objects.exclude(timezone="").values_list("name", "timezone"))
    return lambda cluster: check_zone(given or own.get(cluster) or settings.TIME_ZONE)


def source_of(cluster: str) -> str:
    """What ``auto`` means for a cluster: the source that is chosen for it, or the chain."""
    chosen = Cluster.objects.filter(name=cluster).values_list("source", flat=True).first()
    return chosen or AUTO


SOURCE_HELP = "where the usage is read (default: auto, as docs/slurm.md says)"


def choices() -> tuple[str, ...]:
    """What may be asked for by name."""
    return (AUTO, *settings.USAGE_SOURCES)


def further_sources(cluster: str) -> Iterator[str]:
    """Live sources beside those of Slurm for which nothing is missing, in the order in which they are tried."""
    request = SourceRequest(zone_of=zones("UTC"), cluster=cluster)
    for key in settings.USAGE_SOURCES:
        factory = registry.load("USAGE_SOURCES", key)
        if key in SLURMS or not factory.live:
            continue
        with suppress(AppError):
            factory(request).check()
            yield key


def open_source(key: str, request: SourceRequest) -> Opened:
    """Start the named source, or with ``auto`` the cluster's own, else the first of ``USAGE_SOURCES`` that answers.

    A file asks nobody else.
    """
    if key == AUTO:
        key = "csv" if request.file else source_of(request.cluster)
    if key != AUTO:
        return _open(key, request, [])
    notes: list[str] = []
    for name in settings.USAGE_SOURCES:
        try:
            return _open(name, request, notes)
        except Misconfigured as error:
            words = gettext_noop("%(source)s passed over: not configured. %(why)s")
            notes.append(say(words, source=name, why=error.message))
        except (Unavailable, BadInput, UsageError) as error:
            notes.append(say(gettext_noop("%(source)s passed over: %(why)s"), source=name, why=error.message))
    raise Unavailable(lines([say(gettext_noop("No usage source answered.")), *notes]), notes=notes)


def _open(key: str, request: SourceRequest, notes: list[str]) -> Opened:
    """A source is open once its first rows have come (or it has truly answered with none)."""
    factory = registry.load("USAGE_SOURCES", key)
    if factory.live and request.file:
        raise UsageError(_("--file goes with the source csv, not with %(source)s.") % {"source": key})
    source: UsageSource = factory(with_window(request) if factory.live else _with_file(request))
    source.check()
    batches = source.batches()
    held: list[Batch] = []
    try:
        for batch in batches:
            held.append(batch)
            if len(batch):
                break
    except AppError as error:
        error.details.setdefault("source", key)
        raise
    named = next((batch.jobs["cluster"][0].as_py() for batch in held if len(batch.jobs)), "")
    return Opened(source, _all(held, batches), request.only_cluster or named or request.cluster, notes)


def _all(held: list[Batch], batches: Iterator[Batch]) -> Iterator[Batch]:
    """A generator, so that closing it closes the source."""
    yield from held
    held.clear()
    yield from batches


def _with_file(request: SourceRequest) -> SourceRequest:
    """The file that was given, else the cluster's own."""
    if request.file or not settings.SLURM_CLUSTERS:
        return request
    if file := connections.fallback_csv(request.cluster):
        return replace(request, file=file)
    words = _("No file to read: give --file or set %(name)s.")
    raise Misconfigured(words % {"name": clusters.variable("FALLBACK_CSV", request.cluster)})


# --- the window of a live source ------------------------------------------------
def with_window(request: SourceRequest) -> SourceRequest:
    """Both ends. Without dates: from some days before what has been read (jobs are known late), until now.

    Raises ``UsageError`` for an empty window, ``Misconfigured`` for a cluster that is not configured.
    """
    connections.check_cluster(request.cluster)
    now = timezone.now().replace(microsecond=0)
    end = request.end or now + timedelta(seconds=1)
    start = request.start
    if start is None:
        mark = _read_until(request)
        overlap = timedelta(days=settings.USAGE_OVERLAP_DAYS)
        start = min(mark, end) - overlap if mark else end - FIRST_LOOK
    if start >= end:
        raise UsageError(_("The window is empty: its start is not before its end."))
    return replace(request, start=start.astimezone(UTC), end=end.astimezone(UTC), asked_at=now)


def _read_until(request: SourceRequest) -> datetime | None:
    mark = Cluster.objects.filter(name=request.cluster).values_list("read_until", flat=True).first()
    if mark is None and not request.only_cluster:
        # SLURM_CLUSTER may be unset while the source names its clusters itself.
        mark = Cluster.objects.aggregate(oldest=Min("read_until"))["oldest"]
    return mark


def note_read(*, cluster: str, source: UsageSource) -> None:
    """Remember how far ``cluster`` (``Opened.cluster``) has been read.

    Call it in the transaction that finishes a good run, never for a dry one. The mark only ever
    rises. It stays where it is for a file, for a run of one user, where the source may have
    held jobs back, and for a window that begins after it: what lies between has not
    been read. It never passes the moment of asking.
    """
    request = source.request
    if not (source.live and source.whole and request.start and request.end and request.asked_at) or request.user:
        return
    until = min(request.end, request.asked_at)
    Cluster.objects.filter(
        Q(read_until__isnull=True) | Q(read_until__gte=request.start, read_until__lt=until), name=cluster
    ).update(read_until=until)
