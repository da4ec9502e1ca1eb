"""The log of signed heads: a file outside the database that is only ever appended to.

One JSON object a line (sorted keys, no spaces), each with the SHA-256 of the line before in ``prev``:

- ``head``: the chain reached row ``id`` with ``hash``; ``root`` is the hash tree over the hashes of the rows ``from``
  to ``id`` (``audit.merkle``). A head without new rows says that there were none.
- ``rotation``: the key that signs this line is followed by the key ``new``.
- ``checkpoint``: the rows ``first`` to ``id`` are in the file ``archive`` with ``sha256``, and may be gone from here.

A line that is no such thing (a crash cut it off, a disk spoiled it) is damaged: it is counted and passed over, and the
next one is linked to the last whole one. ``tools/verify_chain.py`` takes the same lines for damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from audit import keys, merkle
from audit.hashing import GENESIS, stamp
from audit.models import AuditLog, AuditVerification
from core.errors import AppError, Busy, Conflict, Misconfigured

PURPOSE = "head"
SEGMENT = 4096  # rows under one head at most: a proof reads them all
LONGEST = 64 * 1024  # bytes of a line; a longer one is damaged, and is never in memory as a whole
LARGEST = 2**63
SIGNED = {"prev": str, "at": str, "algorithm": str, "key": str, "signature": str}
KINDS: dict[str, dict[str, type]] = {
    "head": {"from": int, "id": int, "hash": str, "root": str, **SIGNED},
    "rotation": {"new": str, **SIGNED},
    "checkpoint": {"first": int, "id": int, "hash": str, "archive": str, "sha256": str, **SIGNED},
}
Line = dict[str, Any]


@dataclass(slots=True)
class HeadLog:
    """What a file of heads holds. ``faults`` are lines that cannot be right, in words; ``strangers`` are keys that
    signed some of these and are not believed: somebody else's, or former ones that AUDIT_PUBLIC_KEYS does not name."""

    lines: list[Line] = field(default_factory=list)
    last: str = GENESIS  # SHA-256 of the last whole line
    damaged: int = 0
    faults: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @property
    def heads(self) -> dict[int, str]:
        """Hash of the chain by row, as signed."""
        return {line["id"]: line["hash"] for line in self.lines if line["kind"] == "head" and line["id"]}

    @property
    def newest(self) -> Line | None:
        return next((line for line in reversed(self.lines) if line["kind"] == "head"), None)

    def over(self, row: int) -> Line | None:
        """The head whose tree holds the row."""
        found = (line for line in reversed(self.lines) if line["kind"] == "head" and line["from"] <= row <= line["id"])
        return next(found, None)


def line_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(file: BinaryIO, trusted: Mapping[str, bytes]) -> HeadLog:
    """Every line with its link and its signature looked at."""
    reading = _Reading(dict(trusted))
    reading.go_on(file)
    return reading.log


@dataclass(slots=True)
class _Reading:
    """How far a file was read; ``trusted`` with the keys that follow by rotation."""

    trusted: dict[str, bytes]
    log: HeadLog = field(default_factory=HeadLog)
    number: int = 0  # of the last line

    def copy(self) -> _Reading:
        was = self.log
        log = replace(was, lines=[*was.lines], faults=[*was.faults], strangers=[*was.strangers])
        return _Reading(dict(self.trusted), log, self.number)

    def go_on(self, file: BinaryIO) -> None:
        """Read from where ``file`` stands to its end."""
        for number, raw in _lines(file, self.number):
            self.number = number
            if raw:
                _take(raw, number, self.log, self.trusted)


def _take(raw: bytes, number: int, log: HeadLog, trusted: dict[str, bytes]) -> None:
    line = _parsed(raw)
    if line is None:
        log.damaged += 1
        return
    if line["prev"] != log.last:
        log.faults.append(f"line {number} does not follow the line before: lines are missing or changed")
    elif (key := line["key"]) not in trusted:
        log.strangers.append(key[:16])
        log.faults.append(
            f"line {number} is signed by the key {key[:16]}, which is not trusted: if it was yours, put its public"
            " key into AUDIT_PUBLIC_KEYS; if not, somebody else wrote the line"
        )
    elif not keys.is_signed(PURPOSE, line, trusted):
        log.faults.append(f"the signature of line {number} is wrong: it was changed after it was signed")
    else:
        log.lines.append(line)
        if line["kind"] == "rotation":
            new = bytes.fromhex(line["new"])
            trusted[keys.key_id(new)] = new
    log.last = line_hash(raw)


