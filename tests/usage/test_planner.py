"""PostgreSQL's statistics may be wrong for a minute; no statement of an import or a claim depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, transaction

from tests.factories import make_jobs
from tests.usage.helpers import row, run_import, write
from usage.models import Job
from usage.services import staging
from usage.services.claims import claim_sql

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.psv"


def believe_that_jobs_is_empty() -> None:
    """What an autovacuum leaves behind that met the table while its first rows were not committed yet."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs")
        cursor.execute("UPDATE pg_class SET reltuples = 0 WHERE oid = 'jobs'::regclass")


def rows_in_statistics() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'jobs'::regclass")
        return int(cursor.fetchone()[0])


def test_statistics_that_call_a_full_table_empty_are_taken_anew_before_they_make_a_plan(file: Path) -> None:
    make_jobs(5000)
    believe_that_jobs_is_empty()
    run_import(write(file, row(1)))
    assert rows_in_statistics() >= 5000


def test_known_rows_are_looked_up_one_by_one_whatever_the_statistics_say(file: Path) -> None:
    run_import(write(file, *(row(number) for number in range(1, 2000))))
    staging.prepare()
    with connection.cursor() as cursor:
        staged = ", ".join(staging.COMPARED)
        cursor.execute(f"INSERT INTO import_stage SELECT {staged}, id, '' FROM jobs")
        believe_that_jobs_is_empty()
        cursor.execute(f"EXPLAIN {staging.compare_sql()}", [1])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Cond: ((job_key)::text = (s.job_key)::text)" in plan, plan


def test_jobs_are_picked_once_and_looked_up_by_id_whatever_the_statistics_say() -> None:
    make_jobs(3000)
    with transaction.atomic(), connection.cursor() as cursor:
        believe_that_jobs_is_empty()
        free = Job.objects.filter(username="alice").unbilled().order_by("pk").select_for_update()
        statement, parameters = claim_sql(free, "receipt:1")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Cond: (id = picked.id)" in plan, plan
