"""``/api/v1/invoices/{uuid}/pdf`` and ``.../send``, and the same of credit notes: on paper, and by e-mail once more."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import EmailNotification, Scope
from accounts.models.organisations import LANGUAGE_CODES
from billing.api import scope
from billing.selectors.documents.invoices import find_invoice, find_note
from billing.services.invoices.documents import Made
from billing.services.invoices.invoice_documents import document_of, send_invoice
from billing.services.invoices.note_documents import note_document_of, send_note
from billing.views.documents import pdf_response
from core.api.serializers import StrictSerializer, problems


class PdfRenderer(BaseRenderer):
    """Named, so that ``Accept: application/pdf`` is understood; the view answers with the bytes themselves."""

    media_type, format, charset, render_style = "application/pdf", "pdf", None, "binary"

    def render(self, data: object, *_context: object) -> bytes:
        return data if isinstance(data, bytes) else b""


class PdfQuery(StrictSerializer):
    lang = serializers.ChoiceField(
        LANGUAGE_CODES, required=False, help_text="Default: the language of the organisation."
    )


class SentSerializer(serializers.Serializer):
    email = serializers.IntegerField(help_text="Number of the e-mail that waits to be sent.")
    recipient = serializers.EmailField()
    language = serializers.ChoiceField(LANGUAGE_CODES)
    pdf = serializers.CharField(help_text="SHA-256 of the PDF that goes with it.")


class InvoicePdfView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}
    renderer_classes = (JSONRenderer, PdfRenderer)

    @extend_schema(
        operation_id="invoices_pdf",
        parameters=[PdfQuery],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **problems(400, 401, 404, 503)},
    )
    def get(self, request: Request, uuid: UUID) -> HttpResponse:
        """The invoice as PDF. In the same state of the invoice the same bytes each time; `ETag` is their SHA-256.

        503 `no_thai_font` where Thai cannot be set.
        """
        query = scope.read(PdfQuery, request.query_params)
        invoice = find_invoice(request.user, uuid)
        language = query.get("lang") or invoice.organisation.language
        made = document_of(invoice=invoice, language=language)
        return _pdf(made, f"{invoice}-{language}.pdf")


class InvoiceSendView(APIView):
    @extend_schema(
        operation_id="invoices_send", request=None, responses={202: SentSerializer, **problems(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """E-mail it once more to the organisation's `billing_email`, with its PDF as it stands now. Staff with
        `billing.send_invoice`; written to the audit log. 409 for a draft."""
        invoice = find_invoice(request.user, uuid)
        if not scope.sees_all(request, "billing.send_invoice"):
            raise PermissionDenied
        email = send_invoice(actor=scope.actor(request), invoice=invoice)
        return _sent(email)


class CreditNotePdfView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}
    renderer_classes = (JSONRenderer, PdfRenderer)

    @extend_schema(
        operation_id="credit_notes_pdf",
        parameters=[PdfQuery],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **problems(400, 401, 404, 503)},
    )
    def get(self, request: Request, uuid: UUID) -> HttpResponse:
        """The credit note as PDF. The same bytes each time; `ETag` is their SHA-256.

        503 `no_thai_font` where Thai cannot be set.
        """
        query = scope.read(PdfQuery, request.query_params)
        note = find_note(request.user, uuid)
        language = query.get("lang") or note.invoice.organisation.language
        return _pdf(note_document_of(note=note, language=language), f"{note}-{language}.pdf")


class CreditNoteSendView(APIView):
    @extend_schema(
        operation_id="credit_notes_send", request=None, responses={202: SentSerializer, **problems(400, 401, 403, 404)}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """E-mail it once more to the organisation's `billing_email`, with its PDF. Staff with `billing.send_invoice`;
        written to the audit log."""
        note = find_note(request.user, uuid)
        if not scope.sees_all(request, "billing.send_invoice"):
            raise PermissionDenied
        return _sent(send_note(actor=scope.actor(request), note=note))


def _pdf(made: Made, name: str) -> HttpResponse:
    response = pdf_response(made.content, name)
    if made.sha256:
        response["ETag"] = f'"{made.sha256}"'
    return response


def _sent(email: EmailNotification) -> Response:
    body = {"email": email.pk, "recipient": email.recipient_email, "language": email.language,
            "pdf": email.attachments[0]["sha256"]}  # fmt: skip
    return Response(body, status=202)
