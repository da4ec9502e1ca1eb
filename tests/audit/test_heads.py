"""Heads signed to a file outside the database: what was cut off, rewritten or wholly deleted is found by them."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit import chain, heads, keys
from audit.hashing import GENESIS, chain_hash
from audit.models import AuditLog, AuditVerification
from core.errors import AppError
from hpcbilling.periodic import TASKS
from tests.audit.worlds import Signed, tamper, verify, write

pytestmark = pytest.mark.django_db(transaction=True)
TOOL = Path(__file__).resolve().parents[2] / "tools" / "verify_chain.py"


def sign() -> None:
    call_command("sign_audit_head", stdout=StringIO())


def tool(*arguments: object) -> tuple[int, str]:
    """The stand-alone verifier in a bare Python, far from the project."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(TOOL), *map(str, arguments)],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def last() -> int:
    return AuditLog.objects.order_by("-id").values_list("id", flat=True)[0]


def test_a_file_that_was_cut_back_to_an_earlier_head_is_found_and_nothing_is_signed(signed: Signed) -> None:
    """Rows after that head could be written anew, and signed as if they had been so."""
    for _ in range(3):
        write(3)
        sign()
    assert verify()[0] == 0
    whole = signed.heads.read_bytes()
    signed.heads.write_bytes(whole.splitlines(keepends=True)[0])
    code, words = verify()
    assert (code, "put the whole file back" in words) == (1, True)
    with pytest.raises(CommandError, match="held the head of row"):
        sign()
    signed.heads.write_bytes(whole)
    assert verify()[0] == 0
    sign()


def test_each_signing_appends_one_line_that_follows_the_one_before(signed: Signed) -> None:
    for _ in range(3):
        write(2)
        sign()
    sign()  # nothing new: that, too, is said
    log = heads.load()
    assert log is not None
    assert (log.faults, log.damaged, [line["kind"] for line in log.lines]) == ([], 0, ["head"] * 4)
    assert [line["id"] for line in log.lines][-2:] == [last(), last()]
    assert log.lines[1]["from"] == log.lines[0]["id"] + 1
    assert verify()[0] == 0
    assert verify(head=str(signed.heads))[0] == 0


def test_an_older_copy_of_the_heads_is_looked_at_beside_ours(signed: Signed, tmp_path: Path) -> None:
    write(5)
    sign()
    copy = tmp_path / "copy"
    copy.write_bytes(signed.heads.read_bytes())
    write(5)
    sign()
    assert verify(head=str(copy))[0] == 0
    tamper(f"DELETE FROM audit_log WHERE id > {last() - 3}")
    code, words = verify(head=str(copy))
    assert (code, "are missing" in words) == (1, True), "ours say so, though the copy does not"


def test_a_named_file_without_a_head_is_no_proof(signed: Signed, tmp_path: Path) -> None:
    write(5)
    sign()
    (tmp_path / "copy").write_text('{"kind":"head"}\n')
    code, words = verify(head=str(tmp_path / "copy"))
    assert (code, f"{tmp_path / 'copy'}: no signed line is in it" in words) == (1, True)


def test_many_rows_are_signed_in_pieces_of_which_each_can_be_shown(signed: Signed, monkeypatch: Any) -> None:
    monkeypatch.setattr(heads, "SEGMENT", 4)
    write(10)
    sign()
    log = heads.load()
    assert log is not None
    spans = [(line["from"], line["id"]) for line in log.lines]
    assert spans[0] == (1, 4)
    assert spans[-1][1] == last()
    assert all(end - begin < 4 for begin, end in spans)
    signed.export()
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)[0] == 0


def test_the_runner_signs_where_key_and_file_are_set(signed: Signed, settings: Any) -> None:
    task = next(task for task in TASKS if task.name == "sign_audit_head")
    assert task.wanted()
    settings.AUDIT_HEADS_FILE = ""
    assert not task.wanted()
    with pytest.raises(CommandError, match="AUDIT_HEADS_FILE") as refusal:
        sign()
    assert refusal.value.returncode == 78


