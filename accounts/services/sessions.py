"""Ending sessions: a browser left open somewhere, or all of them but this one."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Session, User
from audit.services import record
from core.context import Actor


@transaction.atomic
def end_sessions(*, actor: Actor, user: User, keep: str, handle: str = "") -> int:
    """End one session (``handle``) of ``user``, or all but the one with the key ``keep``. Returns how many ended."""
    sessions = Session.objects.filter(user=user).exclude(session_key=keep)
    if handle:
        sessions = sessions.filter(pk__in=[row.pk for row in sessions if row.handle == handle])
    number, _rows = sessions.delete()
    if number:
        record(actor=actor, action="session_end", target=user.username, entity=user, extra={"ended": number})
    return number
