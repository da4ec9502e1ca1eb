"""Whose metered usage a request may read or add to. Somebody else's project is as absent as one that does not exist."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from accounts.models import ApiKey, Member, MemberRole, Project

WRITERS = (MemberRole.OWNER, MemberRole.BILLING_MANAGER, MemberRole.MEMBER)


def may_write_events(user: Any, project: Project) -> bool:
    """Members who use it, and staff who import for it."""
    if user.is_staff and user.has_perm("usage.add_usageevent"):
        return True
    return Member.objects.filter(
        organisation=project.organisation_id, user=user.get_username(), role__in=WRITERS
    ).exists()


def readable_projects(request: Request) -> QuerySet[Project]:
    """A project's key reads its project, a member the projects of the organisation, a lead those led, staff all."""
    projects = Project.objects.select_related("organisation")
    key = request.auth if isinstance(request.auth, ApiKey) else None
    if key is not None and key.project_id:
        return projects.filter(pk=key.project_id)
    if request.user.is_staff and request.user.has_perm("usage.view_usageaggregate"):
        return projects
    name = request.user.get_username()
    return projects.filter(
        Q(organisation__members__user=name, organisation__is_active=True) | Q(leads__user=name)
    ).distinct()


def find_project(request: Request, uuid: UUID) -> Project:
    project = readable_projects(request).filter(uuid=uuid).first()
    if project is None:
        raise Http404(_("There is no such project."))
    return project
