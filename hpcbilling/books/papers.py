"""Invoices and credit notes on paper: each file is what its name says, and each document has one."""

from __future__ import annotations

import hashlib

from accounts.models import EmailNotification, StoredFile
from billing.models import CreditNoteDocument, Invoice, InvoiceDocument

SHOWN = 100


def stored_files() -> list[str]:
    """The content of each stored file has the hash that it is named by."""
    wrong = [
        f"stored file {row.pk} holds other bytes"
        for row in StoredFile.objects.order_by("pk").iterator(50)
        if hashlib.sha256(bytes(row.content)).hexdigest() != row.pk or len(bytes(row.content)) != row.size
    ]
    return wrong[:SHOWN]


def invoice_documents() -> list[str]:
    """Each PDF is one of a finalized invoice or a credit note, set by the version of the template that is frozen on it;
    the hash on an invoice is that of one of its PDFs."""
    wrong = [
        f"document {row.pk} of invoice {row.invoice} is set by another template"
        for row in InvoiceDocument.objects.select_related("invoice").order_by("pk").iterator(1000)
        if row.invoice.invoice_number is None
        or (row.template_id != row.invoice.template_id and not (row.template_id is None and row.fallback))
    ]
    wrong += [
        f"document {row.pk} of credit note {row.note} is set by another template"
        for row in CreditNoteDocument.objects.select_related("note").order_by("pk").iterator(1000)
        if row.template_id != row.note.template_id and not (row.template_id is None and row.fallback)
    ]
    hashes = set(InvoiceDocument.objects.values_list("invoice_id", "file_id"))
    named = Invoice.objects.exclude(pdf_hash="").values_list("pk", "pdf_hash")
    wrong += [
        f"invoice {pk}: no PDF has the hash {name[:12]}" for pk, name in named.iterator() if (pk, name) not in hashes
    ]
    files = set(StoredFile.objects.values_list("pk", flat=True))
    sent = EmailNotification.objects.exclude(attachments=[]).values_list("pk", "attachments")
    wrong += [
        f"e-mail {pk}: its file {each['sha256'][:12]} is gone"
        for pk, attached in sent.iterator()
        for each in attached
        if each["sha256"] not in files
    ]
    return wrong[:SHOWN]
