"""What a LiteLLM-compatible server says of its models (``GET /model/info``): deployments, put together by name.

Costs come per token as JSON numbers, mostly in scientific notation; they are read as decimals, never as floats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from core.errors import BadInput
from core.money import quantize
from core.numerals import written
from subscriptions.services.catalogue import LARGEST, PLACES, ModelPrices, check_id

CURRENCY = "USD"
LARGEST_CONTEXT = 2**31 - 1
LONGEST_PROVIDER = 100
LONGEST_NUMBER = 60
# Kinds of models that give no tokens back, so that an output price of nought is no price that was forgotten.
ONE_WAY = frozenset({"embedding", "rerank", "moderation", "moderations"})
NO_PRICE = "no price per token is known; it has none until somebody sets it"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry. ``costs`` are of one token: input, output, cached input, reasoning; None where it has no prices."""

    name: str
    behind: str
    provider: str
    mode: str
    context_length: int | None
    capabilities: frozenset[str]
    costs: tuple[Decimal, Decimal, Decimal | None, Decimal | None] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One model as callers name it, of all its deployments."""

    id: str
    provider: str
    capabilities: list[str]
    context_length: int | None
    facts: dict[str, Any]
    prices: ModelPrices | None


@dataclass(slots=True)
class Listing:
    """``seen`` are all names, those of refused entries, too; ``nameless`` entries had none that can be read."""

    models: list[Listed] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    refused: int = 0
    nameless: int = 0
    notes: list[str] = field(default_factory=list)


def parse(text: bytes) -> list[Any]:
    """The entries of an answer. Raises ``BadInput`` for anything but ``{"data": [...]}``."""
    try:
        body = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation):
        raise BadInput("not JSON") from None
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise BadInput("JSON without a list of data")
    return entries


def read(entries: Iterable[object]) -> Listing:
    """What cannot be used is refused with its reason, entry by entry."""
    listing, by_name = Listing(), dict[str, list[Deployment]]()
    for place, entry in enumerate(entries, 1):
        name = f"entry {place}"
        try:
            name = check_id(_part(entry, "model_name"))
            listing.seen.add(name)
            deployment = _deployment(name, entry)
            by_name.setdefault(name, []).append(deployment)
        except BadInput as error:
            listing.refused += 1
            listing.nameless += name not in listing.seen
            listing.notes.append(f"{name}: refused, {error.message}")
    for name, deployments in by_name.items():
        listing.models.append(_together(name, deployments))
        listing.notes += [f"{name}: {note}" for note in _notes(deployments)]
    return listing


def _part(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _deployment(name: str, entry: object) -> Deployment:
    info, params = _part(entry, "model_info"), _part(entry, "litellm_params")
    behind = _text(_part(params, "model"))
    mode = _text(_part(info, "mode"))
    can = {
        key.removeprefix("supports_") for key, value in _items(info) if key.startswith("supports_") and value is True
    }
    provider = _text(_part(info, "litellm_provider")) or (behind.partition("/")[0] if "/" in behind else "")
    costs, notes = _costs(info, mode)
    return Deployment(
        name=name, behind=behind, provider=provider[:LONGEST_PROVIDER], mode=mode, capabilities=frozenset(can),
        context_length=_context(info), costs=costs, notes=tuple(notes),
    )  # fmt: skip


def _items(value: object) -> list[tuple[str, Any]]:
    return [(key, each) for key, each in value.items() if key.isprintable()] if isinstance(value, Mapping) else []


def _text(value: object) -> str:
    return value.strip()[:255] if isinstance(value, str) and value.isprintable() else ""


def _context(info: object) -> int | None:
    for name in ("max_input_tokens", "max_tokens"):
        value = _part(info, name)
        if isinstance(value, Decimal) and 0 < value <= LARGEST_CONTEXT and value == value.to_integral_value():
            return int(value)
    return None


def _costs(info: object, mode: str) -> tuple[Any, list[str]]:
    """LiteLLM writes nought where it does not know a price, so nought is not taken for one."""
    given, answered = _cost(info, "input_cost_per_token"), _cost(info, "output_cost_per_token")
    cached, reasoning = _cost(info, "cache_read_input_token_cost"), _cost(info, "output_cost_per_reasoning_token")
    if not given and not answered:
        return None, [NO_PRICE]
    if not given or (not answered and mode not in ONE_WAY):
        raise BadInput(f"it has a price for {'input' if given else 'output'} tokens only")
    notes = [f"{key} is not taken over" for key, value in _items(info) if "_cost_per_token_above_" in key and value]
    if cached == 0 or reasoning == 0:
        notes.append("a price of nought for cached or reasoning tokens is not taken over")
    return (given, answered or Decimal(0), cached or None, reasoning or None), notes


def _cost(info: object, name: str) -> Decimal | None:
    """The cost of one token; None where there is none. Raises ``BadInput`` for what is no price."""
    value = _part(info, name)
    if value is None or value == "":
        return None
    try:
        text = written(value, exponent=True)
        cost = Decimal(text[:LONGEST_NUMBER]) if isinstance(value, str) and value.isascii() else value
    except (InvalidOperation, ValueError):
        cost = None
    if not isinstance(cost, Decimal) or not cost.is_finite() or cost < 0:
        raise BadInput(f"{name} is not a price: {str(value)[:LONGEST_NUMBER]!r}")
    if cost > LARGEST / 1000:
        raise BadInput(f"{name} is implausibly high")
    if cost and not _of_a_thousand(cost):
        raise BadInput(f"{name} is too small: less than {PLACES} decimal places can tell")
    return cost


def _of_a_thousand(cost: Decimal) -> Decimal:
    with localcontext(prec=80):
        return quantize(cost.scaleb(3), PLACES)


def _together(name: str, deployments: list[Deployment]) -> Listed:
    """A call may land on any of them: it can do what all can, and costs what the dearest costs."""
    contexts = [each.context_length for each in deployments if each.context_length]
    modes = sorted({each.mode for each in deployments if each.mode})
    can = frozenset.intersection(*(each.capabilities for each in deployments))
    return Listed(
        id=name,
        provider=", ".join(sorted({each.provider for each in deployments if each.provider}))[:LONGEST_PROVIDER],
        capabilities=[*modes, *sorted(can - set(modes))],
        context_length=min(contexts) if contexts else None,
        facts={
            "behind": sorted({each.behind for each in deployments if each.behind}),
            "deployments": len(deployments),
        },
        prices=_dearest(deployments),
    )


def _dearest(deployments: list[Deployment]) -> ModelPrices | None:
    priced = [each.costs for each in deployments if each.costs]
    if not priced:
        return None
    given, answered = max(each[0] for each in priced), max(each[1] for each in priced)
    cached = max(each[0] if each[2] is None else each[2] for each in priced)
    reasoning = max(each[1] if each[3] is None else each[3] for each in priced)
    return ModelPrices(
        input=_of_a_thousand(given), output=_of_a_thousand(answered), currency=CURRENCY,
        cached_input=None if cached == given else _of_a_thousand(cached),
        reasoning=None if reasoning == answered else _of_a_thousand(reasoning),
    )  # fmt: skip


def _notes(deployments: list[Deployment]) -> Iterator[str]:
    priced = {each.costs for each in deployments if each.costs}
    if len(priced) > 1:
        yield "its deployments differ in price; the highest is taken"
    if any(cost and cost.scaleb(3) != _of_a_thousand(cost) for costs in priced for cost in costs):
        yield f"a price was rounded to {PLACES} decimal places"
    notes = {note for each in deployments for note in each.notes}
    yield from sorted(notes - {NO_PRICE} if priced else notes)


def _no_number(word: str) -> Any:
    raise ValueError(word)