@pytest.mark.parametrize("cut", [1, 2, 17, 50])
def test_a_cut_off_tail_is_found_and_its_first_row_named(signed: Signed, cut: int) -> None:
    write(60)
    sign()
    whole = last()
    tamper(f"DELETE FROM audit_log WHERE id > {whole - cut}")
    code, words = verify()
    assert (code, f"#{whole - cut + 1}" in words) == (1, True)
    signed.log.write_bytes(b"")
    signed.export()  # the export itself is written down, and begins where the rows end
    code, words = tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)
    assert code == 1
    with pytest.raises(CommandError, match="Nothing was signed"):
        sign()


def test_a_log_that_was_wholly_deleted_is_found(signed: Signed) -> None:
    write(5)
    sign()
    tamper("DELETE FROM audit_log")
    code, words = verify()
    assert (code, "#1" in words) == (1, True)
    signed.log.write_bytes(b"")
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)[0] == 1
    write(9)
    with pytest.raises(CommandError, match="Nothing was signed"):
        sign()


def test_a_chain_that_was_wholly_rewritten_is_found(signed: Signed) -> None:
    """Whoever controls the database can compute every hash anew; the signed heads they cannot."""
    write(8)
    sign()
    previous, statements = GENESIS, []
    for row in AuditLog.objects.order_by("id").values():
        row["actor"] = "mallory" if row["id"] == 3 else row["actor"]
        digest = chain_hash(previous, row)
        statements.append(
            f"UPDATE audit_log SET actor = '{row['actor']}', prev_hash = '{previous}', hash = '{digest}' WHERE id = {row['id']}"
        )
        previous = digest
    tamper(*statements)
    assert chain.verify().ok, "the bare chain cannot see it"
    assert verify()[0] == 1
    signed.export()
    assert tool("--log", signed.log)[0] == 0, "nor can the tool without heads"
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)[0] == 1


def test_a_line_of_the_heads_that_is_changed_removed_or_swapped_is_named(signed: Signed) -> None:
    for _ in range(4):
        write(1)
        sign()
    lines = signed.heads.read_text().splitlines(keepends=True)
    signed.export()
    changed = lines[1].replace(f'"id":{json.loads(lines[1])["id"]}', '"id":999')
    for content in (
        lines[:1] + lines[2:], [lines[1], lines[0], *lines[2:]], [lines[0], changed, *lines[2:]], lines[1:],
        [*lines, lines[0]],
    ):  # fmt: skip
        signed.heads.write_text("".join(content))
        code, words = verify()
        assert (code, "line" in words) == (1, True)
        assert tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)[0] == 1
        with pytest.raises(CommandError, match="Nothing was signed"):
            sign()


def test_a_crash_in_the_middle_of_a_line_is_passed_over_and_the_next_one_still_follows(signed: Signed) -> None:
    write(1)
    sign()
    with signed.heads.open("a") as handle:
        handle.write('{"algorithm":"Ed25519","at":"2026-')
    write(1)
    sign()
    log = heads.load()
    assert log is not None
    assert (log.faults, log.damaged, len(log.lines)) == ([], 1, 2)
    assert verify()[0] == 0
    signed.export()
    code, words = tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)
    assert (code, "1 damaged" in words) == (0, True)


@pytest.mark.parametrize("left", ["", "\n", "damaged", "\x00\n" * 3])
def test_a_file_of_heads_without_any_proves_nothing(signed: Signed, left: str) -> None:
    """Who rewrites the log and spoils every head would else be told that all is proven."""
    write(2)
    sign()
    signed.export()
    whole = signed.heads.read_text()
    signed.heads.write_text(whole[1:] if left == "damaged" else left)
    code, words = tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)
    assert (code, "BROKEN: heads: no signed line" in words) == (1, True)


