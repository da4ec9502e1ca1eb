"""A draft rate table: what prices might become. Read from text, stored nowhere."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Tier
from billing.models import CpuBasis
from billing.services.pricing.rates import parse_rate
from core.errors import BadInput

NAMES = ("cpu", "gpu", "mem")
MOST_TIERS = 200


@dataclass(frozen=True, slots=True)
class DraftRates:
    """Prices per core-hour, GPU-hour and GB-hour of one tier; ``cpu_basis`` None keeps the tier's own."""

    cpu: Decimal
    gpu: Decimal
    mem: Decimal
    cpu_basis: str | None = None


def read_drafts(text: str) -> dict[str, DraftRates]:
    """Tier -> rates, from JSON (``{"mu": {"cpu": "1.5", "gpu": 6, "mem": "0.5"}}``) or CSV (``tier,cpu,gpu,mem``).

    Tiers that are not named keep their rates. Raises ``BadInput`` that names tier and field.
    """
    text = text.lstrip("\ufeff").strip()
    if not text:
        raise BadInput(_("The draft is empty: name at least one tier with its rates."), field="rates")
    rows = _from_json(text) if text.startswith(("{", "[")) else _from_csv(text)
    known = set(Tier.objects.values_list("pk", flat=True))
    drafts = {}
    for tier, row in rows:
        if tier not in known:
            words = _("There is no tier %(tier)s; known are %(known)s.")
            raise BadInput(words % {"tier": tier, "known": ", ".join(sorted(known))}, field="rates")
        if tier in drafts:
            raise BadInput(_("The tier %(tier)s stands twice in the draft.") % {"tier": tier}, field="rates")
        drafts[tier] = _rates(tier, row)
    return drafts


def _rates(tier: str, row: Mapping[str, Any]) -> DraftRates:
    if unknown := sorted(set(row) - {*NAMES, "cpu_basis", ""}):
        words = _("%(tier)s: %(names)s is not known; a draft has cpu, gpu, mem and cpu_basis.")
        raise BadInput(words % {"tier": tier, "names": ", ".join(unknown)}, field="rates")
    missing = [name for name in NAMES if row.get(name) in (None, "")]
    if missing:
        words = _("%(tier)s: %(names)s missing; a draft names all three rates.")
        raise BadInput(words % {"tier": tier, "names": ", ".join(missing)}, field="rates")
    basis = row.get("cpu_basis") or None
    if basis is not None and basis not in CpuBasis.values:
        words = _("%(tier)s: cpu_basis is %(value)s; allocated or used is wanted.")
        raise BadInput(words % {"tier": tier, "value": basis}, field="rates")
    cpu, gpu, mem = (parse_rate(f"{tier}.{name}", row[name]) for name in NAMES)
    return DraftRates(cpu, gpu, mem, cpu_basis=basis)


def _from_json(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(text, parse_float=str, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadInput(_("The draft is not JSON: %(why)s") % {"why": error}, field="rates") from error
    if not isinstance(found, dict) or not all(isinstance(row, dict) for row in found.values()):
        raise BadInput(_('The draft must map tiers to rates: {"mu": {"cpu": 1, "gpu": 5, "mem": 0.5}}.'), field="rates")
    return list(found.items())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON takes the last of two equal names without a word; a draft that names one twice is a mistake."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadInput(_("%(name)s stands twice in the draft.") % {"name": name}, field="rates")
        found[name] = value
    return found


def _from_csv(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        rows = list(csv.DictReader(StringIO(text), skipinitialspace=True))
    except csv.Error as error:
        raise BadInput(_("The draft is not CSV: %(why)s") % {"why": error}, field="rates") from error
    names = {name.strip().lower() for name in (rows[0] if rows else {}) if name}
    if not {"tier", *NAMES} <= names:
        raise BadInput(_("The first line must name the columns tier, cpu, gpu and mem."), field="rates")
    if len(rows) > MOST_TIERS:
        raise BadInput(_("The draft has more than %(n)d lines.") % {"n": MOST_TIERS}, field="rates")
    folded = [
        {name.strip().lower(): str(value or "").strip() for name, value in row.items() if isinstance(name, str)}
        for row in rows
    ]
    return [(row.pop("tier"), row) for row in folded]