def _lines(file: BinaryIO, number: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line after ``number``; of one that is too long, its beginning."""
    while raw := file.readline(LONGEST + 1):
        number += 1
        rest = raw
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        yield number, raw.removesuffix(b"\n").removesuffix(b"\r") if raw.endswith(b"\n") else raw


def _parsed(raw: bytes) -> Line | None:
    """A line that is written as we write; else None."""
    try:
        text = raw.decode() if len(raw) <= LONGEST else ""
        line: Line = json.loads(text)
        known = KINDS[line["kind"]]
        whole = all(type(line[name]) is kind for name, kind in known.items()) and all(map(_is_plain, line.values()))
        if not whole or keys.compact(line) != text:
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if line["kind"] == "rotation" and not re.fullmatch(r"[0-9a-f]{64}", line["new"]) else line


def _is_plain(value: Any) -> bool:
    return type(value) is str or (type(value) is int and abs(value) < LARGEST)


def path() -> Path | None:
    return Path(settings.AUDIT_HEADS_FILE) if settings.AUDIT_HEADS_FILE else None


def configured() -> bool:
    return bool(settings.AUDIT_HEADS_FILE and settings.AUDIT_SIGNING_KEY)


def _open(file: Path, mode: str = "rb") -> BinaryIO:
    """Raises ``OSError``; also for what is there and no file: a pipe would be waited for without end."""
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is no regular file")
    handle: BinaryIO = file.open(mode)  # type: ignore[assignment]
    return handle


def load() -> HeadLog | None:
    """The log of ``AUDIT_HEADS_FILE``; None where there is none, or none that we may read."""
    file = path()
    if file is None:
        return None
    trusted = keys.trusted_keys()
    try:
        with _open(file) as handle:
            return read(handle, trusted)
    except OSError:
        return None


def peek() -> HeadLog | None:
    """The same for pages and numbers, which go on without it whatever is wrong; ``doctor`` says what that is.

    Of a file that begins as it did when this process last read it, only what was appended is verified: signatures of
    years would take seconds, and anybody may ask for a proof. Not to be changed: others hold the same one.
    """
    file = path()
    try:
        return _PEEKED.read(file, keys.trusted_keys()) if file is not None else None
    except (AppError, OSError):
        return None


class _Peeked:
    """What was read of a file, with the hash of those bytes: nothing but the bytes says that they are the same."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: tuple[Path, Mapping[str, bytes]] | None = None
        self._reading = _Reading({})
        self._size, self._hash = 0, ""

    def read(self, file: Path, trusted: Mapping[str, bytes]) -> HeadLog:
        with self._lock, _open(file) as handle:
            digest, reading = hashlib.sha256(), _Reading(dict(trusted))
            _feed(digest, handle, self._size)
            if self._asked == (file, trusted) and digest.hexdigest() == self._hash:
                if os.fstat(handle.fileno()).st_size == self._size:
                    return self._reading.log
                reading = self._reading.copy()
            else:
                digest = hashlib.sha256()
                handle.seek(0)
            start = handle.tell()
            reading.go_on(handle)
            size = handle.tell()
            handle.seek(max(size - 1, 0))
            if handle.read(1) == b"\n":  # else somebody is writing, and the line is read again
                handle.seek(start)
                _feed(digest, handle, size - start)
                self._asked, self._reading = (file, dict(trusted)), reading
                self._size, self._hash = size, digest.hexdigest()
            return reading.log


_PEEKED = _Peeked()


def _feed(digest: Any, handle: BinaryIO, size: int) -> None:
    while size > 0 and (some := handle.read(min(size, LONGEST))):
        digest.update(some)
        size -= len(some)


def is_lost(log: HeadLog | None) -> bool:
    """Heads were signed and seen before, and there is none any more. Such as we do not believe are there."""
    gone = log is None or not (log.lines or log.faults)
    return gone and path() is not None and AuditVerification.objects.filter(signed_id__isnull=False).exists()


def fallen_back(log: HeadLog | None) -> tuple[int, int] | None:
    """Rows under the newest head that is there and under the newest one that a verification has seen, where the former
    are fewer: the file was cut off, or is an older copy."""
    if path() is None:
        return None
    seen = AuditVerification.objects.aggregate(newest=Max("signed_id"))["newest"] or 0
    newest = log.newest["id"] if log and log.newest else 0
    return (newest, seen) if newest < seen else None


def fault(log: HeadLog | None) -> str:
    """What is wrong with a file of heads, in words; empty where nothing is. Damaged lines among good ones are not."""
    if log and log.faults:
        return log.faults[0]
    if is_lost(log):
        return f"{path()} held signed heads and is gone, empty or unreadable"
    if log and log.damaged and not log.lines:
        return f"no signed line is in the file of heads, {damaged_words(log.damaged)}: it was spoiled or is another one"
    if back := fallen_back(log):
        return (
            f"{path()} ends with the head of row #{back[0]}, and held that of row #{back[1]}: put the whole file back"
        )
    return ""


def damaged_words(number: int) -> str:
    return "1 damaged line is" if number == 1 else f"{number} damaged lines are"


@contextmanager
def _open_for_append() -> Iterator[tuple[HeadLog, BinaryIO, keys.SigningKey]]:
    """The log under a lock that other signers respect. Raises ``Misconfigured``, ``Busy`` or ``Conflict``."""
    file, key = path(), keys.signing_key()
    if file is None or key is None:
        raise Misconfigured("Set AUDIT_HEADS_FILE and AUDIT_SIGNING_KEY_FILE; audit_key --new FILE makes a key.")
    try:
        handle = _open(file, "a+b")
    except OSError as error:
        raise Misconfigured(f"AUDIT_HEADS_FILE cannot be written: {error}") from error
    try:
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy("Somebody else is signing; try again when that has finished.") from error
            handle.seek(0)
            log = read(handle, keys.trusted_keys())
            if log.faults:
                raise Conflict(f"Nothing was signed: in {file}, {log.faults[0]}.")
            yield log, handle, key
    except OSError as error:  # a disk that is full; what was half written is passed over by the next run
        raise AppError(f"AUDIT_HEADS_FILE cannot be written: {error}") from error


def _append(log: HeadLog, handle: BinaryIO, key: keys.SigningKey, body: Line) -> Line:
    line = key.signed(PURPOSE, {**body, "prev": log.last, "at": stamp(timezone.now())})
    content = keys.compact(line).encode()
    handle.seek(0, os.SEEK_END)
    torn = handle.tell() and _last_byte(handle) != b"\n"
    handle.write((b"\n" if torn else b"") + content + b"\n")
    handle.flush()
    os.fsync(handle.fileno())
    log.lines.append(line)
    log.last = line_hash(content)
    return line


def _last_byte(handle: BinaryIO) -> bytes:
    handle.seek(-1, os.SEEK_END)
    return handle.read(1)


def sign(*, begin_anew: bool = False) -> list[Line]:
    """Append heads for what was written since the last one. Raises ``Conflict`` when the chain does not hold that one.

    The rows since are verified first: a chain that was cut off or changed is never signed, nor is a file of heads
    that is gone begun anew unless somebody says so.
    """
    from audit import chain  # which asks the checkpoints, and these us

    with _open_for_append() as (log, handle, key):
        if is_lost(log) and not begin_anew:
            raise Conflict("Nothing was signed: AUDIT_HEADS_FILE held heads, and holds none now. Put it back.")
        if not begin_anew and (back := fallen_back(log)):
            raise Conflict(f"Nothing was signed: AUDIT_HEADS_FILE held the head of row #{back[1]}. Put it back.")
        newest = log.newest
        signed, since = (newest["id"], newest["hash"]) if newest else (0, GENESIS)
        if not chain.holds(signed, since):
            raise Conflict(f"Nothing was signed: the chain does not hold the signed row #{signed} any more.")
        verdict = chain.verify_from(signed, since)
        if not verdict.ok:
            raise Conflict(f"Nothing was signed: the chain is broken at row #{verdict.first_bad}: {verdict.reason}.")
        written: list[Line] = []
        while signed < verdict.last or not written:
            rows = list(
                AuditLog.objects.filter(id__gt=signed, id__lte=verdict.last)
                .order_by("id").values_list("id", "hash")[:SEGMENT]
            )  # fmt: skip
            end, since = rows[-1] if rows else (signed, since)
            body = {
                "kind": "head",
                "from": signed + 1,
                "id": end,
                "hash": since,
                "root": merkle.root([h for _, h in rows]),
            }
            written.append(_append(log, handle, key, body))
            signed = end
        return written


def rotate(new: keys.SigningKey) -> Line:
    """Say, signed with the key in use, which key comes next."""
    with _open_for_append() as (log, handle, key):
        return _append(log, handle, key, {"kind": "rotation", "new": new.public.hex()})


def note_checkpoint(first: int, last: int, row_hash: str, archive: str, sha256: str) -> Line:
    with _open_for_append() as (log, handle, key):
        body = {
            "kind": "checkpoint",
            "first": first,
            "id": last,
            "hash": row_hash,
            "archive": archive,
            "sha256": sha256,
        }
        return _append(log, handle, key, body)
