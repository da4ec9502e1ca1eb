"""Importing usage: every row read ends in exactly one verdict, every record is stored once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from audit.services import record as record_audit
from core.context import Actor
from core.database.locks import lock_for_transaction, run_lock
from core.errors import BadInput
from core.words.said import say, to_store
from usage.models import VERDICTS, ImportRun, ImportStatus, Job
from usage.parsing import KNOWN_STATES
from usage.services import adjustments, opening, quarantine
from usage.services.adjustments import CHANGED
from usage.services.ahead import read_ahead
from usage.services.frozen import frozen_windows
from usage.services.opening import AUTO, Opened
from usage.sources.base import SourceRequest

if TYPE_CHECKING:
    from usage.batches import Batch


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
    left_out: dict[str, int] = field(default_factory=dict)  # read, but not asked for; in no verdict

    def as_dict(self) -> dict[str, Any]:
        names = ("source", "cluster", "rows_read", *VERDICTS, "by_reason", "jobs_total", "seconds", "notes")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class _Tally:
    """What the run has committed so far, and what was read but not asked for."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    strange_states: set[str] = field(default_factory=set)
    last_end: int | None = None  # seconds since 1970, of what has ended

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
    on_progress: Callable[[Progress], None] | None = None,
) -> ImportResult:
    """Read a source and store what it says, once, however often it is run.

    ``start <= End < end`` are instants (either may be open; live sources then take
    their own, see ``opening.with_window``); records that have not ended always
    pass. ``timezone`` is the zone of local times in text. ``dry_run`` walks the same
    path and rolls it back. ``on_progress`` is called after each batch.

    Raises ``UsageError`` (arguments, missing file), ``BadInput`` (a file that is
    no accounting text, or empty), ``Unavailable`` (source), ``Misconfigured``,
    ``Busy`` (the same cluster is being imported). What earlier batches stored stays.
    """
    request = opening.make_request(
        file=file, start=start, end=end, user=user, cluster=cluster, delimiter=delimiter, zone=timezone
    )
    connection.ensure_connection()  # a database that is down is said first, before sources and locks
    opened = opening.open_source(source, request)
    with ExitStack() as locks:
        locks.enter_context(run_lock(f"import:{opened.cluster}"))
        if not dry_run:
            return _Import(actor, opened, on_progress, locks).run()
        with transaction.atomic():
            result = _Import(actor, opened, on_progress, locks, counted=False).run()
            transaction.set_rollback(True)
    return result


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: rows read, the window or file being read, and its share of the whole (None: unknown)."""

    rows: int
    where: str
    done: float | None


class _Import:
    """One run, from its row in ``import_runs`` to its audit entry."""

    def __init__(
        self,
        actor: Actor,
        opened: Opened,
        on_progress: Callable[[Progress], None] | None,
        locks: ExitStack,
        *,
        counted: bool = True,
    ) -> None:
        self.actor = actor
        self.source = opened.source
        self.request: SourceRequest = opened.source.request
        self.opened = opened
        self.on_progress = on_progress
        self.counted = counted
        self.locks = locks
        self.locked = {opened.cluster}
        self.tally = _Tally()
        self.began = time.monotonic()

    def run(self) -> ImportResult:
        from usage.services import staging

        self.row = self._start()
        try:
            staging.prepare()
            with read_ahead(self.opened.batches) as batches:
                for batch in batches:
                    self._store(batch)
                    if self.on_progress:
                        self.on_progress(self._progress(batch))
            self._refuse_other_cluster()
        except BaseException as error:
            # Whatever ended it, Ctrl-C included: the row must not say "running" for ever.
            with suppress(DatabaseError, InterfaceError):
                self._finish(ImportStatus.FAILED, error=f"{type(error).__name__}: {error}"[:2000])
            raise
        return self._finish(ImportStatus.PARTIAL if self.tally.verdicts["quarantined"] else ImportStatus.DONE)

    def _progress(self, batch: Batch) -> Progress:
        return Progress(sum(self.tally.verdicts.values()), batch.where, batch.done)

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
            timezone=self.request.zone,
            actor=self.actor.name[:64],
        )

    def _store(self, batch: Batch) -> None:
        """One batch in one transaction: rows, refusals and the run's counters stand or fall together."""
        from usage.services import choosing, staging
        from usage.services.marks import Marks

        verdicts: Counter[str] = Counter(steps=batch.steps)
        jobs = choosing.wanted(batch.jobs, self.request, self.tally.left_out)
        jobs, later = choosing.ended_by(jobs, timezone.now())
        undecided = choosing.without_decided(jobs, self.source.key)
        verdicts["duplicate"] += len(jobs) - len(undecided)
        jobs, repeats = choosing.last_of_each(undecided)
        verdicts.update(repeats)
        self._lock(choosing.values(jobs, "cluster"))
        self.tally.strange_states |= choosing.values(jobs, "state") - KNOWN_STATES
        self.tally.last_end = choosing.last_end(jobs, self.tally.last_end)
        refused, changes = [*batch.refused, *later], adjustments.Noted()
        with transaction.atomic():
            lock_for_transaction("usage-import")
            frozen = frozen_windows()
            if len(jobs):
                outcome = staging.write(
                    choosing.with_hold(jobs), Marks(jobs), run_id=self.row.pk, source=self.source.key, frozen=frozen
                )
                verdicts.update(
                    imported=outcome.imported,
                    updated=outcome.updated,
                    duplicate=outcome.duplicate,
                    pending=outcome.pending,
                )
                refused += choosing.as_refusals(outcome.clashes, "key_clash")
                changes = adjustments.note_changes(outcome, run=self.row)
                verdicts["duplicate"] += changes.known
            before = len(refused)
            refused = quarantine.keep(refused, run=self.row)
            verdicts["duplicate"] += before - len(refused)
            reasons = Counter(row.reason for row in refused) + Counter({CHANGED: changes.noted})
            verdicts["quarantined"] = sum(reasons.values())
            after = _Tally(self.tally.verdicts + verdicts, self.tally.reasons + reasons)
            columns = after.columns() | {"columns": self.source.columns, "delimiter": self.source.delimiter}
            ImportRun.objects.filter(pk=self.row.pk).update(**columns)
        self.tally.verdicts, self.tally.reasons = after.verdicts, after.reasons

    def _lock(self, clusters: set[str]) -> None:
        """A file may hold several clusters: each is imported by one run at a time. Raises ``Busy``."""
        for cluster in sorted(clusters - self.locked):
            self.locks.enter_context(run_lock(f"import:{cluster}"))
            self.locked.add(cluster)

    def _data_until(self) -> datetime | None:
        """See ``ImportRun``: not when a file was read, but how far it goes."""
        request = self.request
        if request.user:
            return None
        if self.source.live:
            return min((each for each in (request.end, request.asked_at) if each), default=None)
        return None if self.tally.last_end is None else datetime.fromtimestamp(self.tally.last_end, UTC)

    def _finish(self, status: ImportStatus, error: str = "") -> ImportResult:
        seconds = time.monotonic() - self.began
        notes = [*self.opened.notes, *self.source.notes, *_left_out_notes(self.tally.left_out)]
        if self.tally.strange_states:
            words = gettext_noop(
                "Unknown states, billed like others unless BILLING_FREE_STATES names them: %(states)s."
            )
            notes.append(say(words, states=", ".join(sorted(self.tally.strange_states)[:20])))
        columns = self.tally.columns()
        with transaction.atomic():
            ImportRun.objects.filter(pk=self.row.pk).update(
                **columns,
                status=status,
                error=error,
                notes=to_store(notes),
                file_sha256=self.source.file_sha256,
                data_until=self._data_until(),
                finished_at=timezone.now(),
            )
            if self.counted and not error:
                opening.note_read(cluster=self.opened.cluster, source=self.source)
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
            left_out=dict(self.tally.left_out),
            run_id=self.row.pk if self.counted else None,
        )


def _left_out_notes(left_out: Counter[str]) -> list[str]:
    words = {
        "window": gettext_noop("%(n)d rows ended outside the window and were left out."),
        "user": gettext_noop("%(n)d rows of other users were left out."),
        "cluster": gettext_noop("%(n)d rows of other clusters were left out."),
    }
    return [say(text, n=left_out[what]) for what, text in words.items() if left_out[what]]
