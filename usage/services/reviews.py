"""What all decisions about an import's findings share: one decider wins, and what was decided keeps who and when."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from core.context import Actor
from core.errors import BadInput, Conflict, InvalidTransition
from core.states import transition
from usage.models import REVIEW_TRANSITIONS, Adjustment, QuarantinedRow, ReviewStatus


class AlreadyDecided(Conflict):
    """Somebody else, or an import, decided first."""

    code = "already_decided"


def decide(row: QuarantinedRow | Adjustment, to: ReviewStatus, *, actor: Actor, note: str, **values: object) -> None:
    """Move an open finding to ``to`` in one UPDATE. Raises ``AlreadyDecided`` when it is not open any more."""
    now = timezone.now()
    values |= {"note": note, "decided_by": actor.name[:64], "decided_at": now}
    try:
        moved = transition(row, to, table=REVIEW_TRANSITIONS, **values)
    except InvalidTransition:
        moved = False
    if not moved:
        words = _("%(row)s was %(status)s by %(name)s already; nothing was changed.")
        raise AlreadyDecided(
            words % {"row": row, "status": row.get_status_display(), "name": row.decided_by}, row=row.pk
        )


def required(note: str) -> str:
    """The note, trimmed. Raises ``BadInput`` without one."""
    if not note.strip():
        raise BadInput(_("Say why, for those who read it later."), field="note")
    return note.strip()
