"""PDFs of credit notes: made once in each language, kept by their content, sent by e-mail. See
``invoice_documents``."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import EmailNotification
from accounts.services.files import keep_file
from billing.documents.note_paper import note_paper_of
from billing.documents.note_pdf import note_pdf
from billing.models import CreditNote, CreditNoteDocument
from billing.services.invoices.documents import (
    MEDIA,
    NEWS,
    SECONDS,
    Delivered,
    Made,
    check_address,
    deliver,
    in_own_language,
    kept,
    make,
    queue_document,
    tell_again,
    tell_once,
    told,
)
from core.context import Actor
from core.periods import today

KEY = "credit_note:"  # and its number: what the e-mail of a credit note is about


def note_document_of(*, note: CreditNote, language: str) -> Made:
    """The PDF, from the store: the same bytes each time.

    Raises ``fonts.NoThaiFont``, ``files.FileDamaged``. Never within a transaction: setting takes a second.
    """
    known = CreditNoteDocument.objects.filter(note=note, language=language).first()
    if known is None:
        _keep(note, language, _made(note, language))
        known = CreditNoteDocument.objects.get(note=note, language=language)
    return kept(known)


def _made(note: CreditNote, language: str) -> Made:
    return make(
        row=note, template=note.template, paper=lambda: note_paper_of(note), language=language,
        built_in=lambda: note_pdf(note=note, language=language),
    )  # fmt: skip


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
    return deliver(
        waiting=undelivered_notes, rows=CreditNote.objects.select_related("invoice__organisation", "template"),
        has_document=lambda note: note.documents.exists(), one=_deliver, seconds=seconds,
    )  # fmt: skip


def undelivered_notes() -> QuerySet[Any]:
    """Keys of credit notes without a PDF, or not e-mailed yet where they have to be."""
    made = CreditNoteDocument.objects.filter(note=OuterRef("pk"))
    to_send = Q(issue_date__gte=today() - NEWS, invoice__organisation__email_invoices=True) & ~Q(
        Q(invoice__organisation__billing_email="") | told(KEY)
    )
    return CreditNote.objects.filter(~Exists(made) | to_send).order_by("pk").values_list("pk", flat=True)


def _deliver(note: CreditNote) -> bool:
    language, made = _in_own_language(note)
    return tell_once(
        owner=note.invoice.organisation, issued=note.issue_date, key=f"{KEY}{note.pk}",
        queue=lambda key: _queue(note, language, made, key),
    )  # fmt: skip


def _in_own_language(note: CreditNote) -> tuple[str, Made]:
    return in_own_language(note.invoice.organisation, lambda language: note_document_of(note=note, language=language))


def send_note(*, actor: Actor, note: CreditNote) -> EmailNotification:
    """E-mail it once more to the organisation's address for bills. Raises ``BadInput`` where there is none."""
    owner = note.invoice.organisation
    check_address(owner)
    language, made = _in_own_language(note)
    return tell_again(
        actor=actor, action="credit_note_send", row=note, owner=owner,
        extra={"invoice": str(note.invoice), "pdf": made.sha256},
        queue=lambda key: _queue(note, language, made, key),
    )  # fmt: skip


def _queue(note: CreditNote, language: str, made: Made, key: str | None) -> EmailNotification:
    return queue_document(
        kind="credit_note", row=note, invoice=note.invoice, language=language, made=made, key=key,
        context={"note": note, "total": note.total, "currency": note.currency, "reason": note.reason,
                 "due": note.invoice.amount_due},
    )  # fmt: skip