def test_a_head_signed_by_a_stranger_is_not_believed(signed: Signed, tmp_path: Path, settings: Any) -> None:
    write(2)
    sign()
    stranger = keys.make_key(tmp_path / "stranger.pem")
    settings.AUDIT_SIGNING_KEY = (tmp_path / "stranger.pem").read_text()
    code, words = verify()
    assert (code, f"line 1 is signed by the key {signed.key.id}, which is not trusted" in words) == (1, True)
    assert "AUDIT_PUBLIC_KEYS" in words, "what to do if it was ours"
    signed.export()
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", stranger.public.hex())[0] == 1


def test_a_key_is_changed_with_a_line_that_the_former_one_signs(signed: Signed, tmp_path: Path, settings: Any) -> None:
    write(2)
    sign()
    out = StringIO()
    call_command("audit_key", new=str(tmp_path / "next.pem"), stdout=StringIO())
    call_command("audit_key", rotate=str(tmp_path / "next.pem"), stdout=out)
    former = re.findall(r"^[0-9a-f]{64}$", out.getvalue(), re.M)
    assert former == [signed.public]
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_PUBLIC_KEYS = (tmp_path / "next.pem").read_text(), former
    write(2)
    sign()
    assert verify()[0] == 0
    assert AuditLog.objects.filter(action="audit_key_rotation").count() == 1
    signed.export()
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)[0] == 0, "who knows the first key"


def test_sealed_heads_are_signed_with_the_key_and_stay_good_after_it_was_changed(
    signed: Signed, tmp_path: Path, settings: Any
) -> None:
    write(2)
    file = tmp_path / "sealed.json"
    call_command("seal_audit", out=str(file), stdout=StringIO())
    sealed = json.loads(file.read_text())
    assert (sealed["algorithm"], sealed["key"]) == ("Ed25519", signed.key.id)
    assert verify(head=str(file))[0] == 0
    keys.make_key(tmp_path / "next.pem")
    settings.AUDIT_SIGNING_KEY = (tmp_path / "next.pem").read_text()
    with pytest.raises(CommandError, match="signature"):
        verify(head=str(file))
    settings.AUDIT_PUBLIC_KEYS = [signed.public]
    assert verify(head=str(file))[0] == 0
    file.write_text(json.dumps({**sealed, "id": sealed["id"] + 1}))
    with pytest.raises(CommandError, match="signature"):
        verify(head=str(file))


def test_the_public_key_is_written_for_auditors(signed: Signed, tmp_path: Path) -> None:
    call_command("audit_key", out=str(tmp_path / "public.pem"), stdout=StringIO())
    write(1)
    sign()
    signed.export()
    assert tool("--log", signed.log, "--heads", signed.heads, "--key", tmp_path / "public.pem")[0] == 0


def test_only_one_signs_at_a_time(signed: Signed) -> None:
    import fcntl

    write(1)
    with signed.heads.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CommandError) as refusal:
            sign()
    assert refusal.value.returncode == 75


def test_every_verification_is_kept_for_the_console(signed: Signed) -> None:
    write(3)
    sign()
    verify()
    row = AuditVerification.objects.latest("id")
    assert (row.ok, row.first_id, row.last_id, row.signed_id) == (True, 1, last(), last())
    tamper("UPDATE audit_log SET actor = 'mallory' WHERE id = 2")
    verify()
    row = AuditVerification.objects.latest("id")
    assert (row.ok, row.first_bad) == (False, 2)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_file_of_heads_that_is_taken_away_is_missed_and_not_begun_anew_by_itself(signed: Signed, how: str) -> None:
    write(3)
    sign()
    verify()
    signed.heads.unlink() if how == "gone" else signed.heads.write_text("")
    code, words = verify()
    assert (code, "held signed heads" in words) == (1, True)
    with pytest.raises(CommandError, match="Put it back"):
        sign()
    call_command("sign_audit_head", begin_anew=True, stdout=StringIO())
    assert verify()[0] == 0


def test_a_disk_that_is_full_is_said_in_words_and_the_next_run_signs(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(2)
    with monkeypatch.context() as patched:
        patched.setattr("audit.heads.os.fsync", full)
        with pytest.raises(AppError, match=r"AUDIT_HEADS_FILE cannot be written: .*No space left"):
            heads.sign()
    write(1)
    heads.sign()
    assert verify()[0] == 0
