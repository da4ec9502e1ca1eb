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
    moved = _update(row, to, table, values)
    row.refresh_from_db()
    _refuse_unless(moved, row, to)
    return moved


def transition_held(row: models.Model, to: str, *, table: Transitions, **values: object) -> bool:
    """``transition`` in one statement, for a caller who knows what else stands in the row: it holds the row and has
    read it since, or nothing else of it ever changes. ``values`` are as the database keeps them."""
    moved = _update(row, to, table, values)
    if moved:
        for name, value in {**values, "status": str(to)}.items():
            setattr(row, name, value)
    else:
        row.refresh_from_db()
    _refuse_unless(moved, row, to)
    return moved


def _update(row: models.Model, to: str, table: Transitions, values: Mapping[str, object]) -> bool:
    allowed = [state for state, targets in table.items() if to in targets]
    manager = type(row)._default_manager
    return bool(manager.filter(pk=row.pk, status__in=allowed).update(status=to, **values))


def _refuse_unless(moved: bool, row: models.Model, to: str) -> None:
    status = getattr(row, "status")  # noqa: B009 - any model with a status column
    if not moved and status != to:
        words = _("%(row)s is %(status)s and cannot become %(wanted)s.")
        names = dict(row._meta.get_field("status").flatchoices)  # type: ignore[union-attr]
        facts = {"row": row, "status": names.get(status, status), "wanted": names.get(str(to), to)}
        raise InvalidTransition(words % facts)


def transition_all(rows: models.QuerySet, to: str, *, table: Transitions, **values: object) -> int:
    """Move every one of ``rows`` that may go to ``to``, in one UPDATE; how many moved. Others stay as they are."""
    allowed = [state for state, targets in table.items() if to in targets]
    return rows.filter(status__in=allowed).update(status=to, **values)
