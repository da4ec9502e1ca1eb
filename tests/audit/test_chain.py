"""The audit chain: written with the change, never forked, every kind of tampering named."""

from __future__ import annotations

import errno
import json
import os
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit import chain, registry, services, triggers
from audit.hashing import canonical, plain
from audit.models import AuditLog
from core.context import SYSTEM
from tests.races import at_once

registry.register({"test_action": "Test action"})
pytestmark = pytest.mark.django_db(transaction=True)


def write(number: int) -> None:
    for index in range(number):
        services.record(actor=SYSTEM, action="test_action", target=f"row {index}", extra={"n": index})


def tamper(sql: str) -> None:
    """What somebody with the database password could do: take the triggers off and edit."""
    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute(sql)
    triggers.install(connection)


def test_an_untouched_chain_verifies_and_ids_have_no_gap() -> None:
    write(5)
    verdict = chain.verify()
    assert (verdict.ok, verdict.rows) == (True, AuditLog.objects.count())
    assert list(AuditLog.objects.order_by("id").values_list("id", flat=True)) == list(range(1, verdict.rows + 1))


def test_a_rolled_back_change_leaves_no_entry_and_no_gap() -> None:
    before = AuditLog.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        write(1)
        raise RuntimeError
    write(1)
    assert AuditLog.objects.count() == before + 1
    assert chain.verify().ok


@pytest.mark.parametrize(
    ("sql", "bad_row", "word"),
    [
        ("UPDATE audit_log SET target = 'other' WHERE id = {n}", 0, "content"),
        ("UPDATE audit_log SET extra = '{{\"n\": 99}}' WHERE id = {n}", 0, "content"),
        ("UPDATE audit_log SET actor = 'mallory' WHERE id = {n}", 0, "content"),
        ("DELETE FROM audit_log WHERE id = {n}", 0, "missing"),
    ],
)
def test_a_changed_or_removed_row_is_named(sql: str, bad_row: int, word: str) -> None:
    write(6)
    victim = AuditLog.objects.count() - 3
    tamper(sql.format(n=victim))
    verdict = chain.verify()
    assert (verdict.ok, verdict.first_bad) == (False, victim + bad_row)
    assert word in verdict.reason


def test_two_swapped_rows_are_named() -> None:
    write(6)
    low = AuditLog.objects.count() - 3
    tamper(f"UPDATE audit_log SET id = -1 WHERE id = {low}")
    tamper(f"UPDATE audit_log SET id = {low} WHERE id = {low + 1}")
    tamper(f"UPDATE audit_log SET id = {low + 1} WHERE id = -1")
    assert chain.verify().first_bad == low


def test_a_cut_off_tail_is_found_with_a_sealed_head(tmp_path: Any) -> None:
    write(6)
    head = tmp_path / "head.json"
    call_command("seal_audit", out=str(head), stdout=StringIO())
    out = StringIO()
    call_command("verify_audit", head=str(head), format="json", stdout=out)
    assert json.loads(out.getvalue())["ok"] is True
    last = json.loads(head.read_text())["id"]
    tamper(f"DELETE FROM audit_log WHERE id >= {last}")
    assert chain.verify().ok, "the bare chain cannot see a missing tail"
    with pytest.raises(SystemExit) as exit_:
        call_command("verify_audit", head=str(head), stdout=out)
    assert exit_.value.code == 1
    assert f"#{last}" in out.getvalue()


def test_a_seal_is_never_written_over_a_head_that_the_chain_no_longer_holds(tmp_path: Any) -> None:
    write(6)
    head = tmp_path / "head.json"
    call_command("seal_audit", out=str(head), stdout=StringIO())
    proof = head.read_text()
    tamper(f"DELETE FROM audit_log WHERE id >= {json.loads(proof)['id']}")
    with pytest.raises(SystemExit), StringIO() as err:
        call_command("seal_audit", out=str(head), stdout=StringIO(), stderr=err)
    assert head.read_text() == proof


