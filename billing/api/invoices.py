"""``/api/v1/invoices``: list, read, explain, draft."""

from __future__ import annotations

from uuid import UUID

from django.db.models import prefetch_related_objects
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from accounts.models import Scope
from billing.api import scope
from billing.api.explain import as_json
from billing.api.invoice_drafts import DraftSerializer, draft
from billing.api.invoice_shapes import InvoiceDetailSerializer, InvoiceSerializer
from billing.models import Invoice, InvoiceStatus
from billing.selectors.documents.invoice_explain import explain_line
from billing.selectors.documents.invoices import find_invoice, find_line, overdue, visible_invoices
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, page_of, problems


class InvoiceQuery(PageQuery):
    status = serializers.ChoiceField(InvoiceStatus.values, required=False)
    organisation = serializers.UUIDField(required=False)
    year = serializers.IntegerField(required=False, min_value=2000, max_value=2199)
    month = serializers.IntegerField(required=False, min_value=1, max_value=12)
    overdue = serializers.BooleanField(required=False, allow_null=True, default=None)


class InvoicesView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="invoices_list",
        parameters=[InvoiceQuery],
        responses={200: page_of(InvoiceSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Finalized invoices of the organisations whose bills you look after, newest first.

        Staff with `billing.view_invoice` see everybody's, drafts among them.
        """
        query = scope.read(InvoiceQuery, request.query_params)
        exact = {
            "status": query.get("status"), "organisation__uuid": query.get("organisation"), "year": query.get("year"),
            "month": query.get("month"),
        }  # fmt: skip
        rows = visible_invoices(request.user).filter(**{name: value for name, value in exact.items() if value})
        if query["overdue"] is not None:
            rows = rows.filter(overdue() if query["overdue"] else ~overdue())
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        results = InvoiceSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": results})

    @extend_schema(
        operation_id="invoices_draft",
        parameters=[KEY],
        request=DraftSerializer,
        responses={201: InvoiceDetailSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """The invoice of an organisation's month as things stand: a new draft, the draft computed anew, or the
        finalized one untouched. Staff with `billing.change_invoice`. 409 `nothing_to_bill`."""
        return draft(request)


class InvoiceView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(operation_id="invoices_read", responses={200: InvoiceDetailSerializer, **problems(401, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One invoice with its lines, taxes, credit notes and payments."""
        invoice = find_invoice(request.user, uuid)
        return Response(InvoiceDetailSerializer(_with_all(invoice)).data)


class InvoiceLineExplanationView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="invoices_explain_line",
        parameters=[PageQuery],
        responses={200: OpenApiTypes.OBJECT, **problems(400, 401, 404)},
    )
    def get(self, request: Request, uuid: UUID, number: int) -> Response:
        """Why a line comes to what it says: price row, arithmetic of each step, rounding, conversion, and the jobs or
        daily sums below it. Further jobs: `cursor` = `jobs_next`."""
        query = scope.read(PageQuery, request.query_params)
        line = find_line(find_invoice(request.user, uuid), number)
        found = explain_line(line, cursor=query.get("cursor", ""), limit=query["limit"])
        return Response(as_json(found))


def _with_all(invoice: Invoice) -> Invoice:
    prefetch_related_objects(
        [invoice], "lines__project", "lines__subscription", "taxes", "credit_notes", "payments", "returns"
    )
    return invoice
