"""All secrets that lie encrypted in the database: how they stand, and encrypting them with the present key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models, transaction

from accounts.models import SecondFactor, WebhookEndpoint
from audit.services import record
from core import sealing
from core.context import Actor

COLUMNS: tuple[tuple[type[models.Model], str], ...] = (
    (SecondFactor, "secret"), (WebhookEndpoint, "secret"), (WebhookEndpoint, "old_secret"),
)  # fmt: skip


@dataclass
class Standing:
    """``current``: encrypted with the present key. ``older``: not encrypted, or with a former key; ``seal_all`` mends
    it. ``lost``: no key that the site knows opens it."""

    current: int = 0
    older: int = 0
    lost: int = 0


def standing() -> Standing:
    """Counts over all of them."""
    found = Standing()
    for *_row, stored in _all():
        if sealing.is_current(stored):
            found.current += 1
        elif _opened(stored) is None:
            found.lost += 1
        else:
            found.older += 1
    return found


@transaction.atomic
def seal_all(*, actor: Actor) -> Standing:
    """Encrypt what is ``older``; a value that somebody changes meanwhile is theirs. Returns how they stood before."""
    found = Standing()
    for model, column, pk, stored in _all():
        if sealing.is_current(stored):
            found.current += 1
        elif (text := _opened(stored)) is None:
            found.lost += 1
        else:
            same = model._default_manager.filter(pk=pk, **{column: stored})
            found.older += same.update(**{column: sealing.seal(text)})
    if found.older:
        record(actor=actor, action="secrets_sealed", target="secrets", extra={"sealed": found.older})
    return found


def _all() -> Iterator[tuple[type[models.Model], str, object, str]]:
    for model, column in COLUMNS:
        for pk, stored in model._default_manager.exclude(**{column: ""}).values_list("pk", column).order_by("pk"):
            yield model, column, pk, stored


def _opened(stored: str) -> str | None:
    try:
        return sealing.opened(stored)
    except sealing.Sealed:
        return None
