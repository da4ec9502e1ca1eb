"""Bank transfers: what payers say they sent, and what the bank says arrived."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from core.money import from_minor
from core.states import Transitions
from payments.models.payments import Payment


class TransferStatus(models.TextChoices):
    SUBMITTED = "submitted", pgettext_lazy("bank transfer", "submitted")
    ACCEPTED = "accepted", _("accepted")
    REJECTED = "rejected", _("rejected")


TRANSFER_TRANSITIONS: Transitions = {
    TransferStatus.SUBMITTED: frozenset({TransferStatus.ACCEPTED, TransferStatus.REJECTED}),
    TransferStatus.ACCEPTED: frozenset(),
    TransferStatus.REJECTED: frozenset(),
}


class BankTransfer(models.Model):
    """One transfer for one manual payment. The same reference of a bank, or the same slip, counts once."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="transfers", verbose_name=_("payment"))
    bank = models.CharField(_("bank"), max_length=60)
    reference = models.CharField(_("bank's reference"), max_length=80)
    claimed_cents = models.BigIntegerField(_("amount said, in minor units"))
    received_cents = models.BigIntegerField(_("amount received, in minor units"), default=0)
    transferred_on = models.DateField(_("day of the transfer"))
    slip = models.BinaryField(_("slip"), null=True, blank=True)
    slip_type = models.CharField(_("type of the slip"), max_length=40, blank=True)
    slip_sha256 = models.CharField(_("SHA-256 of the slip"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=9, choices=TransferStatus, default=TransferStatus.SUBMITTED)
    submitted_by = models.CharField(_("submitted by"), max_length=64)
    submitted_at = models.DateTimeField(_("submitted at"), db_default=Now(), editable=False)
    reviewed_by = models.CharField(_("reviewed by"), max_length=64, blank=True)
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)
    review_note = models.CharField(_("note"), max_length=255, blank=True)

    class Meta:
        db_table = "bank_transfers"
        ordering = ("-id",)
        verbose_name = _("bank transfer")
        verbose_name_plural = _("bank transfers")
        permissions = (("review_banktransfer", gettext_noop("Can accept or reject bank transfers")),)
        # whatever the bank is called
        indexes = (models.Index(fields=["reference"], name="idx_transfers_reference"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=TransferStatus.values), name="bank_transfers_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(claimed_cents__gt=0, received_cents__gte=0), name="bank_transfers_amounts_positive"
            ),
            models.UniqueConstraint(
                fields=["bank", "reference"],
                condition=~models.Q(status=TransferStatus.REJECTED),
                name="bank_transfers_reference_unique",
            ),
            models.UniqueConstraint(
                fields=["slip_sha256"],
                condition=~models.Q(status=TransferStatus.REJECTED) & ~models.Q(slip_sha256=""),
                name="bank_transfers_slip_unique",
            ),
        )

    def __str__(self) -> str:
        return f"{self.bank} {self.reference}"

    @property
    def claimed(self) -> Decimal:
        return from_minor(self.claimed_cents, self.payment.currency)

    @property
    def received(self) -> Decimal:
        return from_minor(self.received_cents, self.payment.currency)


class LineStatus(models.TextChoices):
    OPEN = "open", _("open")
    MATCHED = "matched", _("matched")
    IGNORED = "ignored", _("set aside")


LINE_TRANSITIONS: Transitions = {
    LineStatus.OPEN: frozenset({LineStatus.MATCHED, LineStatus.IGNORED}),
    LineStatus.MATCHED: frozenset(),
    LineStatus.IGNORED: frozenset({LineStatus.OPEN}),
}


class BankLine(models.Model):
    """One incoming amount of a bank statement. ``line_key`` makes a second import of the same line do nothing."""

    id = models.BigAutoField(primary_key=True)
    bank = models.CharField(_("bank"), max_length=60)
    line_key = models.CharField(_("key"), max_length=64, unique=True)
    posted_on = models.DateField(_("posted"))
    value_on = models.DateField(_("value date"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    amount_cents = models.BigIntegerField(_("amount in minor units"))
    description = models.CharField(_("description"), max_length=500, blank=True)
    reference = models.CharField(_("bank's reference"), max_length=120, blank=True)
    status = models.CharField(_("status"), max_length=7, choices=LineStatus, default=LineStatus.OPEN)
    transfer = models.OneToOneField(
        BankTransfer, models.PROTECT, null=True, blank=True, related_name="line", verbose_name=_("transfer")
    )
    file_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    imported_by = models.CharField(_("imported by"), max_length=64)
    imported_at = models.DateTimeField(_("imported"), db_default=Now(), editable=False)
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)

    class Meta:
        db_table = "bank_statement_lines"
        ordering = ("-posted_on", "-id")
        verbose_name = _("bank statement line")
        verbose_name_plural = _("bank statement lines")
        permissions = (("match_bankline", gettext_noop("Can match bank statement lines")),)
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=LineStatus.values), name="bank_lines_status_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="bank_lines_amount_positive"),
            models.CheckConstraint(
                condition=~models.Q(status=LineStatus.MATCHED) | models.Q(transfer__isnull=False),
                name="bank_lines_matched_has_transfer",
            ),
        )

    def __str__(self) -> str:
        return f"{self.posted_on:%Y-%m-%d} {self.reference or self.description}"[:80]

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_cents, self.currency)
