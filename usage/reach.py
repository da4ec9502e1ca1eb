"""Whose metered usage a request may read or add to. Somebody else's project is as absent as one that does not exist."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.request import Request

from accounts.membership import USE, VIEW, projects_of
from accounts.models import ApiKey, Project
from accounts.projects import led_ids


def may_write_events(user: Any, project: Project) -> bool:
    """Members who use it, and staff who import for it."""
    if user.is_staff and user.has_perm("usage.add_usageevent"):
        return True
    return projects_of(user, USE).filter(pk=project.pk).exists()


def readable_projects(request: Request) -> QuerySet[Project]:
    """A project's key reads its project; people as ``projects_readable_by`` has it."""
    key = request.auth if isinstance(request.auth, ApiKey) else None
    if key is not None and key.project_id:
        return Project.objects.select_related("organisation").filter(pk=key.project_id)
    return projects_readable_by(request.user)


def projects_readable_by(user: Any) -> QuerySet[Project]:
    """A member reads the projects of the organisation, a lead those led, staff all."""
    projects = Project.objects.select_related("organisation").order_by("pk")
    if user.is_staff and user.has_perm("usage.view_usageaggregate"):
        return projects
    mine = projects_of(user, VIEW).values("pk")
    return projects.filter(Q(pk__in=mine) | Q(pk__in=led_ids(user.get_username())))
