"""Who is signed in, from where and since when, so that people can see it and end it."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Session(AbstractBaseSession):
    """Django's session with its user beside the encoded data. ``user`` is empty before sign-in."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_column="username", related_name="sessions",
        verbose_name=_("user"),
    )  # fmt: skip
    since = models.DateTimeField(_("signed in"), default=timezone.now)
    ip = models.CharField(_("address"), max_length=45, blank=True)
    user_agent = models.CharField(_("browser"), max_length=200, blank=True)

    class Meta(AbstractBaseSession.Meta):
        db_table = "user_sessions"

    @classmethod
    def get_session_store_class(cls) -> type:
        from accounts.sign_in.sessions import SessionStore

        return SessionStore

    @property
    def handle(self) -> str:
        """What a page may show to name it: the key itself would be the session."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:20]
