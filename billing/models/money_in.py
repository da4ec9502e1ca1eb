"""Money that came in for invoices, however it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import MONEY, Invoice


class InvoicePayment(models.Model):
    """One sum received for an invoice, never changed. What exceeds what was due is a ``CreditEntry`` of the invoice:
    ``amount_paid`` of an invoice = its payments - its credit entries. One reference counts once an invoice and method.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments", verbose_name=_("invoice"))
    amount = models.DecimalField(_("amount"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    method = models.CharField(_("method"), max_length=40)
    reference = models.CharField(_("payment reference"), max_length=255)
    received_on = models.DateField(_("received on"))
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_payments"
        ordering = ("-id",)
        verbose_name = _("payment of an invoice")
        verbose_name_plural = _("payments of invoices")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "method", "reference"], name="invoice_payments_reference_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="invoice_payments_positive"),
            models.CheckConstraint(condition=~models.Q(reference=""), name="invoice_payments_has_reference"),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} · {self.reference}"
