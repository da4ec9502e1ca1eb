"""Issuing, rotating and revoking the keys of machines, and knowing one again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import ApiKey, Project, Scope, User
from audit.services import record
from core.context import Actor
from core.database.prepared import run
from core.errors import BadInput, Conflict
from core.lines import checked_line

MARK = "hpcb_"
PREFIX_LENGTH = len(MARK) + 8
SECRET_BYTES = 32
LONGEST = 128
NOTED_EVERY = timedelta(minutes=1)
OVERLAP = timedelta(days=1)
LONGEST_OVERLAP = timedelta(days=30)
FOR_PROJECTS = (Scope.EVENTS_WRITE, Scope.USAGE_READ, Scope.BILLING_READ)


MOST_SEEN = 10_000
_seen: dict[str, tuple[tuple[object, ...], ApiKey]] = {}
# Everything that decides about a key, and whatever else of its owner may change.
_WORKING = """
SELECT k.key_hash, k.last_used_at, k.id, k.name, k.expires_at, k.replaced_by_id, u.role, u.is_superuser, u.language,
    p.updated_at, p.name, o.updated_at, o.name, o.time_zone, o.currency, o.tier, o.billing_mode
FROM api_keys k
LEFT JOIN users u ON u.username = k.username
LEFT JOIN projects p ON p.id = k.project_id
LEFT JOIN organisations o ON o.id = p.organisation_id
WHERE k.key_hash {among} AND k.is_active AND (k.expires_at IS NULL OR k.expires_at > {now})
    AND (u.is_active OR (p.is_active AND o.is_active))
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """``secret`` is the whole key. It exists here and nowhere else: show it once."""

    key: ApiKey
    secret: str


@transaction.atomic
def issue_key(
    *, actor: Actor, name: str, scopes: Iterable[str], project: Project | None = None, user: User | None = None,
    expires_at: datetime | None = None,
) -> Issued:  # fmt: skip
    """A key of a project or of a user (exactly one). Raises ``BadInput`` naming the field."""
    name, scopes = checked_line(name, "name"), sorted(set(scopes))
    if not name:
        raise BadInput(_("Give the key a name, so that you know it again."), field="name")
    _check_scopes(scopes, project=project, user=user)
    if expires_at is not None and expires_at <= timezone.now():
        raise BadInput(_("A key must be valid until a later moment than now."), field="expires_at")
    issued = _make(actor, name=name[:255], scopes=scopes, project=project, user=user, expires_at=expires_at)
    _record(actor, "api_key_issue", issued.key, scopes=scopes)
    return issued


