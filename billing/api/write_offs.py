"""Bad debt over the API: what of an invoice nobody expects any more, and does after all. For staff."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.api.invoice_acts import LONGEST, MONEY, find_for, whole
from billing.api.invoice_shapes import InvoiceDetailSerializer
from billing.services.invoices.write_offs import take_back_write_off, write_off_invoice
from core.api.serializers import ProblemSerializer, StrictSerializer, TextField, problems

WRITES_OFF = "billing.write_off_invoice"


class WriteOffSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST)
    expected = serializers.DecimalField(
        required=False, allow_null=True, default=None, **MONEY,
        help_text="What was seen as due; with another sum nothing happens (409 `nothing_due`).",
    )  # fmt: skip


class ExpectAgainSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST)


class WriteOffView(APIView):
    @extend_schema(
        operation_id="invoices_write_off",
        parameters=[KEY],
        request=WriteOffSerializer,
        responses={
            200: InvoiceDetailSerializer,
            (202, "application/problem+json"): ProblemSerializer,
            **problems(400, 401, 403, 404, 409, 422),
        },
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """All that is due becomes bad debt. A repeat changes nothing. Needs `billing.write_off_invoice`.

        202 `waits_for_second`: above the site's limit, somebody else confirms it first. 409 `nothing_due`.
        """
        invoice = find_for(request, uuid, WRITES_OFF)
        wanted = scope.read(WriteOffSerializer, request.data)
        write_off_invoice(actor=scope.actor(request), invoice=invoice, **wanted)
        return Response(whole(invoice))


class TakeBackWriteOffView(APIView):
    @extend_schema(
        operation_id="invoices_take_back_write_off",
        parameters=[KEY],
        request=ExpectAgainSerializer,
        responses={200: InvoiceDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """What was written off is due again. A repeat changes nothing. Needs `billing.write_off_invoice`."""
        invoice = find_for(request, uuid, WRITES_OFF)
        wanted = scope.read(ExpectAgainSerializer, request.data)
        take_back_write_off(actor=scope.actor(request), invoice=invoice, reason=wanted["reason"])
        return Response(whole(invoice))
