"""Adding events up in Python, to the same figures as ``statements`` does in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.database.decimals import DIGITS
from core.periods import period_start
from usage.events.rows import EventRow
from usage.models import Period

ERROR = 400  # status codes from here on


class Series(NamedTuple):
    """Which aggregate: what it is of, and its period."""

    organisation_id: int
    project_id: int
    subscription_id: int | None
    meter_id: int | None
    metric_name: str
    unit: str
    model_id: str
    period_type: str
    period_start: datetime


@dataclass(slots=True)
class Sums:
    """Figures of one aggregate, named as its columns."""

    total_value: Decimal
    event_count: int
    error_count: int
    late_count: int
    request_tokens: int
    response_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    latency_ms_sum: int
    latency_count: int
    min_value: Decimal
    max_value: Decimal
    latest_value: Decimal
    latest_at: datetime

    @classmethod
    def of(cls, row: EventRow, value: Decimal, *, derived: bool) -> Sums:
        """Of one event; a derived meter counts values, not tokens and answers."""
        count = 0 if derived else 1
        return cls(
            total_value=value,
            event_count=1,
            error_count=count * ((row.status_code or 0) >= ERROR),
            late_count=int(row.is_late),
            request_tokens=count * (row.request_tokens or 0),
            response_tokens=count * (row.response_tokens or 0),
            cached_tokens=count * (row.cached_tokens or 0),
            reasoning_tokens=count * (row.reasoning_tokens or 0),
            latency_ms_sum=count * (row.latency_ms or 0),
            latency_count=count * (row.latency_ms is not None),
            min_value=value,
            max_value=value,
            latest_value=value,
            latest_at=row.timestamp,
        )

    def add(self, other: Sums) -> None:
        with localcontext(prec=DIGITS):
            self.total_value += other.total_value
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.min_value = min(self.min_value, other.min_value)
        self.max_value = max(self.max_value, other.max_value)
        self.latest_at, self.latest_value = max(
            (self.latest_at, self.latest_value), (other.latest_at, other.latest_value)
        )

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


COUNTS = tuple(name for name in Sums.__slots__ if not name.endswith("_value") and name != "latest_at")


class Tally:
    """Sums by series while events go by; it holds one entry an aggregate, however many events there are."""

    def __init__(self) -> None:
        self.found: dict[Series, Sums] = {}
        self._starts: dict[tuple[datetime, str], list[tuple[str, datetime]]] = {}

    def add(self, row: EventRow, *, meter_id: int | None = None, value: Decimal | None = None) -> None:
        sums = Sums.of(row, row.metric_value if value is None else value, derived=meter_id is not None)
        for kind, start in self.starts(row.timestamp, row.zone):
            series = Series(
                row.organisation_id, row.project_id, row.subscription_id, meter_id, row.metric_name, row.unit,
                row.model_id, kind, start,
            )  # fmt: skip
            if (known := self.found.get(series)) is None:
                self.found[series] = Sums(**sums.values())
            else:
                known.add(sums)

    def starts(self, moment: datetime, zone_name: str) -> Iterable[tuple[str, datetime]]:
        zone = ZoneInfo(zone_name)
        hour = period_start("hour", moment, zone)
        key = hour, zone_name
        if key not in self._starts:
            self._starts[key] = [(kind, period_start(kind, hour, zone)) for kind in Period.values]
        return self._starts[key]
