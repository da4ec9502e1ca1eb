"""``/api/v1/exchange-rates``: rates of exchange, read and added. For staff."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.api.invoice_shapes import ExactField
from billing.models import ExchangeRate
from billing.selectors.pricing.exchange import DIGITS, RATE_PLACES
from billing.services.pricing.exchange import set_rate
from core.api.paging import next_url, page
from core.api.serializers import MomentField, PageQuery, StrictSerializer, TextField, page_of, problems


class ExchangeRateQuery(PageQuery):
    base_currency = serializers.CharField(required=False, max_length=3)
    target_currency = serializers.CharField(required=False, max_length=3)
    at = MomentField(required=False, help_text="Rates in force at this moment.")


class NewExchangeRateSerializer(StrictSerializer):
    """1 of `base_currency` is `rate` of `target_currency`, until the next rate of the two."""

    base_currency = TextField(max_length=3)
    target_currency = TextField(max_length=3)
    rate = serializers.DecimalField(max_digits=DIGITS, decimal_places=RATE_PLACES)
    effective_from = MomentField(required=False, allow_null=True, default=None, help_text="null: now.")


class ExchangeRateSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    base_currency = serializers.CharField()
    target_currency = serializers.CharField()
    rate = ExactField()
    effective_from = serializers.DateTimeField()
    effective_to = serializers.DateTimeField(allow_null=True, help_text="Not in force any more; null: open.")
    source = serializers.CharField(help_text="`manual`, or the feed that it came from.")  # type: ignore[assignment]
    set_by = serializers.CharField()


class ExchangeRatesView(APIView):
    @extend_schema(
        operation_id="exchange_rates_list",
        parameters=[ExchangeRateQuery],
        responses={200: page_of(ExchangeRateSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Rates, newest first. Staff with `billing.view_exchangerate`."""
        _allow(request, "billing.view_exchangerate")
        query = scope.read(ExchangeRateQuery, request.query_params)
        exact = {name: query[name] for name in ("base_currency", "target_currency") if name in query}
        rows = ExchangeRate.objects.filter(**exact)
        if "at" in query:
            rows = rows.filter(effective_from__lte=query["at"]).exclude(effective_to__lte=query["at"])
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = ExchangeRateSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="exchange_rates_create",
        parameters=[KEY],
        request=NewExchangeRateSerializer,
        responses={201: ExchangeRateSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Add a rate, which ends the one before. Documents keep the rates that they were made with. Staff with
        `billing.add_exchangerate`.

        409 when the two have a rate from this very moment on.
        """
        _allow(request, "billing.add_exchangerate")
        wanted = scope.read(NewExchangeRateSerializer, request.data)
        row = set_rate(
            actor=scope.actor(request), base=wanted["base_currency"], target=wanted["target_currency"],
            rate=wanted["rate"], effective_from=wanted["effective_from"],
        )  # fmt: skip
        return Response(ExchangeRateSerializer(row).data, status=201)


def _allow(request: Request, permission: str) -> None:
    scope.allow(request, permission, _("Rates of exchange are for staff who may see or set them."))
