"""Who subscribes to what, and every change of it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Organisation, User
from core.states import Transitions
from subscriptions.models.plans import Plan


class SubscriptionStatus(models.TextChoices):
    PENDING = "pending", _("waiting for approval")
    TRIAL = "trial", _("on trial")
    ACTIVE = "active", _("active")
    PAST_DUE = "past_due", _("past due")
    SUSPENDED = "suspended", _("suspended")
    CANCELED = "canceled", _("canceled")
    EXPIRED = "expired", _("expired")


_S = SubscriptionStatus
_ENDS = frozenset({_S.CANCELED, _S.EXPIRED})
SUBSCRIPTION_TRANSITIONS: Transitions = {
    _S.PENDING: frozenset({_S.TRIAL, _S.ACTIVE, _S.CANCELED}),
    _S.TRIAL: frozenset({_S.ACTIVE, _S.SUSPENDED}) | _ENDS,
    _S.ACTIVE: frozenset({_S.PAST_DUE, _S.SUSPENDED}) | _ENDS,
    _S.PAST_DUE: frozenset({_S.ACTIVE, _S.SUSPENDED}) | _ENDS,
    _S.SUSPENDED: frozenset({_S.TRIAL, _S.ACTIVE, _S.PAST_DUE}) | _ENDS,
    _S.CANCELED: frozenset(),
    _S.EXPIRED: frozenset(),
}
USABLE = (_S.TRIAL, _S.ACTIVE, _S.PAST_DUE)
LIVE = (_S.PENDING, *USABLE, _S.SUSPENDED)
ENDED = (_S.CANCELED, _S.EXPIRED)


class BillingCycle(models.TextChoices):
    MONTHLY = "monthly", _("monthly")
    QUARTERLY = "quarterly", _("quarterly")
    YEARLY = "yearly", _("yearly")


class SuspendedFor(models.TextChoices):
    NONE = "", _("not suspended")
    QUOTA = "quota", _("quota used up")
    PAYMENT = "payment", _("not paid")
    STAFF = "staff", _("by staff")


class Subscription(models.Model):
    """One holder's subscription to one plan. A holder is an organisation, a user, or a user within an organisation.

    ``start_at`` to ``end_at`` (empty: open) is when it may be used. ``suspended_for`` says why it rests, ``reset_at``
    when a quota that is used up begins anew.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="subscriptions",
        verbose_name=_("organisation"),
    )  # fmt: skip
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, db_column="username", related_name="subscriptions",
        verbose_name=_("user"),
    )  # fmt: skip
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions", verbose_name=_("plan"))
    status = models.CharField(
        _("status"), max_length=10, choices=SubscriptionStatus, default=SubscriptionStatus.PENDING
    )
    suspended_for = models.CharField(
        _("suspended for"), max_length=8, choices=SuspendedFor, default=SuspendedFor.NONE, blank=True
    )
    billing_cycle = models.CharField(
        _("billing cycle"), max_length=10, choices=BillingCycle, default=BillingCycle.MONTHLY
    )
    currency = models.CharField(_("currency"), max_length=3)
    plan_since = models.DateTimeField(_("has this plan since"), null=True, blank=True)  # None: since it began
    start_at = models.DateTimeField(_("from"), null=True, blank=True)
    end_at = models.DateTimeField(_("until"), null=True, blank=True)
    trial_end_at = models.DateTimeField(_("trial until"), null=True, blank=True)
    trial_plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("plan that was tried first")
    )
    next_billing_at = models.DateTimeField(_("next bill"), null=True, blank=True)
    reset_at = models.DateTimeField(_("quota begins anew"), null=True, blank=True)
    price = models.ForeignKey(
        "subscriptions.PlanPrice", models.PROTECT, null=True, blank=True, related_name="subscriptions",
        verbose_name=_("plan fee"),
    )  # fmt: skip
    anchor_day = models.PositiveSmallIntegerField(
        _("day on which a period begins"), null=True, blank=True, help_text=_("Shorter months end before it.")
    )
    period_start = models.DateTimeField(_("period from"), null=True, blank=True)
    period_end = models.DateTimeField(_("period to"), null=True, blank=True)
    cancel_at_period_end = models.BooleanField(_("ends with its period"), default=False)
    next_plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("plan from the next period on")
    )
    next_cycle = models.CharField(
        _("billing cycle from the next period on"), max_length=10, choices=BillingCycle, blank=True, default=""
    )
    payment_method = models.CharField(_("way of paying"), max_length=40, blank=True)
    metadata = models.JSONField(_("further facts"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "subscriptions"
        ordering = ("-id",)
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        permissions = (("decide_subscription", "Can approve, deny, suspend and resume subscriptions"),)
        indexes = (
            models.Index(fields=["organisation", "status"], name="idx_subscription_org_status"),
            models.Index(fields=["user", "status"], name="idx_subscription_user_status"),
            models.Index(fields=["next_billing_at", "status"], name="idx_subscription_next_billing"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=False) | models.Q(user__isnull=False),
                name="subscriptions_holder_given",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=SubscriptionStatus.values), name="subscriptions_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(billing_cycle__in=BillingCycle.values), name="subscriptions_cycle_known"
            ),
            models.CheckConstraint(
                condition=models.Q(suspended_for__in=SuspendedFor.values), name="subscriptions_suspended_for_known"
            ),
            models.CheckConstraint(
                condition=models.Q(end_at__isnull=True)
                | models.Q(start_at__isnull=True)
                | models.Q(end_at__gte=models.F("start_at")),
                name="subscriptions_dates_ordered",
            ),
            # one live a holder and plan; NULLs differ from each other, so each kind of holder has its own
            models.UniqueConstraint(
                fields=["organisation", "user", "plan"],
                condition=models.Q(status__in=LIVE, organisation__isnull=False, user__isnull=False),
                name="subscriptions_one_live_a_member",
            ),
            models.UniqueConstraint(
                fields=["organisation", "plan"],
                condition=models.Q(status__in=LIVE, user__isnull=True),
                name="subscriptions_one_live_an_organisation",
            ),
            models.UniqueConstraint(
                fields=["user", "plan"],
                condition=models.Q(status__in=LIVE, organisation__isnull=True),
                name="subscriptions_one_live_a_user",
            ),
        )

    def __str__(self) -> str:
        return f"{self.holder} · {self.plan}"

    def get_absolute_url(self) -> str:
        return reverse("subscriptions:detail", args=[self.uuid])

    @property
    def holder(self) -> str:
        return " / ".join(str(each) for each in (self.organisation, self.user_id) if each)

    @property
    def is_usable(self) -> bool:
        return self.status in USABLE


