"""Behind pgbouncer in transaction mode: nothing of ours lives in a session."""

from __future__ import annotations

import ast
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from core.database.locks import need_session, run_lock
from core.errors import Busy, Misconfigured

ROOT = Path(__file__).resolve().parents[2]
APPS = ("hpcbilling", "payments", "billing", "usage", "subscriptions", "accounts", "audit", "core")
# What PostgreSQL keeps for a session, and where we may write it.
OF_A_SESSION = {
    "pg_try_advisory_lock": set(), "pg_advisory_lock": set(), "pg_advisory_unlock": set(), "LISTEN ": set(),
    "SET SESSION": set(), "CREATE TEMPORARY TABLE": {"usage/services/staging.py", "usage/services/comparing.py"},
    "WITH HOLD": set(), "PREPARE ": set(), "DISCARD ": {"core/database/sets.py"},  # of plans alone: the next one makes its own
}  # fmt: skip


def test_no_statement_of_ours_leaves_anything_in_a_session() -> None:
    found: dict[str, set[str]] = {words: set() for words in OF_A_SESSION}
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for words in OF_A_SESSION:
                        if words in node.value:
                            found[words].add(str(file.relative_to(ROOT)))
    assert found == OF_A_SESSION


def test_what_needs_a_session_says_so(settings: Any) -> None:
    settings.DATABASE_POOLED = True
    with pytest.raises(Misconfigured, match="DATABASE_DIRECT_URL"):
        need_session()
    settings.DATABASE_POOLED = False
    need_session()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_run_lock_survives_whatever_other_transactions_do_meanwhile() -> None:
    """Thirty statements on other connections: a pooler hands each to any server it has."""
    refused = []

    def other() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        try:
            with run_lock("pooled"):
                refused.append("got it")
        except Busy:
            refused.append("busy")
        connections.close_all()

    with run_lock("pooled"):
        threads = [threading.Thread(target=other) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == ["busy"] * 10
    with run_lock("pooled"):
        pass


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_probe_gives_up_by_itself_and_leaves_no_timeout_behind() -> None:
    from django.db.utils import Error

    from hpcbilling.ops import probe

    with pytest.raises(Error, match="timeout"), probe() as own, own.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")
    for _ in range(5):
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
