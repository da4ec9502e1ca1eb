"""Acts that one person asks for and a second one confirms."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.states import Transitions


class ApprovalStatus(models.TextChoices):
    OPEN = "open", _("waiting")
    APPROVED = "approved", _("confirmed")
    DECLINED = "declined", _("declined")


APPROVAL_TRANSITIONS: Transitions = {
    ApprovalStatus.OPEN: frozenset({ApprovalStatus.APPROVED, ApprovalStatus.DECLINED}),
    ApprovalStatus.APPROVED: frozenset(),
    ApprovalStatus.DECLINED: frozenset(),
}


class Approval(models.Model):
    """``act`` is a key of ``settings.APPROVAL_ACTS``, ``target`` the id it is about, ``details`` what it needs."""

    id = models.BigAutoField(primary_key=True)
    act = models.CharField(_("act"), max_length=30)
    target = models.BigIntegerField(_("about"))
    label = models.CharField(_("about"), max_length=80)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    details = models.JSONField(_("details"), default=dict)
    status = models.CharField(_("status"), max_length=8, choices=ApprovalStatus, default=ApprovalStatus.OPEN)
    asked_by = models.CharField(_("asked for by"), max_length=64)
    asked_at = models.DateTimeField(_("asked"), db_default=Now(), editable=False)
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)

    class Meta:
        db_table = "approvals"
        ordering = ("-id",)
        verbose_name = _("second signature")
        verbose_name_plural = _("second signatures")
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=ApprovalStatus.values), name="approvals_status_known"),
            models.CheckConstraint(condition=~models.Q(decided_by=models.F("asked_by")), name="approvals_two_people"),
            models.UniqueConstraint(
                fields=["act", "target"], condition=models.Q(status=ApprovalStatus.OPEN), name="approvals_one_open"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.label}"


class LoneAct(models.Model):
    """What somebody did alone because it was below ``FOUR_EYES_ABOVE``: several below it may be above it together.
    ``document`` (``invoice:12``) is what it moved money of, ``customer`` (``organisation:3``) whose that is."""

    actor = models.CharField(_("actor"), max_length=64)
    act = models.CharField(_("act"), max_length=30)
    document = models.CharField(_("document"), max_length=40)
    customer = models.CharField(_("customer"), max_length=80)
    amount = models.DecimalField(_("amount"), max_digits=18, decimal_places=4)
    currency = models.CharField(_("currency"), max_length=3)
    done_at = models.DateTimeField(_("done"), db_default=Now(), editable=False)

    class Meta:
        db_table = "lone_acts"
        ordering = ("-id",)
        verbose_name = _("act of one person")
        verbose_name_plural = _("acts of one person")
        indexes = (
            models.Index(fields=["document", "actor"], name="idx_lone_acts_document"),
            models.Index(fields=["customer", "actor", "done_at"], name="idx_lone_acts_customer"),
        )
        constraints = (models.CheckConstraint(condition=models.Q(amount__gt=0), name="lone_acts_positive"),)

    def __str__(self) -> str:
        return f"{self.act} {self.document}"
