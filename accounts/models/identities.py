"""What is known of a user beyond the login: an e-mail address if they gave one, where they sign in from elsewhere."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.users import User
from core.lines import LineField


class Identity(models.Model):
    """One row beside ``users``, only for who has something to put in it."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, db_column="username", related_name="identity", verbose_name=_("user")
    )
    email = models.EmailField(_("e-mail"), blank=True)
    full_name = LineField(_("full name"), max_length=255, blank=True)
    oauth_provider = models.CharField(_("sign-in service"), max_length=50, blank=True)
    oauth_id = models.CharField(_("id at the service"), max_length=255, blank=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "user_identities"
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = (
            models.UniqueConstraint(
                fields=["oauth_provider", "oauth_id"],
                condition=~models.Q(oauth_id=""),
                name="user_identities_oauth_unique",
            ),
        )

    def __str__(self) -> str:
        return self.email or str(self.user_id)


class EmailChange(models.Model):
    """An address that its user has still to confirm, by a link that was sent there.

    One a user. Only the hash of the link's secret is kept. The row goes once it was confirmed or given up.
    """

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, db_column="username", related_name="email_change",
        verbose_name=_("user"),
    )  # fmt: skip
    email = models.EmailField(_("e-mail"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    sent_at = models.DateTimeField(_("sent"), auto_now=True, editable=False)
    expires_at = models.DateTimeField(_("open until"))

    class Meta:
        db_table = "email_changes"
        verbose_name = _("address to confirm")
        verbose_name_plural = _("addresses to confirm")

    def __str__(self) -> str:
        return f"{self.user_id} → {self.email}"
