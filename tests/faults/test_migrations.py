"""F31: migrating is killed in the middle of a migration; migrating again ends as if nothing had happened.
``MIGRATION_KILLS`` migrations, chosen by chance, one after the other; with 0 every one but the last five is tried, and
at least half of all die: one with fewer statements than chance chose is done, and the next one is killed.

Django writes a migration down after its transaction where indexes follow at its end: who is killed between the two must
say so (``migrate --fake``), as docs/faults.md says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
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
migrations, statements = int(sys.argv[1]), int(sys.argv[2])
def watch(execute, statement, parameters, many, context):
    global migrations, statements
    if statement.startswith("INSERT INTO") and "django_migrations" in statement:
        migrations -= 1
    elif migrations <= 0 and statement.split(" ", 1)[0] in ("CREATE", "ALTER", "DROP", "UPDATE", "INSERT"):
        statements -= 1
        if statements == 0:
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


def migrate(url: str, migrations: int = -1, statements: int = 0) -> int:
    """With numbers: it dies before that statement after so many migrations."""
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(migrations), str(statements)],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
    )
    assert done.returncode in (0, 9), done.stderr
    return done.returncode


def schema(rows: list[tuple[object, ...]]) -> set[str]:
    found = {" ".join(map(str, row)) for row in rows}
    return {" ".join(each.replace('"', "").split()) for each in found if OURS not in each}


def test_a_migration_that_is_killed_is_done_again_to_the_same_end(databases: Databases) -> None:
    """One database, whose migrating dies again and again, each time further on."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA[connection.vendor])
        wanted = schema(cursor.fetchall())
    number = len(MigrationLoader(connection).disk_migrations)
    chance = dice("migrations")
    # the last ones of all may have no statement left to be killed at
    places = sorted(chance.sample(range(1, number - 5), KILLS or number - 6))
    url = databases.empty("migrated")
    kills = 0
    for before, place in pairwise([0, *places]):
        # one that has fewer statements is done, and the next one dies
        if migrate(url, place - before, chance.randint(1, 3)) == 0:
            break
        kills += 1
    assert kills >= min(len(places), number // 2), f"it came to its end after {kills} kills"
    assert migrate(url) == 0
    assert schema(databases.ask(url, SCHEMA[connection.vendor])) == wanted
