"""Reading the chain: verify every row, seal the head, check a sealed head."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from audit.hashing import FIELDS, GENESIS, chain_hash, stamp
from audit.models import AuditLog
from core.errors import BadInput

_SEAL_SALT = b"hpcbilling.audit.seal:"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a verification. ``first_bad`` is the id of the first row that does not fit, ``reason`` says how."""

    rows: int
    ok: bool
    first_bad: int | None
    reason: str
    head: str


def verify(sealed: dict[str, Any] | None = None) -> Verdict:
    """Walk the chain from the first row, in constant memory; with ``sealed``, prove that head is still in it."""
    rows, prev_hash = 0, GENESIS
    awaited: int | None = sealed["id"] if sealed and sealed["id"] else None
    for row in AuditLog.objects.order_by("id").values(*FIELDS, "prev_hash", "hash").iterator(chunk_size=5000):
        rows += 1
        reason = _fault(row, rows, prev_hash)
        if reason:
            return Verdict(rows, False, min(row["id"], rows), reason, prev_hash)
        prev_hash = row["hash"]
        if sealed and row["id"] == awaited:
            if row["hash"] != sealed["hash"]:
                return Verdict(rows, False, row["id"], "the hash differs from the sealed head", prev_hash)
            awaited = None
    if awaited is not None:
        return Verdict(rows, False, rows + 1, f"rows up to sealed #{awaited} are missing", prev_hash)
    return Verdict(rows, True, None, "", prev_hash)


def _fault(row: dict[str, Any], expected_id: int, prev_hash: str) -> str:
    if row["id"] != expected_id:
        return f"row #{expected_id} is missing (the next one is #{row['id']})"
    if row["prev_hash"] != prev_hash:
        return "its previous hash is not the hash of the row before"
    if chain_hash(row["prev_hash"], row) != row["hash"]:
        return "its content does not match its hash"
    return ""


def _signatures(body: dict[str, Any]) -> list[str]:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return [
        hmac.new(hashlib.sha256(_SEAL_SALT + key.encode()).digest(), text, hashlib.sha256).hexdigest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def seal() -> dict[str, Any]:
    """Signed head of the chain: keep it outside the database, it proves later that nothing was cut off."""
    head = AuditLog.objects.order_by("-id").values("id", "hash").first() or {"id": 0, "hash": GENESIS}
    body = {"id": head["id"], "hash": head["hash"], "sealed_at": stamp(timezone.now()), "algorithm": "HMAC-SHA256"}
    return {**body, "signature": _signatures(body)[0]}


def open_seal(text: str) -> dict[str, Any]:
    """Parse and check a sealed head. Raises ``BadInput`` when it is not one or was not signed by this site."""
    try:
        sealed = json.loads(text)
        body = {name: sealed[name] for name in ("id", "hash", "sealed_at", "algorithm")}
        signature = str(sealed["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("The head file is not a sealed head written by seal_audit.") from error
    if not any(hmac.compare_digest(signature.encode(), good.encode()) for good in _signatures(body)):
        raise BadInput("The signature of the head file is wrong: it was changed, or sealed with another SECRET_KEY.")
    return body
