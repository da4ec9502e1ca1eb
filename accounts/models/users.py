"""The user: a name, a password and a role. No e-mail, no phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from core.console.worded import worded

FIRST_WEEK = timedelta(days=7)  # how long a first password, or the link to choose one, is good
USERNAME_PATTERN = r"^[a-z0-9._-]+\Z"


def fold_username(text: str) -> str:
    """The one spelling of a user name that is stored and compared: trimmed and lower case."""
    return text.strip().casefold()


class Role(models.TextChoices):
    USER = "user", _("user")
    ADMIN = "admin", _("admin")


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        name = fold_username(username or "")
        if "\0" in name:  # PostgreSQL would answer with an error instead of "no such row"
            raise self.model.DoesNotExist
        return self.get(username=name)

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=fold_username(username), **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(username, password, **{**fields, "role": Role.ADMIN, "is_superuser": True})


CHOSEN_BY_ITS_USER: dict[str, Any] = {"must_change_password": False, "password_ends_at": None}


def chosen_by_another() -> dict[str, Any]:
    """What goes with a password that its user did not choose."""
    return {"must_change_password": True, "password_ends_at": timezone.now() + FIRST_WEEK}


class User(AbstractBaseUser, PermissionsMixin):
    """``role`` admin may enter the finance console; what they may do there comes from their groups."""

    username = models.CharField(
        _("user name"),
        max_length=64,
        primary_key=True,
        validators=[RegexValidator(USERNAME_PATTERN, _("Use lower-case letters, digits, dot, hyphen, underscore."))],
        help_text=_("The Slurm login: lower-case letters, digits, dot, hyphen, underscore."),
    )
    password = models.CharField(_("password"), max_length=128, db_column="password_hash")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.USER)
    is_active = models.BooleanField(_("active"), default=True)
    # somebody else chose it: nothing else can be done here until it is changed
    must_change_password = models.BooleanField(_("must change the password"), default=False, db_default=False)
    password_ends_at = models.DateTimeField(_("password ends"), null=True, blank=True, editable=False)  # unless changed
    language = models.CharField(_("language"), max_length=8, blank=True, default="")
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        ordering = ("username",)
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = (("look_as_user", gettext_noop("Can look at the pages as a user sees them")),)
        constraints = (
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="users_role_known"),
            models.CheckConstraint(
                condition=models.Q(username=Lower("username")),
                name=worded("users_username_lower", _("User name: write it in small letters.")),
            ),
            models.CheckConstraint(
                condition=~models.Q(username=""), name=worded("users_username_given", _("User name: give one."))
            ),
        )

    def __str__(self) -> str:
        return self.username

    @property
    def is_staff(self) -> bool:
        """Django's word for "may enter the admin"."""
        return self.is_active and (self.role == Role.ADMIN or self.is_superuser)
