"""Numbers and moments in what a provider tells: whole, and such as a column can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

MOST_MINOR = 10**13  # minor units; a database column's end, not a bank's


def minor_of(value: Any) -> int:
    """An amount in minor units. Raises ``ValueError`` for what is no JSON integer, and for what no column holds."""
    if type(value) is not int:
        raise ValueError("an amount is no whole number of minor units")
    if abs(value) > MOST_MINOR:
        raise ValueError("an amount is larger than any that we can hold")
    return value


def moment_of(seconds: Any) -> datetime | None:
    """Unix seconds; None for anything else. Raises ``ValueError`` for a moment that no calendar has."""
    if type(seconds) is not int:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("a moment is outside the calendar") from error
