"""What a refused row would have held, as far as its own cells tell. For proofs and lists, never for billing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from usage.models import QuarantinedRow
from usage.parsing import RowError, parse_duration, parse_time, parse_tres
from usage.raws import split_line
from usage.services.opening import zones

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Estimate:
    """``end_at`` and the products are None where the row does not tell them."""

    username: str = ""
    account: str = ""
    end_at: datetime | None = None
    cpu_core_seconds: int | None = None
    gpu_seconds: int | None = None
    mem_mib_seconds: int | None = None


def estimates(rows: Iterable[QuarantinedRow]) -> Iterator[tuple[QuarantinedRow, Estimate]]:
    """Best effort on each row (with its ``run`` loaded); what cannot be read is left open, nothing is guessed."""
    zones_given = cache(zones)
    for row in rows:
        yield row, _estimate(row, zones_given(row.run.timezone)(row.run.cluster))


def _estimate(row: QuarantinedRow, zone: ZoneInfo) -> Estimate:
    cells = _cells(row)
    end = _try(lambda: parse_time(cells.get("end", ""), zone))
    elapsed = _try(lambda: parse_duration(cells.get("elapsedraw") or cells["elapsed"]))
    tres = _try(lambda: parse_tres(cells["alloctres"] if "alloctres" in cells else cells["reqtres"]))
    known = elapsed is not None and tres is not None
    return Estimate(
        username=cells.get("user", "") or row.username,
        account=cells.get("account", ""),
        end_at=datetime.fromtimestamp(end, UTC) if end else None,
        cpu_core_seconds=tres.cpus * elapsed if known and tres and elapsed is not None else None,
        gpu_seconds=tres.gpus * elapsed if known and tres and elapsed is not None else None,
        mem_mib_seconds=tres.mem_mib * elapsed if known and tres and elapsed is not None else None,
    )


def _try(read: Callable[[], Found]) -> Found | None:
    with suppress(RowError, KeyError, OverflowError):
        return read()
    return None


def _cells(row: QuarantinedRow) -> dict[str, str]:
    """Cells by lower-case column name, those of JSON under the names that sacct has for them."""
    if row.run.columns:
        cells = split_line(row.raw, row.run.delimiter)
        if len(cells) != len(row.run.columns):
            return {}
        return {str(name).lower(): cell.strip() for name, cell in zip(row.run.columns, cells, strict=True)}
    with suppress(ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return _json_cells(json.loads(row.raw))
    return {}


def _json_cells(job: dict[str, Any]) -> dict[str, str]:
    time, association = job.get("time") or {}, job.get("association") or {}
    cells = {
        "user": str(association.get("user") or job.get("user") or ""),
        "account": str(job.get("account") or association.get("account") or ""),
        "end": str(time.get("end") or ""),
    }
    if isinstance(time.get("elapsed"), int):
        cells["elapsedraw"] = str(time["elapsed"])
    allocated = (job.get("tres") or {}).get("allocated")
    if isinstance(allocated, list):
        named = [(f"{each['type']}/{each['name']}" if each.get("name") else each["type"], each) for each in allocated]
        cells["alloctres"] = ",".join(f"{name}={each['count']}{'M' * (name == 'mem')}" for name, each in named)
    return cells
