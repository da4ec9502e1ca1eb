"""Feeds of exchange rates: how what a publisher offers is read.

A feed is a function that ``EXCHANGE_FEEDS`` names: it takes the bytes of a document and returns a ``Reading``, or
raises ``BadInput`` for bytes that are no such document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from billing.services.pricing.exchange import Quote


@dataclass(slots=True)
class Reading:
    """``refused`` counts entries that cannot be used; each has its note."""

    quotes: list[Quote] = field(default_factory=list)
    refused: int = 0
    notes: list[str] = field(default_factory=list)
