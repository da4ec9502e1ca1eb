"""Records that changed at their source after they were billed, or in a frozen window: noted, never a silent edit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record as record_audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import Conflict
from usage.models import Adjustment, ImportRun, Job, ReviewStatus
from usage.services.frozen import frozen_windows, is_frozen
from usage.services.reviews import decide, required

if TYPE_CHECKING:
    from usage.services.staging import Outcome

CHANGED = "changed_after_billing"
# What a bill depends on, in the order in which people read it.
_BILLED_ON = (
    "username", "account", "state", "start_at", "end_at", "elapsed_seconds", "overlap_seconds", "cpus", "gpus",
    "gpu_types", "mem_mib", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds",
)  # fmt: skip


# A bill stands whatever CPU time becomes known later; a job that nothing bills may yet be priced by it.
SHOWN = (*_BILLED_ON, "used_cpu_seconds")


class StillBilled(Conflict):
    """A document claims the job: what it says must not change under it."""

    code = "still_billed"


class Frozen(Conflict):
    """The job ended, or would end, where usage is frozen: the change needs a dated correction."""

    code = "frozen"


class Outdated(Conflict):
    """The job is no longer as it was when the change was noted."""

    code = "outdated"


@dataclass(frozen=True, slots=True)
class Noted:
    """``noted`` changes wait for a decision, those of earlier runs included; ``known`` ones a person dismissed."""

    noted: int = 0
    known: int = 0


@transaction.atomic
def note_changes(outcome: Outcome, *, run: ImportRun) -> Noted:
    """Bring the adjustments of a batch's jobs up to what the source shows now; at most one of a job stays open.

    What the batch wrote, or found stored just as it was read, needs no decision any more. A
    changed record of a billed or frozen job takes the place of the one noted before it; the same one
    again still waits, unless a person dismissed it. The caller holds the import lock.
    """
    changed = {row["job_key"]: row for row in outcome.claimed.to_pylist()}
    waiting = _waiting(outcome, changed)
    for key, adjustment in waiting.items():
        if key not in changed:
            _settle(adjustment, run)
    if not changed:
        return Noted()
    jobs = Job.objects.filter(job_key__in=changed)
    found = [_adjustment(job, changed[job.job_key], run) for job in jobs]
    latest = {each.job_id: each for each in Adjustment.objects.filter(job__in=jobs).defer("record").order_by("id")}
    new = []
    known = 0
    for each in found:
        before = latest.get(each.job_id)
        mine = waiting.get(each.job.job_key)
        if mine is not None and mine.digest == each.digest:
            _refresh(mine, each)
        elif before is not None and before.digest == each.digest and _is_turned_down(before, each.document):
            known += 1
        else:
            if mine is not None:
                _close(mine, run, ReviewStatus.DISMISSED, _("A newer record of the job took its place."))
            new.append(each)
    Adjustment.objects.bulk_create(new, batch_size=500)
    return Noted(len(found) - known, known)


@transaction.atomic
def accept_adjustment(*, actor: Actor, adjustment: Adjustment, note: str = "", corrects: bool = False) -> Adjustment:
    """Write the new record to its job, which no document claims any more, by the path of an import.

    When an import has written it meanwhile, the adjustment is only closed. Raises
    ``StillBilled``, ``Outdated`` (the job changed otherwise), ``AlreadyDecided`` (an import
    that saw a newer record counts), and ``Frozen`` unless ``corrects`` says that the caller
    writes down what that changes; then nothing is changed.
    """
    lock_for_transaction("usage-import")
    frozen = frozen_windows()
    job = Job.objects.select_for_update().get(pk=adjustment.job_id)
    stored = _shown(job)
    applied = {name: stored[name] for name in adjustment.after} == adjustment.after
    decide(adjustment, ReviewStatus.ACCEPTED, actor=actor, note=note.strip())
    if job.claimed_by:
        words = _(
            "Job %(job)s is billed on %(document)s. Void that receipt first, or dismiss the change with a note"
            " (for example: credited by hand)."
        )
        raise StillBilled(words % {"job": job.job_id_display, "document": job.claimed_by}, job=job.pk)
    if not applied:
        if not corrects and is_frozen(frozen, job.end_at, datetime.fromtimestamp(adjustment.record["end_at"], UTC)):
            words = _("Job %(job)s belongs to a month that is closed: only a correction of that month may change it.")
            raise Frozen(words % {"job": job.job_id_display}, job=job.pk)
        _check_current(adjustment, stored)
        _apply(adjustment)
    record_audit(
        actor=actor, action="usage_change_accept", target=job.job_key, entity=adjustment,
        changes={name: [adjustment.before[name], adjustment.after[name]] for name in adjustment.after},
        extra={"document": adjustment.document, "note": note.strip(), "applied_before": applied},
    )  # fmt: skip
    return adjustment


@transaction.atomic
def dismiss_adjustment(*, actor: Actor, adjustment: Adjustment, note: str) -> Adjustment:
    """The job stays as it was billed. Raises ``BadInput`` without a note, and ``AlreadyDecided``."""
    note = required(note)
    decide(adjustment, ReviewStatus.DISMISSED, actor=actor, note=note)
    record_audit(
        actor=actor, action="usage_change_dismiss", target=adjustment.job.job_key, entity=adjustment,
        extra={"document": adjustment.document, "note": note},
    )  # fmt: skip
    return adjustment


def _check_current(adjustment: Adjustment, stored: Mapping[str, Any]) -> None:
    if {name: stored[name] for name in adjustment.before} != adjustment.before:
        raise Outdated(_("The job has changed since this was noted. Dismiss it with a note."), adjustment=adjustment.pk)


def _apply(adjustment: Adjustment) -> None:
    """The noted record, staged as its import would have done: the same rules for what is kept, held and locked."""
    import pyarrow as pa

    from usage.batches import SCHEMA
    from usage.services import choosing, staging
    from usage.services.marks import Marks

    columns = {name: [adjustment.record.get(name)] for name in SCHEMA.names}
    table = pa.table(columns, schema=SCHEMA)
    staging.prepare()
    source = adjustment.run.source
    staging.write(choosing.with_hold(table), Marks(table), run_id=adjustment.run_id, source=source, frozen=())
    stored = _shown(Job.objects.get(pk=adjustment.job_id))
    if {name: stored[name] for name in adjustment.after} != adjustment.after:
        raise Outdated(_("The job has changed since this was noted. Dismiss it with a note."), adjustment=adjustment.pk)


def _is_turned_down(adjustment: Adjustment, document: str) -> bool:
    """A person said that this bill stands. What a run closed, or what was accepted (so written), binds nobody now."""
    by_person = adjustment.status == ReviewStatus.DISMISSED and adjustment.closed_by_run_id is None
    return by_person and adjustment.document == document


def _waiting(outcome: Outcome, changed: Iterable[str]) -> dict[str, Adjustment]:
    """The open adjustments of the batch's jobs by job key, locked: who decides now waits for the run and is told."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = Adjustment.objects.filter(status=ReviewStatus.OPEN)
    numbers = dict(rows.values_list("job__job_key", "pk"))
    if not numbers:
        return {}
    touched = set(changed)
    for keys in (outcome.same, outcome.written):
        touched.update(keys.filter(pc.is_in(keys, value_set=pa.array(list(numbers), keys.type))).to_pylist())
    mine = [number for key, number in numbers.items() if key in touched]
    locked = rows.filter(pk__in=mine).select_related("job").select_for_update(of=("self",)).order_by("pk")
    return {each.job.job_key: each for each in locked}


