"""``/api/v1/receipts``: list, read, preview, create, void."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from accounts.models import Scope
from accounts.models.users import fold_username
from billing.api import scope
from billing.api.jobs import check_days
from billing.api.receipt_shapes import PreviewSerializer, ReceiptItemSerializer, ReceiptSerializer
from billing.models import Receipt, ReceiptStatus
from billing.selectors.jobs.billable import preview_receipts
from billing.services.receipts import create_receipts, void_receipt
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems


class ReceiptQuery(PageQuery):
    status = serializers.ChoiceField(ReceiptStatus.values, required=False)
    user = serializers.CharField(required=False, max_length=150, help_text="Staff with billing.view_receipt only.")
    start = serializers.DateField(required=False, help_text="Receipts whose days reach to this one or beyond.")
    end = serializers.DateField(required=False, help_text="Receipts whose days begin by this one.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_days(attrs)
        return attrs


class WindowSerializer(StrictSerializer):
    """Days of the site's zone, both included; null leaves a side open."""

    start = serializers.DateField(allow_null=True)
    end = serializers.DateField(allow_null=True)
    user = TextField(
        required=False, max_length=150, help_text="Somebody else: only with the permission billing.add_receipt."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_days(attrs)
        return attrs


class OrderSerializer(WindowSerializer):
    expected = TextField(
        required=False, max_length=64, help_text="From a preview: if usage or rates changed since, nothing is created."
    )
    note = TextField(required=False, max_length=500, allow_blank=True, default="")


class VoidSerializer(StrictSerializer):
    reason = TextField(max_length=255)


class CreatedSerializer(serializers.Serializer):
    receipts = ReceiptSerializer(many=True)


class ReceiptsView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="receipts_list",
        parameters=[ReceiptQuery],
        responses={200: page_of(ReceiptSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Your receipts, newest first. Staff with `billing.view_receipt` see everybody's."""
        query = scope.read(ReceiptQuery, request.query_params)
        username = scope.whose(request, query.get("user", ""), "billing.view_receipt")
        exact = {
            "user_id": username, "status": query.get("status"), "end__gte": query.get("start"),
            "start__lte": query.get("end"),
        }  # fmt: skip
        receipts = Receipt.objects.filter(**{name: value for name, value in exact.items() if value})
        found = page(receipts, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        rows = ReceiptSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="receipts_create",
        parameters=[KEY],
        request=OrderSerializer,
        responses={201: CreatedSerializer, 200: CreatedSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Put every unbilled job of the window on receipts, one a tier and rate version, all or nothing.

        201 with the receipts made; 200 with none when nothing was left to bill, so a repeat does no harm. 409
        `total_changed` when `expected` no longer fits.
        """
        order = scope.read(OrderSerializer, request.data)
        username = _billed_user(request, order.pop("user", ""))
        made = create_receipts(actor=scope.actor(request), username=username, **order)
        return Response({"receipts": ReceiptSerializer(made, many=True).data}, status=201 if made else 200)


class PreviewView(APIView):
    @extend_schema(
        operation_id="receipts_preview",
        request=WindowSerializer,
        responses={200: PreviewSerializer, **problems(400, 401, 403, 409)},
    )
    def post(self, request: Request) -> Response:
        """What creating would make now. Writes nothing; `expected` goes into the order."""
        order = scope.read(WindowSerializer, request.data)
        preview = preview_receipts(username=_billed_user(request, order.pop("user", "")), **order)
        return Response(PreviewSerializer(preview).data)


class ReceiptView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(operation_id="receipts_read", responses={200: ReceiptSerializer, **problems(401, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """One receipt. Its lines are under `/items`."""
        return Response(ReceiptSerializer(scope.find_receipt(request, pk)).data)


class ReceiptItemsView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="receipts_items",
        parameters=[PageQuery],
        responses={200: page_of(ReceiptItemSerializer), **problems(400, 401, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """The lines of a receipt, as they were written."""
        query = scope.read(PageQuery, request.query_params)
        receipt = scope.find_receipt(request, pk)
        found = page(
            receipt.items.all(), by=("id",), after=query.get("cursor", ""), size=query["limit"], descending=False
        )
        rows = ReceiptItemSerializer(found.rows, many=True, context={"currency": receipt.currency}).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})


class VoidView(APIView):
    @extend_schema(
        operation_id="receipts_void",
        parameters=[KEY],
        request=VoidSerializer,
        responses={200: ReceiptSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, pk: int) -> Response:
        """Void a pending receipt: its lines stay as history, its jobs can be billed again. A repeat changes nothing.

        Needs the permission `billing.void_receipt`.
        """
        receipt = scope.find_receipt(request, pk)
        if not request.user.has_perm("billing.void_receipt"):
            raise PermissionDenied
        order = scope.read(VoidSerializer, request.data)
        void_receipt(actor=scope.actor(request), receipt=receipt, reason=order["reason"])
        return Response(ReceiptSerializer(receipt).data)


def _billed_user(request: Request, wanted: str) -> str:
    """Raises ``PermissionDenied`` for somebody else's receipts without the right to make them."""
    own = scope.actor(request).name
    username = fold_username(wanted) if wanted else own
    if username != own and not request.user.has_perm("billing.add_receipt"):
        raise PermissionDenied
    return username
