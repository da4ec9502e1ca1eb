"""Which document bills a job. The only writer of ``jobs.claimed_by``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction

from core.database.tables import json_table
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
    return release_jobs_of([document])


def release_jobs_of(documents: Sequence[str]) -> int:
    """The same for several documents."""
    return Job.objects.filter(claimed_by__in=documents).update(claimed_by="")


@transaction.atomic
def claim_jobs_by_account(jobs: JobQuerySet, *, documents: Mapping[str, str]) -> int:
    """As ``claim_jobs``, for several documents at once: ``documents`` names one for each Slurm account."""
    free = jobs.unbilled().filter(account__in=list(documents)).order_by("pk").select_for_update()
    try:
        picking, parameters = free.values("pk", "account").query.sql_with_params()
    except EmptyResultSet:
        return 0
    table, rows = json_table("d", {"account": "text", "document": "text"}, sorted(documents.items()))
    if connection.vendor == "postgresql":
        statement = (
            f"WITH {table}, picked(id, account) AS MATERIALIZED ({picking}) UPDATE jobs SET claimed_by = d.document"
            " FROM picked JOIN d ON d.account = picked.account WHERE jobs.id = picked.id"
        )
    else:
        statement = (
            f"WITH {table}, picked(id, account) AS ({picking}) UPDATE jobs SET claimed_by ="
            " (SELECT d.document FROM d WHERE d.account = jobs.account) WHERE id IN (SELECT id FROM picked)"
        )
    with connection.cursor() as cursor:
        cursor.execute(statement, [rows, *parameters])
        number: int = cursor.rowcount
    return number
