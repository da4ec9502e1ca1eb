"""Forms of signing in and of the users in the console."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AdminUserCreationForm, AuthenticationForm, UserChangeForm, UsernameField
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import TierOverride, User
from accounts.models.users import fold_username
from accounts.services.outbox import LONGEST_ADDRESS, checked_address
from core.errors import BadInput


class LoginForm(AuthenticationForm):
    """One message for an unknown name, a wrong password and an inactive user."""

    error_messages = {
        "invalid_login": _("The user name or the password is not right."),
        "inactive": _("The user name or the password is not right."),
        "ended": _(
            "Somebody else chose this password, and its week is over. Choose another one by “Forgotten password”."
        ),
    }

    def clean_username(self) -> str:
        return fold_username(self.cleaned_data["username"])

    def confirm_login_allowed(self, user: Any) -> None:
        """The password was right; one of somebody else's choice ends."""
        super().confirm_login_allowed(user)
        if user.password_ends_at is not None and user.password_ends_at <= timezone.now():
            raise forms.ValidationError(self.error_messages["ended"], code="ended")


class FoldedUsernameField(UsernameField):
    def to_python(self, value: Any) -> Any:
        return fold_username(super().to_python(value) or "")


BY_LINK = "link"


class NewUserForm(AdminUserCreationForm):
    """The first password is best one that nobody else has ever known: by a link its user chooses it."""

    email = forms.EmailField(
        label=capfirst(_("e-mail")), required=False, max_length=LONGEST_ADDRESS,
        help_text=_("Where the link goes, and later what the site has to tell."),
    )  # fmt: skip
    usable_password = forms.ChoiceField(
        label=_("First password"),
        required=False,
        initial=BY_LINK,
        choices={
            BY_LINK: _("Chosen by the user: a link goes to the address"),
            "true": _("Set here: good for a week, to be changed at the first sign-in"),
            "false": _("None: the user signs in through another service"),
        },
        widget=forms.RadioSelect(attrs={"class": "radiolist"}),
        help_text=_("The link works once, for a week; then its user asks for another one at “Forgotten password”."),
    )

    def clean_email(self) -> str:
        try:
            return checked_address(self.cleaned_data["email"]) if self.cleaned_data["email"] else ""
        except BadInput as error:
            raise forms.ValidationError(error.message) from error

    @property
    def sends_link(self) -> bool:
        return bool(self.cleaned_data.get("sends_link"))

    def validate_passwords(self, *args: Any, **kwargs: Any) -> None:
        if self.cleaned_data.get("usable_password") != BY_LINK:
            super().validate_passwords(*args, **kwargs)
            return
        del self.cleaned_data["usable_password"]
        unknown = secrets.token_urlsafe(32)  # nobody's: it keeps the account one that signs in by a password
        self.cleaned_data |= {"sends_link": True, "set_usable_password": True}
        self.cleaned_data |= dict.fromkeys(("password1", "password2"), unknown)  # whatever was typed before
        if not self.cleaned_data.get("email") and "email" not in self.errors:
            self.add_error("email", _("The link needs an address to go to: write it, or set a password here."))

    class Meta:
        model = User
        fields = ("username", "role")
        field_classes: ClassVar[dict[str, Any]] = {"username": FoldedUsernameField}


class EditUserForm(UserChangeForm):
    language = forms.ChoiceField(
        label=capfirst(_("language")), choices=[("", _("as the browser asks")), *settings.LANGUAGES], required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "groups" in self.fields:
            self.fields["groups"].help_text = _(
                "A group counts in the console alone, and that opens for the role administrator only."
            )

    class Meta:
        model = User
        fields = ("role", "is_active", "is_superuser", "groups", "language")


class TierOverrideForm(forms.ModelForm):
    """The one way in which an override comes about. The name need not be a user of ours: all jobs are priced."""

    def clean_username(self) -> str:
        return fold_username(self.cleaned_data["username"])

    def clean_valid_until(self) -> date | None:
        start: date | None = self.cleaned_data.get("valid_from")
        end: date | None = self.cleaned_data["valid_until"]
        if start and end and end < start:
            raise forms.ValidationError(_("The last day lies before the first."))
        return end

    def clean(self) -> dict[str, Any]:
        """Two that begin at once leave open which one counts; the database refuses them by the name of a rule."""
        data = super().clean() or {}
        if "username" not in data or "valid_from" not in data:
            return data
        others = TierOverride.objects.filter(username=data["username"]).exclude(pk=self.instance.pk)
        if data["valid_from"] is None and others.filter(valid_from__isnull=True).exists():
            words = _("%(name)s has an override without a first day already: change that one, or give this one a day.")
            self.add_error("valid_from", forms.ValidationError(words, params={"name": data["username"]}))
        elif others.filter(valid_from=data["valid_from"]).exists():
            words = _("%(name)s has an override from this day on already: change that one, or choose another day.")
            self.add_error("valid_from", forms.ValidationError(words, params={"name": data["username"]}))
        return data
