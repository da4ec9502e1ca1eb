"""Rows of sacct text, from a file or from sacct itself, by the names in their header."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

from usage.parsing import (
    JobId,
    RowError,
    parse_count,
    parse_duration,
    parse_job_id,
    parse_state,
    parse_time,
    parse_tres,
)
from usage.records import STEP, BadRow, Draft, Item, build

# Each group must be met by at least one of its columns.
NEEDED = (("User",), ("JobID", "JobIDRaw"), ("End",), ("State",), ("ElapsedRaw", "Elapsed"), ("AllocTRES", "ReqTRES"))
_KNOWN = frozenset(name.lower() for group in NEEDED for name in group)


def missing_columns(header: Sequence[str]) -> list[str]:
    """Names of what a header lacks; alternatives as ``JobID or JobIDRaw``."""
    have = {name.strip().lower() for name in header}
    return [" or ".join(group) for group in NEEDED if not have & {name.lower() for name in group}]


def known_columns(header: Sequence[str]) -> int:
    return len({name.strip().lower() for name in header} & _KNOWN)


class RowReader:
    """Turns the cells of a row into a record. Columns in any order, unknown ones ignored, names in any case."""

    def __init__(self, header: Sequence[str], *, cluster: str, zone_of: Callable[[str], ZoneInfo]) -> None:
        self.names = [name.strip() for name in header]
        self._at = {name.lower(): index for index, name in enumerate(self.names)}
        self._cluster = cluster
        self._zone_of = lru_cache(maxsize=None)(zone_of)
        self._has_alloc = "alloctres" in self._at

    def read(self, cells: Sequence[str], text: str, line_no: int) -> Item:
        try:
            if len(cells) != len(self.names):
                raise RowError("field_count", f"{len(cells)} fields, the header has {len(self.names)}")
            return self._read(cells)
        except RowError as error:
            return BadRow(line_no, text, error.reason, error.detail)

    def _cell(self, cells: Sequence[str], name: str) -> str:
        index = self._at.get(name)
        return "" if index is None else cells[index].strip()

    def _read(self, cells: Sequence[str]) -> Item:
        raw_id, shown = self._cell(cells, "jobidraw"), self._cell(cells, "jobid")
        display = parse_job_id(shown or raw_id)
        raw = parse_job_id(raw_id) if raw_id else display
        if display.is_step or raw.is_step:
            return STEP
        return build(self._draft(cells, raw.base, display, shown or raw_id))

    def _draft(self, cells: Sequence[str], job_id: int, display: JobId, shown: str) -> Draft:
        def cell(name: str) -> str:
            return self._cell(cells, name)

        cluster = cell("cluster") or self._cluster
        zone = self._zone_of(cluster)
        requested = parse_tres(cell("reqtres"))
        elapsed = self._elapsed(cells)
        return Draft(
            cluster=cluster,
            job_id=job_id,
            display=display,
            job_id_display=shown,
            username=cell("user"),
            account=cell("account"),
            state=parse_state(cell("state")),
            submit=parse_time(cell("submit"), zone),
            start=parse_time(cell("start"), zone),
            end=parse_time(cell("end"), zone),
            elapsed=elapsed,
            # A present but empty AllocTRES means "never started": the request was not held, so it is not billed.
            billed=parse_tres(cell("alloctres")) if self._has_alloc else requested,
            requested=requested,
            used_cpu=used_cpu(cell("totalcpu"), elapsed),
            nodes=parse_count(cell("nnodes") or "0") if self._has_alloc else 0,
            exit_code=cell("exitcode"),
            partition=cell("partition"),
            qos=cell("qos"),
            job_name=cell("jobname"),
            raw=json.dumps(
                {name: value for name, value in zip(self.names, cells, strict=True) if value and name},
                ensure_ascii=False,
                separators=(",", ":"),
            ),
        )

    def _elapsed(self, cells: Sequence[str]) -> int:
        text = self._cell(cells, "elapsedraw") or self._cell(cells, "elapsed")
        if not text:
            raise RowError("bad_duration", "the elapsed time is empty")
        return parse_duration(text)


def used_cpu(text: str, elapsed: int) -> int | None:
    """TotalCPU in whole seconds, or None where the source does not know.

    Slurm sums it from steps. A listing without steps (sacct -X) prints exactly
    zero for jobs that did run, while even a sleeping job used a millisecond: an
    exact zero there means "not gathered", and must not overwrite what is known.
    """
    if not text or (elapsed and not text.strip("0:.-")):
        return None
    return parse_duration(text)
