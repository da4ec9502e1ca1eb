"""The only mover of status columns: a compare-and-set UPDATE."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext as _

from core.errors import InvalidTransition

Transitions = Mapping[str, frozenset[str]]


def transition(row: models.Model, to: str, *, table: Transitions, **values: object) -> bool:
    """Move ``row.status`` to ``to`` and set ``values`` in one UPDATE.

    Returns True when this call moved it, False when it already stood there (a
    repeat is not an error). Raises ``InvalidTransition`` from any other state.
    The row is refreshed either way.
    """
    allowed = [state for state, targets in table.items() if to in targets]
    manager = type(row)._default_manager
    moved = manager.filter(pk=row.pk, status__in=allowed).update(status=to, **values)
    row.refresh_from_db()
    status = getattr(row, "status")  # noqa: B009 - any model with a status column
    if not moved and status != to:
        words = _("%(row)s is %(status)s and cannot become %(wanted)s.")
        raise InvalidTransition(words % {"row": row, "status": status, "wanted": to})
    return bool(moved)


def transition_all(rows: models.QuerySet, to: str, *, table: Transitions, **values: object) -> int:
    """Move every one of ``rows`` that may go to ``to``, in one UPDATE; how many moved. Others stay as they are."""
    allowed = [state for state, targets in table.items() if to in targets]
    return rows.filter(status__in=allowed).update(status=to, **values)
