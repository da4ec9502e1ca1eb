"""Writing to the chain. The only way in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from audit import registry
from audit.hashing import GENESIS, chain_hash, plain
from audit.models import AuditLog
from core import context
from core.context import Actor
from core.locks import lock_for_transaction


@transaction.atomic
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
    if not registry.known(action):
        raise ValueError(f"audit action {action!r} is not registered")
    lock_for_transaction("audit")
    head = AuditLog.objects.order_by("-id").values("id", "hash").first()
    now = context.current()
    if now.viewer:  # what is done while looking as another user is done by the one who looks
        actor, extra = Actor(now.viewer), {**(extra or {}), "viewing_as": actor.name}
    if now.api_key:
        extra = {**(extra or {}), "api_key": now.api_key}
    row = {
        "id": (head["id"] if head else 0) + 1,
        "ts": timezone.now(),
        "actor": plain(actor.name)[:150],
        "action": action,
        "target": plain(target)[:255],
        "status": status,
        "extra": plain(extra or {}),
        "ip": now.ip[:64],
        "user_agent": plain(now.user_agent)[:255],
        "request_id": now.request_id[:64],
        "entity_type": entity._meta.model_name if entity is not None else "",
        "entity_id": str(entity.pk) if entity is not None else "",
        "changes": plain(changes or {}),
    }
    prev_hash = head["hash"] if head else GENESIS
    return AuditLog.objects.create(**row, prev_hash=prev_hash, hash=chain_hash(prev_hash, row))
