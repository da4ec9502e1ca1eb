"""Choosing another plan."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from subscriptions.models import LIVE, BillingCycle, Plan, PlanPrice, Subscription

NOW, LATER = "now", "end"
_CHOOSE = _("Choose one of those that are offered.")


class PlanForm(forms.Form):
    """Offers plans that one may take without approval (``staff``: all that are open), and that the holder has not."""

    plan = forms.ModelChoiceField(
        label=_("New plan"), queryset=Plan.objects.none(), to_field_name="code", empty_label=None,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )  # fmt: skip
    cycle = forms.ChoiceField(
        label=_("Billing cycle"), required=False,
        error_messages={"invalid_choice": _CHOOSE},
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
        plans = plans.exclude(pk__in=same.exclude(pk=row.pk).values("plan"))
        self.plans = plans if staff else plans.filter(Q(requires_approval=False) | Q(pk=row.plan_id))
        self._cycles(row)
        if len(self.cycles) < 2:  # noqa: PLR2004 - there is no other one to choose
            self.plans = self.plans.exclude(pk=row.plan_id)
        self.fields["plan"].queryset = self.plans  # type: ignore[attr-defined]

    def _cycles(self, row: Subscription) -> None:
        """Those in which any of the plans has a fee; where there is but one, nothing is asked."""
        listed = PlanPrice.objects.filter(plan__in=self.plans, currency=row.currency)
        priced = set(listed.values_list("billing_cycle", flat=True)) | {row.billing_cycle}
        self.cycles = [(value, label) for value, label in BillingCycle.choices if value in priced]
        if len(self.cycles) < 2:  # noqa: PLR2004
            del self.fields["cycle"]
            return
        self.fields["cycle"].choices = self.cycles  # type: ignore[attr-defined]
        self.initial.setdefault("cycle", row.billing_cycle)
        self.initial.setdefault("plan", row.plan.code)

    @property
    def chosen_cycle(self) -> str:
        """Of a valid form; empty: the one that it has."""
        return str(self.cleaned_data.get("cycle") or "")

    @property
    def cycle_field(self) -> forms.BoundField | None:
        return self["cycle"] if "cycle" in self.fields else None

    @property
    def has_plans(self) -> bool:
        return self.plans.exists()
