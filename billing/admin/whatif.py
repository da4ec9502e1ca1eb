"""What-if for finance: a past period under other rates. A GET form: a link carries the question, nothing is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Tier
from billing.drafts import NAMES, DraftRates
from billing.forms.usage import WindowForm
from billing.models import RateVersion
from billing.selectors.pricing.rates import in_force
from billing.selectors.pricing.whatif import Change, WhatIf, simulate
from billing.services.pricing.rates import LARGEST
from core.money import RATE_PLACES
from core.periods import month_end, previous_month, today

SHOWN_USERS = 50
_LABELS = {
    "cpu": gettext_lazy("per core-hour"),
    "gpu": gettext_lazy("per GPU-hour"),
    "mem": gettext_lazy("per GB-hour"),
}


class DraftForm(WindowForm):
    """Three rates a tier, beside those in force; empty keeps what is in force."""

    def __init__(self, tiers: list[Tier], data: Any = None) -> None:
        super().__init__(data)
        self.tiers, self.versions = tiers, in_force(timezone.now())
        for tier in tiers:
            for name in NAMES:
                self.fields[f"{tier.pk}.{name}"] = forms.DecimalField(
                    label=f"{tier.label}, {_LABELS[name]}", required=False, min_value=Decimal(0), max_value=LARGEST,
                    decimal_places=RATE_PLACES, widget=forms.NumberInput(attrs={"step": "any", "size": 10}),
                )  # fmt: skip

    def rows(self) -> list[tuple[Tier, RateVersion | None, list[forms.BoundField]]]:
        return [
            (tier, self.versions.get(tier.pk), [self[f"{tier.pk}.{name}"] for name in NAMES]) for tier in self.tiers
        ]

    def drafts(self) -> dict[str, DraftRates]:
        """Of the tiers in which something was typed; the rest of such a tier stays as it is in force."""
        drafts = {}
        for tier in self.tiers:
            typed = [self.cleaned_data.get(f"{tier.pk}.{name}") for name in NAMES]
            if any(value is not None for value in typed):
                version = self.versions.get(tier.pk)
                kept = [getattr(version, name, Decimal(0)) for name in NAMES]
                cpu, gpu, mem = (old if new is None else new for old, new in zip(kept, typed, strict=True))
                drafts[tier.pk] = DraftRates(cpu, gpu, mem)
        return drafts


def may(request: HttpRequest) -> bool:
    """It tells what users pay: for those who see their jobs anyhow, and for those who set the prices."""
    user = request.user
    reads = user.has_perm("billing.view_rateversion")
    return reads and (user.has_perm("usage.view_job") or user.has_perm("billing.add_rateversion"))


def view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """``context`` is the console's own."""
    if not may(request):
        raise PermissionDenied
    asked = "start" in request.GET
    last = previous_month(today())
    form = DraftForm(list(Tier.objects.all()), request.GET if asked else None)
    form.initial = {"start": last, "end": month_end(last)}
    found = None
    if asked and form.is_valid():
        found = simulate(form.drafts(), form.cleaned_data["start"], form.cleaned_data["end"])
    context |= {
        "title": _("What if the rates were different?"),
        "form": form,
        "found": found,
        "groups": _groups(found) if found else [],
        "changed": bool(found and form.drafts()),
        "more_users": max(len(found.users) - SHOWN_USERS, 0) if found else 0,
    }
    return TemplateResponse(request, "admin/billing/whatif.html", context, status=400 if form.errors else 200)


def _groups(found: WhatIf) -> list[tuple[str, list[Change]]]:
    return [
        (_("By tier"), found.tiers),
        (_("By organisation"), found.organisations),
        (_("By user, largest change first"), found.users[:SHOWN_USERS]),
    ]
