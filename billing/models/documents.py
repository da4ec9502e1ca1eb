"""Invoices and credit notes on paper: which file was made of which, in which state of it. The files are
``stored_files``."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import StoredFile
from accounts.models.organisations import LANGUAGES
from billing.models.invoices import CreditNote, Invoice
from billing.models.templates import InvoiceTemplate


class InvoiceDocument(models.Model):
    """One PDF of a finalized invoice. ``state_hash`` is of what may change on it after it was finalized (state, paid,
    credited): in the same state the same file is handed out, whatever became of software and fonts meanwhile."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="documents", verbose_name=_("invoice"))
    language = models.CharField(_("language"), max_length=8, choices=LANGUAGES)
    state_hash = models.CharField(_("state"), max_length=64)
    template = models.ForeignKey(
        InvoiceTemplate, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("template")
    )
    file = models.ForeignKey(
        StoredFile, models.PROTECT, db_column="sha256", related_name="+", verbose_name=_("hash (SHA-256)")
    )
    # Why the built-in document stands in for the template; empty: it does not.
    fallback = models.CharField(_("instead of the template, because"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_documents"
        ordering = ("-id",)
        verbose_name = _("document of an invoice")
        verbose_name_plural = _("documents of invoices")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "language", "state_hash"], name="invoice_documents_one_a_state"),
        )

    def __str__(self) -> str:
        return f"{self.invoice} {self.language}"


class CreditNoteDocument(models.Model):
    """The PDF of a credit note in one language. A note never changes, and neither does its paper: made once, the same
    file is handed out for ever."""

    id = models.BigAutoField(primary_key=True)
    note = models.ForeignKey(CreditNote, models.PROTECT, related_name="documents", verbose_name=_("credit note"))
    language = models.CharField(_("language"), max_length=8, choices=LANGUAGES)
    template = models.ForeignKey(
        InvoiceTemplate, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("template")
    )
    file = models.ForeignKey(
        StoredFile, models.PROTECT, db_column="sha256", related_name="+", verbose_name=_("hash (SHA-256)")
    )
    fallback = models.CharField(_("instead of the template, because"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "credit_note_documents"
        ordering = ("-id",)
        verbose_name = _("document of a credit note")
        verbose_name_plural = _("documents of credit notes")
        constraints = (
            models.UniqueConstraint(fields=["note", "language"], name="credit_note_documents_one_a_language"),
        )

    def __str__(self) -> str:
        return f"{self.note} {self.language}"
