"""What pages and metrics know of the file of heads: the same as a verification, at the cost of what is new in it."""

from __future__ import annotations

import os
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit import heads, keys
from tests.audit.test_damaged_heads import odd_files
from tests.audit.test_heads import sign
from tests.audit.worlds import Signed, verify, write
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lines(signed: Signed) -> list[bytes]:
    for _ in range(3):
        write(1)
        sign()
    return signed.heads.read_bytes().splitlines(keepends=True)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts whose signatures were looked at."""
    found: list[bytes] = []
    real = keys.verify
    monkeypatch.setattr(
        keys, "verify", lambda public, text, signature: found.append(text) or real(public, text, signature)
    )
    return found


def test_a_signature_is_looked_at_once(signed: Signed, lines: list[bytes], verified: list[bytes]) -> None:
    """Anybody who holds a receipt may ask for its proof: years of heads were verified each time."""
    for _ in range(3):
        log = heads.peek()
    assert log is not None
    assert (len(log.lines), len(verified)) == (3, 3)
    write(1)
    sign()
    verified.clear()
    for _ in range(3):
        log = heads.peek()
    assert log is not None
    assert (len(log.lines), len(verified)) == (4, 1)


def test_a_byte_that_changes_anywhere_is_seen_at_once(signed: Signed, lines: list[bytes]) -> None:
    content = b"".join(lines)
    for place in (20, len(content) // 2, len(content) - 20):
        assert not heads.peek().faults  # type: ignore[union-attr]
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        signed.heads.write_bytes(bytes(spoiled))
        log = heads.peek()
        assert log is not None
        assert log.faults or log.damaged, place
        signed.heads.write_bytes(content)
    signed.heads.write_bytes(b"".join(lines[:-1]))
    assert len(heads.peek().lines) == 2  # type: ignore[union-attr]
    signed.heads.unlink()
    assert heads.peek() is None


@pytest.mark.parametrize("appended", [False, True])
def test_it_is_what_a_whole_reading_finds(signed: Signed, lines: list[bytes], appended: bool) -> None:
    for name, (content, _damaged) in odd_files(lines).items():
        if appended and content.startswith(lines[0]):
            signed.heads.write_bytes(lines[0])
            heads.peek()
        signed.heads.write_bytes(content)
        for _again in range(2):
            assert heads.peek() == heads.load(), name


def test_lines_have_the_same_numbers(signed: Signed, lines: list[bytes]) -> None:
    signed.heads.write_bytes(b"".join(lines[:2]) + b"\n\n")
    heads.peek()
    signed.heads.write_bytes(b"".join(lines[:2]) + b"\n\n" + lines[1])
    assert heads.peek().faults == heads.load().faults  # type: ignore[union-attr]
    assert "line 5" in heads.peek().faults[0]  # type: ignore[union-attr]


def test_a_line_that_is_being_written_is_read_again(signed: Signed, lines: list[bytes]) -> None:
    signed.heads.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert heads.peek().damaged == 1  # type: ignore[union-attr]
    signed.heads.write_bytes(b"".join(lines))
    log = heads.peek()
    assert log is not None
    assert (log.damaged, len(log.lines)) == (0, 3)


def test_a_key_that_follows_is_believed_and_one_that_is_believed_no_more_is_not(
    signed: Signed, lines: list[bytes], settings: Any
) -> None:
    heads.peek()
    following = signed.folder / "next.pem"
    new = keys.make_key(following)
    call_command("audit_key", rotate=str(following), stdout=StringIO())
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_PUBLIC_KEYS = following.read_text(), [signed.public]
    sign()
    log = heads.peek()
    assert log is not None
    assert (log.lines[-1]["key"], log.faults) == (new.id, [])
    settings.AUDIT_PUBLIC_KEYS = []
    assert heads.peek().strangers  # type: ignore[union-attr]


def test_what_is_no_file_is_not_waited_for(signed: Signed, lines: list[bytes]) -> None:
    assert verify()[0] == 0
    signed.heads.unlink()
    os.mkfifo(signed.heads)
    assert (heads.load(), heads.peek()) == (None, None)
    code, words = verify()
    assert (code, "gone, empty or unreadable" in words) == (1, True)
    with pytest.raises(CommandError, match="no regular file"):
        sign()


def test_many_at_once_read_the_same(signed: Signed, lines: list[bytes]) -> None:
    assert {len(log.lines) for log in at_once(8, lambda _n: heads.peek())} == {3}
