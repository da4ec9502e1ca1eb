"""Which document bills a job. The only writer of ``jobs.claimed_by``."""

from __future__ import annotations

from django.db import transaction

from usage.models.jobs import Job, JobQuerySet


@transaction.atomic
def claim_jobs(jobs: JobQuerySet, *, document: str) -> int:
    """Give every still unclaimed job of ``jobs`` to ``document`` (such as ``receipt:12``) in one UPDATE.

    Returns how many it got. Rows are locked by id, the order an import locks them in,
    so the two never wait for each other in a circle; a job that another transaction
    claims at the same moment stays with the first one.
    """
    free = jobs.unbilled().order_by("pk").select_for_update()
    return Job.objects.filter(pk__in=free.values("pk")).update(claimed_by=document)


def release_jobs(*, document: str) -> int:
    """Make the jobs of a voided document billable again."""
    return Job.objects.filter(claimed_by=document).update(claimed_by="")
