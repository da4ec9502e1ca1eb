"""One line of what needs attention, and the way to its list."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list: how many, of what, what to do, where."""

    number: int
    what: str
    advice: str
    url: str
    tone: str = "warn"


def list_url(model: type[Model], **lookups: object) -> str:
    """The admin list of ``model`` with a filter; empty when it is not registered."""
    meta = model._meta
    try:
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode({name: str(value) for name, value in lookups.items()})}" if lookups else address
