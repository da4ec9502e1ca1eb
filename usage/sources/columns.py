"""Many rows of sacct text at once, column by column.

What is regular is worked out for all rows together. Every row that has anything odd about
it is left to ``RowReader``, which reads one row at a time and is the rule for both: they
must agree on every row (tests compare them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from usage.batches import SCHEMA
from usage.models.jobs import ACTIVE_STATES
from usage.parsing import MAX_EPOCH, MIN_EPOCH, RowError, Tres, names_gpus, parse_count, parse_state, parse_tres
from usage.records import CLOCK_SLACK, IDENTITY_LIMITS, check_identity, clean, gpu_types_json
from usage.sources.digits import Bools, Ints, bools, durations, local_times, whole

_NO_TIME = pa.array(["", "0", "Unknown", "None", "N/A"])
_ARRAY_TASK = r"^([0-9]{1,18})_([0-9]{1,18})$"
_STEP = r"^[0-9]{1,18}(_[0-9]{1,18}|_\[[^\]\n]*\]?|\+[0-9]{1,9})?\.[^\n]+$"
# Below these, a product of amount and seconds fits into 64 bits for sure.
_AMOUNT_LIMIT, _SECONDS_LIMIT = 2**31, 2**31
_POWERS = 10 ** np.arange(18, dtype=np.int64)
CATEGORIES = (
    "cluster", "user", "account", "state", "alloctres", "reqtres", "allocgres", "reqgres", "nnodes", "exitcode",
    "partition", "qos",
)  # fmt: skip
TEXTS = ("jobname", "jobidraw", "jobid", "submit", "start", "end", "elapsedraw", "elapsed", "totalcpu")


@dataclass(frozen=True, slots=True)
class Derived:
    """``jobs`` has a row for each input row; only where ``regular`` is True does it hold a record.

    ``step`` rows are steps (counted, no record). Rows that are neither are for ``RowReader``.
    """

    jobs: pa.Table
    regular: Bools
    step: Bools


class ColumnReader:
    """Cells under lower-case names (``CATEGORIES`` dictionary-encoded, ``TEXTS`` plain) -> records."""

    def __init__(self, names: set[str], *, cluster: str, zone_of: Callable[[str], ZoneInfo]) -> None:
        self._has = names
        self._cluster = cluster
        self._zone_of = zone_of

    def read(self, cells: dict[str, pa.Array], lines: pa.Array) -> Derived:
        return _Block(self, cells, lines).derive()


class _Block:
    """The columns of one block, worked out one after the other; ``regular`` shrinks as odd rows turn up."""

    def __init__(self, reader: ColumnReader, cells: dict[str, pa.Array], lines: pa.Array) -> None:
        self._has = reader._has
        self._reader = reader
        self._cells = cells
        self._rows = len(lines)
        self._lines = lines
        self.regular: Bools = np.ones(self._rows, np.bool_)

    def derive(self) -> Derived:
        columns: dict[str, Any] = {}
        step = self._ids(columns)
        columns["cluster"] = self._identity("cluster", 64, default=self._reader._cluster)
        columns["username"] = self._identity("user", 120, needed=True)
        columns["account"] = self._identity("account", 120)
        columns["state"], active = self._state()
        for name, cell, limit in (("partition", "partition", 255), ("qos", "qos", 120), ("job_name", "jobname", 255),
                                  ("exit_code", "exitcode", 20)):  # fmt: skip
            columns[name] = self._free(cell, limit)
        times = {name: self._times(name, columns["cluster"]) for name in ("submit", "start", "end")}
        times["end"] = (times["end"][0], times["end"][1] & ~active)
        for name, (values, known) in times.items():
            columns[f"{name}_at"] = pa.array(values, mask=~known)
        elapsed = self._seconds(columns, times)
        self._amounts(columns, elapsed)
        columns["used_cpu_seconds"] = self._used_cpu(elapsed, times["end"][1])
        columns["job_key"] = self._keys(columns, times)
        columns["raw"] = self._lines
        regular = self.regular & ~step
        jobs = pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
        return Derived(jobs, regular, step)

    # --- ids and keys --------------------------------------------------------
    def _ids(self, columns: dict[str, Any]) -> Bools:
        cells = self._cells
        shown = cells["jobid"] if "jobid" in cells else cells["jobidraw"]
        raw = cells.get("jobidraw", shown)
        raw_id, raw_read = whole(raw)
        plain = bools(pc.equal(raw, shown))
        others = np.flatnonzero(~(plain & raw_read))
        array_id, array_task = np.zeros(self._rows, np.int64), np.zeros(self._rows, np.int64)
        in_array, step = np.zeros(self._rows, np.bool_), np.zeros(self._rows, np.bool_)
        if len(others):
            texts = shown.take(pa.array(others))
            is_step = pc.match_substring_regex(texts, _STEP)
            if raw is not shown:
                is_step = pc.and_(is_step, pc.match_substring_regex(raw.take(pa.array(others)), _STEP))
            step[others] = bools(is_step)
            found = bools(pc.match_substring_regex(texts, _ARRAY_TASK))
            tasks = others[found]
            parts = pc.split_pattern(texts.filter(pa.array(found)), "_").flatten()
            numbers = pc.cast(parts, pa.int64()).to_numpy(zero_copy_only=False).reshape(len(tasks), 2)
            array_id[tasks], array_task[tasks], in_array[tasks] = numbers[:, 0], numbers[:, 1], True
            if raw is shown and "submit" not in cells:  # the number in front is no key then
                raw_id, raw_read = raw_id.copy(), raw_read.copy()
                raw_id[tasks], raw_read[tasks] = numbers[:, 0], True
        # "007" and "7" are one number and two texts: rare enough to be read one by one.
        size = np.where(in_array, _width(array_id) + 1 + _width(array_task), _width(raw_id))
        short = pc.binary_length(shown).to_numpy(zero_copy_only=False) == size
        self.regular &= raw_read & (plain | in_array) & short & (raw_id > 0)
        nothing = pa.nulls(self._rows, pa.int64())
        columns |= {
            "job_id": pa.array(raw_id), "job_id_display": shown,
            "array_job_id": pa.array(array_id, mask=~in_array), "array_task_id": pa.array(array_task, mask=~in_array),
            "het_job_id": nothing, "het_offset": nothing,
        }  # fmt: skip
        return step

    def _keys(self, columns: dict[str, Any], times: dict[str, tuple[Ints, Bools]]) -> pa.Array:
        submit, has_submit = times["submit"]
        end, has_end = times["end"]
        ids = pc.cast(columns["job_id"], pa.string())
        if not has_submit.all():
            ids = pc.if_else(pa.array(has_submit), ids, columns["job_id_display"])
        moments = np.where(has_submit, submit, np.where(has_end, end, 0))
        return pc.binary_join_element_wise(columns["cluster"], ids, pc.cast(pa.array(moments), pa.string()), ":")

    # --- text of few different values --------------------------------------------
    def _each(self, name: str, read: Callable[[str], Any]) -> tuple[list[Any], Ints]:
        """``read`` of every different text, and which one each row has; what cannot be read makes its rows odd."""
        column = self._cells[name]
        values, bad = [], []
        for place, text in enumerate(column.dictionary.to_pylist()):
            try:
                values.append(read(text.strip()))
            except RowError:
                values.append(None)
                bad.append(place)
        places = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if bad:
            self.regular &= ~np.isin(places, bad)
        return values, places

    def _texts(self, values: list[str | None], places: Ints) -> pa.Array:
        return pa.array([value or "" for value in values] or [""], pa.string()).take(pa.array(places))

    def _identity(self, name: str, limit: int, *, default: str = "", needed: bool = False) -> pa.Array:
        def read(text: str) -> str:
            text = text or default
            check_identity(name, text, limit)
            if needed and not text:
                raise RowError("no_user")
            return text.lower() if name == "cluster" else text

        if name not in self._cells:
            return pa.repeat(read(""), self._rows)
        return self._texts(*self._each(name, read))

    def _free(self, name: str, limit: int) -> pa.Array:
        """Text that only people read, cut to what its column holds."""
        if name not in self._cells:
            return pa.repeat("", self._rows)
        column = self._cells[name]
        if isinstance(column, pa.StringArray):
            if _tidy(column, limit):
                return column
            column = self._cells[name] = column.dictionary_encode()
        return self._texts(*self._each(name, lambda text: clean(text)[:limit]))

    def _state(self) -> tuple[pa.Array, Bools]:
        def read(text: str) -> str:
            state = parse_state(text)
            check_identity("state", state, dict(IDENTITY_LIMITS)["state"])
            return state

        values, places = self._each("state", read)
        return self._texts(values, places), np.array([value in ACTIVE_STATES for value in values], np.bool_)[places]

    # --- times and amounts -----------------------------------------------------
    def _times(self, name: str, clusters: pa.Array) -> tuple[Ints, Bools]:
        """Epoch seconds, and where there is a time at all."""
        if name not in self._cells:
            return np.zeros(self._rows, np.int64), np.zeros(self._rows, np.bool_)
        texts = self._cells[name]
        values, known = whole(texts)
        if known.all() and values.all():
            self.regular &= _plausible(values)
            return values, known
        none = bools(pc.is_in(texts, _NO_TIME))
        known = known & ~none
        rest = np.flatnonzero(~known & ~none)
        if len(rest):
            values = values.copy()
            values[rest], known[rest] = self._local(texts.take(pa.array(rest)), clusters.take(pa.array(rest)))
        self.regular &= none | (known & _plausible(values))
        return values, known

    def _local(self, texts: pa.Array, clusters: pa.Array) -> tuple[Ints, Bools]:
        values, read = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
        for cluster in pc.unique(clusters).to_pylist():
            mine = bools(pc.equal(clusters, cluster))
            values[mine], read[mine] = local_times(texts.filter(pa.array(mine)), self._reader._zone_of(cluster))
        return values, read

    def _seconds(self, columns: dict[str, Any], times: dict[str, tuple[Ints, Bools]]) -> Ints:
        """Elapsed seconds as Slurm says them; the counted ones go into ``columns``."""
        if "elapsedraw" in self._cells:
            elapsed, read = whole(self._cells["elapsedraw"], digits=12)
        else:
            elapsed, read, _zero = durations(self._cells["elapsed"])
        self.regular &= read & (elapsed < _SECONDS_LIMIT)
        (submit, has_submit), (start, has_start), (end, has_end) = times["submit"], times["start"], times["end"]
        most = np.maximum(0, end - start + CLOCK_SLACK)
        self.regular &= ~(has_start & has_end) | (elapsed <= most)
        overlap = np.where(has_submit & has_start, np.clip(submit - start, 0, elapsed), 0)
        # Up to an hour may be one that clocks repeated: the reader of single rows knows.
        self.regular &= (overlap == 0) | (overlap > CLOCK_SLACK)
        columns["elapsed_seconds"], columns["overlap_seconds"] = pa.array(elapsed - overlap), pa.array(overlap)
        return elapsed

    def _amounts(self, columns: dict[str, Any], elapsed: Ints) -> None:
        requested, req_places = self._tres("reqtres")
        held, places = self._tres("alloctres") if "alloctres" in self._has else (requested, req_places)
        nodes, node_places = self._counts("nnodes") if "alloctres" in self._has else (np.zeros(1, np.int64), 0)

        def gather(tres: list[Tres], name: str, at: Ints) -> Ints:
            return np.array([getattr(each, name) or 0 for each in tres], np.int64)[at]

        for name in ("allocgres", "reqgres"):
            if name in self._cells:
                with_gpus, which = self._each(name, names_gpus)
                self.regular &= ~np.array([bool(each) for each in with_gpus] or [False], np.bool_)[which]
        amounts = {name: gather(held, name, places) for name in ("cpus", "gpus", "mem_mib")}
        for name, amount in amounts.items():
            columns[name] = pa.array(amount)
        own_nodes = gather(held, "nodes", places)
        columns["nodes"] = pa.array(
            np.where(own_nodes > 0, own_nodes, np.where(amounts["cpus"] > 0, nodes[node_places], 0))
        )
        columns["gpu_types"] = self._texts([gpu_types_json(each) for each in held], places)
        has_billing = np.array([each.billing is not None for each in held], np.bool_)[places]
        columns["billing_tres"] = pa.array(gather(held, "billing", places), mask=~has_billing)
        for name in ("cpus", "gpus", "mem_mib"):
            columns[f"req_{name}"] = pa.array(gather(requested, name, req_places))
        counted = columns["elapsed_seconds"].to_numpy(zero_copy_only=False)
        counted = np.where(self.regular, counted, 0)  # an odd row's product may not fit; it is not used
        for product, name in (("cpu_core_seconds", "cpus"), ("gpu_seconds", "gpus"), ("mem_mib_seconds", "mem_mib")):
            columns[product] = pa.array(amounts[name] * counted)

    def _tres(self, name: str) -> tuple[list[Tres], Ints]:
        def read(text: str) -> Tres:
            tres = parse_tres(text)
            gpu_types_json(tres)
            if max(tres.cpus, tres.gpus, tres.mem_mib, tres.nodes, tres.billing or 0) >= _AMOUNT_LIMIT:
                raise RowError("out_of_range")
            return tres

        if name not in self._cells:
            return [Tres()], np.zeros(self._rows, np.int64)
        values, places = self._each(name, read)
        return [value or Tres() for value in values] or [Tres()], places

    def _counts(self, name: str) -> tuple[Ints, Ints]:
        if name not in self._cells:
            return np.zeros(1, np.int64), np.zeros(self._rows, np.int64)

        def read(text: str) -> int:
            count = parse_count(text or "0")
            if count >= _AMOUNT_LIMIT:
                raise RowError("out_of_range")
            return count

        values, places = self._each(name, read)
        return np.array([value or 0 for value in values] or [0], np.int64), places

    def _used_cpu(self, elapsed: Ints, has_end: Bools) -> pa.Array:
        """See ``text.used_cpu``: an exact zero of a job that ran says nothing."""
        nothing = (elapsed == 0) & has_end
        if "totalcpu" not in self._cells:
            return pa.array(np.zeros(self._rows, np.int64), mask=~nothing)
        texts = self._cells["totalcpu"]
        values, read, zero = durations(texts)
        empty = bools(pc.equal(pc.binary_length(texts), 0))
        self.regular &= read | empty
        known = read & ~((elapsed > 0) & zero) | nothing
        return pa.array(np.where(known, values, 0), mask=~known)


def _tidy(texts: pa.Array, limit: int) -> bool:
    """Nothing to strip and nothing to cut in any of them."""
    sizes = pc.binary_length(texts)
    plain = pc.or_(pc.ascii_is_printable(texts), pc.equal(sizes, 0))
    same = pc.equal(pc.ascii_trim_whitespace(texts), texts)
    return bool(pc.max(sizes).as_py() <= limit and pc.all(plain).as_py() and pc.all(same).as_py())


def _width(values: Ints) -> Ints:
    """Digits that each number has in text."""
    return np.maximum(np.searchsorted(_POWERS, values, side="right"), 1)


def _plausible(values: Ints) -> Bools:
    return (values >= MIN_EPOCH) & (values <= MAX_EPOCH)
