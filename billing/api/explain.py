"""``/api/v1/…/explain``: from an amount back to its raw record (the JSON of ``manage.py explain``)."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope
from billing.api import scope
from billing.selectors.documents.explain import explain_job, explain_receipt
from core.api.serializers import problems


class JobExplanationView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(operation_id="jobs_explain", responses={200: OpenApiTypes.OBJECT, **problems(401, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """Raw record, resources, tier and rule, rate version, arithmetic, receipts, audit entries."""
        return Response(as_json(explain_job(scope.find_job(request, pk))))


class ReceiptExplanationView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(operation_id="receipts_explain", responses={200: OpenApiTypes.OBJECT, **problems(401, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """Header, tier, rates and totals, recomputed from the lines and their records, and the content hash."""
        return Response(as_json(explain_receipt(scope.find_receipt(request, pk))))


def as_json(value: Any) -> Any:
    """Dataclasses as objects; decimals as text in plain digits, days and times as ISO text."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
