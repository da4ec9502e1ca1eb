"""``/api/v1/subscriptions/<uuid>/``: what staff decide about one: approve, deny, suspend, resume."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from core.api.serializers import StrictSerializer, TextField, problems
from subscriptions.api import scope
from subscriptions.api.shapes import SubscriptionDetailSerializer
from subscriptions.models import Subscription, SuspendedFor
from subscriptions.services.history import LONGEST_REASON
from subscriptions.services.subscriptions import (
    approve_subscription,
    deny_subscription,
    resume_subscription,
    suspend_subscription,
)

DECIDES = "subscriptions.decide_subscription"
ANSWERS = {200: SubscriptionDetailSerializer, **problems(400, 401, 403, 404, 409, 422)}


class AgreedSerializer(StrictSerializer):
    """No fields."""


class ReasonSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST_REASON)


class ResumeSerializer(StrictSerializer):
    reason = TextField(required=False, max_length=LONGEST_REASON, allow_blank=True, default="")


class ApproveView(APIView):
    @extend_schema(operation_id="subscriptions_approve", parameters=[KEY], request=AgreedSerializer, responses=ANSWERS)
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """A request begins now, with its trial where the plan has one. A repeat changes nothing. Needs
        `subscriptions.decide_subscription`. 409 `holder_gone`, `no_price`, `invalid_transition`."""
        row = _decided(request, uuid)
        scope.read(AgreedSerializer, request.data)
        approve_subscription(actor=scope.actor(request), subscription=row)
        return Response(SubscriptionDetailSerializer(row).data)


class DenyView(APIView):
    @extend_schema(operation_id="subscriptions_deny", parameters=[KEY], request=ReasonSerializer, responses=ANSWERS)
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """A request ends; whoever asked reads the reason. A repeat changes nothing. Needs
        `subscriptions.decide_subscription`."""
        row = _decided(request, uuid)
        wanted = scope.read(ReasonSerializer, request.data)
        deny_subscription(actor=scope.actor(request), subscription=row, reason=wanted["reason"])
        return Response(SubscriptionDetailSerializer(row).data)


class SuspendView(APIView):
    @extend_schema(operation_id="subscriptions_suspend", parameters=[KEY], request=ReasonSerializer, responses=ANSWERS)
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Let it rest, until it is resumed: no fees, no use. A repeat changes nothing. Needs
        `subscriptions.decide_subscription`."""
        row = _decided(request, uuid)
        wanted = scope.read(ReasonSerializer, request.data)
        suspend_subscription(
            actor=scope.actor(request), subscription=row, cause=SuspendedFor.STAFF, reason=wanted["reason"]
        )
        return Response(SubscriptionDetailSerializer(row).data)


class ResumeView(APIView):
    @extend_schema(operation_id="subscriptions_resume", parameters=[KEY], request=ResumeSerializer, responses=ANSWERS)
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Let it go on, whatever it rests for. A repeat changes nothing. Needs `subscriptions.decide_subscription`.
        409 `no_price` where its period ran out and the plan has no fee any more."""
        row = _decided(request, uuid)
        wanted = scope.read(ResumeSerializer, request.data)
        resume_subscription(actor=scope.actor(request), subscription=row, reason=wanted["reason"])
        return Response(SubscriptionDetailSerializer(row).data)


def _decided(request: Request, uuid: UUID) -> Subscription:
    """Raises ``Http404`` for what the reader does not see, ``PermissionDenied`` without the permission."""
    row = scope.find_subscription(request, uuid)
    if not scope.sees_all(request, DECIDES):
        raise PermissionDenied(_("Staff who may decide about subscriptions do this."))
    return row