@transaction.atomic
def rotate_key(*, actor: Actor, key: ApiKey, overlap: timedelta = OVERLAP) -> Issued:
    """A new key with the same rights; the old one works on for ``overlap`` (at most 30 days), then no more.

    Raises ``Conflict`` when the key does not work or has been replaced already.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadInput(_("Two keys may work beside each other for 30 days at most."), field="overlap_hours")
    key = _lock(key)
    if not key.works or key.replaced_by_id:
        raise Conflict(_("This key does not work any more, or has its successor already."))
    issued = _make(
        actor, name=key.name, scopes=key.scopes, project=key.project, user=key.user, expires_at=key.expires_at
    )
    ends = timezone.now() + overlap
    key.expires_at = min(key.expires_at, ends) if key.expires_at else ends
    key.replaced_by = issued.key
    key.save(update_fields=["expires_at", "replaced_by"])
    for link in key.subscriptions.all():  # what the old one might use, the new one may
        link.pk, link.api_key = None, issued.key
        link.save(force_insert=True)
    _record(actor, "api_key_rotate", key, replaced_by=issued.key.key_prefix)
    return issued


@transaction.atomic
def revoke_key(*, actor: Actor, key: ApiKey) -> bool:
    """End it at once. False when it was revoked before."""
    moved = ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(is_active=False, revoked_at=timezone.now())
    key.refresh_from_db()
    if moved:
        _record(actor, "api_key_revoke", key)
    return bool(moved)


def find_key(text: str) -> ApiKey | None:
    """The key that ``text`` is, when it works and its owner does; what kind of wrong it was is not told."""
    digest = digest_of(text)
    return find_keys({digest}).get(digest) if digest else None


def find_keys(digests: Collection[str]) -> dict[str, ApiKey]:
    """Keys that work, and whose owners do, by ``digest_of`` their texts.

    One query. What it says of the keys and their owners is held against the rows read before, and only where it
    differs are they read again: building the objects anew costs ten times as much.
    """
    found = {state[0]: _as_known(state) for state in _states(list(digests))}
    return {digest: key for digest, key in found.items() if key is not None}


def _states(digests: list[str]) -> list[tuple[Any, ...]]:
    now = timezone.now()
    if connection.vendor == "postgresql":
        statement = _WORKING.format(among="= ANY(%(digests)s::text[])", now="%(now)s")
        return run(statement, {"digests": digests, "now": now})
    with connection.cursor() as cursor:
        among = f"IN ({', '.join(['%s'] * len(digests))})"
        cursor.execute(_WORKING.format(among=among, now="%s"), [*digests, now])
        return list(cursor.fetchall())


def _as_known(state: tuple[Any, ...]) -> ApiKey | None:
    digest, last_used_at, *_rest = state
    seen = _seen.get(digest)
    if seen is None or seen[0] != state:
        keys = ApiKey.objects.select_related("user", "project__organisation")
        key = keys.filter(key_hash=digest).first()
        if key is None:
            return None
        if len(_seen) >= MOST_SEEN:
            _seen.clear()
        _seen[digest] = seen = (state, key)
    found = ApiKey.__new__(ApiKey)
    found.__dict__.update(seen[1].__dict__)  # a tenth of what copy() takes, which asks models to pickle themselves
    found.last_used_at = _moment(last_used_at)
    if found.user is not None:
        found.user = copy(found.user)
    return found


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite gives times without their zone, which is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def note_use(key: ApiKey, now: datetime | None = None) -> None:
    """When it was last used, to the minute: a key in use is not written to with every call."""
    now = now or timezone.now()
    if key.last_used_at is None or key.last_used_at < now - NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - NOTED_EVERY)
        ).update(last_used_at=now)


def digest_of(text: str) -> str:
    """What is stored of a key; empty for a text that cannot be one."""
    return hash_of(text) if text.startswith(MARK) and len(text) <= LONGEST else ""


def hash_of(text: str) -> str:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def _make(actor: Actor, **fields: object) -> Issued:
    handle = secrets.token_hex((PREFIX_LENGTH - len(MARK)) // 2)
    secret = f"{MARK}{handle}_{secrets.token_urlsafe(SECRET_BYTES)}"
    key = ApiKey.objects.create(
        key_prefix=secret[:PREFIX_LENGTH], key_hash=hash_of(secret), created_by=actor.name, **fields
    )
    return Issued(key, secret)


def _check_scopes(scopes: list[str], *, project: Project | None, user: User | None) -> None:
    if not scopes:
        raise BadInput(_("Choose what the key may do."), field="scopes")
    known = FOR_PROJECTS if project is not None else Scope.values
    if unknown := [scope for scope in scopes if scope not in known]:
        raise BadInput(_("No key of this kind may: %(scopes)s.") % {"scopes": ", ".join(unknown)}, field="scopes")
    if Scope.ADMIN in scopes and not (user is not None and user.is_staff):
        raise BadInput(_("Only who works in the console may have such a key."), field="scopes")


def _lock(key: ApiKey) -> ApiKey:
    return ApiKey.objects.select_for_update(of=("self",)).select_related("project", "user").get(pk=key.pk)


def _record(actor: Actor, action: str, key: ApiKey, **extra: object) -> None:
    owner = f"project:{key.project_id}" if key.project_id else str(key.user_id)
    extra = {"name": key.name, "owner": owner, "prefix": key.key_prefix, **extra}
    record(actor=actor, action=action, target=key.key_prefix, entity=key, extra=extra)
