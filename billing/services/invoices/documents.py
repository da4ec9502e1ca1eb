"""What PDFs of invoices and credit notes have in common: set by a template, kept by content, sent by e-mail."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import EmailNotification, Organisation
from accounts.services.files import read_file
from accounts.services.outbox import Attachment, queue_email, site_url
from audit import services as audit
from billing.documents.fonts import NoThaiFont
from billing.documents.templated import Document, template_pdf
from billing.models import CreditNote, CreditNoteDocument, Invoice, InvoiceDocument, InvoiceTemplate
from billing.templating.problems import Refused
from billing.words.templates import in_words
from core.context import Actor
from core.errors import AppError, BadInput
from core.periods import today

Row = TypeVar("Row", Invoice, CreditNote)
logger = logging.getLogger("billing.documents")
MEDIA = "application/pdf"
NEWS = timedelta(days=14)  # an older document is not sent by itself: it was told of in another way
SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Made:
    """``fallback`` says why the built-in document stands in for a template; ``sha256`` is empty for drafts."""

    content: bytes
    sha256: str = ""
    fallback: str = ""


@dataclass(slots=True)
class Delivered:
    documents: int = 0
    emails: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left: int = 0


def make(
    *, row: Invoice | CreditNote, template: InvoiceTemplate | None, paper: Callable[[], Document],
    built_in: Callable[[], bytes], language: str,
) -> Made:  # fmt: skip
    """By ``template``; without one, or where it cannot be set (limits, a fault), the built-in document."""
    if template is None:
        return Made(built_in())
    with translation.override(language):
        said = paper()
    try:
        found = template_pdf(bill=said, html=template.html_content, css=template.css_content, language=language)
    except Refused as refused:
        logger.error("%s is not set by template %s: %s", row, template, refused)
        return Made(built_in(), fallback=in_words(refused.problems[0])[:255])
    return Made(found.content)


def in_own_language(organisation: Organisation, document: Callable[[str], Made]) -> tuple[str, Made]:
    """In the organisation's language; English where no Thai font is here."""
    try:
        return organisation.language, document(organisation.language)
    except NoThaiFont:
        return "en", document("en")


def deliver(
    *, waiting: Callable[[], QuerySet[Any]], rows: QuerySet[Row], has_document: Callable[[Row], bool],
    one: Callable[[Row], bool], seconds: float,
) -> Delivered:  # fmt: skip
    """Make and e-mail (``one``, True where it did) what is ``waiting``, by its keys, among ``rows``.

    Stops after ``seconds``; the next run goes on. One that fails is told and tried again.
    """
    found, begun = Delivered(), time.monotonic()
    for pk in list(waiting()):
        if time.monotonic() - begun > seconds:
            break
        row = rows.get(pk=pk)
        try:
            found.documents += not has_document(row)
            found.emails += one(row)
        except AppError as error:
            found.failed[str(row)] = error.message
    found.left = waiting().count()
    return found


def told(prefix: str) -> Exists:
    """Of a row whose e-mail, which names it by ``prefix`` and its number, was queued."""
    key = Concat(Value(prefix), Cast(OuterRef("pk"), CharField()))
    return Exists(EmailNotification.objects.filter(dedupe_key=key))


def tell_once(*, owner: Organisation, issued: date, key: str, queue: Callable[[str | None], object]) -> bool:
    """E-mail a document by itself, once: to an organisation that wants that, while it is news."""
    if not (owner.email_invoices and owner.billing_email) or issued < today() - NEWS:
        return False
    if EmailNotification.objects.filter(dedupe_key=key).exists():
        return False
    queue(key)
    return True


def tell_again(
    *, actor: Actor, action: str, row: Invoice | CreditNote, owner: Organisation,
    queue: Callable[[str | None], EmailNotification], extra: dict[str, Any],
) -> EmailNotification:  # fmt: skip
    """E-mail a document because ``actor`` asks for it, and record that as ``action``."""
    with transaction.atomic():
        email = queue(None)
        said = {"organisation": owner.name, "language": email.language, **extra, "email": email.pk}
        audit.record(actor=actor, action=action, target=str(row), entity=row, extra=said)
    return email


def check_address(owner: Organisation) -> None:
    """Raises ``BadInput`` for an organisation without an address for bills."""
    if not owner.billing_email:
        raise BadInput(_("The organisation has no e-mail for bills."), field="billing_email")


def kept(known: InvoiceDocument | CreditNoteDocument) -> Made:
    """From the store. Raises ``files.FileDamaged``."""
    return Made(read_file(known.file_id), known.file_id, known.fallback)


def queue_document(
    *, kind: str, row: Invoice | CreditNote, invoice: Invoice, language: str, made: Made, key: str | None,
    context: dict[str, Any],
) -> EmailNotification:  # fmt: skip
    """The e-mail with the PDF, to the organisation's address for bills. A ``key`` keeps it from being queued twice,
    whoever runs at the same time."""
    owner = invoice.organisation
    return queue_email(
        kind=kind, recipient=owner.billing_email, language=language, organisation=owner, invoice_id=invoice.pk,
        dedupe_key=key, attachments=[Attachment(f"{row}-{language}.pdf".replace("/", "-"), made.sha256)],
        context={
            "invoice": invoice, "organisation": owner, "url": site_url(reverse("billing:invoice", args=[invoice.uuid])),
            **context,
        },
    )  # fmt: skip