class SubscriptionChange(models.Model):
    """History: who moved it from where to where, and why. Append-only by convention of its one writer,
    ``subscriptions.services.subscriptions``; the audit log proves it."""

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="changes", verbose_name=_("subscription")
    )
    action = models.CharField(_("action"), max_length=30)
    from_status = models.CharField(_("from"), max_length=10, blank=True)
    to_status = models.CharField(_("to"), max_length=10)
    actor = models.CharField(_("who"), max_length=150)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        db_table = "subscription_history"
        ordering = ("id",)
        verbose_name = _("change of a subscription")
        verbose_name_plural = _("changes of subscriptions")

    def __str__(self) -> str:
        return f"{self.action}: {self.from_status} → {self.to_status}"


class SubscriptionKey(models.Model):
    """Which subscriptions an API key may use. A key without a row here may use all of its owner's."""

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="keys", verbose_name=_("subscription"))
    api_key = models.ForeignKey(ApiKey, models.CASCADE, related_name="subscriptions", verbose_name=_("API key"))

    class Meta:
        db_table = "subscription_keys"
        verbose_name = _("key of a subscription")
        verbose_name_plural = _("keys of subscriptions")
        constraints = (
            models.UniqueConstraint(fields=["subscription", "api_key"], name="subscription_keys_pair_unique"),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id} · {self.api_key_id}"
