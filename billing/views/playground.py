"""What would this cost? Open to everybody; the form is a GET, so a link carries the question."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Tier
from accounts.tiers import TierResolver
from billing import pricing
from billing.forms import PlaygroundForm
from billing.models import RateVersion
from billing.selectors.rates import MissingRate, version_at
from core import money
from core.context import actor_of
from core.periods import today
from usage.models import Job

SECONDS = Decimal(3600)
MIB = Decimal(1024)


@dataclass(frozen=True, slots=True)
class Answer:
    """A priced job, and the arithmetic behind it."""

    version: RateVersion
    item: pricing.PricedItem
    cpu: Decimal
    gpu: Decimal
    mem: Decimal

    @property
    def exact(self) -> Decimal:
        return self.cpu + self.gpu + self.mem


@require_safe
def playground(request: HttpRequest) -> HttpResponse:
    asked = "hours" in request.GET
    defaults = {**PlaygroundForm.DEFAULTS, "tier": _own_tier(request)}
    form = PlaygroundForm(request.GET if asked else defaults)
    context: dict[str, Any] = {"form": form, "asked": asked}
    if form.is_valid():
        data = form.cleaned_data
        answers = {tier: _price(tier, data) for tier in Tier.objects.all()}
        context["tier"] = data["tier"]
        context["answer"] = answers[data["tier"]]
        context["others"] = list(answers.items())
    return render(request, "billing/playground.html", context)


def _own_tier(request: HttpRequest) -> str:
    """The tier of the one who asks; what a stranger would pay when nobody is signed in."""
    if not request.user.is_authenticated:
        return settings.DEFAULT_TIER
    username = actor_of(request).name
    ended = Job.objects.filter(username=username, end_at__isnull=False).order_by("-end_at", "-id")
    account = ended.values_list("account", flat=True).first() or ""
    return TierResolver.load(on=today()).resolve(username, account).tier


def _price(tier: Tier, data: dict[str, Any]) -> Answer | None:
    """None when the tier has no rate: no price is better than a wrong one."""
    try:
        version = version_at(tier.pk, timezone.now())
    except MissingRate:
        return None
    seconds = data["hours"] * SECONDS * data["nodes"]
    item = pricing.price(
        cpu_seconds=_whole(seconds * data["cpus"]),
        gpu_seconds=_whole(seconds * data["gpus"]),
        mem_mib_seconds=_whole(seconds * data["mem"] * MIB),
        rates=pricing.Rates(version.cpu, version.gpu, version.mem),
        decimals=money.places(settings.PAYMENT_CURRENCY),
    )
    return Answer(
        version,
        item,
        item.cpu_core_hours * version.cpu,
        item.gpu_hours * version.gpu,
        item.mem_gb_hours * version.mem,
    )


def _whole(amount: Decimal) -> int:
    return int(money.quantize(amount, 0))
