"""Reconciliation: what is stored held against what the source says now, to the second, and against sreport."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from audit.services import record as record_audit
from core.context import Actor
from core.database.locks import run_lock
from core.errors import Unavailable, UsageError
from core.words.said import to_store
from core.words.said import told as _
from usage import sreport
from usage.models import Job, Reconciliation, ReconciliationLine, ReconciliationStatus
from usage.services import comparing, opening
from usage.services.comparing import Group, Span, Sums
from usage.services.opening import AUTO, Opened
from usage.sreport import Used

NAMED = 20  # single records of each kind
MAX_INT = 2**63 - 1
KINDS = ("here", "there", "differs")
NAMES = ("jobs", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds")


@dataclass(slots=True)
class Line:
    """One month of the site, user and account; ``clipped`` and ``reported`` only where sreport was asked."""

    group: Group
    stored: Sums
    source: Sums
    differs: bool
    clipped: Used | None = None
    reported: Used | None = None

    def as_dict(self) -> dict[str, Any]:
        month, username, account = self.group
        row = {"month": f"{month:%Y-%m}", "username": username, "account": account, "differs": self.differs}
        row |= _sides(self.stored, self.source)
        if self.clipped and self.reported:
            row["sreport"] = {
                "stored": {"cpu_core_seconds": self.clipped.cpu, "gpu_seconds": self.clipped.gpu},
                "sreport": {"cpu_core_seconds": self.reported.cpu, "gpu_seconds": self.reported.gpu},
            }
        return row


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """``lines`` are all groups, differing first; ``records`` names single records by what is wrong with them."""

    source: str
    cluster: str
    start: datetime
    end: datetime
    lines: list[Line]
    counts: dict[str, int]
    records: dict[str, list[str]]
    notes: list[str]
    seconds: float
    reconciliation_id: int | None

    @property
    def equal(self) -> bool:
        return not any(line.differs for line in self.lines)

    def as_dict(self, *, everything: bool = False) -> dict[str, Any]:
        shown = [line for line in self.lines if everything or line.differs]
        stored = sum((line.stored for line in self.lines), Sums())
        source = sum((line.source for line in self.lines), Sums())
        return {
            "source": self.source,
            "cluster": self.cluster,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "equal": self.equal,
            "groups": len(self.lines),
            "differing": sum(line.differs for line in self.lines),
            "totals": _sides(stored, source),
            "rows": [line.as_dict() for line in shown],
            "records": {
                name: {"count": self.counts.get(kind, 0), "job_keys": self.records[kind]}
                for name, kind in zip(("missing_here", "missing_there", "differing"), KINDS, strict=True)
            },
            "notes": self.notes,
            "seconds": self.seconds,
            "reconciliation": self.reconciliation_id,
        }


def _sides(stored: Sums, source: Sums) -> dict[str, dict[str, int]]:
    sides = {"stored": stored, "source": source, "difference": stored - source}
    return {name: dict(zip(NAMES, side.cells(), strict=True)) for name, side in sides.items()}


def reconcile_usage(
    *,
    actor: Actor,
    start: datetime,
    end: datetime,
    source: str = AUTO,
    file: str = "",
    cluster: str = "",
    timezone: str = "",
    delimiter: str = "",
    dry_run: bool = False,
    on_progress: Callable[[int, str, float | None], None] | None = None,
) -> ReconcileResult:
    """Compare jobs that ended in ``start <= End < end``, per month of the site, user and account.

    Differences of sums, and of single records even where sums agree, make a group
    differ. sreport is asked for whole months that are over, when a live source is compared
    and it is installed; what it says otherwise is shown and noted, never a difference.
    Nothing of the jobs is changed. ``dry_run`` keeps no record of the comparison.

    Raises what ``import_usage`` raises: ``UsageError``, ``BadInput``, ``Unavailable``, ``Misconfigured``, ``Busy``.
    """
    request = opening.make_request(
        file=file, start=start, end=end, user="", cluster=cluster, delimiter=delimiter, zone=timezone
    )
    connection.ensure_connection()
    opened = opening.open_source(source, request)
    with run_lock(f"import:{opened.cluster}"):  # an import meanwhile would make differences that are none
        return _Reconcile(actor, opened, on_progress, kept=not dry_run).run()


@dataclass(slots=True)
class _Read:
    rows: int = 0
    compared: int = 0
    refused: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class _Reconcile:
    """One comparison, from its row in ``reconciliations`` to its audit entry."""

    def __init__(
        self,
        actor: Actor,
        opened: Opened,
        on_progress: Callable[[int, str, float | None], None] | None,
        *,
        kept: bool,
    ) -> None:
        self.actor = actor
        self.opened = opened
        self.on_progress = on_progress
        self.kept = kept
        request = opened.source.request
        if request.start is None or request.end is None:
            raise UsageError(_("A reconciliation needs both ends of its window."))
        self.start, self.end = request.start, request.end
        self.spans = comparing.months_of(self.start, self.end)
        self.notes: list[str] = []
        self.began = time.monotonic()
        self.row: Reconciliation | None = None

    def run(self) -> ReconcileResult:
        self._start()
        try:
            read = self._read_source()
            result = self._compare(read)
            self._finish(result)
        except BaseException as error:
            with suppress(DatabaseError, InterfaceError):
                self._fail(f"{type(error).__name__}: {error}"[:2000])
            raise
        return result

    def _start(self) -> None:
        if not self.kept:
            return
        # We hold the cluster's lock, so one that still says "running" died.
        Reconciliation.objects.filter(cluster=self.opened.cluster, status=ReconciliationStatus.RUNNING).update(
            status=ReconciliationStatus.FAILED, error="Interrupted: the process ended.", finished_at=timezone.now()
        )
        self.row = Reconciliation.objects.create(
            cluster=self.opened.cluster,
            source=self.opened.source.key,
            window_start=self.start,
            window_end=self.end,
            actor=self.actor.name[:64],
        )

    def _read_source(self) -> _Read:
        import pyarrow.compute as pc

        from usage.services import choosing

        comparing.prepare()
        read = _Read()
        for batch in self.opened.batches:
            jobs = choosing.wanted(batch.jobs, self.opened.source.request, read.left_out)
            jobs, later = choosing.ended_by(jobs, timezone.now())
            ended = jobs.filter(pc.is_valid(jobs["end_at"]))
            comparing.load(ended, read.compared)
            read.rows += len(batch)
            read.compared += len(ended)
            read.refused += len(batch.refused) + len(later)
            if self.on_progress:
                self.on_progress(read.rows, batch.where, batch.done)
        if not self.opened.source.whole:
            words = _("The source may have held jobs back, so nothing can be said: %(why)s")
            raise Unavailable(words % {"why": " ".join(self.opened.source.notes)})
        return read

    def _compare(self, read: _Read) -> ReconcileResult:
        clusters = self._clusters()
        comparing.settle(clusters, self.spans)
        stored = comparing.sums("jobs", clusters, self.spans)
        source = comparing.sums(comparing.TABLE, clusters, self.spans)
        single = comparing.groups_of_singles(self.spans)
        lines = {
            group: Line(
                group,
                mine := stored.get(group, Sums()),
                theirs := source.get(group, Sums()),
                mine != theirs or group in single,
            )
            for group in stored.keys() | source.keys() | single
        }
        self._ask_sreport(lines)
        counts = comparing.count_singles()
        named = {kind: comparing.name_singles(kind, NAMED) if counts.get(kind) else [] for kind in KINDS}
        return ReconcileResult(
            source=self.opened.source.key,
            cluster=self.opened.cluster,
            start=self.start,
            end=self.end,
            lines=sorted(lines.values(), key=lambda line: (not line.differs, line.group)),
            counts=counts,
            records=named,
            notes=self._all_notes(read, counts, named),
            seconds=round(time.monotonic() - self.began, 3),
            reconciliation_id=self.row.pk if self.row else None,
        )

    def _clusters(self) -> list[str]:
        asked = self.opened.source.request.only_cluster
        return [asked] if asked else sorted({self.opened.cluster, *comparing.source_clusters()})

    def _all_notes(self, read: _Read, counts: dict[str, int], named: dict[str, list[str]]) -> list[str]:
        notes = [*self.opened.notes, *self.opened.source.notes]
        if not read.compared:
            notes.append(_("The source has no job that ended in this window."))
        if read.refused:
            words = _("Rows of the source that cannot be read and were not compared (quarantine): %(n)d")
            notes.append(words % {"n": read.refused})
        words_of = {
            "here": _("Records of the source that are not stored: %(n)d (%(keys)s)"),
            "there": _("Stored records that are not at the source: %(n)d (%(keys)s)"),
            "differs": _("Records that differ: %(n)d (%(keys)s)"),
        }
        for kind, keys in named.items():
            if keys:
                more = " ..." if counts[kind] > len(keys) else ""
                notes.append(words_of[kind] % {"n": counts[kind], "keys": ", ".join(keys) + more})
        return notes + self.notes

    # --- sreport ---------------------------------------------------------------
    def _ask_sreport(self, lines: dict[Group, Line]) -> None:
        """Put beside each group what sreport says of its month."""
        months = [span for span in self.spans if span.whole and span.end <= timezone.now()]
        if not (self.opened.source.live and months):
            return
        if not sreport.is_installed():
            self.notes.append(_("sreport is not installed here; its figures were not compared."))
            return
        unlike = 0
        for span in months:
            try:
                unlike += self._one_month(span, lines)
            except Unavailable as error:
                self.notes.append(error.message)
                return
        if unlike:
            self.notes.append(
                _(
                    "Groups of which sreport says something else: %(n)d. It knows what slurmdbd has rolled up, in whole"
                    " hours; it counts jobs whose end was lost and jobs that are not imported; a job that was suspended"
                    " cannot be cut exactly. See sacctmgr show runawayjobs, and compare again after the next roll-up."
                )
                % {"n": unlike}
            )

    def _one_month(self, span: Span, lines: dict[Group, Line]) -> int:
        """How many groups of this month sreport sees otherwise."""
        reported = sreport.used_between(span.start, span.end, zone=_site_zone(), cluster=self.opened.cluster)
        clipped = _cut(span, self.opened.cluster)
        unlike = 0
        pairs = reported.keys() | clipped.keys() | {group[1:] for group in lines if group[0] == span.month}
        for pair in pairs:
            line = lines.setdefault((span.month, *pair), Line((span.month, *pair), Sums(), Sums(), differs=False))
            line.clipped, line.reported = clipped.get(pair, Used()), reported.get(pair, Used())
            unlike += line.clipped != line.reported
        return unlike

    # --- the end ---------------------------------------------------------------
    def _finish(self, result: ReconcileResult) -> None:
        if self.row is None:
            return
        with transaction.atomic():
            rows = (_as_row(self.row, line) for line in result.lines)
            ReconciliationLine.objects.bulk_create(rows, batch_size=500)
            status = ReconciliationStatus.EQUAL if result.equal else ReconciliationStatus.DIFFERS
            differing = sum(line.differs for line in result.lines)
            self._write(status=status, groups=len(result.lines), differing=differing, notes=to_store(result.notes))
            self._audit("ok", groups=len(result.lines), differing=differing, **result.counts)

    def _fail(self, error: str) -> None:
        if self.row is None:
            return
        with transaction.atomic():
            self._write(status=ReconciliationStatus.FAILED, error=error)
            self._audit("failed", error=error)

    def _write(self, **columns: Any) -> None:
        assert self.row  # noqa: S101 - told by the callers
        Reconciliation.objects.filter(pk=self.row.pk).update(finished_at=timezone.now(), **columns)

    def _audit(self, status: str, **extra: Any) -> None:
        record_audit(
            actor=self.actor,
            action="usage_reconcile",
            target=f"{self.opened.source.key}:{self.opened.cluster}",
            status=status,
            entity=self.row,
            extra={"start": self.start.isoformat(), "end": self.end.isoformat(), **extra},
        )


def _site_zone() -> Any:
    return timezone.get_default_timezone()


def _cut(span: Span, cluster: str) -> dict[tuple[str, str], Used]:
    """Stored jobs cut at the month's ends, by sreport's rule: from Start, the overlap of resized jobs included.

    Of a job that lies inside the month suspended core time is left out; of one that is
    cut nobody knows on which side it was suspended.
    """
    inside = Job.objects.filter(cluster=cluster, start_at__lt=span.end).exclude(end_at__lte=span.start)
    names = ("username", "account", "start_at", "end_at", "elapsed_seconds", "overlap_seconds", "cpus", "gpus")
    found: dict[tuple[str, str], Used] = {}
    for user, account, start, end, elapsed, overlap, cpus, gpus in inside.values_list(*names).iterator(20_000):
        whole = start >= span.start and end is not None and end <= span.end
        seconds = int((min(end or span.end, span.end) - max(start, span.start)).total_seconds())
        used = found.setdefault((user, account), Used())
        used.cpu += cpus * (elapsed + overlap if whole else seconds)
        used.gpu += gpus * seconds
    return {pair: used for pair, used in found.items() if used != Used()}


def _as_row(row: Reconciliation, line: Line) -> ReconciliationLine:
    month, username, account = line.group
    columns: dict[str, Any] = {}
    for side, amounts in (("stored", line.stored), ("source", line.source)):
        names = ("jobs", "cpu", "gpu", "mem")
        columns |= {f"{side}_{name}": min(cell, MAX_INT) for name, cell in zip(names, amounts.cells(), strict=True)}
    if line.clipped and line.reported:
        columns |= {
            "clipped_cpu": min(line.clipped.cpu, MAX_INT),
            "clipped_gpu": min(line.clipped.gpu, MAX_INT),
            "sreport_cpu": line.reported.cpu,
            "sreport_gpu": line.reported.gpu,
        }
    return ReconciliationLine(
        reconciliation=row, month=month, username=username, account=account, differs=line.differs, **columns
    )
