"""Retention: old rows go to an archive under a signed checkpoint, and the chain is as provable as before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from audit import chain, heads, keys
from audit.models import AuditCheckpoint, AuditLog
from hpcbilling.periodic import TASKS
from hpcbilling.retention import USUAL
from tests.audit.test_heads import last, tool
from tests.audit.worlds import Signed, tamper, verify, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aged(signed: Signed, settings: Any) -> Iterator[Signed]:
    """Rows that were written and signed two years ago, and five of today."""
    settings.AUDIT_RETENTION_DAYS = 365
    write(30 - last_or_none())
    heads.sign()
    with time_machine.travel(timezone.now() + timedelta(days=730), tick=True):
        write(5)
        yield signed


def last_or_none() -> int:
    """A fresh database may hold entries of its own making."""
    return AuditLog.objects.count()


def prune(older_than: str = "400d", **options: Any) -> dict[str, int]:
    out = StringIO()
    call_command("prune", what="audit", older_than=older_than, format="json", stdout=out, **options)
    return dict(json.loads(out.getvalue()))


def test_nothing_goes_by_itself_or_unless_a_site_says_so(aged: Signed, settings: Any) -> None:
    assert "audit" not in USUAL
    assert not any("audit" in " ".join(task.arguments) for task in TASKS if task.name == "prune")
    settings.AUDIT_RETENTION_DAYS = 0
    with pytest.raises(CommandError, match="AUDIT_RETENTION_DAYS"):
        prune()
    settings.AUDIT_RETENTION_DAYS, settings.AUDIT_ARCHIVE_FOLDER = 365, ""
    with pytest.raises(CommandError, match="AUDIT_ARCHIVE_FOLDER"):
        prune()
    assert AuditLog.objects.order_by("id").first().id == 1  # type: ignore[union-attr]


def test_rows_younger_than_the_retention_stay(aged: Signed) -> None:
    with pytest.raises(CommandError, match="365"):
        prune("364d")


def test_old_rows_go_to_an_archive_and_both_parts_are_proven_together(aged: Signed) -> None:
    assert prune(dry_run=True) == {"audit": 30}
    assert AuditCheckpoint.objects.count() == 0
    whole = last()
    assert prune() == {"audit": 30}
    first = AuditLog.objects.order_by("id").values_list("id", flat=True)[0]
    checkpoint = AuditCheckpoint.objects.get()
    assert (checkpoint.first_id, checkpoint.last_id, first) == (1, 30, 31)
    archive = aged.archive / checkpoint.archive
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == checkpoint.sha256
    assert archive.stat().st_mode & 0o777 == 0o600
    assert last() == whole + 1, "what was done stands in the log"
    assert verify()[0] == 0
    heads.sign()
    assert verify()[0] == 0
    aged.export()
    given = ("--heads", aged.heads, "--key", aged.public)
    assert tool("--log", archive, "--log", aged.log, *given)[0] == 0
    assert tool("--log", aged.log, *given)[0] == 0, "the rest alone begins at the signed checkpoint"
    assert tool("--log", aged.log)[0] == 1, "without which nobody knows what was before"
    assert prune() == {"audit": 0}


def test_the_books_are_still_proven_when_the_entries_of_old_documents_are_archived(aged: Signed) -> None:
    prune()
    call_command("check_books", "audit_chain", "audit_trail", "audit_rates", "audit_payments", stdout=StringIO())


def test_a_second_archive_follows_the_first(aged: Signed) -> None:
    prune()
    with time_machine.travel(timezone.now() + timedelta(days=500), tick=False):
        write(3)
        assert prune()["audit"] > 0
        assert verify()[0] == 0
        aged.export()
    files = sorted(aged.archive.iterdir())
    assert len(files) == 2
    logs = [part for file in (*files, aged.log) for part in ("--log", file)]
    assert tool(*logs, "--heads", aged.heads, "--key", aged.public)[0] == 0


def test_the_database_still_refuses_every_other_change(aged: Signed) -> None:
    prune()
    for sql in (
        f"DELETE FROM audit_log WHERE id = {last()}", "DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'",
        "UPDATE audit_checkpoints SET last_id = 1000000", "DELETE FROM audit_checkpoints",
    ):  # fmt: skip
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute(sql)


def test_a_checkpoint_that_somebody_else_wrote_lets_rows_go_but_is_found(aged: Signed) -> None:
    row = AuditLog.objects.get(id=20)
    AuditCheckpoint.objects.create(
        at=timezone.now(), first_id=1, last_id=20, last_hash=row.hash, last_ts=row.ts, archive="x", sha256="0" * 64,
        key=aged.key.id, signature="00" * 64,
    )  # fmt: skip
    AuditLog.objects.filter(id__lte=20).delete()
    verdict = chain.verify()
    assert (verdict.ok, verdict.first_bad, "not signed" in verdict.reason) == (False, 20, True)
    assert verify()[0] == 1


def test_a_row_that_is_gone_after_the_checkpoint_is_found(aged: Signed) -> None:
    prune()
    tamper("DELETE FROM audit_log WHERE id = 31")
    assert (chain.verify().ok, chain.verify().first_bad) == (False, 31)


def test_an_archive_that_was_changed_is_found(aged: Signed) -> None:
    prune()
    archive = next(aged.archive.iterdir())
    archive.write_text(archive.read_text().replace("user3", "user4", 1))
    code, words = tool("--log", archive, "--heads", aged.heads, "--key", aged.public)
    assert (code, "row #" in words) == (1, True)


def test_a_broken_chain_is_not_archived(aged: Signed) -> None:
    tamper("UPDATE audit_log SET actor = 'mallory' WHERE id = 12")
    with pytest.raises(CommandError, match="#12"):
        prune()
    assert AuditLog.objects.order_by("id").values_list("id", flat=True)[0] == 1
    assert list(aged.archive.iterdir()) == []


def test_a_checkpoint_of_a_former_key_is_believed_while_that_is_named(aged: Signed, settings: Any) -> None:
    prune()
    keys.make_key(aged.folder / "next.pem")
    settings.AUDIT_SIGNING_KEY = (aged.folder / "next.pem").read_text()
    assert not chain.verify().ok
    settings.AUDIT_PUBLIC_KEYS = [aged.public]
    assert chain.verify().ok