def _settle(adjustment: Adjustment, run: ImportRun) -> None:
    """The source shows what is stored: what was noted (it is written now), what was billed, or something newer."""
    stored = _shown(adjustment.job)
    if _digest(stored, adjustment.after) == adjustment.digest:
        _close(adjustment, run, ReviewStatus.ACCEPTED, _("The import wrote this record: no document billed the job."))
    elif {name: stored[name] for name in adjustment.before} == adjustment.before:
        _close(adjustment, run, ReviewStatus.DISMISSED, _("The source agrees again with what is stored."))
    else:
        _close(adjustment, run, ReviewStatus.DISMISSED, _("A newer record of the job took its place."))


def _close(adjustment: Adjustment, run: ImportRun, to: ReviewStatus, note: str) -> None:
    actor = Actor(run.actor)
    decide(adjustment, to, actor=actor, note=note, closed_by_run=run)
    record_audit(
        actor=actor, action="usage_change_accept" if to == ReviewStatus.ACCEPTED else "usage_change_dismiss",
        target=adjustment.job.job_key, entity=adjustment,
        extra={"document": adjustment.document, "note": note, "run": run.pk},
    )  # fmt: skip


def _refresh(adjustment: Adjustment, now: Adjustment) -> None:
    """What no bill shows (CPU time used, the line as it came) may have become known; another receipt may bill it."""
    record = adjustment.record | {name: value for name, value in now.record.items() if value not in (None, "")}
    if (record, now.document) != (adjustment.record, adjustment.document):
        adjustment.record, adjustment.document = record, now.document
        adjustment.save(update_fields=["record", "document"])


def _adjustment(job: Job, record: dict[str, Any], run: ImportRun) -> Adjustment:
    stored, came = _shown(job), {name: record[name] for name in SHOWN}
    came["gpu_types"] = json.loads(record["gpu_types"])
    if came["used_cpu_seconds"] is None:
        came["used_cpu_seconds"] = stored["used_cpu_seconds"]  # a source that does not know it takes nothing back
    names = _BILLED_ON if job.claimed_by else SHOWN
    differing = [name for name in names if stored[name] != came[name]]
    return Adjustment(
        job=job,
        run=run,
        document=job.claimed_by,
        before={name: stored[name] for name in differing},
        after={name: came[name] for name in differing},
        record=record,
        digest=_digest(came, differing),
    )


def _shown(job: Job) -> dict[str, Any]:
    return {name: _plain(getattr(job, name)) for name in SHOWN}


def _digest(values: Mapping[str, Any], differing: Iterable[str]) -> str:
    names = SHOWN if "used_cpu_seconds" in differing else _BILLED_ON
    return hashlib.sha256(json.dumps([values[name] for name in names], sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return int(value.timestamp()) if hasattr(value, "timestamp") else value
