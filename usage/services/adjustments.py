"""Records that changed at their source after a document billed them: noted for review, never a silent edit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record as record_audit
from core.context import Actor
from core.errors import Conflict
from core.locks import lock_for_transaction
from usage.models import Adjustment, ImportRun, Job, ReviewStatus
from usage.services.reviews import decide, required

if TYPE_CHECKING:
    import pyarrow as pa

CHANGED = "changed_after_billing"
# What a bill depends on, in the order in which people read it.
SHOWN = (
    "username", "account", "state", "start_at", "end_at", "elapsed_seconds", "overlap_seconds", "cpus", "gpus",
    "gpu_types", "mem_mib", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds",
)  # fmt: skip


class StillBilled(Conflict):
    """A document claims the job: what it says must not change under it."""

    code = "still_billed"


class Outdated(Conflict):
    """The job is no longer as it was when the change was noted."""

    code = "outdated"


@dataclass(frozen=True, slots=True)
class Noted:
    """``noted`` changes are new, ``known`` ones were noted by an earlier run."""

    noted: int = 0
    known: int = 0


def note_changes(records: pa.Table, *, run: ImportRun) -> Noted:
    """Keep each changed record once; the run's own audit entry counts them."""
    _settle_applied(run)
    if not len(records):
        return Noted()
    rows = records.to_pylist()
    jobs = {job.job_key: job for job in Job.objects.filter(job_key__in=[row["job_key"] for row in rows])}
    found = [_adjustment(jobs[row["job_key"]], row, run) for row in rows]
    seen = set(Adjustment.objects.filter(job__in=jobs.values()).values_list("job_id", "digest"))
    new = [each for each in found if (each.job_id, each.digest) not in seen]
    Adjustment.objects.bulk_create(new, batch_size=500)
    return Noted(len(new), len(found) - len(new))


@transaction.atomic
def accept_adjustment(*, actor: Actor, adjustment: Adjustment, note: str = "") -> Adjustment:
    """Write the new record to its job, which no document claims any more, by the path of an import.

    When an import has written it meanwhile, the adjustment is only closed. Raises
    ``StillBilled``, ``Outdated`` (the job changed otherwise, or a newer change of it is
    open) and ``AlreadyDecided``; then nothing is changed.
    """
    lock_for_transaction("usage-import")
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
    newer = Adjustment.objects.filter(job=adjustment.job_id, status=ReviewStatus.OPEN, pk__gt=adjustment.pk).first()
    if newer is not None:
        words = _("A newer change of the same job is open (number %(number)d). Accept that one and dismiss this one.")
        raise Outdated(words % {"number": newer.pk}, adjustment=adjustment.pk)


def _apply(adjustment: Adjustment) -> None:
    """The noted record, staged as its import would have done: the same rules for what is kept, held and locked."""
    import pyarrow as pa

    from usage.batches import SCHEMA
    from usage.services import choosing, staging
    from usage.services.marks import Marks

    columns = {name: [adjustment.record.get(name)] for name in SCHEMA.names}
    table = pa.table(columns, schema=SCHEMA)
    staging.prepare()
    staging.write(choosing.with_hold(table), Marks(table), run_id=adjustment.run_id, source=adjustment.run.source)
    stored = _shown(Job.objects.get(pk=adjustment.job_id))
    if {name: stored[name] for name in adjustment.after} != adjustment.after:
        raise Outdated(_("The job has changed since this was noted. Dismiss it with a note."), adjustment=adjustment.pk)


def _settle_applied(run: ImportRun) -> None:
    """Changes that this run has just written itself, because their document was voided, need no decision any more."""
    waiting = Adjustment.objects.filter(status=ReviewStatus.OPEN, job__import_run=run).select_related("job")
    for adjustment in waiting:
        if _digest(_shown(adjustment.job)) == adjustment.digest:
            actor = Actor(run.actor)
            decide(adjustment, ReviewStatus.ACCEPTED, actor=actor, note=f"import run {run.pk}")
            record_audit(
                actor=actor, action="usage_change_accept", target=adjustment.job.job_key, entity=adjustment,
                extra={"document": adjustment.document, "run": run.pk},
            )  # fmt: skip


def _adjustment(job: Job, record: dict[str, Any], run: ImportRun) -> Adjustment:
    stored, came = _shown(job), {name: record[name] for name in SHOWN}
    came["gpu_types"] = json.loads(record["gpu_types"])
    differing = [name for name in SHOWN if stored[name] != came[name]]
    return Adjustment(
        job=job,
        run=run,
        document=job.claimed_by,
        before={name: stored[name] for name in differing},
        after={name: came[name] for name in differing},
        record=record,
        digest=_digest(came),
    )


def _shown(job: Job) -> dict[str, Any]:
    return {name: _plain(getattr(job, name)) for name in SHOWN}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([values[name] for name in SHOWN], sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return int(value.timestamp()) if hasattr(value, "timestamp") else value
