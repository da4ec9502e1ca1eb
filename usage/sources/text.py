"""Rows of sacct text, from a file or from sacct itself, by the names in their header."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

from core.errors import BadInput
from core.words.said import told as _
from usage.parsing import (
    RowError,
    Tres,
    names_gpus,
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
    """Names of what a header lacks; alternatives as ``JobID / JobIDRaw``, which every language reads."""
    have = {name.strip().lower() for name in header}
    return [" / ".join(group) for group in NEEDED if not have & {name.lower() for name in group}]


def known_columns(header: Sequence[str]) -> int:
    return len({name.strip().lower() for name in header} & _KNOWN)


# First cells that only a header has.
_HEADERS = frozenset(("jobid", "jobidraw", "user", "cluster", "account", "submit", "state", "end", "start"))
# Cells in the order in which ``RowReader`` unpacks them.
_WANTED = (
    "jobidraw", "jobid", "cluster", "user", "account", "state", "submit", "start", "end", "elapsedraw", "elapsed",
    "alloctres", "reqtres", "allocgres", "reqgres", "totalcpu", "nnodes", "exitcode", "partition", "qos", "jobname",
)  # fmt: skip


_SHOWN_ID = re.compile(r"[0-9]{1,19}(?:_[0-9]{1,18}|_\[[^\]]{0,50}\]|\+[0-9]{1,9})?")
_USER = re.compile(r"[\w.@-]{1,120}")
_FREE_TEXT = frozenset(
    ("jobname", "comment", "admincomment", "systemcomment", "submitline", "workdir", "wckey", "reason", "extra")
)
# What one broken row can hide: slurmdbd keeps 255 bytes of a job's name and 64 KiB of the other texts.
_NAME_BYTES, _TEXT_BYTES = 255, 65_535


def free_text_columns(header: Sequence[str]) -> list[str]:
    """Columns in which a user may have put a line break or a delimiter."""
    return [name.strip() for name in header if name.strip().lower() in _FREE_TEXT]


class Neighbours:
    """Whole rows between the two halves of a broken one may be forged inside a job's name: they are refused too.

    Only files with free text can hold such; a name that also completes its own row
    shows no broken half at all, which is why the importer asks for no free text itself.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.free_text = free_text_columns(header)
        # The first half of a broken row reaches into its first free text and not to its end.
        first = [name.strip() for name in header].index(self.free_text[0]) if self.free_text else 0
        self._halves = range(first + 1, len(header))
        only_names = {name.lower() for name in self.free_text} <= {"jobname"}
        self.room = _NAME_BYTES if only_names else _TEXT_BYTES
        self._left = 0

    @property
    def suspicious(self) -> int:
        """How many bytes after here may still belong to a broken row."""
        return self._left

    def pass_over(self, size: int) -> None:
        """Rows of so many bytes were not shown to ``judge``: nothing was wrong with them."""
        self._left = max(0, self._left - size)

    def judge(self, item: Item, cells: int, text: str, line_no: int) -> Item:
        if not self.free_text:
            return item
        if isinstance(item, BadRow) and item.reason == "field_count":
            opens = cells in self._halves and not self._left
            self._left = self.room if opens else 0
            return item
        self._left = max(0, self._left - len(text.encode("utf-8", "replace")) - 1) if self._left else 0
        if self._left:
            return BadRow(line_no, text, "beside_broken_row", "it may be part of the broken row before it")
        return item


