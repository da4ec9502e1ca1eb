"""How far usage is known: the moment up to which the ended jobs have been read."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max, QuerySet

from usage.models import ImportRun, ImportStatus
from usage.services.quarantine import SOURCE as RELEASED


def good_runs() -> QuerySet[ImportRun]:
    """Imports that did not fail; a row that finance released is no import of its own."""
    return ImportRun.objects.filter(status__in=(ImportStatus.DONE, ImportStatus.PARTIAL)).exclude(source=RELEASED)


def data_until() -> datetime | None:
    """The newest ``ImportRun.data_until``: when a file was read says nothing of how far it goes."""
    moment: datetime | None = good_runs().aggregate(latest=Max("data_until"))["latest"]
    return moment


def data_until_by_cluster() -> list[tuple[str, datetime | None]]:
    """(cluster, up to), by name; the name is empty for what was read without one."""
    rows = good_runs().order_by("cluster").values_list("cluster").annotate(at=Max("data_until"))
    return [(cluster, at) for cluster, at in rows]
