"""Asking for a plan."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from subscriptions.holders import Holder, holders_of
from subscriptions.models import BillingCycle, Plan
from subscriptions.services.history import LONGEST_REASON

_CHOOSE = _("Choose one of those that are offered.")


class RequestForm(forms.Form):
    """Offers what this user may ask for, and nothing else."""

    plan = forms.ModelChoiceField(
        label=_("Plan"), queryset=Plan.objects.none(), to_field_name="code", empty_label=None,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )  # fmt: skip
    holder = forms.ChoiceField(label=_("For"), error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE})
    billing_cycle = forms.ChoiceField(
        label=_("Billed"), choices=BillingCycle.choices, initial=BillingCycle.MONTHLY,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )  # fmt: skip
    reason = forms.CharField(
        label=_("What you need it for"), required=False, max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}), help_text=_("Whoever approves it reads this."),
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.holders: dict[str, Holder] = {each.key: each for each in holders_of(user)}
        plans = Plan.objects.filter(is_active=True).select_related("ai_model")
        self.fields["plan"].queryset = plans  # type: ignore[attr-defined]
        self.fields["holder"].choices = [  # type: ignore[attr-defined]
            (each.key, each.label) for each in self.holders.values()
        ]

    @property
    def chosen(self) -> Holder:
        return self.holders[self.cleaned_data["holder"]]
