"""A write that was sent under a key is done once: whoever repeats it gets the answer of the first time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import IdempotentRequest, Member, User
from accounts.projects import led_ids
from core.context import Actor
from core.errors import AppError, BadInput, Busy

LONGEST = 255
LEASE = timedelta(seconds=60)  # longer than any answer takes; whoever died over it frees the key


class KeyReused(AppError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    http_status = 422


class RightsChanged(KeyReused):
    """Who asks again has other rights than whoever was answered: the answer may hold what is none of theirs now."""

    code = "idempotency_rights_changed"


class KeyBusy(Busy):
    """The first request under this key is still being worked on."""

    code = "idempotency_key_busy"


def claim(*, actor: Actor, key: str, method: str, path: str, body: Any) -> IdempotentRequest:
    """The row of this request: with ``status_code`` where it was answered before, else the caller's to work on.

    Raises ``BadInput`` for a key that is none, ``KeyReused``, ``KeyBusy``.
    """
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise BadInput(_("An idempotency key has 1 to %(n)d printable ASCII characters.") % {"n": LONGEST})
    wanted, now = _hash(method, path, body), timezone.now()
    known = IdempotentRequest.objects.filter(caller=actor.name[:150], key=key)
    stored = known.first()
    if stored is None:
        try:
            with transaction.atomic():
                return IdempotentRequest.objects.create(
                    caller=actor.name[:150], key=key, request_hash=wanted, claimed_until=now + LEASE
                )
        except IntegrityError:  # the same key at the same moment
            stored = known.first()
    if stored is None:
        raise _busy()
    if stored.request_hash != wanted:
        raise KeyReused(_("This idempotency key was used for another request."))
    if stored.status_code is None and not _take_over(stored):
        raise _busy()
    return stored


def _busy() -> KeyBusy:
    return KeyBusy(_("The first request with this key is still being worked on. Please try again in a moment."))


def keep(*, row: IdempotentRequest, status: int, body: Any, rights: str) -> None:
    """The answer of every repeat from now on, as long as ``rights_of`` the caller stays ``rights``. ``body`` is what
    the API says, before it becomes text."""
    plain = json.loads(json.dumps(body, cls=DjangoJSONEncoder))
    IdempotentRequest.objects.filter(pk=row.pk).update(status_code=status, body=plain, rights=rights)


def check_rights(row: IdempotentRequest, rights: str) -> None:
    """Raises ``RightsChanged`` where the answer was given to other ``rights``."""
    if row.rights and row.rights != rights:  # an earlier release wrote none
        words = _("Your rights have changed since this was answered. It was done then, and is not done again.")
        raise RightsChanged(words)


def rights_of(user: User | AnonymousUser) -> str:
    """One word for all that opens something to ``user`` now: permissions, memberships and projects that they lead."""
    told: list[Any] = [sorted(user.get_all_permissions())]
    if isinstance(user, User):
        members = Member.objects.filter(user=user).order_by("organisation_id")
        told.append(list(members.values_list("organisation_id", "organisation__is_active", "role")))
        told.append(sorted(led_ids(user.username)))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def release(*, row: IdempotentRequest) -> None:
    """Nothing was done: the key is free again."""
    IdempotentRequest.objects.filter(pk=row.pk, status_code__isnull=True).delete()


def reference_of(actor: Actor, key: str) -> str:
    """One word for this caller's key, the same whenever it is asked for: 32 hexadecimal digits."""
    return hashlib.sha256(f"{actor.name}\n{key}".encode()).hexdigest()[:32]


def _take_over(row: IdempotentRequest) -> bool:
    now = timezone.now()
    free = IdempotentRequest.objects.filter(claimed_until__lte=now, pk=row.pk, status_code__isnull=True)
    return bool(free.update(claimed_until=now + LEASE))


def _hash(method: str, path: str, body: Any) -> str:
    told = dict(body) if isinstance(body, Mapping) else body
    text = json.dumps([method, path, told], sort_keys=True, cls=DjangoJSONEncoder)
    return hashlib.sha256(text.encode()).hexdigest()
