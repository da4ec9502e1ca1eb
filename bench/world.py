"""The program on a fresh database, and its job table as the benchmarks handle it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import timed

ROOT = Path(__file__).resolve().parent.parent
# As in production: with DEBUG on Django remembers every statement.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "hpcbilling.settings",
    "DEBUG": "0",
    "SECRET_KEY": "only-for-benchmarks-b7Yq2Lw9ZkTn4VxR8sHcJd3MfGpA6uEo1KiX",
    "ALLOWED_HOSTS": "localhost",
    "SITE_BASE_URL": "https://billing.example.ac.th",
    "READ_DOT_ENV": "0",
    "LOG_LEVEL": "ERROR",
    "PAYMENT_WEBHOOK_SECRET": "webhook-secret-of-the-benchmarks",
    "TIME_ZONE": "Asia/Bangkok",
    "REQUESTS_PER_MINUTE": "0",  # callers here ask faster than people do
    "OIDC_ISSUER": "",  # a sign-in of the shell that starts this belongs to no figure
}


def set_up(url: str) -> None:
    os.environ.update(ENVIRONMENT | {"DATABASE_URL": url})
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def import_file(path: Path) -> Any:
    from core.context import SYSTEM
    from usage.services.imports import import_usage

    return import_usage(actor=SYSTEM, source="csv", file=str(path), timezone="UTC")


def truncate(tables: str) -> None:
    """Also those that the database keeps as they are."""
    from django.db import connection

    from billing import triggers

    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")
    triggers.install(connection)


def empty() -> None:
    """No jobs, no marks, and nothing left to write for what went before."""
    from django.db import connection

    truncate("jobs, clusters")
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def content() -> tuple[int, int, int, int]:
    """Number of jobs and sums of their amounts, read anew on a connection of its own: what has truly been kept."""
    from django.db import connections

    own = connections.create_connection("default")
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), SUM(cpu_core_seconds), SUM(gpu_seconds), SUM(mem_mib_seconds) FROM jobs")
            jobs, *sums = cursor.fetchone()
    finally:
        own.close()
    return int(jobs), *(int(each or 0) for each in sums)  # type: ignore[return-value]


def import_into_empty(path: Path) -> tuple[float, Any]:
    empty()
    results: list[Any] = []
    seconds = timed(lambda: results.append(import_file(path)))
    return seconds, results[0]


def save_finished_rows(path: Path) -> None:
    """The rows of ``jobs`` as the database itself writes them out."""
    from django.db import connection

    connection.ensure_connection()
    with path.open("wb") as handle, connection.connection.cursor().copy("COPY jobs TO STDOUT") as copy:
        for piece in copy:
            handle.write(piece)


def copy_finished_rows(path: Path) -> float:
    """Seconds of COPY alone: the same rows into the same table with the same indexes, one transaction."""
    from django.db import connection, transaction

    empty()

    def load() -> None:
        with (
            path.open("rb") as handle,
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy("COPY jobs FROM STDIN") as copy,
        ):
            while piece := handle.read(1 << 18):
                copy.write(piece)

    return timed(load)


def is_durable() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        return tuple(cursor.fetchone()) == ("on", "on")


def child(*arguments: str, **environment: str) -> dict[str, Any]:
    """Run ``bench.child`` in a fresh process; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.child", *arguments], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found
