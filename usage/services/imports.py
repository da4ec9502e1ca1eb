"""Importing usage: every row read ends in exactly one verdict, every record is stored once."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record as record_audit
from core.context import Actor
from core.errors import BadInput
from core.locks import lock_for_transaction, run_lock
from usage.models import VERDICTS, Cluster, ImportRun, ImportStatus, Job, QuarantinedRow
from usage.records import BadRow, Item, JobRecord, Step, clean
from usage.services import opening, staging
from usage.services.opening import AUTO, Opened
from usage.sources.base import SourceRequest

CHUNK = 5_000
REFUSALS = {"claimed": "changed_after_billing", "clash": "key_clash"}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Counters of a run; the six verdicts add up to ``rows_read``. ``jobs_total`` is what is stored now."""

    source: str
    cluster: str
    rows_read: int
    imported: int
    updated: int
    duplicate: int
    steps: int
    pending: int
    quarantined: int
    by_reason: dict[str, int]
    jobs_total: int
    seconds: float
    notes: list[str]
    run_id: int | None = None

    def as_dict(self) -> dict[str, Any]:
        names = ("source", "cluster", "rows_read", *VERDICTS, "by_reason", "jobs_total", "seconds", "notes")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class _Tally:
    """What the run has committed so far, and what was read but not asked for."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    clusters: set[str] = field(default_factory=set)

    def columns(self) -> dict[str, Any]:
        counts = {name: self.verdicts[name] for name in VERDICTS}
        return counts | {"rows_read": sum(counts.values()), "by_reason": dict(sorted(self.reasons.items()))}


def import_usage(
    *,
    actor: Actor,
    source: str = AUTO,
    file: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    user: str = "",
    cluster: str = "",
    delimiter: str = "",
    timezone: str = "",
    dry_run: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> ImportResult:
    """Read a source and store what it says, once, however often it is run.

    ``start <= End < end`` are instants (either may be open; live sources then take
    their own, see ``opening.with_window``); records that have not ended always
    pass. ``timezone`` is the zone of local times in text. ``dry_run`` walks the same
    path and rolls it back. ``on_progress`` gets the rows read so far after each chunk.

    Raises ``UsageError`` (arguments, missing file), ``BadInput`` (a file that is
    no accounting text, or empty), ``Unavailable`` (source), ``Misconfigured``,
    ``Busy`` (the same cluster is being imported). What earlier chunks stored stays.
    """
    request = opening.make_request(
        file=file, start=start, end=end, user=user, cluster=cluster, delimiter=delimiter, zone=timezone
    )
    connection.ensure_connection()  # a database that is down is said first, before sources and locks
    opened = opening.open_source(source, request)
    with run_lock(f"import:{opened.cluster}"):
        if not dry_run:
            return _Import(actor, opened, on_progress).run()
        with transaction.atomic():
            result = _Import(actor, opened, on_progress, counted=False).run()
            transaction.set_rollback(True)
    return result


class _Import:
    """One run, from its row in ``import_runs`` to its audit entry."""

    def __init__(
        self, actor: Actor, opened: Opened, on_progress: Callable[[int], None] | None, *, counted: bool = True
    ) -> None:
        self.actor = actor
        self.source = opened.source
        self.request: SourceRequest = opened.source.request
        self.opened = opened
        self.on_progress = on_progress
        self.counted = counted
        self.tally = _Tally()
        self.began = time.monotonic()

    def run(self) -> ImportResult:
        self.row = self._start()
        try:
            staging.prepare()
            items = self._wanted(self.opened.items)
            while chunk := list(islice(items, CHUNK)):
                self._store(chunk)
                if self.on_progress:
                    self.on_progress(sum(self.tally.verdicts.values()))
            self._refuse_other_cluster()
        except BaseException as error:
            # Whatever ended it, Ctrl-C included: the row must not say "running" for ever.
            with suppress(DatabaseError, InterfaceError):
                self._finish(ImportStatus.FAILED, error=f"{type(error).__name__}: {error}"[:2000])
            raise
        return self._finish(ImportStatus.PARTIAL if self.tally.verdicts["quarantined"] else ImportStatus.DONE)

    def _refuse_other_cluster(self) -> None:
        """A file that holds only other clusters is a wrong --cluster, not a cluster without usage."""
        if not self.source.live and self.tally.left_out["cluster"] and not self.tally.verdicts:
            words = _("No row is of cluster %(name)s; the file has %(n)d rows of others.")
            raise BadInput(words % {"name": self.request.only_cluster, "n": self.tally.left_out["cluster"]})

    def _start(self) -> ImportRun:
        # We hold the cluster's lock, so a run that still says "running" died.
        ImportRun.objects.filter(cluster=self.opened.cluster, status=ImportStatus.RUNNING).update(
            status=ImportStatus.FAILED, error="Interrupted: the process ended.", finished_at=timezone.now()
        )
        return ImportRun.objects.create(
            source=self.source.key,
            cluster=self.opened.cluster,
            window_start=self.request.start,
            window_end=self.request.end,
            file_name=self.source.file_name[:255],
            actor=self.actor.name[:64],
        )

    def _wanted(self, items: Iterator[Item]) -> Iterator[Item]:
        """Leave out what was not asked for; it is named in a note, not counted as read."""
        request, left_out = self.request, self.tally.left_out
        first = request.start.timestamp() if request.start else None
        last = request.end.timestamp() if request.end else None
        for item in items:
            if isinstance(item, JobRecord):
                if request.only_cluster and item.cluster != request.only_cluster:
                    left_out["cluster"] += 1
                    continue
                if request.user and item.username != request.user:
                    left_out["user"] += 1
                    continue
                ended = item.end_at
                if ended is not None and (
                    (first is not None and ended < first) or (last is not None and ended >= last)
                ):
                    left_out["window"] += 1
                    continue
            yield item

    def _store(self, items: list[Item]) -> None:
        """One chunk in one transaction: rows, refusals and the run's counters stand or fall together."""
        verdicts: Counter[str] = Counter()
        refused = [item for item in items if isinstance(item, BadRow)]
        verdicts["steps"] = sum(isinstance(item, Step) for item in items)
        records = self._newest_of_each(items, verdicts)
        clusters = {record.cluster for record in records} - self.tally.clusters
        with transaction.atomic():
            lock_for_transaction("usage-import")
            Cluster.objects.bulk_create([Cluster(name=name) for name in sorted(clusters)], ignore_conflicts=True)
            if records:
                outcome = staging.write(records, run_id=self.row.pk, source=self.source.key)
                verdicts.update(
                    imported=outcome.imported,
                    updated=outcome.updated,
                    duplicate=outcome.duplicate,
                    pending=outcome.pending,
                )
                refused += [BadRow(0, raw, REFUSALS[verdict], key) for verdict, key, raw in outcome.refused]
            self._quarantine(refused)
            verdicts["quarantined"] = len(refused)
            after = _Tally(self.tally.verdicts + verdicts, self.tally.reasons + Counter(row.reason for row in refused))
            ImportRun.objects.filter(pk=self.row.pk).update(**after.columns())
        self.tally.verdicts, self.tally.reasons = after.verdicts, after.reasons
        self.tally.clusters |= clusters

    def _newest_of_each(self, items: list[Item], verdicts: Counter[str]) -> list[JobRecord]:
        """The last of each key wins, except that "not ended" never replaces "ended"."""
        kept: dict[str, JobRecord] = {}
        for item in items:
            if not isinstance(item, JobRecord):
                continue
            earlier = kept.get(item.job_key)
            if earlier is None:
                kept[item.job_key] = item
                continue
            loser = item if item.end_at is None and earlier.end_at is not None else earlier
            verdicts["pending" if loser.end_at is None else "duplicate"] += 1
            if loser is earlier:
                kept[item.job_key] = item
        return list(kept.values())

    def _quarantine(self, refused: list[BadRow]) -> None:
        QuarantinedRow.objects.bulk_create(
            [
                QuarantinedRow(
                    run=self.row,
                    source=self.source.key,
                    line_no=bad.line_no,
                    reason=bad.reason[:40],
                    detail=clean(bad.detail)[:255],
                    raw=text,
                    raw_sha256=hashlib.sha256(f"{self.source.key}\n{text}".encode()).hexdigest(),
                )
                for bad in refused
                for text in (clean(bad.text),)
            ],
            ignore_conflicts=True,
            batch_size=500,
        )

    def _finish(self, status: ImportStatus, error: str = "") -> ImportResult:
        seconds = time.monotonic() - self.began
        notes = [*self.opened.notes, *self.source.notes, *_left_out_notes(self.tally.left_out)]
        columns = self.tally.columns()
        with transaction.atomic():
            ImportRun.objects.filter(pk=self.row.pk).update(
                **columns,
                status=status,
                error=error,
                notes=notes,
                file_sha256=self.source.file_sha256,
                finished_at=timezone.now(),
            )
            record_audit(
                actor=self.actor,
                action="usage_import",
                target=f"{self.source.key}:{self.opened.cluster}",
                status="failed" if error else "ok",
                entity=self.row,
                extra=columns | ({"error": error} if error else {}),
            )
        return ImportResult(
            source=self.source.key,
            cluster=self.opened.cluster,
            **columns,
            jobs_total=Job.objects.count(),
            seconds=round(seconds, 3),
            notes=notes,
            run_id=self.row.pk if self.counted else None,
        )


def _left_out_notes(left_out: Counter[str]) -> list[str]:
    words = {
        "window": _("%(n)d rows ended outside the window and were left out."),
        "user": _("%(n)d rows of other users were left out."),
        "cluster": _("%(n)d rows of other clusters were left out."),
    }
    return [text % {"n": left_out[what]} for what, text in words.items() if left_out[what]]
