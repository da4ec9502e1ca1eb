"""What people were told about an invoice that waits for its money: each thing once."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice


class NoticeKind(models.TextChoices):
    REMINDER = "reminder", _("reminder")
    OVERDUE = "overdue", _("overdue")


class InvoiceNotice(models.Model):
    """``step`` of a reminder is its day, counted from the due day (-3: three days before). ``run`` is the run that
    wrote the row: of two at the same moment only that one tells."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="notices", verbose_name=_("invoice"))
    kind = models.CharField(_("kind"), max_length=10, choices=NoticeKind)
    step = models.SmallIntegerField(_("day"), default=0)
    recipient = models.CharField(_("to"), max_length=254, blank=True)
    run = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "invoice_notices"
        ordering = ("-id",)
        verbose_name = _("notice of an invoice")
        verbose_name_plural = _("notices of invoices")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "kind", "step"], name="invoice_notices_once"),
            models.CheckConstraint(condition=models.Q(kind__in=NoticeKind.values), name="invoice_notices_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.step}"
