"""Which receipts somebody may open."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.projects import led_ids
from billing.models import Receipt


def readable(receipts: QuerySet[Receipt], username: str) -> QuerySet[Receipt]:
    """One's own receipts, and those of the projects that one leads."""
    return receipts.filter(Q(user_id=username) | Q(project_id__in=led_ids(username)))


def openable(receipts: QuerySet[Receipt], user: User | AnonymousUser) -> QuerySet[Receipt]:
    """Staff with ``billing.view_receipt``: all of them; others as ``readable``."""
    if user.is_staff and user.has_perm("billing.view_receipt"):
        return receipts
    return readable(receipts, user.get_username())
