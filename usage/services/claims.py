"""Which document bills a job. The only writer of ``jobs.claimed_by``."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from usage.models.jobs import Job, JobQuerySet


@transaction.atomic
def claim_jobs(jobs: JobQuerySet, *, document: str) -> int:
    """Give every still unclaimed job of ``jobs`` to ``document`` (such as ``receipt:12``) in one UPDATE.

    Returns how many it got. Rows are locked by id, the order an import locks them in,
    so the two never wait for each other in a circle; a job that another transaction
    claims at the same moment stays with the first one.
    """
    free = jobs.unbilled().order_by("pk").select_for_update()
    if connection.vendor != "postgresql":
        return Job.objects.filter(pk__in=free.values("pk")).update(claimed_by=document)
    with connection.cursor() as cursor:
        cursor.execute(*claim_sql(free, document))
        number: int = cursor.rowcount
    return number


def claim_sql(free: JobQuerySet, document: str) -> tuple[str, list[Any]]:
    """PostgreSQL's statement: the jobs are picked once and then looked up by id.

    As a condition (``id IN (SELECT …)``) the picking would be repeated for each job
    wherever the table's statistics are wrong.
    """
    picking, parameters = free.values("pk").query.sql_with_params()
    picked = f"WITH picked(id) AS MATERIALIZED ({picking})"
    return (
        f"{picked} UPDATE jobs SET claimed_by = %s FROM picked WHERE jobs.id = picked.id",
        [*parameters, document],
    )


def release_jobs(*, document: str) -> int:
    """Make the jobs of a voided document billable again."""
    return Job.objects.filter(claimed_by=document).update(claimed_by="")
