"""Templates: how invoices and credit notes look, as versions that never change."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation


class TemplateKind(models.TextChoices):
    """What a template sets."""

    INVOICE = "invoice", _("invoice")
    CREDIT_NOTE = "credit_note", _("credit note")


class InvoiceTemplate(models.Model):
    """How invoices, or credit notes, look: HTML and CSS with a closed list of variables. A change makes a new
    version."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="invoice_templates",
        verbose_name=_("organisation"), help_text=_("Empty: for all."),
    )  # fmt: skip
    kind = models.CharField(
        _("for"), max_length=12, choices=TemplateKind, default=TemplateKind.INVOICE, db_default=TemplateKind.INVOICE
    )
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    is_default = models.BooleanField(_("default"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    html_content = models.TextField(_("HTML"))
    css_content = models.TextField(_("CSS"), blank=True)
    variables = models.JSONField(_("variables"), default=dict, blank=True)
    preview_data = models.JSONField(_("sample data"), default=dict, blank=True)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_templates"
        ordering = ("name", "-version")
        verbose_name = _("invoice template")
        verbose_name_plural = _("invoice templates")
        constraints = (
            models.UniqueConstraint(
                fields=["organisation", "kind", "name", "version"], name="invoice_templates_kind_version_unique"
            ),
            models.UniqueConstraint(
                fields=["kind", "name", "version"],
                condition=models.Q(organisation__isnull=True),
                name="invoice_templates_kind_version_unique_for_all",
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(is_active=True), name="invoice_templates_default_active"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=TemplateKind.values), name="invoice_templates_kind_known"
            ),
            models.UniqueConstraint(
                fields=["organisation", "kind"],
                condition=models.Q(is_default=True, organisation__isnull=False),
                name="invoice_templates_one_default_a_kind_and_owner",
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(is_default=True, organisation__isnull=True),
                name="invoice_templates_one_default_a_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
