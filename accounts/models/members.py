"""Who belongs to an organisation, as what, and who was asked to join."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.organisations import Organisation
from accounts.models.users import User


class MemberRole(models.TextChoices):
    """What each may do stands in ``accounts.membership.RIGHTS``."""

    OWNER = "owner", _("owner")
    BILLING_MANAGER = "billing_manager", _("billing manager")
    MEMBER = "member", _("member")
    VIEWER = "viewer", _("viewer")


class Member(models.Model):
    organisation = models.ForeignKey(
        Organisation, models.CASCADE, related_name="members", verbose_name=_("organisation")
    )
    user = models.ForeignKey(
        User, models.CASCADE, db_column="username", related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=16, choices=MemberRole, default=MemberRole.MEMBER)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "organisation_members"
        ordering = ("organisation", "user")
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = (
            models.UniqueConstraint(fields=["organisation", "user"], name="organisation_members_user_unique"),
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="organisation_members_role_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} · {self.get_role_display()}"


class Invitation(models.Model):
    """A link, sent by e-mail, that makes whoever opens it signed in a member. Only the hash of its secret is kept."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.CASCADE, related_name="invitations", verbose_name=_("organisation")
    )
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=16, choices=MemberRole, default=MemberRole.MEMBER)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.CharField(_("invited by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("open until"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    accepted_by = models.CharField(_("accepted by"), max_length=64, blank=True)
    revoked_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        db_table = "invitations"
        ordering = ("-id",)
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = (
            models.CheckConstraint(condition=models.Q(role__in=MemberRole.values), name="invitations_role_known"),
            models.UniqueConstraint(
                fields=["organisation", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitations_one_open_an_address",
            ),
        )

    def __str__(self) -> str:
        return f"{self.email} → {self.organisation}"

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > timezone.now()
