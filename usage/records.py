"""One record in our own terms, and the other things a source may yield."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields

from usage.models.jobs import ACTIVE_STATES
from usage.parsing import MAX_INT, JobId, RowError, Tres, job_key, weak_job_key


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A row of ``jobs`` as a source gives it: same names. Times are epoch seconds, amounts integers.

    ``gpu_types`` is JSON text, ``raw`` the record as it came.
    """

    job_key: str
    cluster: str
    job_id: int
    job_id_display: str
    array_job_id: int | None
    array_task_id: int | None
    het_job_id: int | None
    het_offset: int | None
    username: str
    account: str
    partition: str
    qos: str
    job_name: str
    state: str
    exit_code: str
    submit_at: int | None
    start_at: int | None
    end_at: int | None
    elapsed_seconds: int
    overlap_seconds: int
    cpus: int
    gpus: int
    gpu_types: str
    mem_mib: int
    nodes: int
    billing_tres: int | None
    req_cpus: int
    req_gpus: int
    req_mem_mib: int
    used_cpu_seconds: int | None
    cpu_core_seconds: int
    gpu_seconds: int
    mem_mib_seconds: int
    raw: str


COLUMNS = tuple(column.name for column in fields(JobRecord))


@dataclass(frozen=True, slots=True)
class Step:
    """A step row: counted, never billed (its job is)."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is refused: its text as it came and why. ``line_no`` 0 where the source has no lines.

    ``job_id`` and ``username`` are what could be read of it, to find it by.
    """

    line_no: int
    text: str
    reason: str
    detail: str = ""
    job_id: str = ""
    username: str = ""


Item = JobRecord | Step | BadRow
STEP = Step()


@dataclass(frozen=True, slots=True)
class Draft:
    """What every source must know about a record before ``build`` derives the rest.

    ``billed`` is AllocTRES (ReqTRES only where the input has no AllocTRES at all);
    ``elapsed`` is what Slurm says, suspended time left out: never End minus Start.
    A resized job's next record has the original start and its own, later submit time:
    the seconds between are on the record before it and are not counted again.
    """

    cluster: str
    job_id: int
    display: JobId
    job_id_display: str
    username: str
    account: str
    state: str
    submit: int | None
    start: int | None
    end: int | None
    elapsed: int
    billed: Tres
    requested: Tres
    used_cpu: int | None = None
    nodes: int = 0
    exit_code: str = ""
    partition: str = ""
    qos: str = ""
    job_name: str = ""
    raw: str = field(default="", repr=False)


# Elapsed time may be less than End minus Start (suspended), never more; local time repeats an hour once a year.
CLOCK_SLACK = 3600
IDENTITY_LIMITS = (("state", 40), ("cluster", 64), ("job_id_display", 80), ("username", 120), ("account", 120))


def build(draft: Draft) -> JobRecord:
    """Derive key, overlap and products. Raises ``RowError`` for what cannot be kept or billed.

    Slurm's cluster names are lower case, whatever a configuration or a file writes.
    """
    cluster = draft.cluster.lower()
    for name, limit in IDENTITY_LIMITS:
        check_identity(name, getattr(draft, name), limit)
    if not draft.username:
        raise RowError("no_user", "the row names no user and is not a step")
    end = None if draft.state in ACTIVE_STATES else draft.end
    key = (
        weak_job_key(cluster, draft.job_id_display, end)
        if draft.submit is None
        else job_key(cluster, draft.job_id, draft.submit)
    )
    if end and draft.start and draft.elapsed > max(0, end - draft.start + CLOCK_SLACK):
        raise RowError("bad_clock", f"{draft.elapsed} s elapsed between times {end - draft.start} s apart")
    billed, display = draft.billed, draft.display
    overlap = min(draft.elapsed, max(0, (draft.submit or 0) - draft.start)) if draft.start else 0
    elapsed = draft.elapsed - overlap
    gpu_types = gpu_types_json(billed)
    products = (billed.cpus * elapsed, billed.gpus * elapsed, billed.mem_mib * elapsed)
    requested = draft.requested
    amounts = (
        billed.cpus, billed.gpus, billed.mem_mib, billed.nodes, billed.billing or 0, requested.cpus, requested.gpus,
        requested.mem_mib, draft.nodes,
    )  # fmt: skip
    _check_range((*products, *amounts, draft.elapsed, draft.job_id, display.offset or 0, display.task or 0))
    return JobRecord(
        job_key=key,
        cluster=cluster,
        job_id=draft.job_id,
        job_id_display=draft.job_id_display,
        array_job_id=display.base if display.is_array else None,
        array_task_id=display.task,
        het_job_id=display.base if display.offset is not None else None,
        het_offset=display.offset,
        username=draft.username,
        account=draft.account,
        partition=clean(draft.partition)[:255],
        qos=clean(draft.qos)[:120],
        job_name=clean(draft.job_name)[:255],
        state=draft.state,
        exit_code=clean(draft.exit_code)[:20],
        submit_at=draft.submit,
        start_at=draft.start,
        end_at=end,
        elapsed_seconds=elapsed,
        overlap_seconds=overlap,
        cpus=billed.cpus,
        gpus=billed.gpus,
        gpu_types=gpu_types,
        mem_mib=billed.mem_mib,
        # Where nothing was held, Slurm's node count is the request.
        nodes=billed.nodes or (draft.nodes if billed.cpus else 0),
        billing_tres=billed.billing,
        req_cpus=requested.cpus,
        req_gpus=requested.gpus,
        req_mem_mib=requested.mem_mib,
        # A job that never ran used nothing, whether its source says so or not.
        used_cpu_seconds=0 if draft.used_cpu is None and draft.elapsed == 0 and end else draft.used_cpu,
        cpu_core_seconds=products[0],
        gpu_seconds=products[1],
        mem_mib_seconds=products[2],
        raw=clean(draft.raw),
    )


def gpu_types_json(tres: Tres) -> str:
    for gpu_type, _ in tres.gpu_types:
        check_identity("GPU type", gpu_type, 64)
    return json.dumps(dict(tres.gpu_types), separators=(",", ":")) if tres.gpu_types else "{}"


def check_identity(name: str, text: str, limit: int) -> None:
    """Text that decides who pays is taken as it is or not at all."""
    if len(text) > limit:
        raise RowError("too_long", f"{name} has {len(text)} characters, {limit} are allowed")
    if text.isascii() and text.isprintable():
        return
    if clean(text) != text:
        raise RowError("bad_encoding", f"{name} is not valid UTF-8")
    if any(character < " " or character == "\x7f" for character in text):
        raise RowError("bad_encoding", f"{name} holds a control character")


def _check_range(values: tuple[int, ...]) -> None:
    # Products are computed in Python, where integers do not wrap; the columns hold 64 bits.
    if min(values) < 0 or max(values) > MAX_INT:
        raise RowError("out_of_range", "an amount or a product does not fit into 64 bits")


def clean(text: str) -> str:
    """Text that any database takes: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
