"""``/api/v1/usage-prices``: what metered usage costs. For staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from accounts.models import Organisation
from billing.api import scope
from billing.charging import Step
from billing.models import ChargeModel, PricingPlan, Quantity
from billing.selectors.pricing.usage_prices import in_force, steps_of
from billing.services.pricing.price_checks import FEE_PLACES, NewPrice
from billing.services.pricing.usage_prices import create_price
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.database.decimals import PLACES, plain


class ExactField(serializers.DecimalField):
    """Decimal text; without noughts at the end where we write it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 40, "decimal_places": PLACES, **kwargs})

    def to_representation(self, value: Any) -> Any:
        return plain(value)


class StepSerializer(StrictSerializer):
    up_to = ExactField(allow_null=True, help_text="The last unit of the step, included; null for the last step.")
    price_per_unit = ExactField()
    flat_fee = ExactField(
        decimal_places=FEE_PLACES, required=False, default=Decimal(0), help_text="Due once it is entered."
    )


class NewUsagePriceSerializer(StrictSerializer):
    """A price from a day on. It ends the one before, of the same owner, metric, quantity, unit and model."""

    metric_name = TextField(max_length=120, help_text="A metric, or the code of a meter.")
    organisation = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="null: for all.")
    quantity = serializers.ChoiceField(Quantity.values, required=False, default=Quantity.VALUE.value)
    unit = TextField(max_length=40, required=False, allow_blank=True, default="", help_text="Empty: any.")
    model_id = TextField(max_length=255, required=False, allow_blank=True, default="", help_text="Empty: any.")
    charge_model = serializers.ChoiceField(ChargeModel.values, required=False, default=ChargeModel.STANDARD.value)
    price_per_unit = ExactField(
        required=False, allow_null=True, default=None, help_text="Of one unit, or of one package; null with steps."
    )
    package_size = ExactField(required=False, allow_null=True, default=None)
    steps = StepSerializer(many=True, required=False, default=list)
    minimum_charge = ExactField(decimal_places=FEE_PLACES, required=False, default=Decimal(0))
    currency = TextField(max_length=3)
    description = TextField(max_length=200, required=False, allow_blank=True, default="")
    description_th = TextField(max_length=200, required=False, allow_blank=True, default="")
    effective_from = serializers.DateField()


class UsagePriceSerializer(NewUsagePriceSerializer):
    id = serializers.IntegerField()
    organisation = serializers.UUIDField(source="organisation.uuid", default=None, allow_null=True)
    steps = serializers.SerializerMethodField()  # type: ignore[assignment]
    effective_to = serializers.DateField(allow_null=True, help_text="The last day; null: open.")
    is_active = serializers.BooleanField(help_text="false: switched off, as if it had never been.")
    set_by = serializers.CharField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, plan: Any) -> Any:
        rows = [each._asdict() for each in steps_of(plan)]
        return StepSerializer(rows, many=True).data


class UsagePriceQuery(PageQuery):
    metric_name = serializers.CharField(required=False, max_length=120)
    organisation = serializers.UUIDField(required=False, help_text="Prices of this one's own.")
    on = serializers.DateField(required=False, help_text="Only active prices that count on this day.")


class UsagePricesView(APIView):
    @extend_schema(
        operation_id="usage_prices_list",
        parameters=[UsagePriceQuery],
        responses={200: page_of(UsagePriceSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Prices of usage, newest first, those of the past and of the future among them. Staff with
        `billing.view_pricingplan`."""
        _allow(request, "billing.view_pricingplan")
        query = scope.read(UsagePriceQuery, request.query_params)
        rows = in_force(query["on"]) if "on" in query else PricingPlan.objects.all()
        exact = {"metric_name": query.get("metric_name"), "organisation__uuid": query.get("organisation")}
        rows = rows.filter(**{name: value for name, value in exact.items() if value})
        rows = rows.select_related("organisation").prefetch_related("steps")
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = UsagePriceSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="usage_prices_create",
        parameters=[KEY],
        request=NewUsagePriceSerializer,
        responses={201: UsagePriceSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Add a price. Staff with `billing.add_pricingplan`.

        A repeat is refused: there is a price from that day on then. So is a day in or before a month whose usage of
        this kind a finalized invoice has priced.
        """
        _allow(request, "billing.add_pricingplan")
        values = scope.read(NewUsagePriceSerializer, request.data)
        wanted = values.pop("organisation")
        values["organisation"] = _organisation(wanted) if wanted else None
        values["steps"] = tuple(Step(**step) for step in values["steps"])
        plan = create_price(actor=scope.actor(request), price=NewPrice(**values))
        return Response(UsagePriceSerializer(plan).data, status=201)


class UsagePriceView(APIView):
    @extend_schema(operation_id="usage_prices_read", responses={200: UsagePriceSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """One price. Staff with `billing.view_pricingplan`."""
        _allow(request, "billing.view_pricingplan")
        plan = PricingPlan.objects.select_related("organisation").filter(pk=pk).first()
        if plan is None:
            raise Http404(_("There is no such price."))
        return Response(UsagePriceSerializer(plan).data)


def _allow(request: Request, permission: str) -> None:
    if not scope.sees_all(request, permission):
        raise PermissionDenied(_("Prices of usage are for staff who may see or set them."))


def _organisation(uuid: Any) -> Organisation:
    found = Organisation.objects.filter(uuid=uuid).first()
    if found is None:
        raise serializers.ValidationError({"organisation": [_("There is no such organisation.")]})
    return found