def test_a_head_is_not_looked_for_in_what_has_no_end() -> None:
    write(1)
    with pytest.raises(CommandError, match="not a sealed head"):
        call_command("seal_audit", out="/dev/zero", stdout=StringIO())


def test_a_head_and_an_export_that_are_there_outlive_a_full_disk(tmp_path: Any, monkeypatch: Any) -> None:
    write(3)
    head, log = tmp_path / "head.json", tmp_path / "audit.ndjson"
    call_command("seal_audit", out=str(head), stdout=StringIO())
    call_command("export_audit", out=str(log), stdout=StringIO())
    former = head.read_bytes(), log.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name, out in (("seal_audit", head), ("export_audit", log)):
        with pytest.raises(CommandError, match="No space left") as failed:
            call_command(name, out=str(out), stdout=StringIO())
        assert failed.value.returncode == 1, "the arguments were right"
    with pytest.raises(CommandError, match="No space left"):
        call_command("audit_key", new=str(tmp_path / "key.pem"), stdout=StringIO())
    assert (head.read_bytes(), log.read_bytes()) == former
    assert sorted(tmp_path.iterdir()) == [log, head], "and no half of a key is in the way of the next one"


def test_an_export_is_its_owners_alone_and_a_sealed_head_is_anybodys(tmp_path: Any) -> None:
    write(1)
    before = os.umask(0o022)
    try:
        call_command("export_audit", out=str(tmp_path / "audit.ndjson"), stdout=StringIO())
        call_command("seal_audit", out=str(tmp_path / "head.json"), stdout=StringIO())
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("audit.ndjson", "head.json")]
    assert modes == [0o600, 0o644]


def test_a_forged_head_is_refused(tmp_path: Any) -> None:
    write(1)
    head = tmp_path / "head.json"
    call_command("seal_audit", out=str(head), stdout=StringIO())
    forged = json.loads(head.read_text())
    forged["id"] += 1
    head.write_text(json.dumps(forged))
    with pytest.raises(CommandError, match="signature"):
        call_command("verify_audit", head=str(head))


@pytest.mark.parametrize("sql", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
def test_the_database_refuses_update_and_delete(sql: str) -> None:
    write(1)
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(sql)


def test_sqlite_refuses_replace_too() -> None:
    write(1)
    columns = "id, ts, 'mallory', action, target, status, extra, ip, user_agent, request_id, entity_type, entity_id"
    replace = f"INSERT OR REPLACE INTO audit_log SELECT {columns}, changes, prev_hash, hash FROM audit_log WHERE id = 1"
    if connection.vendor == "postgresql":
        replace = (
            "INSERT INTO audit_log SELECT * FROM audit_log WHERE id = 1 ON CONFLICT (id) DO UPDATE SET actor = 'm'"
        )
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(replace)


@pytest.mark.postgres
def test_postgresql_refuses_truncate_too() -> None:
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_log")


def test_fifty_writers_of_forty_rows_never_fork_the_chain() -> None:
    before = AuditLog.objects.count()

    def writer(_index: int) -> None:
        for _ in range(40):
            services.record(actor=SYSTEM, action="test_action")

    at_once(50, writer)
    verdict = chain.verify()
    assert (verdict.ok, verdict.rows) == (True, before + 2000)


def test_an_unregistered_action_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="not registered"):
        services.record(actor=SYSTEM, action="no_such_action")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_any_detail_has_one_canonical_form_that_survives_json(value: Any) -> None:
    once = plain(value)
    assert plain(json.loads(json.dumps(once))) == once


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_any_detail_reads_back_from_the_database_with_the_same_hash(extra: dict[str, Any]) -> None:
    row = services.record(actor=SYSTEM, action="test_action", extra=extra)
    stored = AuditLog.objects.filter(pk=row.pk).values().get()
    assert canonical(stored) == canonical(row.__dict__)
