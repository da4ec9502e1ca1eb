"""The last number given in each series and fiscal year."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DocumentCounter(models.Model):
    """Only ``services.numbers`` moves it, in the transaction of the document: what is undone leaves no gap."""

    series = models.CharField(_("series"), max_length=20)
    fiscal_year = models.PositiveIntegerField(_("fiscal year"))
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        db_table = "document_counters"
        ordering = ("series", "fiscal_year")
        verbose_name = _("document counter")
        verbose_name_plural = _("document counters")
        constraints = (models.UniqueConstraint(fields=["series", "fiscal_year"], name="document_counters_unique"),)

    def __str__(self) -> str:
        return f"{self.series} {self.fiscal_year}: {self.last}"
