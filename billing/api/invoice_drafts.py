"""Drafts of invoices over the API: made, computed anew, given up. For staff."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.api.invoice_acts import LONGEST, find_for, whole
from billing.api.invoice_shapes import InvoiceDetailSerializer
from billing.api.periods import MonthField
from billing.services.invoices.drafts import cancel_draft, draft_invoice, refresh_invoice
from core.api.serializers import StrictSerializer, TextField, problems
from core.errors import Conflict

CHANGES = "billing.change_invoice"


class NothingToBill(Conflict):
    """The month of this organisation has nothing to bill."""

    code = "nothing_to_bill"


class DraftSerializer(StrictSerializer):
    organisation = serializers.UUIDField()
    month = MonthField(help_text="Such as `2026-10`.")


class EmptySerializer(StrictSerializer):
    """No fields."""


class CancelDraftSerializer(StrictSerializer):
    reason = TextField(max_length=LONGEST)


def draft(request: Request) -> Response:
    """``POST invoices``: see ``InvoicesView``."""
    scope.allow(request, CHANGES, _("Drafts are for staff who may change invoices."))
    wanted = scope.read(DraftSerializer, request.data)
    made = draft_invoice(
        actor=scope.actor(request), organisation=scope.organisation(wanted["organisation"]), month=wanted["month"]
    )
    if made is None:
        raise NothingToBill(_("There is nothing to bill in this month."))
    return Response(whole(made), status=201)


class RefreshView(APIView):
    @extend_schema(
        operation_id="invoices_refresh",
        parameters=[KEY],
        request=EmptySerializer,
        responses={200: InvoiceDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Compute a draft anew. Needs `billing.change_invoice`. 409 `invoice_not_draft`."""
        invoice = find_for(request, uuid, CHANGES)
        scope.read(EmptySerializer, request.data)
        return Response(whole(refresh_invoice(actor=scope.actor(request), invoice=invoice)))


class CancelDraftView(APIView):
    @extend_schema(
        operation_id="invoices_cancel_draft",
        parameters=[KEY],
        request=CancelDraftSerializer,
        responses={200: InvoiceDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Give a draft up; its jobs and fees can be billed again. A repeat changes nothing. Needs
        `billing.change_invoice`. 409 `invoice_not_draft`: a credit note takes a finalized one back."""
        invoice = find_for(request, uuid, CHANGES)
        wanted = scope.read(CancelDraftSerializer, request.data)
        cancel_draft(actor=scope.actor(request), invoice=invoice, reason=wanted["reason"])
        return Response(whole(invoice))
