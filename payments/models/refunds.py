"""Money that goes back: refunds, and disputes that the payer's bank opens."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.money import from_minor
from core.states import Transitions
from payments.models.payments import Payment


class RefundStatus(models.TextChoices):
    REQUESTED = "requested", _("requested")
    PENDING = "pending", _("under way")
    SUCCEEDED = "succeeded", _("given back")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")
    NEEDS_REVIEW = "needs_review", _("needs review")


class RefundOrigin(models.TextChoices):
    OURS = "ours", _("asked for here")
    PROVIDER = "provider", _("made at the provider")


_R = RefundStatus
HOLDING = (_R.REQUESTED, _R.PENDING, _R.SUCCEEDED)  # these count against what came in
OPEN_REFUNDS = (_R.REQUESTED, _R.PENDING)
REFUND_TRANSITIONS: Transitions = {
    _R.REQUESTED: frozenset({_R.PENDING, _R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
    _R.PENDING: frozenset({_R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
    _R.SUCCEEDED: frozenset({_R.FAILED}),  # banks send money back days later
    _R.FAILED: frozenset({_R.SUCCEEDED, _R.NEEDS_REVIEW}),
    _R.CANCELED: frozenset({_R.SUCCEEDED, _R.NEEDS_REVIEW}),
    _R.NEEDS_REVIEW: frozenset({_R.PENDING, _R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
}


class Refund(models.Model):
    """``needs_review``: the provider reports it, but with the others it would be more than came in."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    amount_cents = models.BigIntegerField(_("amount in minor units"))
    status = models.CharField(_("status"), max_length=12, choices=RefundStatus, default=RefundStatus.REQUESTED)
    origin = models.CharField(_("origin"), max_length=8, choices=RefundOrigin, default=RefundOrigin.OURS)
    by_hand = models.BooleanField(
        _("by hand"), default=False, help_text=_("Finance sends the money itself; the provider is not asked.")
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    external_refund_id = models.CharField(_("provider's id"), max_length=255, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=64, unique=True)
    asked_at = models.DateTimeField(_("provider asked"), null=True, blank=True)
    detail = models.CharField(_("what the provider says"), max_length=255, blank=True)
    created_by = models.CharField(_("asked for by"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    settled_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        db_table = "refunds"
        ordering = ("-id",)
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        indexes = (
            # found by the provider's id, which somebody has in hand
            models.Index(
                fields=["external_refund_id"], condition=~models.Q(external_refund_id=""), name="idx_refunds_external"
            ),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=RefundStatus.values), name="refunds_status_known"),
            models.CheckConstraint(condition=models.Q(origin__in=RefundOrigin.values), name="refunds_origin_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="refunds_amount_positive"),
            models.UniqueConstraint(
                fields=["payment", "external_refund_id"],
                condition=~models.Q(external_refund_id=""),
                name="refunds_external_id_unique",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_cents, self.payment.currency)


class DisputeStatus(models.TextChoices):
    OPEN = "open", _("open")
    WON = "won", _("won")
    LOST = "lost", _("lost")


_D = DisputeStatus
DISPUTE_TRANSITIONS: Transitions = {
    _D.OPEN: frozenset({_D.WON, _D.LOST}),
    _D.WON: frozenset({_D.LOST}),  # a second round at the bank
    _D.LOST: frozenset({_D.WON}),
}


class Dispute(models.Model):
    """A payer asked their bank for the money back; the bank decides."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes", verbose_name=_("payment"))
    external_dispute_id = models.CharField(_("provider's id"), max_length=255)
    amount_cents = models.BigIntegerField(_("amount in minor units"))
    status = models.CharField(_("status"), max_length=5, choices=DisputeStatus, default=DisputeStatus.OPEN)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    opened_at = models.DateTimeField(_("opened"), db_default=Now(), editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta:
        db_table = "disputes"
        ordering = ("-id",)
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=DisputeStatus.values), name="disputes_status_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="disputes_amount_positive"),
            models.UniqueConstraint(fields=["payment", "external_dispute_id"], name="disputes_external_id_unique"),
        )

    def __str__(self) -> str:
        return self.external_dispute_id

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_cents, self.payment.currency)
