"""Forms of the webhook pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import webhook_kinds
from accounts.models import Organisation

MINE = "me"


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=_("Web address"), max_length=500, widget=forms.URLInput(),
        help_text=_("It is called with POST and must be on the public internet, with https."),
    )  # fmt: skip
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    kinds = forms.MultipleChoiceField(
        label=_("Messages"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("Alerts name their address themselves; they need nothing here."),
    )  # fmt: skip

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["kinds"].choices = list(webhook_kinds.known().items())  # type: ignore[attr-defined]


class NewEndpointForm(EndpointForm):
    owner = forms.ChoiceField(label=_("Whose messages"))
    field_order = ("owner", "url", "description", "kinds")

    def __init__(self, data: Any, *, organisations: list[Organisation]) -> None:
        super().__init__(data)
        owners = [(str(row.uuid), row.name) for row in organisations]
        self.fields["owner"].choices = [(MINE, _("My own")), *owners]  # type: ignore[attr-defined]
        self.organisations = {str(row.uuid): row for row in organisations}

    @property
    def organisation(self) -> Organisation | None:
        return self.organisations.get(self.cleaned_data["owner"])
