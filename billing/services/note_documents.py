"""PDFs of credit notes: made once in each language, kept by their content, sent by e-mail. See
``invoice_documents``."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import EmailNotification
from accounts.services.files import keep_file, read_file
from accounts.services.outbox import Attachment, queue_email, site_url
from audit import services as audit
from billing.documents.fonts import NoThaiFont
from billing.documents.note_paper import note_paper_of
from billing.documents.note_pdf import note_pdf
from billing.documents.templated import template_pdf
from billing.models import CreditNote, CreditNoteDocument
from billing.services.invoice_documents import MEDIA, NEWS, SECONDS, Delivered, Made
from billing.template_words import in_words
from billing.templating.problems import Refused
from core.context import Actor
from core.errors import AppError, BadInput
from core.periods import today

logger = logging.getLogger("billing.documents")
KEY = "credit_note:"  # and its number: what the e-mail of a credit note is about


def note_document_of(*, note: CreditNote, language: str) -> Made:
    """The PDF, from the store: the same bytes each time.

    Raises ``fonts.NoThaiFont``, ``files.FileDamaged``. Never within a transaction: setting takes a second.
    """
    known = CreditNoteDocument.objects.filter(note=note, language=language).first()
    if known is None:
        _keep(note, language, _made(note, language))
        known = CreditNoteDocument.objects.get(note=note, language=language)
    return Made(read_file(known.file_id), known.file_id, known.fallback)


def _made(note: CreditNote, language: str) -> Made:
    template = note.template
    if template is None:
        return Made(note_pdf(note=note, language=language))
    with translation.override(language):
        paper = note_paper_of(note)
    try:
        found = template_pdf(bill=paper, html=template.html_content, css=template.css_content, language=language)
    except Refused as refused:
        logger.error("credit note %s is not set by template %s: %s", note, template, refused)
        return Made(note_pdf(note=note, language=language), fallback=in_words(refused.problems[0])[:255])
    return Made(found.content)


@transaction.atomic
def _keep(note: CreditNote, language: str, made: Made) -> None:
    name = keep_file(content=made.content, media_type=MEDIA)
    try:
        with transaction.atomic():
            CreditNoteDocument.objects.create(
                note=note, language=language, file_id=name, template=None if made.fallback else note.template,
                fallback=made.fallback,
            )  # fmt: skip
    except IntegrityError:  # the same at the same moment; that one counts
        return


def deliver_notes(*, seconds: float = SECONDS) -> Delivered:
    """``deliver_invoices`` of credit notes."""
    found, begun = Delivered(), time.monotonic()
    for pk in list(undelivered_notes()):
        if time.monotonic() - begun > seconds:
            break
        note = CreditNote.objects.select_related("invoice__organisation", "template").get(pk=pk)
        try:
            found.documents += not note.documents.exists()
            found.emails += _deliver(note)
        except AppError as error:
            found.failed[str(note)] = error.message
    found.left = undelivered_notes().count()
    return found


def undelivered_notes() -> QuerySet[Any]:
    """Keys of credit notes without a PDF, or not e-mailed yet where they have to be."""
    told = EmailNotification.objects.filter(dedupe_key=Concat(Value(KEY), Cast(OuterRef("pk"), CharField())))
    made = CreditNoteDocument.objects.filter(note=OuterRef("pk"))
    to_send = Q(issue_date__gte=today() - NEWS, invoice__organisation__email_invoices=True) & ~Q(
        Q(invoice__organisation__billing_email="") | Exists(told)
    )
    return CreditNote.objects.filter(~Exists(made) | to_send).order_by("pk").values_list("pk", flat=True)


def _deliver(note: CreditNote) -> bool:
    """Its key keeps an e-mail from being queued twice, whoever runs at the same time."""
    language, made = _in_own_language(note)
    organisation = note.invoice.organisation
    if not (organisation.email_invoices and organisation.billing_email) or note.issue_date < today() - NEWS:
        return False
    if EmailNotification.objects.filter(dedupe_key=f"{KEY}{note.pk}").exists():
        return False
    _queue(note, language, made, f"{KEY}{note.pk}")
    return True


def _in_own_language(note: CreditNote) -> tuple[str, Made]:
    """In the organisation's language; English where no Thai font is here."""
    language = note.invoice.organisation.language
    try:
        return language, note_document_of(note=note, language=language)
    except NoThaiFont:
        return "en", note_document_of(note=note, language="en")


def send_note(*, actor: Actor, note: CreditNote) -> EmailNotification:
    """E-mail it once more to the organisation's address for bills. Raises ``BadInput`` where there is none."""
    organisation = note.invoice.organisation
    if not organisation.billing_email:
        raise BadInput(_("The organisation has no e-mail for bills."), field="billing_email")
    language, made = _in_own_language(note)
    with transaction.atomic():
        email = _queue(note, language, made, None)
        audit.record(
            actor=actor, action="credit_note_send", target=str(note), entity=note,
            extra={"organisation": organisation.name, "invoice": str(note.invoice), "language": language,
                   "pdf": made.sha256, "email": email.pk},
        )  # fmt: skip
    return email


def _queue(note: CreditNote, language: str, made: Made, key: str | None) -> EmailNotification:
    invoice = note.invoice
    context = {
        "note": note, "invoice": invoice, "organisation": invoice.organisation, "total": note.total,
        "currency": note.currency, "reason": note.reason, "due": invoice.amount_due,
        "url": site_url(reverse("billing:invoice", args=[invoice.uuid])),
    }  # fmt: skip
    return queue_email(
        kind="credit_note", recipient=invoice.organisation.billing_email, language=language, context=context,
        organisation=invoice.organisation, invoice_id=invoice.pk, dedupe_key=key,
        attachments=[Attachment(f"{note}-{language}.pdf".replace("/", "-"), made.sha256)],
    )  # fmt: skip
