"""Rates by tier: append-only versions, and the ``rates`` table that shows the current ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Tier
from audit import services as audit
from billing.models import CpuBasis, Rate, RateVersion
from billing.selectors.pricing.rates import etag
from core.context import SYSTEM, Actor
from core.database.locks import lock_for_transaction
from core.errors import AppError, BadInput
from core.money import RATE_PLACES
from core.numerals import written

DEFAULTS: Mapping[str, tuple[str, str, str]] = {
    "mu": ("1", "5", "0.5"),
    "gov": ("3", "10", "1"),
    "private": ("5", "100", "2"),
}
PRICES = ("cpu", "gpu", "mem", "cpu_basis")  # what a version says
LARGEST = Decimal("999999.999999")


class StaleRate(AppError):
    """The rates changed since the caller looked (If-Match)."""

    code = "stale"
    http_status = 412


@dataclass(frozen=True, slots=True)
class NewRates:
    """Prices per core-hour, GPU-hour, GB-hour."""

    cpu: Decimal
    gpu: Decimal
    mem: Decimal
    cpu_basis: str = CpuBasis.ALLOCATED


def _no_number(name: str, value: object) -> str:
    return _("%(name)s: %(value)s is not a number.") % {"name": name, "value": repr(value)[:60]}


def parse_rate(name: str, value: object) -> Decimal:
    """A rate from outside: plain ASCII decimal, 0 to 999999.999999, at most 6 places. Raises ``BadInput``."""
    if isinstance(value, bool) or not str(value).isascii():
        raise BadInput(_no_number(name, value), field=name)
    try:
        number = Decimal(str(written(value)))
    except (InvalidOperation, ValueError) as error:
        raise BadInput(_no_number(name, value), field=name) from error
    if not number.is_finite() or not 0 <= number <= LARGEST:
        raise BadInput(
            _("%(name)s: must be between 0 and %(largest)s.") % {"name": name, "largest": LARGEST}, field=name
        )
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -RATE_PLACES:
        raise BadInput(_("%(name)s: at most %(n)s decimal places.") % {"name": name, "n": RATE_PLACES}, field=name)
    return abs(number)


@transaction.atomic
def set_rates(
    *, actor: Actor, tier: Tier, rates: NewRates, effective_at: datetime | None = None, note: str = "",
    if_match: str | None = None,
) -> RateVersion:  # fmt: skip
    """Append a version (default: from now on) and audit old and new.

    Raises ``BadInput`` for a moment in the past or one that is taken, ``StaleRate``
    when ``if_match`` names other rates than the current ones.
    """
    lock_for_transaction("rates")  # waits for receipts under way: they read the rates that were before this moment
    now = timezone.now()
    before = RateVersion.objects.filter(tier=tier, effective_at__lte=now).order_by("-effective_at").first()
    if if_match is not None and (before is None or if_match != etag(before)):
        raise StaleRate(_("The rates of %(tier)s changed since you read them; read them again.") % {"tier": tier.pk})
    moment = effective_at or now
    if moment < now:
        raise BadInput(_("Rates cannot begin in the past: documents may rest on the old ones."), field="effective_at")
    version = RateVersion(
        tier=tier, effective_at=moment, cpu=rates.cpu, gpu=rates.gpu, mem=rates.mem, cpu_basis=rates.cpu_basis,
        set_by=actor.name, note=note,
    )  # fmt: skip
    try:
        version.full_clean()
    except ValidationError as error:
        found = error.message_dict.items()
        by_field = {name.replace(NON_FIELD_ERRORS, "non_field_errors"): words for name, words in found}
        raise BadInput("; ".join(error.messages), errors=by_field) from error
    version.save(force_insert=True)
    sync_current_rates(now)
    audit.record(
        actor=actor, action="rate_update", target=tier.pk, entity=version, changes=_changes(before, version),
        extra={"effective_at": moment, "note": note, **{name: getattr(version, name) for name in PRICES}},
    )  # fmt: skip
    return version


def _changes(before: RateVersion | None, after: RateVersion) -> dict[str, list[object]]:
    pairs = {name: [getattr(before, name, None), getattr(after, name)] for name in PRICES}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def sync_current_rates(moment: datetime | None = None) -> int:
    """Bring the ``rates`` table in step with the versions in force; returns how many rows changed."""
    now, changed = moment or timezone.now(), 0
    held = {rate.tier_id: rate for rate in Rate.objects.all()}
    for tier in Tier.objects.all():
        version = RateVersion.objects.filter(tier=tier, effective_at__lte=now).order_by("-effective_at").first()
        current = held.get(tier.pk)
        if version is None or (current and current.updated_at == version.effective_at):
            continue
        values = {"cpu": version.cpu, "gpu": version.gpu, "mem": version.mem, "updated_at": version.effective_at}
        Rate.objects.update_or_create(tier=tier, defaults=values)
        changed += 1
    return changed


def ensure_default_rates() -> None:
    """Give each of the three tiers of the first day its rates, where a tier has none at all."""
    for code, (cpu, gpu, mem) in DEFAULTS.items():
        tier = Tier.objects.filter(pk=code).first()
        if tier is None or RateVersion.objects.filter(tier=tier).exists():
            continue
        set_rates(actor=SYSTEM, tier=tier, rates=NewRates(Decimal(cpu), Decimal(gpu), Decimal(mem)))
