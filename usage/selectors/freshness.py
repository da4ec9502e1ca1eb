"""How far usage is known: the moment up to which the ended jobs have been read."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Max, Q, QuerySet

from usage.models import ImportRun, ImportStatus
from usage.services.quarantine import SOURCE as RELEASED

GOOD = (ImportStatus.DONE, ImportStatus.PARTIAL)


def good_runs() -> QuerySet[ImportRun]:
    """Imports that did not fail; a row that finance released is no import of its own."""
    return ImportRun.objects.filter(status__in=GOOD).exclude(source=RELEASED)


def data_until() -> datetime | None:
    """The newest ``ImportRun.data_until``: when a file was read says nothing of how far it goes."""
    moment: datetime | None = good_runs().aggregate(latest=Max("data_until"))["latest"]
    return moment


class LastRead(NamedTuple):
    """Of one cluster: how far it is known, and when the newest imports ended that brought data or failed."""

    cluster: str
    until: datetime | None
    good_at: datetime | None
    failed_at: datetime | None


def last_reads() -> list[LastRead]:
    """By name of the cluster; the name is empty for what was read without one. Of those that were ever read well."""
    good = Q(status__in=GOOD)
    rows = ImportRun.objects.exclude(source=RELEASED).order_by("cluster").values_list("cluster")
    found = rows.annotate(
        until=Max("data_until", filter=good),
        # a run of one user says nothing of the others
        good_at=Max("finished_at", filter=good & Q(data_until__isnull=False)),
        failed_at=Max("finished_at", filter=Q(status=ImportStatus.FAILED)),
        good=Count("pk", filter=good),
    )
    return [LastRead(*row) for *row, good_runs in found if good_runs]
