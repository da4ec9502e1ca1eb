"""``/formula``: the rates as JSON, for everybody to read and for rate editors to set."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.dateparse import parse_datetime
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Tier
from billing.models import CpuBasis, RateVersion
from billing.selectors.pricing.rates import etag, version_at
from billing.services.pricing.rates import NewRates, parse_rate, set_rates
from core.api.serializers import MomentField, problems, refuse_repeats
from core.context import actor_of
from core.errors import AppError, BadInput


class UnknownTier(AppError):
    code = "unknown_tier"
    http_status = 404


class ReadOrRateEditor(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or request.user.has_perm("billing.add_rateversion")


def _tier(code: object) -> Tier:
    text = str(code or "")
    tier = Tier.objects.filter(pk=text).first() if text.isprintable() else None
    if tier is None:
        known = ", ".join(Tier.objects.values_list("pk", flat=True))
        words = _("There is no tier %(tier)s; known are %(known)s.") % {"tier": text[:60], "known": known}
        raise UnknownTier(words, field="type")
    return tier


def _text(version: RateVersion) -> str:
    """The body, with rates as JSON numbers in their exact decimal digits."""
    numbers = ", ".join(f'"{name}": {getattr(version, name).normalize():f}' for name in ("cpu", "gpu", "mem"))
    rest = {
        "type": version.tier_id,
        "currency": settings.PAYMENT_CURRENCY,
        "unit": "per-hour",
        "cpu_basis": version.cpu_basis,
        "effective_at": version.effective_at.isoformat(),
    }
    return f'{json.dumps(rest)[:-1]}, "rates": {{{numbers}}}}}'


def _answer(version: RateVersion, status: int = 200) -> HttpResponse:
    response = HttpResponse(_text(version), status=status, content_type="application/json")
    response["ETag"] = quote_etag(etag(version))
    patch_cache_control(response, no_cache=True)
    return response


def _etags(header: str) -> list[str]:
    return [part.strip().removeprefix("W/").strip('"') for part in header.split(",") if part.strip()]


class FormulaRates(serializers.Serializer):
    """JSON numbers in their exact decimal digits."""

    cpu = serializers.DecimalField(12, 6, coerce_to_string=False)
    gpu = serializers.DecimalField(12, 6, coerce_to_string=False)
    mem = serializers.DecimalField(12, 6, coerce_to_string=False)


class FormulaSerializer(serializers.Serializer):
    """The rates of a tier that are in force, per hour."""

    type = serializers.CharField()
    currency = serializers.CharField()
    unit = serializers.CharField()
    cpu_basis = serializers.ChoiceField(CpuBasis.values)
    effective_at = serializers.DateTimeField()
    rates = FormulaRates()


class NewFormulaSerializer(serializers.Serializer):
    type = serializers.CharField()
    cpu = serializers.CharField()
    gpu = serializers.CharField()
    mem = serializers.CharField()
    cpu_basis = serializers.ChoiceField(CpuBasis.values, required=False)
    note = serializers.CharField(required=False, max_length=200)
    effective_at = MomentField(required=False)


class FormulaView(APIView):
    """GET ``/formula?type=mu``; POST ``{"type", "cpu", "gpu", "mem"}`` with optional ``note``, ``effective_at``."""

    permission_classes = (ReadOrRateEditor,)

    @extend_schema(
        operation_id="formula_read",
        parameters=[OpenApiParameter("type", str, required=True, description="A tier.")],
        responses={200: FormulaSerializer, **problems(400, 404, 409)},
        auth=[],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_repeats(request.query_params)
        code = request.query_params.get("type")
        if not code:
            tiers = list(Tier.objects.values_list("pk", flat=True))
            raise BadInput(_("Name a tier, as in /formula?type=mu."), field="type", tiers=tiers)
        version = version_at(_tier(code).pk, timezone.now())
        given = request.headers.get("If-None-Match", "")
        if given.strip() == "*" or etag(version) in _etags(given):
            response = HttpResponse(status=304)
            response["ETag"] = quote_etag(etag(version))
            return response
        return _answer(version)

    @extend_schema(
        operation_id="formula_set",
        request=NewFormulaSerializer,
        responses={200: FormulaSerializer, **problems(400, 401, 403, 404, 412)},
    )
    def post(self, request: Request) -> HttpResponse:
        data: Any = request.data
        if not isinstance(data, dict):
            raise BadInput(_("Send a JSON object with type, cpu, gpu and mem."))
        missing = [name for name in ("type", "cpu", "gpu", "mem") if name not in data]
        if missing:
            words = _("Missing: %(names)s.") % {"names": ", ".join(missing)}
            raise BadInput(words, errors={name: [words] for name in missing})
        rates = NewRates(
            cpu=parse_rate("cpu", data["cpu"]),
            gpu=parse_rate("gpu", data["gpu"]),
            mem=parse_rate("mem", data["mem"]),
            cpu_basis=str(data.get("cpu_basis", CpuBasis.ALLOCATED)),
        )
        wanted = _etags(request.headers.get("If-Match", ""))
        version = set_rates(
            actor=actor_of(request._request), tier=_tier(data["type"]), rates=rates,
            effective_at=_moment(data.get("effective_at")), note=_note(data.get("note", "")),
            if_match=wanted[0] if wanted and wanted != ["*"] else None,
        )  # fmt: skip
        return _answer(version)


def _note(value: object) -> str:
    """Words for people: at most 200 characters, nothing that no database can hold."""
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():  # noqa: PLR2004 - the column's length
        raise BadInput(_("note: a text of at most 200 printable characters."), field="note")
    return value


def _moment(value: object) -> Any:
    if value is None:
        return None
    try:
        moment = parse_datetime(str(value))
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment) or not 2000 <= moment.year <= 2200:  # noqa: PLR2004 - years
        raise BadInput(
            _("effective_at: write a time with its zone, as 2026-12-01T00:00:00+07:00."), field="effective_at"
        )
    return moment
