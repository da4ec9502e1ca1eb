"""One row per checkout attempt."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models import Receipt
from core.money import from_minor
from core.states import Transitions


class PaymentStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    AUTHORIZED = "authorized", _("authorized")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")
    NEEDS_REVIEW = "needs_review", _("needs review")


_P = PaymentStatus
OPEN_STATUSES = (_P.PENDING, _P.AUTHORIZED)
PAYMENT_TRANSITIONS: Transitions = {
    _P.PENDING: frozenset({_P.AUTHORIZED, _P.SUCCEEDED, _P.FAILED, _P.CANCELED, _P.NEEDS_REVIEW}),
    _P.AUTHORIZED: frozenset({_P.SUCCEEDED, _P.FAILED, _P.CANCELED, _P.NEEDS_REVIEW}),
    # A provider may still report money after a decline, an expiry or a mismatch: it is never dropped.
    _P.FAILED: frozenset({_P.SUCCEEDED, _P.NEEDS_REVIEW}),
    _P.CANCELED: frozenset({_P.SUCCEEDED, _P.NEEDS_REVIEW}),
    _P.NEEDS_REVIEW: frozenset({_P.SUCCEEDED, _P.FAILED, _P.CANCELED}),
    _P.SUCCEEDED: frozenset(),
}


class Payment(models.Model):
    id = models.BigAutoField(primary_key=True)
    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="payments", verbose_name=_("receipt"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, db_column="username", related_name="payments", verbose_name=_("user")
    )
    provider = models.CharField(_("provider"), max_length=30)
    status = models.CharField(_("status"), max_length=15, choices=PaymentStatus, default=PaymentStatus.PENDING)
    currency = models.CharField(_("currency"), max_length=3)
    amount_cents = models.BigIntegerField(_("amount in minor units"))
    external_payment_id = models.CharField(_("provider's id"), max_length=255, blank=True)
    checkout_url = models.URLField(_("checkout page"), max_length=500, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=64, unique=True)
    review_reason = models.CharField(_("why it needs review"), max_length=255, blank=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "payments"
        ordering = ("-id",)
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions = (("resolve_payment", "Can decide about payments in review"),)
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=PaymentStatus.values), name="payments_status_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="payments_amount_positive"),
            models.UniqueConstraint(
                fields=["provider", "external_payment_id"],
                condition=~models.Q(external_payment_id=""),
                name="payments_external_id_unique",
            ),
            models.UniqueConstraint(
                fields=["receipt"], condition=models.Q(status__in=OPEN_STATUSES), name="payments_one_open_attempt"
            ),
            models.UniqueConstraint(
                fields=["receipt"], condition=models.Q(status=_P.SUCCEEDED), name="payments_one_success"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.provider}"

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_cents, self.currency)

    @property
    def username(self) -> str:
        return str(self.user_id)
