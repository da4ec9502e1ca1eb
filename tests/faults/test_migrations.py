"""F31: migrating is killed at the worst moment of a migration, all of it done and nothing written down; migrating again
ends as if nothing had happened. ``MIGRATION_KILLS`` migrations, chosen by chance, or all of them with 0."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.faults.seeds import dice, times
from tests.faults.site import ROOT
from tests.usage.test_killed import Databases, on_postgresql, on_sqlite

KILLS = times("MIGRATION_KILLS", 1)
PROGRAM = """
import os, sys
import django
django.setup()
from django.core.management import execute_from_command_line
from django.db import connection
left = int(sys.argv[1])
def watch(execute, statement, parameters, many, context):
    global left
    if statement.startswith("INSERT INTO") and "django_migrations" in statement:
        left -= 1
        if left == 0:
            os._exit(9)
    return execute(statement, parameters, many, context)
connection.execute_wrappers.append(watch)
execute_from_command_line(["manage.py", "migrate", "-v0"])
"""
SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": """SELECT 'column', table_name || '.' || column_name, data_type || is_nullable
        FROM information_schema.columns WHERE table_schema = 'public' UNION ALL
        SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL
        SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace UNION ALL
        SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
}
OURS = "usage_events_"  # partitions by month: which there are depends on the day


@pytest.fixture
def databases(tmp_path: Path, db: None) -> Iterator[Databases]:
    if connection.vendor == "postgresql":
        yield from on_postgresql(connection.settings_dict)
    else:
        yield from on_sqlite(tmp_path)


def migrate(url: str, kill_at: int) -> int:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(kill_at)], cwd=ROOT, env=environment, check=False, capture_output=True
    )
    assert done.returncode in (0, 9), done.stderr
    return done.returncode


def schema(rows: list[tuple[object, ...]]) -> set[str]:
    found = {" ".join(map(str, row)) for row in rows}
    return {" ".join(each.replace('"', "").split()) for each in found if OURS not in each}


def test_a_migration_that_is_killed_is_done_again_to_the_same_end(databases: Databases) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA[connection.vendor])
        wanted = schema(cursor.fetchall())
    number = len(MigrationLoader(connection).disk_migrations)
    chance = dice("migrations")
    for kill_at in sorted(chance.sample(range(1, number + 1), KILLS or number)):
        url = databases.prepare("migrated")
        assert migrate(url, kill_at) == 9, f"there is no migration {kill_at}"
        assert migrate(url, 0) == 0
        found = schema(databases.ask(url, SCHEMA[connection.vendor]))
        assert found == wanted, f"killed before migration {kill_at} was written down"
        Path(url.removeprefix("sqlite:///")).unlink(missing_ok=True)
