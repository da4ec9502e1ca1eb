"""``/api/v1/discounts``: discounts of organisations, read, given and ended. For staff."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.api.invoice_shapes import ExactField
from billing.models import Discount
from billing.services.pricing.discounts import LONGEST, create_discount, end_discount
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems


class DiscountQuery(PageQuery):
    organisation = serializers.UUIDField(required=False)
    on = serializers.DateField(required=False, help_text="Those that hold on this day.")


class NewDiscountSerializer(StrictSerializer):
    """Off each invoice, before tax: a percentage, or an amount in the organisation's currency."""

    organisation = serializers.UUIDField()
    name = TextField(max_length=LONGEST, help_text="It stands on the invoice.")
    percent = serializers.DecimalField(5, 2, required=False, allow_null=True, default=None)
    amount = serializers.DecimalField(18, 4, required=False, allow_null=True, default=None)
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="The last day; null: open."
    )


class EndDiscountSerializer(StrictSerializer):
    last_day = serializers.DateField()


class DiscountSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    organisation = serializers.UUIDField(source="organisation.uuid")
    name = serializers.CharField()
    percent = ExactField(allow_null=True)
    amount = ExactField(allow_null=True)
    currency = serializers.CharField(source="organisation.currency")
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(allow_null=True)
    set_by = serializers.CharField()


class DiscountsView(APIView):
    @extend_schema(
        operation_id="discounts_list",
        parameters=[DiscountQuery],
        responses={200: page_of(DiscountSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Discounts, newest first. Staff with `billing.view_discount`."""
        _allow(request, "billing.view_discount")
        query = scope.read(DiscountQuery, request.query_params)
        rows = Discount.objects.select_related("organisation")
        if "organisation" in query:
            rows = rows.filter(organisation__uuid=query["organisation"])
        if "on" in query:
            rows = rows.filter(effective_from__lte=query["on"]).exclude(effective_to__lt=query["on"])
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = DiscountSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="discounts_create",
        parameters=[KEY],
        request=NewDiscountSerializer,
        responses={201: DiscountSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Give a discount. Without a key a repeat gives it once more. Staff with `billing.add_discount`."""
        _allow(request, "billing.add_discount")
        wanted = scope.read(NewDiscountSerializer, request.data)
        wanted["organisation"] = scope.organisation(wanted["organisation"])
        row = create_discount(actor=scope.actor(request), **wanted)
        return Response(DiscountSerializer(row).data, status=201)


class DiscountEndView(APIView):
    @extend_schema(
        operation_id="discounts_end",
        parameters=[KEY],
        request=EndDiscountSerializer,
        responses={200: DiscountSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, pk: int) -> Response:
        """Let it end with a day, which may not lie before a month that is invoiced with it. A repeat changes nothing.
        Staff with `billing.change_discount`."""
        _allow(request, "billing.change_discount")
        row = Discount.objects.select_related("organisation").filter(pk=pk).first()
        if row is None:
            raise Http404(_("There is no such discount."))
        wanted = scope.read(EndDiscountSerializer, request.data)
        end_discount(actor=scope.actor(request), discount=row, last_day=wanted["last_day"])
        return Response(DiscountSerializer(row).data)


def _allow(request: Request, permission: str) -> None:
    scope.allow(request, permission, _("Discounts are for staff who may see or give them."))
