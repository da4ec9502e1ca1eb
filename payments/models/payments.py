"""One row per checkout attempt, and one per repeated try to collect."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from billing.models import Invoice, Receipt, ReceiptStatus
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
    _P.FAILED: frozenset({_P.AUTHORIZED, _P.SUCCEEDED, _P.NEEDS_REVIEW}),
    _P.CANCELED: frozenset({_P.AUTHORIZED, _P.SUCCEEDED, _P.NEEDS_REVIEW}),
    _P.NEEDS_REVIEW: frozenset({_P.SUCCEEDED, _P.FAILED, _P.CANCELED}),
    _P.SUCCEEDED: frozenset(),
}


class Payment(models.Model):
    """For exactly one receipt or invoice. All ``*_cents`` are minor units of ``currency``.

    ``captured_cents`` is what the provider (or the bank) holds for us, 0 until that is known;
    ``refunded_cents`` is the sum of its refunds that have not failed, kept here so that the
    database itself refuses to give back more than came in.
    ``asked_at`` without ``external_payment_id``: the provider was asked and no answer is known.
    """

    id = models.BigAutoField(primary_key=True)
    receipt = models.ForeignKey(
        Receipt, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("receipt")
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="online_payments", verbose_name=_("invoice")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, db_column="username", related_name="payments", verbose_name=_("user")
    )
    provider = models.CharField(_("provider"), max_length=30)
    method = models.CharField(_("method"), max_length=30, blank=True, db_column="payment_method")
    live = models.BooleanField(_("real money"), default=False)
    status = models.CharField(_("status"), max_length=15, choices=PaymentStatus, default=PaymentStatus.PENDING)
    currency = models.CharField(_("currency"), max_length=3)
    amount_cents = models.BigIntegerField(_("amount in minor units"))
    captured_cents = models.BigIntegerField(_("received in minor units"), default=0)
    refunded_cents = models.BigIntegerField(_("given back in minor units"), default=0)
    external_payment_id = models.CharField(_("provider's id"), max_length=255, blank=True)
    external_charge_id = models.CharField(_("provider's id of the money"), max_length=255, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=64, unique=True)
    asked_at = models.DateTimeField(_("provider asked"), null=True, blank=True)
    checked_at = models.DateTimeField(_("provider's record last read"), null=True, blank=True)
    checkout_url = models.URLField(_("checkout page"), max_length=2048, blank=True)
    checkout_form = models.JSONField(_("fields of the checkout page"), default=dict, blank=True)
    qr_svg = models.TextField(_("QR code"), blank=True)
    expires_at = models.DateTimeField(_("checkout open until"), null=True, blank=True)
    failure = models.CharField(_("why it failed"), max_length=255, blank=True)
    review_reason = models.CharField(_("why it needs review"), max_length=255, blank=True)
    reviewed_at = models.DateTimeField(_("decided"), null=True, blank=True)
    retry_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="retries", verbose_name=_("retry of")
    )
    retry_count = models.PositiveSmallIntegerField(_("retries so far"), default=0)
    max_retries = models.PositiveSmallIntegerField(_("retries at most"), default=0)
    next_retry_at = models.DateTimeField(_("next retry"), null=True, blank=True)
    gave_up_at = models.DateTimeField(_("given up"), null=True, blank=True)
    reconciled_at = models.DateTimeField(_("reconciled"), null=True, blank=True)
    captured_at = models.DateTimeField(_("received"), null=True, blank=True, help_text=_("By the provider's clock."))
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "payments"
        ordering = ("-id",)
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions = (
            ("resolve_payment", gettext_noop("Can decide about payments in review")),
            ("refund_payment", gettext_noop("Can give money back")),
            ("retry_payment", gettext_noop("Can change how failed payments are tried again")),
        )
        indexes = (
            models.Index(fields=["status", "next_retry_at"], name="idx_payments_retry"),
            models.Index(fields=["provider", "captured_at"], name="idx_payments_captured"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=PaymentStatus.values), name="payments_status_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="payments_amount_positive"),
            models.CheckConstraint(
                condition=models.Q(receipt__isnull=True) ^ models.Q(invoice__isnull=True), name="payments_one_target"
            ),
            models.CheckConstraint(
                condition=models.Q(refunded_cents__gte=0, refunded_cents__lte=models.F("captured_cents")),
                name="payments_refunds_within_captured",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=_P.SUCCEEDED) | models.Q(captured_cents__gte=models.F("amount_cents")),
                name="payments_success_has_money",
            ),
            models.UniqueConstraint(
                fields=["provider", "external_payment_id"],
                condition=~models.Q(external_payment_id=""),
                name="payments_external_id_unique",
            ),
            models.UniqueConstraint(
                fields=["provider", "external_charge_id"],
                condition=~models.Q(external_charge_id=""),
                name="payments_charge_id_unique",
            ),
            models.UniqueConstraint(
                fields=["receipt"], condition=models.Q(status__in=OPEN_STATUSES), name="payments_one_open_attempt"
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=models.Q(status__in=OPEN_STATUSES),
                name="payments_one_open_attempt_an_invoice",
            ),
            models.UniqueConstraint(
                fields=["receipt"], condition=models.Q(status=_P.SUCCEEDED), name="payments_one_success"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.provider}"

    @property
    def document(self) -> Receipt | Invoice:
        """What it is for."""
        found = self.receipt or self.invoice
        assert found is not None  # noqa: S101 - the database says so
        return found

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_cents, self.currency)

    @property
    def captured(self) -> Decimal:
        return from_minor(self.captured_cents, self.currency)

    @property
    def refunded(self) -> Decimal:
        return from_minor(self.refunded_cents, self.currency)

    @property
    def left_cents(self) -> int:
        """What came in and was not given back, in minor units."""
        return self.captured_cents - self.refunded_cents

    @property
    def refundable_cents(self) -> int:
        """What could still be given back, in minor units: a lost dispute has taken its part already."""
        lost = sum(dispute.amount_cents for dispute in self.disputes.all() if dispute.status == "lost")
        return max(self.left_cents - lost, 0)

    @property
    def missing(self) -> Decimal:
        """What has not arrived yet of what was asked for."""
        return from_minor(max(self.amount_cents - self.left_cents, 0), self.currency)

    @property
    def credit_cents(self) -> int:
        """Money held that no bill has used, in minor units: too much, for nothing, or for a receipt that is void
        because its refund failed afterwards. What came too much for an invoice is in its organisation's balance."""
        if self.invoice_id and self.status == PaymentStatus.SUCCEEDED:
            return 0
        voided = self.receipt is not None and self.receipt.status == ReceiptStatus.VOID
        bought = self.status == PaymentStatus.SUCCEEDED and not voided
        return max(self.refundable_cents - (self.amount_cents if bought else 0), 0)

    @property
    def outcome_unknown(self) -> bool:
        """The provider was asked for a checkout and nobody knows whether it opened one."""
        return self.status in OPEN_STATUSES and self.asked_at is not None and not self.external_payment_id

    @property
    def username(self) -> str:
        return str(self.user_id)


class AttemptOutcome(models.TextChoices):
    OPENED = "opened", _("a new checkout was opened")
    SETTLED = "settled", _("the money had arrived after all")
    NOT_NEEDED = "not_needed", _("not needed any more")
    UNREACHABLE = "unreachable", _("the provider did not answer")
    REFUSED = "refused", _("the provider refused")
    GIVEN_UP = "given_up", _("given up")


class PaymentAttempt(models.Model):
    """History of tries to collect a payment that failed. Never edited."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts", verbose_name=_("failed payment"))
    number = models.PositiveSmallIntegerField(_("try"))
    attempted_at = models.DateTimeField(_("when"))
    outcome = models.CharField(_("outcome"), max_length=12, choices=AttemptOutcome)
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    new_payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("new payment")
    )

    class Meta:
        db_table = "payment_attempts"
        ordering = ("-id",)
        verbose_name = _("try to collect")
        verbose_name_plural = _("tries to collect")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(outcome__in=AttemptOutcome.values), name="payment_attempts_outcome_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.payment_id}/{self.number} {self.outcome}"
