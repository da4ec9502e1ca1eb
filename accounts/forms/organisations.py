"""Forms of the organisation pages."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import MemberRole, Organisation
from accounts.models.organisations import CURRENCY_PATTERN, LANGUAGES
from core.errors import AppError

ROLE_HELP = _(
    "Owner: everything. Billing manager: bills. Member: uses projects and their keys. Viewer: looks at usage."
)


def refuse(form: forms.Form, error: AppError) -> None:
    """Show what a service refused beside its field."""
    field = str(error.details.get("field", ""))
    form.add_error(field if field in form.fields else None, error.message)


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    role = forms.ChoiceField(
        label=_("Role"), choices=MemberRole.choices, initial=MemberRole.MEMBER, help_text=ROLE_HELP
    )
    language = forms.ChoiceField(label=_("Language of the e-mail"), choices=settings.LANGUAGES)


class MemberForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=MemberRole.choices, help_text=ROLE_HELP)


class ProjectForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=160)
    description = forms.CharField(
        label=_("Description"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class SettingsForm(forms.Form):
    """What the owners decide themselves; fields that stand are shown, and not read."""

    billing_email = forms.EmailField(label=_("E-mail for bills"), required=False, max_length=254)
    language = forms.ChoiceField(label=_("Language of bills"), choices=LANGUAGES, help_text=_("Of its e-mails."))
    email_invoices = forms.BooleanField(
        label=_("Invoices by e-mail"), required=False,
        help_text=_("Each invoice goes to the e-mail for bills, with its PDF."),
    )  # fmt: skip
    bill_reminders = forms.BooleanField(
        label=_("Reminders of bills"), required=False,
        help_text=_("E-mails before an invoice is due, and while it is overdue."),
    )  # fmt: skip
    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("Where its hours, days and months begin."))
    currency = forms.RegexField(
        label=_("Currency"), regex=CURRENCY_PATTERN, help_text=_("Three capital letters, such as THB."),
        error_messages={"invalid": _("Three capital letters, such as THB.")},
    )  # fmt: skip

    def __init__(self, data: Any, *, organisation: Organisation, fixed: frozenset[str]) -> None:
        super().__init__(data, initial={name: getattr(organisation, name) for name in self.base_fields})
        zones = sorted(available_timezones() | {organisation.time_zone})
        self.fields["time_zone"].choices = [(name, name) for name in zones]  # type: ignore[attr-defined]
        for name in fixed & self.fields.keys():
            self.fields[name].disabled = True
            self.fields[name].help_text = _("Something was counted or billed by it already, so it stays.")


class AddressForm(forms.Form):
    """One's own e-mail address; empty forgets it."""

    email = forms.EmailField(
        label=_("E-mail address"), required=False, max_length=254,
        help_text=_("For alerts and messages to you. Leave it empty and save to have it forgotten."),
    )  # fmt: skip
