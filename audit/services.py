"""Writing to the chain. The only way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from audit import registry
from audit.hashing import GENESIS, chain_hash, plain
from audit.models import AuditLog
from core import context
from core.context import Actor
from core.database import sets
from core.database.locks import lock_for_transaction

MANY = 20  # rows from which COPY is worth its own way


@dataclass(frozen=True, slots=True)
class Entry:
    """One row for ``record_all``; the fields are those of ``record``."""

    action: str
    target: str = ""
    status: str = "ok"
    entity: models.Model | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


def record(
    *,
    actor: Actor,
    action: str,
    target: str = "",
    status: str = "ok",
    entity: models.Model | None = None,
    extra: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> AuditLog:
    """Append one row in the caller's transaction: it stands or falls with the change it records.

    Call it last in that transaction: the chain is locked from here to the commit,
    one writer at a time. ``changes`` maps a field to ``[old, new]``. The action
    must be registered; extra and changes are stored as plain JSON (see ``hashing.plain``).
    """
    entry = Entry(action, target, status, entity, extra or {}, changes or {})
    (row,) = record_all(actor=actor, entries=[entry])
    return row


@transaction.atomic
def record_all(*, actor: Actor, entries: Sequence[Entry]) -> list[AuditLog]:
    """Append several rows, in this order: what ``record`` does for each, in three statements for all."""
    if unknown := {entry.action for entry in entries if not registry.known(entry.action)}:
        raise ValueError(f"audit action {min(unknown)!r} is not registered")
    if not entries:
        return []
    lock_for_transaction("audit")
    head = AuditLog.objects.order_by("-id").values("id", "hash").first()
    last, prev_hash = (head["id"], head["hash"]) if head else (0, GENESIS)
    now, found = context.current(), []
    for number, entry in enumerate(entries, last + 1):
        row = _row(number, actor, entry, now)
        found.append(AuditLog(**row, prev_hash=prev_hash, hash=chain_hash(prev_hash, row)))
        prev_hash = found[-1].hash
    if len(found) < MANY:
        return AuditLog.objects.bulk_create(found)
    sets.insert(AuditLog, found)
    return found


def _row(number: int, actor: Actor, entry: Entry, now: context.RequestContext) -> dict[str, Any]:
    extra: Mapping[str, Any] = entry.extra
    if now.viewer:  # what is done while looking as another user is done by the one who looks
        actor, extra = Actor(now.viewer), {**extra, "viewing_as": actor.name}
    if now.api_key:
        extra = {**extra, "api_key": now.api_key}
    entity = entry.entity
    return {
        "id": number,
        "ts": timezone.now(),
        "actor": plain(actor.name)[:150],
        "action": entry.action,
        "target": plain(entry.target)[:255],
        "status": entry.status,
        "extra": plain(extra),
        "ip": now.ip[:64],
        "user_agent": plain(now.user_agent)[:255],
        "request_id": now.request_id[:64],
        "entity_type": entity._meta.model_name if entity is not None else "",
        "entity_id": str(entity.pk) if entity is not None else "",
        "changes": plain(entry.changes),
    }
