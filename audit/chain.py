"""Reading the chain: verify every row, seal the head, check a sealed head."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from audit import checkpoints, keys
from audit.hashing import FIELDS, GENESIS, chain_hash, stamp
from audit.models import AuditLog
from core.errors import BadInput

_SEAL_SALT = b"hpcbilling.audit.seal:"
PAGE = 5000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a verification. ``first_bad`` is the id of the first row that does not fit, ``reason`` says how.

    ``rows`` were read, ``first`` to ``last``; what is before ``first`` was archived under a signed checkpoint.
    """

    rows: int
    ok: bool
    first_bad: int | None
    reason: str
    head: str
    first: int = 1
    last: int = 0


def verify(sealed: Mapping[str, Any] | None = None, heads: Mapping[int, str] | None = None) -> Verdict:
    """Walk the chain from its beginning, in constant memory.

    With ``sealed``, or ``heads`` (hash by row), prove that these heads are still in it. Where rows were archived the
    chain begins at the newest checkpoint, whose signature must be good; heads of archived rows are for
    ``tools/verify_chain.py``, which reads the archive.
    """
    awaited = dict(heads or {})
    if sealed and sealed["id"]:
        awaited[sealed["id"]] = sealed["hash"]
    start = checkpoints.newest()
    if start is None:
        return verify_from(0, GENESIS, awaited)
    if fault := checkpoints.fault(start):
        return Verdict(0, False, start.last_id, fault, start.last_hash, start.last_id + 1, start.last_id)
    if left := AuditLog.objects.filter(id__lte=start.last_id).order_by("id").values_list("id", flat=True).first():
        return Verdict(0, False, left, "it is before the checkpoint, and should be archived", GENESIS)
    if awaited.get(start.last_id, start.last_hash) != start.last_hash:
        return Verdict(0, False, start.last_id, "the checkpoint differs from the sealed head", start.last_hash)
    later = {row: text for row, text in awaited.items() if row > start.last_id}
    return verify_from(start.last_id, start.last_hash, later)


def verify_from(before: int, prev_hash: str, heads: Mapping[int, str] | None = None) -> Verdict:
    """Walk the chain after row ``before``, whose hash is ``prev_hash``."""
    awaited, first, last = dict(heads or {}), before + 1, before
    for row in _rows(before):
        reason = _fault(row, last + 1, prev_hash)
        if reason:
            bad = min(row["id"], last + 1) if isinstance(row["id"], int) else last + 1
            return Verdict(last - before + 1, False, bad, reason, prev_hash, first, last)
        last, prev_hash = row["id"], row["hash"]
        if awaited.pop(last, prev_hash) != prev_hash:
            return Verdict(last - before, False, last, "the hash differs from the sealed head", prev_hash, first, last)
    if awaited:
        reason = f"rows up to sealed #{max(awaited)} are missing"
        return Verdict(last - before, False, last + 1, reason, prev_hash, first, last)
    return Verdict(last - before, True, None, "", prev_hash, first, last)


def holds(row: int, row_hash: str) -> bool:
    """Whether this head is in the table, or ends what was archived."""
    if not row:
        return True
    start = checkpoints.newest()
    if start is not None and start.last_id >= row:
        return start.last_id > row or start.last_hash == row_hash
    return AuditLog.objects.filter(id=row, hash=row_hash).exists()


def _rows(after: int) -> Iterator[Row]:
    """Page by page: no cursor stays open, which a pooler between us and the database would not keep."""
    rows = AuditLog.objects.order_by("id").values(*FIELDS, "prev_hash", "hash")
    low = AuditLog.objects.filter(id__lte=0).order_by("id").values_list("id", flat=True).first()
    if low is not None and not after:
        yield {"id": low, "unreadable": "its number is not one of ours"}
    while True:
        try:
            page = list(rows.filter(id__gt=after)[:PAGE])
        except (ValueError, TypeError, AttributeError):
            page = list(_one_by_one(after))
        yield from page
        if not page:
            return
        after = page[-1]["id"]


def _one_by_one(after: int) -> Iterator[Row]:
    """A page in which something cannot be read: that row comes as itself, with ``unreadable``."""
    rows = AuditLog.objects.order_by("id").values(*FIELDS, "prev_hash", "hash")
    for pk in AuditLog.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True)[:PAGE]:
        try:
            yield rows.get(id=pk)
        except (ValueError, TypeError, AttributeError) as error:
            yield {"id": pk, "unreadable": f"its content cannot be read ({type(error).__name__})"}
            return


def _fault(row: Row, expected_id: int, prev_hash: str) -> str:
    if row["id"] != expected_id:
        return f"row #{expected_id} is missing (the next one is #{row['id']})"
    if reason := row.get("unreadable"):
        return str(reason)
    if row["prev_hash"] != prev_hash:
        return "its previous hash is not the hash of the row before"
    try:
        good = chain_hash(row["prev_hash"], row) == row["hash"]
    except (ValueError, TypeError, AttributeError):
        good = False
    return "" if good else "its content does not match its hash"


def _signatures(body: dict[str, Any]) -> list[str]:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return [
        hmac.new(hashlib.sha256(_SEAL_SALT + key.encode()).digest(), text, hashlib.sha256).hexdigest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def seal() -> dict[str, Any]:
    """Signed head of the chain: keep it outside the database, it proves later that nothing was cut off.

    Signed with Ed25519 where ``AUDIT_SIGNING_KEY`` is set, so that anybody can check it; else with ``SECRET_KEY``.
    """
    head = AuditLog.objects.order_by("-id").values("id", "hash").first() or {"id": 0, "hash": GENESIS}
    body = {"id": head["id"], "hash": head["hash"], "sealed_at": stamp(timezone.now())}
    if key := keys.signing_key():
        return key.signed("seal", body)
    body["algorithm"] = "HMAC-SHA256"
    return {**body, "signature": _signatures(body)[0]}


def open_seal(text: str) -> dict[str, Any]:
    """Parse and check a sealed head. Raises ``BadInput`` when it is not one or was not signed by this site."""
    try:
        sealed = json.loads(text)
        names = ("id", "hash", "sealed_at", "algorithm", *(("key",) if sealed["algorithm"] == keys.ALGORITHM else ()))
        body = {name: sealed[name] for name in names}
        signature = str(sealed["signature"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput("The head file is not a sealed head written by seal_audit.") from error
    if body["algorithm"] == keys.ALGORITHM:
        good = keys.is_signed("seal", {**body, "signature": signature}, keys.trusted_keys())
        words = "or sealed with a key that AUDIT_PUBLIC_KEYS does not name"
    else:
        good = any(hmac.compare_digest(signature.encode(), each.encode()) for each in _signatures(body))
        words = "or sealed with another SECRET_KEY"
    if not good:
        raise BadInput(f"The signature of the head file is wrong: it was changed, {words}.")
    return body
