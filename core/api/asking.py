"""What every view of the API asks of a request: what it sends, who asks, and whether that is staff with a right."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from core.api.serializers import StrictSerializer
from core.context import Actor, actor_of


def read(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """A body or query, checked. Raises DRF's ``ValidationError``, which answers by field."""
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


def actor(request: Request) -> Actor:
    return actor_of(request._request)


def is_staff(request: Request, permission: str) -> bool:
    """Somebody of the console who has this right there."""
    return bool(request.user.is_staff and request.user.has_perm(permission))
