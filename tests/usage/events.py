"""Makers of metered events."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.models import Project
from usage.events.rows import EventRow, digest, new_ids

_numbers = itertools.count(1)
MOMENT = datetime(2026, 11, 10, 4, 30, tzinfo=UTC)  # half past eleven in Bangkok


def row(project: Project, **fields: Any) -> EventRow:
    """One API call, worth 1, at ``MOMENT``."""
    values: dict[str, Any] = {
        "id": new_ids(1)[0], "organisation_id": project.organisation_id, "project_id": project.pk,
        "subscription_id": None, "api_key_id": None, "metric_name": "api.call", "metric_value": Decimal(1), "unit": "",
        "timestamp": MOMENT, "idempotency_key": f"k{next(_numbers)}", "metadata": "{}", "model_id": "",
        "request_tokens": None, "response_tokens": None, "cached_tokens": None, "reasoning_tokens": None,
        "latency_ms": None, "status_code": None, "is_late": False, "zone": project.organisation.time_zone, **fields,
    }  # fmt: skip
    values.setdefault("payload_hash", digest(values["metric_value"], values["timestamp"], values["metadata"]))
    return EventRow(**values)


def body(**fields: Any) -> dict[str, Any]:
    """The JSON of one event, as a client sends it."""
    return {
        "metric_name": "api.call",
        "idempotency_key": f"c{next(_numbers)}",
        "timestamp": datetime.now(UTC).isoformat(),
        **fields,
    }
