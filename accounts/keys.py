"""Which API keys are in somebody's hands. Reads only."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.membership import KEYS, projects_of
from accounts.models import ApiKey, Project, User


def own_projects(user: User) -> QuerySet[Project]:
    """Active projects for which ``user`` may make keys."""
    return projects_of(user, KEYS).select_related("organisation").order_by("organisation__name", "name")


def own_keys(user: User) -> QuerySet[ApiKey]:
    """Their own and those of such projects."""
    mine = Q(user=user) | Q(project__in=projects_of(user, KEYS).values("pk"))
    return ApiKey.objects.filter(mine).select_related("project__organisation")


def manageable_keys(user: User) -> QuerySet[ApiKey]:
    """Those that ``user`` may look at and revoke: the own ones, and for who keeps order among keys all."""
    if user.is_staff and user.has_perm("accounts.revoke_apikey"):
        return ApiKey.objects.select_related("project__organisation")
    return own_keys(user)
