"""``/api/v1/invoices/<uuid>/payments``: begin to pay an invoice, and what was paid or tried."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import HEADER, KEY, idempotent
from accounts.membership import BILLING, memberships
from accounts.models import Scope
from accounts.services.idempotency import reference_of
from accounts.services.outbox import site_url
from billing.api import scope
from billing.models import Invoice
from billing.selectors.documents.invoices import find_invoice
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from payments.announcements import minor_text
from payments.models import OPEN_STATUSES, Payment, PaymentStatus
from payments.services.checkout import start_payment


class InvoicePaymentOrderSerializer(StrictSerializer):
    amount = serializers.DecimalField(
        max_digits=18, decimal_places=4, required=False, allow_null=True, default=None,
        help_text="A part of what is due, where the site takes parts. Null: all of it.",
    )  # fmt: skip
    way = TextField(
        max_length=61, required=False, default="", allow_blank=True,
        help_text="Provider and method, such as `stripe.card`. Empty: the usual one.",
    )  # fmt: skip


class InvoiceAttemptSerializer(serializers.Serializer):
    """`amount` was asked for, `received` came, `given_back` went, all of them decimal text. `pay_at`: the page on which
    a signed-in payer goes on, null when there is nothing to do any more."""

    id = serializers.IntegerField()
    invoice = serializers.UUIDField(source="invoice.uuid")
    status = serializers.ChoiceField(PaymentStatus.values)
    provider = serializers.CharField()
    method = serializers.CharField()
    username = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.SerializerMethodField()
    received = serializers.SerializerMethodField()
    given_back = serializers.SerializerMethodField()
    failure = serializers.CharField()
    pay_at = serializers.SerializerMethodField()
    checkout_url = serializers.CharField(help_text="The provider's own page, where it has one.")
    expires_at = serializers.DateTimeField(allow_null=True)
    next_retry_at = serializers.DateTimeField(allow_null=True)
    paid_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_amount(self, row: Payment) -> str:
        return minor_text(row.amount_cents, row.currency)

    def get_received(self, row: Payment) -> str:
        return minor_text(row.captured_cents, row.currency)

    def get_given_back(self, row: Payment) -> str:
        return minor_text(row.refunded_cents, row.currency)

    def get_pay_at(self, row: Payment) -> str | None:
        return site_url(f"/payments/{row.pk}/") if row.status in OPEN_STATUSES else None


class InvoicePaymentsView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="invoices_payments_list",
        parameters=[PageQuery],
        responses={200: page_of(InvoiceAttemptSerializer), **problems(400, 401, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Payments of an invoice through providers and banks, each attempt one row, the newest first.

        What finance wrote down by hand stands on the invoice itself.
        """
        query = scope.read(PageQuery, request.query_params)
        rows = Payment.objects.filter(invoice=find_invoice(request.user, uuid)).select_related("invoice")
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = InvoiceAttemptSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="invoices_payments_create",
        parameters=[KEY],
        request=InvoicePaymentOrderSerializer,
        responses={201: InvoiceAttemptSerializer, **problems(400, 401, 403, 404, 409, 422, 500, 503)},
    )
    @idempotent(atomic=False)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Begin to pay: one attempt is open at a time, and the same one comes back until it is over or another way or
        amount is asked for.

        For those who look after the organisation's bills. 409 `not_payable` when nothing is due, `still_asking` while
        another request is at it; 503 when the payment service does not answer: the outcome is unknown, and a repeat
        under the same key asks again without charging twice.
        """
        invoice = _own(request, uuid)
        order = scope.read(InvoicePaymentOrderSerializer, request.data)
        provider, _dot, method = order["way"].partition(".")
        key, actor = request.headers.get(HEADER), scope.actor(request)
        payment = start_payment(
            actor=actor, invoice=invoice, amount=_plain(order["amount"]), provider_name=provider, method_name=method,
            reference=reference_of(actor, key) if key else "",
        )  # fmt: skip
        return Response(InvoiceAttemptSerializer(payment).data, status=201)


def _own(request: Request, uuid: UUID) -> Invoice:
    """Raises ``Http404`` for what the reader does not see, ``PermissionDenied`` for staff, who pay nobody's."""
    invoice = find_invoice(request.user, uuid)
    mine: Any = memberships(request.user, BILLING)
    if not mine.filter(organisation=invoice.organisation).exists():
        raise PermissionDenied
    return invoice


def _plain(amount: Decimal | None) -> Decimal | None:
    """Without places that nobody typed."""
    return amount.normalize() if amount is not None else None
