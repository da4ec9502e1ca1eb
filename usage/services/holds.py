"""Jobs that are kept off documents because they are implausibly long, and finance's word that they are real."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record as record_audit
from core.context import Actor
from core.errors import Conflict
from usage.models import Hold, Job
from usage.services.reviews import required


class NotHeld(Conflict):
    code = "not_held"


@transaction.atomic
def clear_hold(*, actor: Actor, job: Job, note: str) -> Job:
    """The job is real and may be billed. The note and who wrote it stand in the audit log.

    Raises ``NotHeld`` when it is not held (any more) or has not ended, ``BadInput`` without a note.
    """
    note = required(note)
    held = Job.objects.ended().filter(pk=job.pk, hold=Hold.RUNAWAY)  # an open one may yet become longer
    moved = held.update(hold=Hold.CLEARED, updated_at=timezone.now())
    job.refresh_from_db()
    if not moved:
        raise NotHeld(_("Job %(job)s is not held back, or has not ended.") % {"job": job.job_id_display}, job=job.pk)
    record_audit(
        actor=actor, action="usage_hold_clear", target=job.job_key, entity=job,
        changes={"hold": [Hold.RUNAWAY, Hold.CLEARED]},
        extra={"note": note, "elapsed_seconds": job.elapsed_seconds, "username": job.username},
    )  # fmt: skip
    return job


def longest_start() -> datetime:
    """What started before this and has not ended is longer than any job should be."""
    return timezone.now() - timedelta(days=settings.USAGE_RUNAWAY_DAYS)


def never_closed() -> Q:
    """Open jobs that started longer ago than any job should last: the cluster probably lost their end."""
    return Q(end_at__isnull=True, start_at__lt=longest_start())
