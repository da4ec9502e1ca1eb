"""Paper: a receipt as PDF, and the public answer to "is this paper genuine?"."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.services.throttle import network_of
from accounts.services.work import TooMuch
from audit.proofs import public_key
from billing.documents.fonts import NoThaiFont
from billing.documents.receipts import receipt_pdf
from billing.forms.verify import VerifyForm
from billing.models import Receipt
from billing.selectors.documents.genuine import Verdict, find_document, verdict
from billing.selectors.documents.invoices import find_invoice, find_note
from billing.selectors.documents.position import Document, position_of, proof_of
from billing.services.invoices.invoice_documents import document_of
from billing.services.invoices.note_documents import note_document_of
from billing.views.reach import find_receipt
from billing.work.pdf import ask_for_pdf, file_name, find_pdf, is_long
from core.api.throttle import busy_page, seconds_to_wait
from core.context import actor_of, client_ip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def receipt(request: HttpRequest, pk: int, language: str) -> HttpResponse:
    """Whoever may open the receipt's page may take its PDF: at once, or of many jobs as long work, which only POST
    begins."""
    found = find_receipt(request, pk)
    try:
        if is_long(found):
            return _long(request, found, language)
        if request.method == "POST":
            return redirect(request.path)
        content = receipt_pdf(receipt=found, language=language)
    except NoThaiFont as error:
        context = {"message": error.message, "receipt": found}
        return render(request, "billing/document_unavailable.html", context, status=error.http_status)
    return pdf_response(content, file_name(found, language))


@require_safe
@login_required
def invoice(request: HttpRequest, uuid: UUID, language: str) -> HttpResponse:
    """Whoever may open the invoice's page may take its PDF."""
    found = find_invoice(request.user, uuid)
    try:
        content = document_of(invoice=found, language=language).content
    except NoThaiFont as error:
        context = {"message": error.message, "invoice": found}
        return render(request, "billing/document_unavailable.html", context, status=error.http_status)
    return pdf_response(content, f"{found}-{language}.pdf")


@require_safe
@login_required
def credit_note(request: HttpRequest, uuid: UUID, language: str) -> HttpResponse:
    """Whoever may open the page of the invoice may take the PDFs of its credit notes."""
    found = find_note(request.user, uuid)
    try:
        content = note_document_of(note=found, language=language).content
    except NoThaiFont as error:
        context = {"message": error.message, "invoice": found.invoice}
        return render(request, "billing/document_unavailable.html", context, status=error.http_status)
    return pdf_response(content, f"{found}-{language}.pdf")


@require_safe
@login_required
def receipt_proof(request: HttpRequest, pk: int) -> HttpResponse:
    """Whoever may open the receipt's page may take the proof that it stands in the audit log."""
    return _proof(request, find_receipt(request, pk))


@require_safe
@login_required
def invoice_proof(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same for an invoice."""
    return _proof(request, find_invoice(request.user, uuid))


@require_safe
@login_required
def credit_note_proof(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same for a credit note: whoever may open the page of its invoice."""
    return _proof(request, find_note(request.user, uuid))


def _proof(request: HttpRequest, document: Document) -> HttpResponse:
    found = proof_of(document, request.user)
    if found is None:
        raise Http404(_("There is no proof of this document yet: the audit log is signed once an hour."))
    response = JsonResponse(found, json_dumps_params={"ensure_ascii": False})
    name = f"{get_valid_filename(str(document).lstrip('#'))}.proof.json"
    response["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
    patch_cache_control(response, private=True, no_store=True)
    return response


def pdf_response(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    name = get_valid_filename(name.lstrip("#"))
    response["Content-Disposition"] = str(content_disposition_header(as_attachment=False, filename=name))
    patch_cache_control(response, private=True, no_store=True)
    return response


def _long(request: HttpRequest, found: Receipt, language: str) -> HttpResponse:
    """To the work that makes it or has made it. The page of a kept file asks ``anew`` for another."""
    actor = actor_of(request)
    work = None
    if "anew" not in request.POST:
        work = find_pdf(owner=actor.name, receipt=found, language=language)
    if work is None and request.method == "POST":
        try:
            work = ask_for_pdf(actor=actor, receipt=found, language=language)
        except TooMuch as error:
            messages.error(request, error.message)
            return redirect("work:index")
    if work is None:
        context = {"receipt": found, "jobs": found.items.count(), "thai": language == "th"}
        return render(request, "billing/document_long.html", context)
    return redirect("work:detail", work.pk)


@require_safe
@never_cache
def verify(request: HttpRequest) -> HttpResponse:
    """Open to everybody, so many times a minute. Says genuine (and where in the log), changed or not genuine."""
    seconds = seconds_to_wait("verify", network_of(client_ip(request)), most=settings.VERIFY_MAX_PER_MINUTE)
    if seconds:
        words = ngettext(
            "Documents are checked only so many times a minute for one address. Try again in %(seconds)s second.",
            "Documents are checked only so many times a minute for one address. Try again in %(seconds)s seconds.",
            seconds,
        )
        return busy_page(request, words % {"seconds": seconds}, seconds)
    asked = bool(request.GET.get("number") or request.GET.get("hash"))
    form = VerifyForm(request.GET if asked else None)
    answer, where = None, None
    if form.is_valid():
        asked_for = {"number": form.cleaned_data["number"], "digest": form.cleaned_data["hash"]}
        answer = verdict(**asked_for)
        found = find_document(**asked_for) if answer == Verdict.GENUINE else None
        where = position_of(found) if found else None
    context = {"form": form, "answer": answer, "where": where, "key": public_key() if where and where.head else ""}
    return render(request, "billing/verify.html", context)
