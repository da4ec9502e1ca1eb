"""PDFs of invoices: made once for each state of an invoice, kept by their content, sent by e-mail.

A finalized invoice is set by the template that was frozen on it. Where that cannot be (limits, a fault), the built-in
document takes its place, and the row says why: never half a page, and never no invoice.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import EmailNotification
from accounts.services.files import keep_file
from billing.documents.invoice_paper import bill_of
from billing.documents.invoice_pdf import invoice_pdf
from billing.models import Invoice, InvoiceDocument, InvoiceStatus
from billing.selectors.documents.templates import template_of
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
from core.errors import Conflict
from core.periods import today

KEY = "invoice:"  # and its number: what the e-mail of an invoice is about


def document_of(*, invoice: Invoice, language: str) -> Made:
    """The PDF. Of a finalized invoice the same bytes each time while its state is the same, from the store.

    Raises ``fonts.NoThaiFont``, ``files.FileDamaged``. Never within a transaction: setting takes a second.
    """
    if not invoice.invoice_number:
        return _made(invoice, language)
    state = state_hash(invoice)
    known = _known(invoice, language, state)
    if known is not None:
        return kept(known)
    made = _made(invoice, language)
    _keep(invoice, language, state, made)
    known = _known(invoice, language, state)
    if known is None:  # it moved on meanwhile: what was made was right when it was asked for
        return made
    return kept(known)


def state_hash(invoice: Invoice) -> str:
    """Of all that may change on a finalized invoice's paper."""
    said = [
        invoice.status,
        *(f"{each:f}" for each in (invoice.amount_paid, invoice.amount_credited, invoice.amount_due)),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _known(invoice: Invoice, language: str, state: str) -> InvoiceDocument | None:
    return InvoiceDocument.objects.filter(invoice=invoice, language=language, state_hash=state).first()


def _made(invoice: Invoice, language: str) -> Made:
    return make(
        row=invoice, template=template_of(invoice), paper=lambda: bill_of(invoice), language=language,
        built_in=lambda: invoice_pdf(invoice=invoice, language=language),
    )  # fmt: skip


@transaction.atomic
def _keep(invoice: Invoice, language: str, state: str, made: Made) -> None:
    """Nothing is kept where the invoice moved on while its document was made."""
    row = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if state_hash(row) != state:
        return
    name = keep_file(content=made.content, media_type=MEDIA)
    template = None if made.fallback else row.template
    try:
        with transaction.atomic():
            InvoiceDocument.objects.create(
                invoice=row, language=language, state_hash=state, file_id=name, template=template,
                fallback=made.fallback,
            )  # fmt: skip
    except IntegrityError:  # the same at the same moment; that one counts
        return
    if language == row.organisation.language:
        Invoice.objects.filter(pk=row.pk, pdf_hash="").update(pdf_hash=name, pdf_generated_at=timezone.now())


def deliver_invoices(*, seconds: float = SECONDS) -> Delivered:
    """Make the PDF of each finalized invoice that has none, and e-mail those of organisations that want it."""
    return deliver(
        waiting=undelivered, rows=Invoice.objects.select_related("organisation", "template"),
        has_document=lambda invoice: bool(invoice.pdf_hash), one=_deliver, seconds=seconds,
    )  # fmt: skip


def undelivered() -> QuerySet[Any]:
    """Keys of finalized invoices without a PDF, or not e-mailed yet where they have to be."""
    to_send = Q(issue_date__gte=today() - NEWS, organisation__email_invoices=True) & ~Q(
        Q(organisation__billing_email="") | Q(status=InvoiceStatus.CANCELED) | told(KEY)
    )
    rows = Invoice.objects.filter(Q(pdf_hash="") | to_send, invoice_number__isnull=False)
    return rows.order_by("pk").values_list("pk", flat=True)


def _deliver(invoice: Invoice) -> bool:
    language, made = _in_own_language(invoice)
    Invoice.objects.filter(pk=invoice.pk, pdf_hash="").update(pdf_hash=made.sha256, pdf_generated_at=timezone.now())
    if invoice.status == InvoiceStatus.CANCELED:
        return False
    return tell_once(
        owner=invoice.organisation, issued=invoice.issue_date or today(), key=f"{KEY}{invoice.pk}",
        queue=lambda key: _queue(invoice, language, made, key),
    )  # fmt: skip


def _in_own_language(invoice: Invoice) -> tuple[str, Made]:
    return in_own_language(invoice.organisation, lambda language: document_of(invoice=invoice, language=language))


def send_invoice(*, actor: Actor, invoice: Invoice) -> EmailNotification:
    """E-mail it once more, as it stands now, to the organisation's address for bills.

    Raises ``Conflict`` for drafts, ``BadInput`` where there is no address.
    """
    if not invoice.invoice_number:
        raise Conflict(_("A draft is not sent."))
    check_address(invoice.organisation)
    language, made = _in_own_language(invoice)
    return tell_again(
        actor=actor, action="invoice_send", row=invoice, owner=invoice.organisation, extra={"pdf": made.sha256},
        queue=lambda key: _queue(invoice, language, made, key),
    )  # fmt: skip


def _queue(invoice: Invoice, language: str, made: Made, key: str | None) -> EmailNotification:
    return queue_document(
        kind="invoice", row=invoice, invoice=invoice, language=language, made=made, key=key,
        context={"month": invoice.first_day, "total": invoice.total, "due": invoice.amount_due,
                 "currency": invoice.currency, "due_date": invoice.due_date},
    )  # fmt: skip
