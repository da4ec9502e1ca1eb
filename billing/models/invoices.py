"""Invoices: what an organisation owes for a month, in lines that say how each came about."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models import Organisation, Project
from billing.models.prices import Discount, PricingPlan
from billing.models.taxes import CODE
from billing.models.templates import InvoiceTemplate
from core.clock import today_for
from core.database.decimals import ExactDecimalField
from core.states import Transitions
from subscriptions.models import Subscription

MONEY: dict[str, Any] = {"max_digits": 18, "decimal_places": 4}


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    FINALIZED = "finalized", _("open")
    PAID = "paid", _("paid")
    REFUNDED = "refunded", _("refunded")
    CANCELED = "canceled", _("canceled")


_I = InvoiceStatus
INVOICE_TRANSITIONS: Transitions = {
    _I.DRAFT: frozenset({_I.FINALIZED, _I.CANCELED}),
    # a finalized invoice is canceled only by a credit note over all of it
    _I.FINALIZED: frozenset({_I.PAID, _I.CANCELED}),
    _I.PAID: frozenset({_I.REFUNDED, _I.FINALIZED}),
    _I.REFUNDED: frozenset({_I.PAID}),
    _I.CANCELED: frozenset(),
}
DOCUMENT_MONEY: dict[str, Any] = {**MONEY, "default": Decimal(0)}


class Invoice(models.Model):
    """One live invoice an organisation and month. Once finalized neither its lines nor its money change; credit notes
    correct it. ``total`` = ``subtotal`` - ``discount`` + ``tax`` (the tax is inside with ``tax_inclusive``);
    ``amount_due`` = ``total`` - ``amount_paid`` - ``amount_credited`` - ``amount_written_off``. Amounts have the places
    of ``currency``.

    ``original_currency``, ``exchange_rate``, ``conversion_date``, ``conversion_source``: filled where any line was
    priced in another currency than the invoice's.
    """

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="invoices", verbose_name=_("organisation")
    )
    invoice_number = models.CharField(_("number"), max_length=40, unique=True, null=True, blank=True)
    fiscal_year = models.PositiveIntegerField(_("fiscal year"), null=True, blank=True)
    serial = models.PositiveIntegerField(_("serial number"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=InvoiceStatus, default=InvoiceStatus.DRAFT)
    month = models.PositiveSmallIntegerField(_("month"))
    year = models.PositiveSmallIntegerField(_("year"))
    currency = models.CharField(_("currency"), max_length=3)
    subtotal = models.DecimalField(_("subtotal"), **DOCUMENT_MONEY)
    discount = models.DecimalField(_("discount"), **DOCUMENT_MONEY)
    tax = models.DecimalField(_("tax"), **DOCUMENT_MONEY)
    total = models.DecimalField(_("total"), **DOCUMENT_MONEY)
    amount_paid = models.DecimalField(_("paid so far"), **DOCUMENT_MONEY)
    amount_credited = models.DecimalField(_("credited"), **DOCUMENT_MONEY)
    amount_written_off = models.DecimalField(_("written off"), **DOCUMENT_MONEY)
    amount_due = models.DecimalField(_("due"), **DOCUMENT_MONEY)
    tax_inclusive = models.BooleanField(_("tax is inside the prices"), default=False)
    discounts = models.ManyToManyField(Discount, blank=True, related_name="+", verbose_name=_("discounts"))
    original_currency = models.CharField(_("original currency"), max_length=3, blank=True)
    exchange_rate = models.DecimalField(_("exchange rate"), max_digits=24, decimal_places=12, null=True, blank=True)
    conversion_date = models.DateTimeField(_("rate of"), null=True, blank=True)
    conversion_source = models.CharField(_("source of the rate"), max_length=20, blank=True)
    issue_date = models.DateField(_("issued"), null=True, blank=True)
    due_date = models.DateField(_("due on"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    canceled_at = models.DateTimeField(_("canceled"), null=True, blank=True)
    cancel_reason = models.CharField(_("reason"), max_length=255, blank=True)
    seller = models.JSONField(_("seller"), default=dict, blank=True)
    buyer = models.JSONField(_("buyer"), default=dict, blank=True)
    notes = models.TextField(_("notes"), blank=True)
    notes_th = models.TextField(_("notes in Thai"), blank=True)
    template = models.ForeignKey(
        InvoiceTemplate, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("template")
    )
    pdf_hash = models.CharField(_("hash of the PDF"), max_length=64, blank=True)
    pdf_generated_at = models.DateTimeField(_("PDF made"), null=True, blank=True)
    # What keeps a draft from being finalized, in words with what to do: [{"code", "metric", "message"}].
    problems = models.JSONField(_("to resolve"), default=list, blank=True)
    watermark = models.DateTimeField(_("usage up to"), null=True, blank=True)
    digest = models.CharField(_("content hash (SHA-256)"), max_length=64, blank=True)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "invoices"
        ordering = ("-id",)
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        permissions = (
            ("finalize_invoice", gettext_noop("Can finalize invoices")),
            ("credit_invoice", gettext_noop("Can write credit notes")),
            ("pay_invoice", gettext_noop("Can record payments of invoices")),
            ("send_invoice", gettext_noop("Can send invoices by e-mail")),
        )
        indexes = (
            models.Index(fields=["organisation", "status"], name="idx_invoice_org_status"),
            models.Index(
                fields=["id"], condition=models.Q(pdf_hash="", invoice_number__isnull=False), name="idx_invoice_no_pdf"
            ),
            models.Index(fields=["due_date", "status"], name="idx_invoice_due_date_status"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["organisation", "month", "year"],
                condition=~models.Q(status=InvoiceStatus.CANCELED),
                name="invoices_one_live_a_month",
            ),
            models.UniqueConstraint(fields=["fiscal_year", "serial"], name="invoices_serial_unique"),
            models.CheckConstraint(condition=models.Q(status__in=InvoiceStatus.values), name="invoices_status_known"),
            models.CheckConstraint(
                condition=models.Q(month__gte=1, month__lte=12, year__gte=2000, year__lte=2199),
                name="invoices_month_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=(InvoiceStatus.DRAFT, InvoiceStatus.CANCELED))
                | models.Q(invoice_number__isnull=False, issue_date__isnull=False, due_date__isnull=False),
                name="invoices_finalized_has_number",
            ),
            models.CheckConstraint(
                condition=models.Q(subtotal__gte=0, discount__gte=0, tax__gte=0, total__gte=0, amount_paid__gte=0,
                                   amount_credited__gte=0, amount_written_off__gte=0, amount_due__gte=0),
                name="invoices_amounts_not_negative",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return self.invoice_number or f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("billing:invoice", args=[self.uuid])

    @property
    def claim(self) -> str:
        """What its jobs and fees carry in ``claimed_by``."""
        return f"invoice:{self.pk}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def is_test(self) -> bool:
        """Its organisation lives by a test clock: it is no real document."""
        return self.organisation.is_test

    @property
    def is_overdue(self) -> bool:
        """Asked for, not paid in full, and its day is over; derived, never stored."""
        is_open = self.status == InvoiceStatus.FINALIZED and self.amount_due > 0
        return is_open and self.due_date is not None and self.due_date < today_for(self.organisation)


class LineKind(models.TextChoices):
    JOBS = "jobs", _("Slurm jobs")
    USAGE = "usage", _("metered usage")
    MINIMUM = "minimum", _("minimum charge")
    FEE = "fee", _("plan fee")
    PRORATION = "proration", _("part of a period")
    OTHER = "other", _("other")


class InvoiceLine(models.Model):
    """``total`` is quantity x unit price by its charge model, rounded to the currency's places; ``net`` is what is left
    of it after its share of the discount. ``source`` keeps what made it: price row, steps, sums, rate version."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines", verbose_name=_("invoice"))
    line_number = models.PositiveIntegerField(_("line"))
    kind = models.CharField(_("kind"), max_length=10, choices=LineKind)
    description = models.CharField(_("description"), max_length=255)
    description_th = models.CharField(_("description in Thai"), max_length=255, blank=True)
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, verbose_name=_("project"))
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, verbose_name=_("subscription")
    )
    pricing_plan = models.ForeignKey(
        PricingPlan, models.PROTECT, null=True, blank=True, verbose_name=_("price of usage")
    )
    metric_name = models.CharField(_("metric"), max_length=120, blank=True)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    quantity = ExactDecimalField(_("quantity"))
    unit_price = ExactDecimalField(_("unit price"), null=True, blank=True)
    total = models.DecimalField(_("total"), **MONEY)
    discount = models.DecimalField(_("discount"), **DOCUMENT_MONEY)
    net = models.DecimalField(_("after discount"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    original_amount = models.DecimalField(_("in the original currency"), null=True, blank=True, **MONEY)
    original_currency = models.CharField(_("original currency"), max_length=3, blank=True)
    exchange_rate = models.DecimalField(_("exchange rate"), max_digits=24, decimal_places=12, null=True, blank=True)
    exchange_rate_at = models.DateTimeField(_("rate of"), null=True, blank=True)
    exchange_source = models.CharField(_("source of the rate"), max_length=20, blank=True)
    tax_label = models.CharField(_("tax"), max_length=30, blank=True)
    tax_rate = models.DecimalField(_("tax rate (%)"), max_digits=5, decimal_places=2, default=Decimal(0))
    tax_category = models.CharField(_("tax category"), max_length=2, default="S")
    period_start = models.DateTimeField(_("from"), null=True, blank=True)
    period_end = models.DateTimeField(_("to"), null=True, blank=True)
    source = models.JSONField(_("made of"), default=dict, blank=True)

    class Meta:
        db_table = "invoice_line_items"
        ordering = ("invoice", "line_number")
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "line_number"], name="invoice_line_items_number_unique"),
            models.CheckConstraint(condition=models.Q(kind__in=LineKind.values), name="invoice_line_items_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.line_number}. {self.description}"


class InvoiceTax(models.Model):
    """Tax of an invoice by rate and category, rounded once on the sum of its lines."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="taxes", verbose_name=_("invoice"))
    label = models.CharField(_("tax"), max_length=30)
    rate = models.DecimalField(_("rate (%)"), max_digits=5, decimal_places=2)
    category = models.CharField(_("category"), max_length=2)
    base = models.DecimalField(_("on"), **MONEY)
    amount = models.DecimalField(_("amount"), **MONEY)
    # The tax that a rule chose; empty: the site's own.
    code = models.CharField(_("code"), max_length=CODE, blank=True, db_default="", default="")
    reason = models.TextField(_("reason"), blank=True, db_default="", default="")
    reason_th = models.TextField(_("reason in Thai"), blank=True, db_default="", default="")

    class Meta:
        db_table = "invoice_taxes"
        ordering = ("invoice", "category", "rate")
        verbose_name = _("tax of an invoice")
        verbose_name_plural = _("taxes of invoices")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "rate", "category"], name="invoice_taxes_rate_unique"),
        )

    def __str__(self) -> str:
        return f"{self.label} {self.rate} %"


class CreditNote(models.Model):
    """Takes back a finalized invoice, in whole or in part. Numbered like one, never changed. It comes to nothing where
    the invoice does, and keeps a credit for the next one."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credit_notes", verbose_name=_("invoice"))
    number = models.CharField(_("number"), max_length=40, unique=True)
    fiscal_year = models.PositiveIntegerField(_("fiscal year"))
    serial = models.PositiveIntegerField(_("serial number"), null=True, blank=True)  # none of tests
    issue_date = models.DateField(_("issued"))
    reason = models.CharField(_("reason"), max_length=255)
    currency = models.CharField(_("currency"), max_length=3)
    subtotal = models.DecimalField(_("subtotal"), **MONEY)
    tax = models.DecimalField(_("tax"), **MONEY)
    total = models.DecimalField(_("total"), **MONEY)
    digest = models.CharField(_("content hash (SHA-256)"), max_length=64, blank=True)
    template = models.ForeignKey(
        InvoiceTemplate, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("template")
    )
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "credit_notes"
        ordering = ("-id",)
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")
        constraints = (
            models.UniqueConstraint(fields=["fiscal_year", "serial"], name="credit_notes_serial_unique"),
            models.CheckConstraint(
                condition=models.Q(total__gte=0, subtotal__gte=0, tax__gte=0), name="credit_notes_not_negative"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="credit_notes_has_reason"),
        )

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    note = models.ForeignKey(CreditNote, models.CASCADE, related_name="lines", verbose_name=_("credit note"))
    line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="credits", verbose_name=_("invoice line"))
    net = models.DecimalField(_("net"), **MONEY)
    tax = models.DecimalField(_("tax"), **MONEY)

    class Meta:
        db_table = "credit_note_lines"
        ordering = ("note", "id")
        verbose_name = _("line of a credit note")
        verbose_name_plural = _("lines of credit notes")
        constraints = (models.UniqueConstraint(fields=["note", "line"], name="credit_note_lines_line_unique"),)

    def __str__(self) -> str:
        return f"{self.line_id}: {self.net}"


class CreditEntry(models.Model):
    """An organisation's balance with us: what is in its favour (positive) and what was used of it (negative)."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="credit_entries", verbose_name=_("organisation")
    )
    amount = models.DecimalField(_("amount"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, blank=True, verbose_name=_("invoice"))
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, null=True, blank=True, verbose_name=_("credit note"))
    reason = models.CharField(_("reason"), max_length=255)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "credit_entries"
        ordering = ("-id",)
        verbose_name = _("credit")
        verbose_name_plural = _("credits")
        constraints = (models.CheckConstraint(condition=~models.Q(amount=0), name="credit_entries_not_nought"),)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
