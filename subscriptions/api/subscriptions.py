"""``/api/v1/subscriptions``: list, ask, read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from accounts.models import Scope
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.errors import BadInput
from subscriptions.api import scope
from subscriptions.api.shapes import SubscriptionDetailSerializer, SubscriptionSerializer
from subscriptions.holders import Holder, check_payer, holders_of
from subscriptions.models import BillingCycle, Plan, SubscriptionStatus
from subscriptions.services.history import LONGEST_REASON
from subscriptions.services.subscriptions import request_subscription


class SubscriptionQuery(PageQuery):
    status = serializers.ChoiceField(SubscriptionStatus.values, required=False)
    plan = serializers.CharField(required=False, max_length=60)


class RequestSerializer(StrictSerializer):
    plan = TextField(max_length=60, help_text="Its code.")
    organisation = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="Within this organisation; without one for yourself."
    )
    whole_organisation = serializers.BooleanField(
        required=False, default=False, help_text="For all its members: owners and billing managers may ask for that."
    )
    billing_cycle = serializers.ChoiceField(BillingCycle.values, required=False, default=BillingCycle.MONTHLY)
    reason = TextField(required=False, max_length=LONGEST_REASON, allow_blank=True, default="")


class SubscriptionsView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="subscriptions_list",
        parameters=[SubscriptionQuery],
        responses={200: page_of(SubscriptionSerializer), **problems(400, 401)},
    )
    def get(self, request: Request) -> Response:
        """Yours and those of your organisations, newest first. Staff with `subscriptions.view_subscription` see all."""
        query = scope.read(SubscriptionQuery, request.query_params)
        exact = {"status": query.get("status"), "plan__code": query.get("plan")}
        rows = scope.subscriptions(request).filter(**{name: value for name, value in exact.items() if value})
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = SubscriptionSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="subscriptions_request",
        parameters=[KEY],
        request=RequestSerializer,
        responses={201: SubscriptionDetailSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Ask for a plan. It waits as `pending` where the plan needs approval, else it begins at once.

        409 `already_subscribed` while the holder has one to this plan that is not over, `plan_closed`, `holder_gone`,
        `needs_organisation` for a plan with fees that somebody asks for alone.
        """
        order = scope.read(RequestSerializer, request.data)
        plan = Plan.objects.select_related("ai_model").filter(code=order["plan"], is_active=True).first()
        if plan is None:
            raise BadInput(_("There is no such plan."), field="plan")
        holder = _holder(request, order)
        check_payer(plan, holder.organisation)
        row = request_subscription(
            actor=scope.actor(request), plan=plan, user=holder.user, organisation=holder.organisation,
            billing_cycle=order["billing_cycle"], reason=order["reason"],
        )  # fmt: skip
        return Response(SubscriptionDetailSerializer(row).data, status=201)


class SubscriptionView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="subscriptions_read", responses={200: SubscriptionDetailSerializer, **problems(401, 404)}
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """One subscription, with its history."""
        return Response(SubscriptionDetailSerializer(scope.find_subscription(request, uuid)).data)


def _holder(request: Request, order: dict[str, Any]) -> Holder:
    """An organisation that one does not belong to is as unknown as one that is not there. Raises ``BadInput``,
    ``PermissionDenied`` for all of an organisation that one does not manage."""
    place, whole = order["organisation"], order["whole_organisation"]
    if whole and place is None:
        raise BadInput(_("Say which organisation."), field="organisation")
    found = {each.key: each for each in holders_of(request.user)}  # type: ignore[arg-type]
    if place is None:
        return found["me"]
    kinds = (f"member:{place}", f"organisation:{place}")
    if not any(kind in found for kind in kinds):
        raise BadInput(_("You may not ask for this organisation."), field="organisation")
    if kinds[whole] not in found:
        raise PermissionDenied
    return found[kinds[whole]]