class RowReader:
    """Turns the cells of a row into a record. Columns in any order, unknown ones ignored, names in any case."""

    def __init__(self, header: Sequence[str], *, cluster: str, zone_of: Callable[[str], ZoneInfo]) -> None:
        self.width = len(header)
        names = [name.strip() for name in header]
        at = {name.lower(): index for index, name in enumerate(names)}
        self._wanted = [at.get(name) for name in _WANTED]
        self._id_cells = [index for index in (at.get("jobid"), at.get("jobidraw")) if index is not None]
        self._user_cell = at["user"]
        self._cluster = cluster
        self._zone_of = lru_cache(maxsize=None)(zone_of)
        self._has_alloc = "alloctres" in at
        self._has_raw = "jobidraw" in at
        self._names = [name.lower() for name in names]

    def read(self, cells: Sequence[str], text: str, line_no: int) -> Item:
        try:
            self._refuse_other_header(cells, line_no)
            if len(cells) != self.width:
                raise RowError("field_count", f"{len(cells)} fields, the header has {self.width}")
            return self._read(cells, text)
        except RowError as error:
            return BadRow(line_no, text, error.reason, error.detail, *self._whose(cells))

    def _refuse_other_header(self, cells: Sequence[str], line_no: int) -> None:
        """Rows below a header of another order would be read into the wrong columns, without a word."""
        if not cells or cells[0].strip().lower() not in _HEADERS:
            return
        names = [cell.strip().lower() for cell in cells]
        if known_columns(names) >= len(NEEDED) and names != self._names:
            words = _("Line %(line)d is another header with other columns: import the joined files one by one.")
            raise BadInput(words % {"line": line_no}, field="file")

    def _whose(self, cells: Sequence[str]) -> tuple[str, str]:
        """Job id and user of a row that cannot be read, as far as they can be made out."""
        ids = [cells[index].strip() for index in self._id_cells if index < len(cells)]
        user = cells[self._user_cell].strip() if self._user_cell < len(cells) else ""
        shown = next((each for each in ids if _SHOWN_ID.fullmatch(each)), "")
        return shown, user if shown and _USER.fullmatch(user) else ""

    def _read(self, cells: Sequence[str], text: str) -> Item:
        (
            raw_id, shown, cluster, user, account, state, submit, start, end, elapsed_raw, elapsed_text,
            alloc, req, alloc_gres, req_gres, total_cpu, nodes, exit_code, partition, qos, job_name,
        ) = ["" if index is None else cells[index].strip() for index in self._wanted]  # fmt: skip
        shown = shown or raw_id
        display = parse_job_id(shown)
        raw = parse_job_id(raw_id) if raw_id and raw_id != shown else display
        if display.is_step or raw.is_step:
            return STEP
        cluster = (cluster or self._cluster).lower()
        zone = self._zone_of(cluster)
        requested = parse_tres(req)
        # A present but empty AllocTRES means "never started": the request was not held, so it is not billed.
        billed = parse_tres(alloc) if self._has_alloc else requested
        elapsed = parse_duration(elapsed_raw or elapsed_text)
        check_gpus(billed, elapsed, alloc_gres or req_gres)
        # The number of an array task or a component is not its own id: without that, its end tells it from the others.
        knows_id = self._has_raw or (display.task is None and display.offset is None)
        submitted = parse_time(submit, zone) if knows_id else None
        draft = Draft(
            cluster=cluster,
            job_id=raw.base,
            display=display,
            job_id_display=shown,
            username=user,
            account=account,
            state=parse_state(state),
            submit=submitted,
            start=_started(start, submitted, zone),
            end=parse_time(end, zone),
            elapsed=elapsed,
            billed=billed,
            requested=requested,
            used_cpu=used_cpu(total_cpu, elapsed),
            nodes=parse_count(nodes or "0") if self._has_alloc else 0,
            exit_code=exit_code,
            partition=partition,
            qos=qos,
            job_name=job_name,
            raw=text,
        )
        return build(draft)


def _started(text: str, submit: int | None, zone: ZoneInfo) -> int | None:
    """Start; in the hour that clocks repeat the later reading, where only that lies after the submit time."""
    start = parse_time(text, zone)
    if start is not None and submit is not None and start < submit:
        later = parse_time(text, zone, 1)
        if later is not None and later >= submit:
            return later
    return start


def check_gpus(billed: Tres, elapsed: int, gres: str) -> None:
    """GPUs that only the GRES column knows would be missing on the bill. Raises ``RowError``."""
    if gres and elapsed and billed.cpus and not billed.gpus and names_gpus(gres):
        raise RowError("bad_tres", f"the GRES {gres[:60]!r} names GPUs, the TRES counts none")


def used_cpu(text: str, elapsed: int) -> int | None:
    """TotalCPU in whole seconds, or None where the source does not know.

    Slurm sums it from steps. A listing without steps (sacct -X) prints exactly
    zero for jobs that did run, while even a sleeping job used a millisecond: an
    exact zero there means "not gathered", and must not overwrite what is known.
    """
    if not text or (elapsed and not text.strip("0:.-")):
        return None
    return parse_duration(text)


def split(text: str, delimiter: str, quoted: bool) -> list[str]:
    if not quoted:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def decoded(line: bytes) -> str:
    """Bytes that are not UTF-8 survive as half surrogates: refused in an identity, replaced in free text."""
    return line.decode("utf-8", "surrogateescape")


def shown(text: str) -> str:
    """The row for a person and for any database: broken bytes as ``\\xff``, NUL as ``\\x00``."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
