"""``/api/v1/accounting-periods``: months of the books, closed in order, the latest of them opened again. For staff."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.models import AccountingPeriod, PeriodStatus
from billing.services.ledger.periods import close_period, open_period
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems

LONGEST = 255


class MonthField(TextField):
    """``2026-10``."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            found = date.fromisoformat(f"{text}-01")
        except ValueError as error:
            raise serializers.ValidationError(_("A month is wanted, such as 2026-10.")) from error
        if not 2000 <= found.year < 2200:  # noqa: PLR2004 - as the database has it
            raise serializers.ValidationError(_("A month is wanted, such as 2026-10."))
        return found


class ClosePeriodSerializer(StrictSerializer):
    month = MonthField(help_text="Such as `2026-10`.")
    note = TextField(required=False, allow_blank=True, default="", max_length=LONGEST)


class OpenPeriodSerializer(StrictSerializer):
    month = MonthField(help_text="Such as `2026-10`.")
    reason = TextField(max_length=LONGEST)


class PeriodSerializer(serializers.Serializer):
    """`figures`: the trial balance as it was closed, by currency and role."""

    month = serializers.DateField(format="%Y-%m")
    status = serializers.ChoiceField(PeriodStatus.values)
    closed_by = serializers.CharField()
    closed_at = serializers.DateTimeField()
    note = serializers.CharField()
    figures = serializers.DictField(child=serializers.DictField(child=serializers.CharField()))


class PeriodsView(APIView):
    @extend_schema(
        operation_id="accounting_periods_list",
        parameters=[PageQuery],
        responses={200: page_of(PeriodSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Months that are or were closed, the newest first. Staff with `billing.view_accountingperiod`."""
        _allow(request, "billing.view_accountingperiod")
        query = scope.read(PageQuery, request.query_params)
        found = page(AccountingPeriod.objects.all(), by=("month",), after=query.get("cursor", ""), size=query["limit"])
        body = PeriodSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})


class ClosePeriodView(APIView):
    @extend_schema(
        operation_id="accounting_periods_close",
        parameters=[KEY],
        request=ClosePeriodSerializer,
        responses={200: PeriodSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Close a month that is over, after the month itself and those before it. A repeat changes nothing. Staff with
        `billing.close_accountingperiod`."""
        _allow(request, "billing.close_accountingperiod")
        row = close_period(actor=scope.actor(request), **scope.read(ClosePeriodSerializer, request.data))
        return Response(PeriodSerializer(row).data)


class OpenPeriodView(APIView):
    @extend_schema(
        operation_id="accounting_periods_open",
        parameters=[KEY],
        request=OpenPeriodSerializer,
        responses={200: PeriodSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Open the latest closed month again, with a reason. A repeat changes nothing. Staff with
        `billing.close_accountingperiod`."""
        _allow(request, "billing.close_accountingperiod")
        wanted = scope.read(OpenPeriodSerializer, request.data)
        open_period(actor=scope.actor(request), **wanted)
        return Response(PeriodSerializer(AccountingPeriod.objects.get(month=wanted["month"])).data)


def _allow(request: Request, permission: str) -> None:
    scope.allow(request, permission, _("The periods of the books are for staff who may see or close them."))
