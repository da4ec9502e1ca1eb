"""Receipts: priced bundles of jobs, with everything that priced them written on them."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.models import Project, Tier
from accounts.tiers import describe_reason
from billing.models.rates import CpuBasis, RateVersion
from core.states import Transitions


class ReceiptStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PAID = "paid", _("paid")
    REFUNDED = "refunded", _("refunded")
    VOID = "void", _("void")


class PriceAt(models.TextChoices):
    """Which moment's rates (and tier overrides) price a job."""

    RECEIPT = "receipt", _("when the receipt is created")
    JOB_END = "job_end", _("when the job ended")


RECEIPT_TRANSITIONS: Transitions = {
    ReceiptStatus.PENDING: frozenset({ReceiptStatus.PAID, ReceiptStatus.VOID}),
    ReceiptStatus.PAID: frozenset({ReceiptStatus.REFUNDED}),
    # The bank sent a refund back, or a dispute was won; or the bill itself was wrong.
    ReceiptStatus.REFUNDED: frozenset({ReceiptStatus.PAID, ReceiptStatus.VOID}),
    ReceiptStatus.VOID: frozenset(),
}


class Receipt(models.Model):
    """One tier's jobs of one user in a window of days. Everything that made its amounts is a snapshot on it.

    With a ``project``: the jobs of its members under its Slurm accounts (the keys of ``tier_by_account``);
    the user, who led it when the receipt was made, pays.

    Tax exclusive: ``subtotal`` = sum of lines, ``total`` = subtotal + tax. Inclusive: ``total`` = sum of
    lines, ``subtotal`` = total - tax. ``digest`` is the SHA-256 of the document's content (``billing.digest``).
    """

    id = models.BigAutoField(primary_key=True)
    # The number is given last, inside the transaction that creates the receipt; outside it, none is without one.
    document_number = models.CharField(_("number"), max_length=40, unique=True, null=True)
    fiscal_year = models.PositiveIntegerField(_("fiscal year"), null=True)
    serial = models.PositiveIntegerField(_("serial number"), null=True)
    issued_on = models.DateField(_("issued"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, db_column="username", related_name="receipts", verbose_name=_("user")
    )
    project = models.ForeignKey(
        Project, models.PROTECT, related_name="receipts", null=True, blank=True, verbose_name=_("project")
    )
    project_name = models.CharField(_("project's name as issued"), max_length=160, blank=True, default="")
    start = models.DateField(_("from"), db_column="start")
    end = models.DateField(_("to"), db_column="end")
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=Decimal(0))
    subtotal = models.DecimalField(_("subtotal"), max_digits=14, decimal_places=2, default=Decimal(0))
    tax_label = models.CharField(_("tax"), max_length=30, blank=True)
    tax_rate = models.DecimalField(_("tax rate (%)"), max_digits=5, decimal_places=2, default=Decimal(0))
    tax_amount = models.DecimalField(_("tax amount"), max_digits=14, decimal_places=2, default=Decimal(0))
    tax_inclusive = models.BooleanField(_("tax is inside the prices"), default=False)
    currency = models.CharField(_("currency"), max_length=3)
    pricing_tier = models.ForeignKey(
        Tier, models.PROTECT, db_column="pricing_tier", related_name="+", verbose_name=_("tier")
    )
    # As issued: later names and rules change nothing here. Both are empty on receipts from before they were kept.
    tier_names = models.JSONField(_("tier's names as issued"), default=dict, blank=True)
    tier_by_account = models.JSONField(_("why, by Slurm account"), default=dict, blank=True)
    tier_reason = models.TextField(_("why this tier"), blank=True, help_text=_("One reason a line."))
    rate_version = models.ForeignKey(RateVersion, models.PROTECT, related_name="+", verbose_name=_("rate version"))
    rate_cpu = models.DecimalField(_("per core-hour"), max_digits=12, decimal_places=6)
    rate_gpu = models.DecimalField(_("per GPU-hour"), max_digits=12, decimal_places=6)
    rate_mem = models.DecimalField(_("per GB-hour"), max_digits=12, decimal_places=6)
    cpu_basis = models.CharField(_("CPU basis"), max_length=10, choices=CpuBasis)
    price_at = models.CharField(_("priced by the rates"), max_length=10, choices=PriceAt, default=PriceAt.RECEIPT)
    rates_locked_at = models.DateTimeField(_("rates as of"))
    seller = models.JSONField(_("seller"), default=dict, help_text=_("Name, address, tax id and e-mail as issued."))
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    adjusts_month = models.DateField(_("late usage of"), null=True, blank=True)
    digest = models.CharField(_("content hash (SHA-256)"), max_length=64, default="")
    status = models.CharField(_("status"), max_length=10, choices=ReceiptStatus, default=ReceiptStatus.PENDING)
    method = models.CharField(_("method"), max_length=40, blank=True)
    tx_ref = models.CharField(_("payment reference"), max_length=255, blank=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    voided_at = models.DateTimeField(_("voided"), null=True, blank=True)
    voided_by = models.CharField(_("voided by"), max_length=64, blank=True)
    void_reason = models.CharField(_("reason for voiding"), max_length=255, blank=True)
    created_by = models.CharField(_("created by"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "receipts"
        ordering = ("-created_at", "-id")
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        permissions = (
            ("mark_paid_receipt", gettext_noop("Can mark receipts as paid")),
            ("void_receipt", gettext_noop("Can void receipts")),
        )
        indexes = (
            models.Index("user", models.F("created_at").desc(), name="idx_receipts_user_date"),
            models.Index("status", models.F("created_at").desc(), name="idx_receipts_status_date"),
            models.Index(fields=["tx_ref"], condition=~models.Q(tx_ref=""), name="idx_receipts_tx_ref"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=ReceiptStatus.values), name="receipts_status_known"),
            models.CheckConstraint(
                condition=models.Q(total__gte=0, subtotal__gte=0, tax_amount__gte=0, tax_rate__gte=0),
                name="receipts_amounts_not_negative",
            ),
            models.CheckConstraint(condition=models.Q(end__gte=models.F("start")), name="receipts_window_ordered"),
            models.CheckConstraint(condition=models.Q(price_at__in=PriceAt.values), name="receipts_price_at_known"),
            models.UniqueConstraint(fields=["fiscal_year", "serial"], name="receipts_number_unique"),
            models.CheckConstraint(
                condition=models.Q(paid_at__isnull=False) | ~models.Q(status__in=("paid", "refunded")),
                name="receipts_paid_has_date",
            ),
            models.CheckConstraint(
                condition=(models.Q(status="void", voided_at__isnull=False) & ~models.Q(void_reason=""))
                | ~models.Q(status="void"),
                name="receipts_void_has_reason",
            ),
        )

    def __str__(self) -> str:
        return self.document_number or f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("billing:receipt", args=[self.pk])

    @property
    def username(self) -> str:
        return str(self.user_id)

    @property
    def tier_label(self) -> str:
        """The tier's name as issued, in the reader's language."""
        thai = self.tier_names.get("th") if (get_language() or "").startswith("th") else ""
        return str(thai or self.tier_names.get("en") or self.pricing_tier.label)

    def tier_reasons_of(self, account: str) -> list[str]:
        """Why jobs of this Slurm account paid this tier, as stored."""
        return str(self.tier_by_account.get(account, self.tier_reason)).splitlines()

    @property
    def tier_reasons(self) -> list[str]:
        """Why this tier, in the reader's language."""
        return [describe_reason(line) for line in self.tier_reason.splitlines()]

    @property
    def claim(self) -> str:
        """What its jobs carry in ``claimed_by``."""
        return f"receipt:{self.pk}"


class ReceiptItem(models.Model):
    """One job on a receipt. A job stands on one live receipt at most; voiding keeps the line as history."""

    id = models.BigAutoField(primary_key=True)
    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="items", verbose_name=_("receipt"))
    job_key = models.CharField(_("job key"), max_length=160)
    job_id_display = models.CharField(_("job id"), max_length=80)
    cpu_core_hours = models.DecimalField(_("core-hours"), max_digits=14, decimal_places=4)
    gpu_hours = models.DecimalField(_("GPU-hours"), max_digits=14, decimal_places=4)
    mem_gb_hours = models.DecimalField(_("GB-hours"), max_digits=14, decimal_places=4)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=2)
    is_live = models.BooleanField(_("live"), default=True)

    class Meta:
        db_table = "receipt_items"
        ordering = ("job_id_display", "id")
        verbose_name = _("receipt line")
        verbose_name_plural = _("receipt lines")
        constraints = (
            models.UniqueConstraint(
                fields=["job_key"], condition=models.Q(is_live=True), name="receipt_items_job_key_live_unique"
            ),
            models.UniqueConstraint(fields=["receipt", "job_key"], name="receipt_items_receipt_job_unique"),
            models.CheckConstraint(
                condition=models.Q(cpu_core_hours__gte=0, gpu_hours__gte=0, mem_gb_hours__gte=0, cost__gte=0),
                name="receipt_items_amounts_not_negative",
            ),
        )

    def __str__(self) -> str:
        return self.job_key
