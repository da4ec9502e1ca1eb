"""Money that came in for invoices, however it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import MONEY, Invoice

BY_HAND = "by_hand:"  # and the key of an ``InvoicePayment``: what a person wrote down, and took back


class InvoicePayment(models.Model):
    """One sum received for an invoice, never changed. What exceeds what was due is a ``CreditEntry`` of the invoice:
    ``amount_paid`` of an invoice = its payments - its returns - its credit entries. One reference counts once an
    invoice and method; written down by hand by mistake and taken back (``InvoiceReturn``), it may come again, with the
    next ``attempt``.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments", verbose_name=_("invoice"))
    amount = models.DecimalField(_("amount"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    method = models.CharField(_("method"), max_length=40)
    reference = models.CharField(_("payment reference"), max_length=255)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0, db_default=0)
    received_on = models.DateField(_("received on"))
    # The payment that brought it (``payment:12``), as ``claimed_by`` of jobs names documents; empty: by hand.
    source = models.CharField(_("brought by"), max_length=40, blank=True, default="")
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_payments"
        ordering = ("-id",)
        verbose_name = _("payment of an invoice")
        verbose_name_plural = _("payments of invoices")
        constraints = (
            models.UniqueConstraint(
                fields=["invoice", "method", "reference", "attempt"], name="invoice_payments_reference_once"
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="invoice_payments_positive"),
            models.CheckConstraint(condition=~models.Q(reference=""), name="invoice_payments_has_reference"),
        )
        indexes = (
            models.Index(fields=["source"], condition=~models.Q(source=""), name="idx_invoice_payments_source"),
            models.Index(fields=["reference"], name="idx_invoice_payments_reference"),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} · {self.reference}"

    @property
    def as_source(self) -> str:
        """What brought it, as returns name it: the payment of a provider or bank, else this row itself."""
        return self.source or f"{BY_HAND}{self.pk}"


class InvoiceReturn(models.Model):
    """Money of a payment of an invoice that went back to the payer, by a refund or a lost dispute (positive), that came
    back after all (negative), or that never came and was written down by mistake (source ``by_hand:12``). Never
    changed; their sum by ``source`` is what of that payment is gone."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="returns", verbose_name=_("invoice"))
    amount = models.DecimalField(_("amount"), **MONEY)
    from_balance = models.DecimalField(_("taken from the balance"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    source = models.CharField(_("brought by"), max_length=40)
    reason = models.CharField(_("reason"), max_length=255, blank=True, default="", db_default="")
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_returns"
        ordering = ("-id",)
        verbose_name = _("money given back of an invoice")
        verbose_name_plural = _("money given back of invoices")
        indexes = (models.Index(fields=["source"], name="idx_invoice_returns_source"),)
        constraints = (
            models.CheckConstraint(condition=~models.Q(amount=0), name="invoice_returns_not_nought"),
            models.CheckConstraint(condition=~models.Q(source=""), name="invoice_returns_has_source"),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} · {self.source}"
