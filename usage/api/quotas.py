"""Quota over the API: what is left, setting some aside before a call, giving it back."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.membership import USE, organisations_of
from accounts.models import ApiKey, Scope
from core.api.serializers import StrictSerializer, TextField, problems
from core.clock import now_for
from core.context import actor_of
from core.errors import BadInput
from subscriptions.holders import still_held
from subscriptions.models import LIVE, AiModel, Subscription, SubscriptionKey
from usage.models import QuotaReservation
from usage.quotas import open_windows, standings
from usage.services.quota_watch import watch_one
from usage.services.reservations import QuotaExhausted, release_reservation, reserve_quota

MOST_METRICS = 10
METRIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}")


class AmountField(serializers.DecimalField):
    """Decimal text or a number, 0 or more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 24, "decimal_places": 9, "min_value": 0, **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class ReservationOrderSerializer(StrictSerializer):
    subscription = serializers.UUIDField(required=False, help_text="Without it, the one that serves the model.")
    model = TextField(required=False, max_length=255)
    amounts = serializers.DictField(
        child=AmountField(), allow_empty=False, help_text="By metric: `requests`, `tokens`, or the code of a meter."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not ("subscription" in attrs or "model" in attrs):
            raise serializers.ValidationError({"subscription": [_("Name the subscription or the model.")]})
        if any(not METRIC.fullmatch(name) for name in attrs["amounts"]):
            raise serializers.ValidationError({"amounts": [_("Name requests, tokens, a metric or a meter.")]})
        if len(attrs["amounts"]) > MOST_METRICS:
            raise serializers.ValidationError({"amounts": [_("Ten metrics at most.")]})
        return attrs


class ReservationSerializer(serializers.Serializer):
    reservation = serializers.UUIDField(source="uuid", help_text="Goes into the event that tells of the call.")
    subscription = serializers.UUIDField(source="subscription.uuid")
    expires_at = serializers.DateTimeField()


class QuotaStandingSerializer(serializers.Serializer):
    metric = serializers.CharField(source="window.metric")
    window = serializers.CharField(source="window.window")
    starts_at = serializers.DateTimeField(source="window.starts_at")
    ends_at = serializers.DateTimeField(source="window.ends_at", allow_null=True)
    limit = serializers.DecimalField(max_digits=40, decimal_places=9, source="window.limit", allow_null=True)
    is_hard = serializers.BooleanField(source="window.is_hard")
    used = serializers.DecimalField(max_digits=40, decimal_places=9)
    held = serializers.DecimalField(max_digits=40, decimal_places=9)
    left = serializers.DecimalField(max_digits=40, decimal_places=9, allow_null=True)


class QuotaSerializer(serializers.Serializer):
    status = serializers.CharField(source="subscription.status")
    reset_at = serializers.DateTimeField(source="subscription.reset_at", allow_null=True)
    windows = QuotaStandingSerializer(many=True)


class ReservationsView(APIView):
    throttle_classes = ()  # quotas and budgets are their limits
    key_scopes = {"POST": Scope.EVENTS_WRITE}
    takes_project_keys = True

    @extend_schema(
        operation_id="quota_reserve",
        request=ReservationOrderSerializer,
        responses={201: ReservationSerializer, **problems(400, 401, 403, 404, 409, 429)},
    )
    def post(self, request: Request) -> Response:
        """Set quota aside for one call, all of `amounts` or nothing. Hard limits are never passed.

        429 `quota_exhausted` with `metric`, `limit`, `used`, `held` and `reset_at` (also `Retry-After`). The event of
        the call names the reservation and settles it; without an event it runs out by itself.
        """
        order = ReservationOrderSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        values = order.validated_data
        subscription = _chosen(request, values)
        try:
            made = reserve_quota(subscription=subscription, amounts=values["amounts"])
        except QuotaExhausted:
            watch_one(actor=actor_of(request._request), subscription=subscription)
            raise
        return Response(ReservationSerializer(made).data, status=201)


class ReservationView(APIView):
    throttle_classes = ()  # quotas and budgets are their limits
    key_scopes = {"DELETE": Scope.EVENTS_WRITE}
    takes_project_keys = True

    @extend_schema(operation_id="quota_release", responses={204: None, **problems(401, 403, 404)})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Give back what was set aside. A repeat changes nothing."""
        found = QuotaReservation.objects.filter(uuid=uuid, subscription__in=callable_by(request)).first()
        if found is None:
            raise Http404(_("There is no such reservation."))
        release_reservation(subscription=found.subscription, uuid=uuid)
        return Response(status=204)


class QuotaView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(operation_id="subscriptions_quota", responses={200: QuotaSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """What is used, set aside and left in the windows of now."""
        subscription = callable_by(request).filter(uuid=uuid).select_related("organisation", "plan").first()
        if subscription is None:
            raise Http404(_("There is no such subscription."))
        windows = standings(open_windows([subscription], now_for(subscription.organisation)))
        return Response(QuotaSerializer({"subscription": subscription, "windows": windows}).data)


def callable_by(request: Request) -> QuerySet[Subscription]:
    """Subscriptions on which this caller may make calls, whatever their state. A project's key: those of its
    organisation; a person: their own and their organisations'; a key bound to some: those alone."""
    rows = Subscription.objects.filter(still_held())
    key = request.auth if isinstance(request.auth, ApiKey) else None
    user = request.user
    if key is not None and key.project is not None:
        rows = rows.filter(organisation=key.project.organisation_id)
    elif not (user.is_staff and user.has_perm("subscriptions.view_subscription")):
        mine = organisations_of(user, USE).values("pk")
        rows = rows.filter(Q(user=user.get_username()) | Q(user__isnull=True, organisation__in=mine))
    if key is not None:
        links = SubscriptionKey.objects.filter(api_key=key)
        if links.exists():
            rows = rows.filter(pk__in=links.values("subscription"))
    return rows


def _chosen(request: Request, values: dict[str, Any]) -> Subscription:
    rows = callable_by(request).select_related("organisation", "plan", "user")
    if "subscription" in values:
        found = rows.filter(uuid=values["subscription"]).first()
        if found is None:
            raise Http404(_("There is no such subscription."))
        return found
    return _serving(rows.filter(status__in=LIVE), values["model"])


def _serving(rows: QuerySet[Subscription], name: str) -> Subscription:
    """One that names the model before one for all models; one that may be used before one that rests."""
    model = AiModel.objects.filter(pk=name, is_active=True).first()
    if model is None:
        raise BadInput(_("There is no such model."), field="model")
    fits = Q(plan__ai_model=model) if model.restricted else Q(plan__ai_model=model) | Q(plan__ai_model__isnull=True)
    found = sorted(rows.filter(fits), key=lambda row: (not row.is_usable, row.plan.ai_model_id is None, row.pk))
    if not found:
        raise BadInput(_("No subscription of yours serves this model."), field="model")
    return found[0]
