"""Where something stands in the log, and a proof of it that needs neither this site nor the rest of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from audit import heads, keys, merkle
from audit.hashing import FIELDS, plain
from audit.models import AuditLog

FORMAT = "hpcbilling-proof-1"


@dataclass(frozen=True, slots=True)
class Position:
    """An entry: its number and hash, and the signed head above it (None while it is not signed, or none is here)."""

    id: int
    hash: str
    ts: datetime
    head: heads.Line | None


def position(entity: models.Model, action: str) -> Position | None:
    """Of the entry that this action wrote about the object; None when it is in an archive."""
    rows = AuditLog.objects.filter(entity_type=entity._meta.model_name, entity_id=str(entity.pk), action=action)
    row = rows.order_by("id").values("id", "hash", "ts").first()
    if row is None:
        return None
    log = heads.peek()
    return Position(row["id"], row["hash"], row["ts"], log.over(row["id"]) if log and not log.faults else None)


def proof(where: Position, document: dict[str, str], reader: str = "", *, whole: bool = False) -> dict[str, Any] | None:
    """What ``tools/verify_chain.py --proof`` reads; None while no signed head is above the entry.

    The entry itself (``row``) is in it for its own actor, for who may read the log (``whole``), and where it tells of
    nobody's address. Others get its hash: that it is under the head is proven all the same, what it says is not shown.
    """
    head = where.head
    if head is None:
        return None
    under = AuditLog.objects.filter(id__gte=head["from"], id__lte=head["id"]).order_by("id")
    hashes = list(under.values_list("hash", flat=True))
    if len(hashes) != head["id"] - head["from"] + 1 or merkle.root(hashes) != head["root"]:
        return None  # part of it is in an archive, or the log was changed: verify_audit tells which
    row = AuditLog.objects.filter(id=where.id).values(*FIELDS, "prev_hash", "hash").get()
    shown = whole or row["actor"] == reader or not (row["ip"] or row["user_agent"])
    return {
        "format": FORMAT,
        "document": document,
        "id": where.id,
        "hash": where.hash,
        "row": {name: plain(value) for name, value in row.items()} if shown else None,
        "head": head,
        "path": merkle.path(hashes, where.id - head["from"]),
    }


def public_key() -> str:
    """Of the key that signs here, as hexadecimal digits; empty where none does."""
    own = keys.signing_key()
    return own.public.hex() if own else ""
