"""Finance's acts on one invoice: finalize it, take it back, write down what came in for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.api.invoice_shapes import CreditNoteSerializer, InvoiceDetailSerializer
from billing.models import Invoice
from billing.selectors.documents.invoices import find_invoice
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import finalize_anew
from billing.services.invoices.payments import record_payment_by_hand, reverse_payment
from core.api.serializers import ProblemSerializer, StrictSerializer, TextField, problems
from core.errors import BadInput

MONEY: dict[str, Any] = {"max_digits": 18, "decimal_places": 4}
LONGEST = 255


class FinalizeSerializer(StrictSerializer):
    expected = serializers.DecimalField(
        required=False, allow_null=True, default=None, **MONEY,
        help_text="The total that was seen on the draft; with another one nothing happens (409 `total_changed`).",
    )  # fmt: skip


class CreditedLineSerializer(StrictSerializer):
    line = serializers.IntegerField(min_value=1)
    amount = serializers.DecimalField(
        required=False, allow_null=True, default=None, help_text="As amounts stand on lines; null: what is left.",
        **MONEY,
    )  # fmt: skip


class CreditSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST)
    lines = serializers.ListField(
        child=CreditedLineSerializer(), required=False, allow_null=True, default=None, max_length=1000,
        help_text="Null: everything that is left.",
    )  # fmt: skip
    cancel = serializers.BooleanField(
        required=False, default=False, help_text="With nothing left: its jobs and fees can be billed anew."
    )
    seen = serializers.DecimalField(
        required=False, allow_null=True, default=None, help_text="What was credited when this was decided.", **MONEY
    )


class ReceivedSerializer(StrictSerializer):
    amount = serializers.DecimalField(**MONEY)
    reference = TextField(max_length=LONGEST)
    received_on = serializers.DateField(required=False, allow_null=True, default=None)
    overpayment = serializers.DecimalField(
        required=False, default=Decimal(0), help_text="What of the amount is more than is due; it stays in favour.",
        **MONEY,
    )  # fmt: skip


class ReverseSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST)


class FinalizeView(APIView):
    @extend_schema(
        operation_id="invoices_finalize",
        parameters=[KEY],
        request=FinalizeSerializer,
        responses={200: InvoiceDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Compute a draft anew and give it its number; it never changes again. A repeat changes nothing. Needs
        `billing.finalize_invoice`.

        409 `invoice_not_ready`, `invoice_has_problems`, `total_changed`.
        """
        invoice = find_for(request, uuid, "billing.finalize_invoice")
        order = scope.read(FinalizeSerializer, request.data)
        finalize_anew(actor=scope.actor(request), invoice=invoice, expected=order["expected"])
        return Response(whole(invoice))


class CreditNotesView(APIView):
    @extend_schema(
        operation_id="invoices_credit",
        parameters=[KEY],
        request=CreditSerializer,
        responses={
            201: CreditNoteSerializer,
            (202, "application/problem+json"): ProblemSerializer,
            **problems(400, 401, 403, 404, 409, 422),
        },
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Take an invoice back, in whole or by lines. Needs `billing.credit_invoice`. Send a key, or `seen`: without
        either, a repeat takes back once more.

        202 `waits_for_second`: above the site's limit, somebody else confirms it first.
        """
        invoice = find_for(request, uuid, "billing.credit_invoice")
        order = scope.read(CreditSerializer, request.data)
        note = write_credit_note(
            actor=scope.actor(request), invoice=invoice, reason=order["reason"], lines=_lines(order["lines"]),
            cancel=order["cancel"], seen=order["seen"],
        )  # fmt: skip
        return Response(CreditNoteSerializer(note).data, status=201)


class ReceivedView(APIView):
    @extend_schema(
        operation_id="invoices_record_payment",
        parameters=[KEY],
        request=ReceivedSerializer,
        responses={
            200: InvoiceDetailSerializer,
            (202, "application/problem+json"): ProblemSerializer,
            **problems(400, 401, 403, 404, 409, 422),
        },
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Write down money that somebody saw arrive. One reference counts once. What is more than is due has to be
        named as `overpayment`. Needs `billing.pay_invoice`.

        202 `waits_for_second`: above the site's limit, somebody else confirms it first.
        """
        invoice = find_for(request, uuid, "billing.pay_invoice")
        order = scope.read(ReceivedSerializer, request.data)
        record_payment_by_hand(actor=scope.actor(request), invoice=invoice, **order)
        return Response(whole(invoice))


class ReverseView(APIView):
    @extend_schema(
        operation_id="invoices_reverse_payment",
        parameters=[KEY],
        request=ReverseSerializer,
        responses={
            200: InvoiceDetailSerializer,
            (202, "application/problem+json"): ProblemSerializer,
            **problems(400, 401, 403, 404, 409, 422),
        },
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID, number: int) -> Response:
        """Take a payment back that was written down by mistake: what it had paid is due again. `number` is the `id` of
        the payment. A repeat changes nothing. Needs `billing.pay_invoice`.

        202 `waits_for_second`: above the site's limit, somebody else confirms it first. 409 `payment_not_reversible`:
        a provider or bank brought it.
        """
        invoice = find_for(request, uuid, "billing.pay_invoice")
        payment = invoice.payments.filter(pk=number).first()
        if payment is None:
            raise Http404(_("There is no such payment."))
        order = scope.read(ReverseSerializer, request.data)
        reverse_payment(actor=scope.actor(request), payment=payment, reason=order["reason"])
        invoice.refresh_from_db()
        return Response(whole(invoice))


def find_for(request: Request, uuid: UUID, permission: str) -> Invoice:
    """Raises ``Http404`` for what the reader does not see, ``PermissionDenied`` without the permission."""
    invoice = find_invoice(request.user, uuid)
    if not scope.sees_all(request, permission):
        raise PermissionDenied
    return invoice


def _lines(rows: list[dict[str, Any]] | None) -> dict[int, Decimal | None] | None:
    if rows is None:
        return None
    numbers = [row["line"] for row in rows]
    if twice := sorted({each for each in numbers if numbers.count(each) > 1}):
        raise BadInput(_("Line %(number)s is there twice.") % {"number": twice[0]}, field="lines")
    return {row["line"]: row["amount"] for row in rows}


def whole(invoice: Invoice) -> Any:
    prefetch_related_objects(
        [invoice], "lines__project", "lines__subscription", "taxes", "credit_notes", "payments", "returns"
    )
    return InvoiceDetailSerializer(invoice).data
