"""``/api/v1/plans/<code>/prices``: all fees of a plan, and new ones. For staff."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from subscriptions.api import scope
from subscriptions.api.shapes import PlanPriceSerializer
from subscriptions.models import BillingCycle, Plan
from subscriptions.services.prices import set_plan_price


class NewPlanPriceSerializer(StrictSerializer):
    """A fee from a day on; subscriptions keep the one that they began or were renewed with."""

    billing_cycle = serializers.ChoiceField(BillingCycle.values)
    amount = serializers.DecimalField(15, 4)
    currency = TextField(max_length=3)
    effective_from = serializers.DateField(required=False, allow_null=True, default=None, help_text="null: today.")


class ListedPlanPriceSerializer(PlanPriceSerializer):
    id = serializers.IntegerField()
    set_by = serializers.CharField()


class PlanPricesView(APIView):
    @extend_schema(
        operation_id="plan_prices_list",
        parameters=[PageQuery],
        responses={200: page_of(ListedPlanPriceSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, code: str) -> Response:
        """All fees of a plan, past and to come, newest first. Staff with `subscriptions.view_planprice`."""
        plan = _plan(request, code, "subscriptions.view_planprice")
        query = scope.read(PageQuery, request.query_params)
        found = page(plan.prices.all(), by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = ListedPlanPriceSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="plan_prices_create",
        parameters=[KEY],
        request=NewPlanPriceSerializer,
        responses={201: ListedPlanPriceSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, code: str) -> Response:
        """Add a fee. Only the first one of a plan, cycle and currency may begin in the past. Staff with
        `subscriptions.add_planprice`."""
        plan = _plan(request, code, "subscriptions.add_planprice")
        row = set_plan_price(actor=scope.actor(request), plan=plan, **scope.read(NewPlanPriceSerializer, request.data))
        return Response(ListedPlanPriceSerializer(row).data, status=201)


def _plan(request: Request, code: str, permission: str) -> Plan:
    if not scope.sees_all(request, permission):
        raise PermissionDenied(_("Fees of plans are for staff who may see or set them."))
    plan = Plan.objects.filter(code=code).first()
    if plan is None:
        raise Http404(_("There is no such plan."))
    return plan
