"""Bring the catalogue in step with what a model server lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.context import Actor
from core.errors import AppError
from subscriptions.litellm import Listed, Listing
from subscriptions.models import AiModel
from subscriptions.services.catalogue import (
    STAFF,
    ModelPrices,
    change_model,
    create_model,
    price_at,
    set_price,
    show_current_prices,
)

SOURCE = "litellm"
KEY = "sync"  # what the last sync left in a model's metadata


@dataclass(slots=True)
class SyncResult:
    """Models by what became of them; ``refused`` counts entries of the answer."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    refused: int = 0
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        names = ("created", "updated", "unchanged", "deactivated", "refused", "notes")
        return {name: getattr(self, name) for name in names}


@transaction.atomic
def sync_models(*, actor: Actor, listing: Listing, server: str, dry_run: bool = False) -> SyncResult:
    """Take over models and changed prices, switch off what ``server`` listed before and lists no more.

    Names, descriptions and the restriction are the staff's, and so are prices that they have set. Nothing is deleted.
    """
    result = SyncResult(refused=listing.refused, notes=list(listing.notes))
    for listed in listing.models:
        try:
            with transaction.atomic():
                done = _take(actor, listed, server, result.notes)
        except AppError as error:  # somebody added it at this moment
            done = "refused"
            result.notes.append(f"{listed.id}: refused, {error.message}")
        setattr(result, done, getattr(result, done) + 1)
    if listing.nameless:
        result.notes.append("some entries have no name that can be read: nothing is switched off")
    else:
        result.deactivated = _switch_off(actor, listing.seen, server, result.notes)
    show_current_prices()
    if dry_run:
        transaction.set_rollback(True)
    return result


def _take(actor: Actor, listed: Listed, server: str, notes: list[str]) -> str:
    model = AiModel.objects.filter(pk=listed.id).first()
    facts = {**listed.facts, "server": server}
    fields: dict[str, Any] = {
        "provider": listed.provider, "capabilities": listed.capabilities, "context_length": listed.context_length,
    }  # fmt: skip
    if model is None:
        create_model(actor=actor, id=listed.id, prices=listed.prices, source=SOURCE, metadata={KEY: facts}, **fields)
        return "created"
    last = model.metadata.get(KEY, {})
    metadata = {**model.metadata, KEY: facts}
    back = {"is_active": True} if last.get("vanished") else {}
    changed = change_model(actor=actor, model=model, metadata=metadata, **fields, **back)
    priced = _take_prices(actor, model, listed.prices, notes)
    return "updated" if changed or priced else "unchanged"


def _take_prices(actor: Actor, model: AiModel, prices: ModelPrices | None, notes: list[str]) -> bool:
    now = price_at(model, timezone.now())
    if now is None:
        if prices is not None:
            set_price(actor=actor, model=model, prices=prices, source=SOURCE)
        return prices is not None
    if prices == ModelPrices.of(now):
        return False
    if prices is None or now.source == STAFF:
        why = "the server has none" if prices is None else "set by staff"
        notes.append(f"{model.pk}: its prices stay ({why})")
        return False
    set_price(actor=actor, model=model, prices=prices, source=SOURCE)
    return True


def _switch_off(actor: Actor, seen: set[str], server: str, notes: list[str]) -> int:
    """Only what this server listed before; a model that staff have switched on again since stays on."""
    number = 0
    for model in AiModel.objects.filter(is_active=True).exclude(pk__in=seen):
        facts = model.metadata.get(KEY, {})
        if facts.get("server") != server or facts.get("vanished"):
            continue
        metadata = {**model.metadata, KEY: {**facts, "vanished": True}}
        change_model(actor=actor, model=model, is_active=False, metadata=metadata)
        notes.append(f"{model.pk}: switched off, the server lists it no more")
        number += 1
    return number
