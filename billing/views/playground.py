"""What would this cost? Open to everybody; the form is a GET, so a link carries the question."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from accounts.models import Tier
from accounts.tiers import TierResolver
from billing import pricing
from billing.forms.playground import PlaygroundForm, ScriptForm
from billing.models import RateVersion
from billing.selectors.jobs.quote import MAX_TEXT, newest_account, quote
from billing.selectors.pricing.rates import MissingRate, version_at
from core import money
from core.context import actor_of
from core.errors import AppError
from core.periods import today
from core.words import wording
from usage.frames import hms
from usage.sbatch.request import lines_that_count

SECONDS = Decimal(3600)
MIB = Decimal(1024)
LONGEST_QUERY = 3_800  # web servers refuse request lines of more than 4,094 characters


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


@require_http_methods(["GET", "HEAD", "POST"])
def playground(request: HttpRequest) -> HttpResponse:
    """Two ways to ask. POST changes nothing: it carries a script that is too long for an address."""
    if request.method == "POST" or request.GET.get("view") == "script":
        return _script(request)
    return _numbers(request)


def _script(request: HttpRequest) -> HttpResponse:
    posted = request.method == "POST"
    given = request.POST if posted else request.GET
    signed_in = request.user.is_authenticated
    asked = "script" in given
    start = {"script": ScriptForm.EXAMPLE, "tier": "" if signed_in else settings.DEFAULT_TIER}
    # of one that is too long, no more than shows that it is
    kept = {"script": given.get("script", "")[: MAX_TEXT + 1], "tier": given.get("tier", "")}
    form = ScriptForm(kept if asked else start)
    if not signed_in:
        form.ask_a_stranger()
    context: dict[str, Any] = {"form": form, "view": "script", "asked": asked}
    if form.is_valid():
        text, tier = form.cleaned_data["script"], form.cleaned_data["tier"]
        username = actor_of(request).name if signed_in else ""
        try:
            context["quote"] = answer = quote(text=text, username=username, tier=tier.pk if tier else "")
            context["memory"] = wording.decimal_text(answer.request.mem_mib / MIB, 0, 3)
            context["time"] = hms(answer.request.seconds)
        except AppError as error:
            context["refused"] = error
        else:
            context["link"] = _short_link(text, tier.pk if tier else "") if posted else ""
    return render(request, "billing/playground.html", context | {"posted": posted})


def _short_link(text: str, tier: str) -> str:
    """The same question as an address; empty when even the lines that count are too long for one."""
    query = urlencode({"view": "script", "script": lines_that_count(text), "tier": tier})
    return f"?{query}" if len(query) <= LONGEST_QUERY else ""


def _numbers(request: HttpRequest) -> HttpResponse:
    given = {name: value for name, value in request.GET.items() if name in PlaygroundForm.base_fields}
    asked = bool(given)
    form = PlaygroundForm({**PlaygroundForm.DEFAULTS, "tier": _own_tier(request), **given})
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
    return TierResolver.load(on=today()).resolve(username, newest_account(username)).tier


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
