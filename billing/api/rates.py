"""``/api/v1/rates``: what an hour costs, since when, and what comes next."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope, Tier
from billing.api import scope
from billing.models import CpuBasis, RateVersion
from core.api.paging import next_url, page
from core.api.serializers import MomentField, PageQuery, RateField, page_of, problems

_NEWEST_FIRST = ("effective_at", "id")


class RateQuery(PageQuery):
    tier = serializers.CharField(required=False, max_length=64)
    at = MomentField(
        required=False, help_text="Only the versions in force at this moment, one a tier; a time with its zone."
    )

    def validate_at(self, moment: Any) -> Any:
        written = str(self.initial_data["at"])
        if not written.endswith(("Z", "z")) and "+" not in written[10:] and "-" not in written[10:]:
            raise serializers.ValidationError(_("Write a time with its zone, as 2026-12-01T00:00:00+07:00."))
        if not 1990 <= moment.year < 2200:  # noqa: PLR2004 - as the pages have it
            raise serializers.ValidationError(_("A time from 1990 to 2199 is wanted."))
        return moment


class RateVersionSerializer(serializers.Serializer):
    """Money per hour from `effective_at` on, until the next version of the tier."""

    id = serializers.IntegerField()
    tier = serializers.CharField(source="tier_id")
    effective_at = serializers.DateTimeField()
    cpu = RateField()
    gpu = RateField()
    mem = RateField()
    cpu_basis = serializers.ChoiceField(CpuBasis.values)
    currency = serializers.SerializerMethodField()

    def get_currency(self, version: Any) -> str:
        return settings.PAYMENT_CURRENCY


class RatesView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="rates_list",
        parameters=[RateQuery],
        responses={200: page_of(RateVersionSerializer), **problems(400, 401)},
    )
    def get(self, request: Request) -> Response:
        """Rate versions, newest first, those that begin in the future among them."""
        query = scope.read(RateQuery, request.query_params)
        versions = RateVersion.objects.all()
        if "tier" in query:
            if not Tier.objects.filter(pk=query["tier"]).exists():
                raise serializers.ValidationError({"tier": [_("There is no such tier.")]})
            versions = versions.filter(tier=query["tier"])
        if "at" in query:
            earlier = RateVersion.objects.filter(tier=OuterRef("tier"), effective_at__lte=query["at"])
            newest = earlier.order_by("-effective_at").values("pk")[:1]
            versions = versions.filter(pk=Subquery(newest))
        found = page(versions, by=_NEWEST_FIRST, after=query.get("cursor", ""), size=query["limit"])
        rows = RateVersionSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})
