"""Whose rows a request may see. Somebody else's object is as absent as one that does not exist."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from accounts.models import ApiKey, Project
from core.api.serializers import StrictSerializer
from core.context import Actor, actor_of
from subscriptions.holders import visible_to
from subscriptions.models import AiModel, Subscription
from subscriptions.selectors import models_for, models_of


def actor(request: Request) -> Actor:
    return actor_of(request._request)


def sees_all(request: Request, permission: str) -> bool:
    return bool(request.user.is_staff and request.user.has_perm(permission))


def key_project(request: Request) -> Project | None:
    """The project whose key this is; it stands for its organisation."""
    return request.auth.project if isinstance(request.auth, ApiKey) else None


def models(request: Request) -> QuerySet[AiModel]:
    """Those that one may use; for staff who look after the catalogue all, those that are off, too."""
    if sees_all(request, "subscriptions.view_aimodel"):
        return AiModel.objects.all()
    if (project := key_project(request)) is not None:
        return models_of(project)
    return models_for(request.user)  # type: ignore[arg-type]  # only signed-in users come this far


def subscriptions(request: Request) -> QuerySet[Subscription]:
    if (project := key_project(request)) is not None:
        rows = Subscription.objects.filter(organisation=project.organisation_id)
    elif sees_all(request, "subscriptions.view_subscription"):
        rows = Subscription.objects.all()
    else:
        rows = visible_to(request.user)
    return rows.select_related("plan", "organisation", "next_plan", "price")


def find_subscription(request: Request, uuid: UUID) -> Subscription:
    row = subscriptions(request).filter(uuid=uuid).first()
    if row is None:
        raise Http404(_("There is no such subscription."))
    return row


def read(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """A body or query, checked. Raises DRF's ``ValidationError``, which answers by field."""
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values
