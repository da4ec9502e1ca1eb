"""What a subscription may still use: windows of its limits, and amounts set aside in them."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.database.decimals import ExactDecimalField
from core.states import Transitions
from subscriptions.models import LimitWindow, Subscription


class QuotaWindow(models.Model):
    """One limit of one subscription in one window. ``limit`` and ``is_hard`` follow the plan while the window is open.

    ``held`` is what reservations have set aside; ``carried`` and ``carried_held`` what earlier subscriptions of the
    holder to the same plan or AI model, over by now, have used within it and hold for calls under way: ending one and
    asking anew brings no other quota. What it used itself is not here: it is the sum of the aggregates of the window,
    which events write, so that they touch no row here.
    """

    id = models.BigAutoField(primary_key=True)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="quota_windows", verbose_name=_("subscription")
    )
    metric = models.CharField(_("metric"), max_length=120)
    window = models.CharField(_("within"), max_length=5, choices=LimitWindow)
    starts_at = models.DateTimeField(_("begins"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    limit = ExactDecimalField(_("limit"), null=True, blank=True)
    is_hard = models.BooleanField(_("stops at the limit"), default=True)
    held = ExactDecimalField(_("set aside"), default=0)
    carried = ExactDecimalField(_("used before"), default=0, db_default=0)
    carried_held = ExactDecimalField(_("set aside before"), default=0, db_default=0)
    warned_percent = models.PositiveSmallIntegerField(_("warned at (%)"), default=0)
    exhausted_at = models.DateTimeField(_("used up"), null=True, blank=True)

    class Meta:
        db_table = "quota_windows"
        ordering = ("-starts_at", "id")
        verbose_name = _("quota window")
        verbose_name_plural = _("quota windows")
        constraints = (
            models.UniqueConstraint(
                fields=["subscription", "metric", "window", "starts_at"], name="quota_windows_one_a_start"
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric} / {self.window} {self.starts_at:%Y-%m-%d}"


class ReservationStatus(models.TextChoices):
    HELD = "held", _("set aside")
    SETTLED = "settled", _("used")
    RELEASED = "released", _("given back")
    EXPIRED = "expired", _("run out")


_R = ReservationStatus
RESERVATION_TRANSITIONS: Transitions = {
    _R.HELD: frozenset({_R.SETTLED, _R.RELEASED, _R.EXPIRED}),
    _R.SETTLED: frozenset(),
    _R.RELEASED: frozenset(),
    # the call took longer than its reservation: its use is counted all the same
    _R.EXPIRED: frozenset({_R.SETTLED}),
}


class QuotaReservation(models.Model):
    """Amounts set aside for one call before it runs. ``amounts`` maps the id of a quota window to decimal text."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="reservations", verbose_name=_("subscription")
    )
    amounts = models.JSONField(_("amounts"))
    status = models.CharField(_("status"), max_length=8, choices=ReservationStatus, default=ReservationStatus.HELD)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("held until"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        db_table = "quota_reservations"
        ordering = ("-id",)
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        indexes = (
            models.Index(fields=["expires_at"], condition=models.Q(status="held"), name="idx_quota_reservations_held"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=ReservationStatus.values), name="quota_reservations_status_known"
            ),
        )

    def __str__(self) -> str:
        return str(self.uuid)
