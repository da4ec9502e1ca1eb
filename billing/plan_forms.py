"""Choosing another plan."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from subscriptions.models import LIVE, Plan, Subscription

NOW, LATER = "now", "end"
_CHOOSE = _("Choose one of those that are offered.")


class PlanForm(forms.Form):
    """Offers plans that one may take without approval (``staff``: all that are open), and that the holder has not."""

    plan = forms.ModelChoiceField(
        label=_("New plan"), queryset=Plan.objects.none(), to_field_name="code", empty_label=None,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )  # fmt: skip
    when = forms.ChoiceField(
        label=_("When"), choices=((NOW, _("now")), (LATER, _("with the next period"))), initial=LATER,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )  # fmt: skip
    expected = forms.CharField(required=False, max_length=1000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, row: Subscription, staff: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        same = Subscription.objects.filter(status__in=LIVE, organisation=row.organisation_id, user=row.user_id)
        plans = Plan.objects.filter(Q(ai_model__isnull=True) | Q(ai_model__is_active=True), is_active=True)
        plans = plans.exclude(pk__in=same.values("plan"))
        self.plans = plans if staff else plans.filter(requires_approval=False)
        self.fields["plan"].queryset = self.plans  # type: ignore[attr-defined]

    @property
    def has_plans(self) -> bool:
        return self.plans.exists()
