"""The shape of a job in slurmrestd's JSON, v0.0.38 to v0.0.44, plain and ``+complex``."""

from __future__ import annotations

import json
from typing import Any

from usage.parsing import MAX_INT, JobId, RowError, Tres, check_epoch, join_states, parse_state
from usage.records import BadRow, Draft, Item, build, clean

_MICRO = 1_000_000
# Where a count is unknown Slurm writes its NO_VAL numbers (or -2, or null).
_NO_VAL = (2**32 - 2, 2**64 - 2)
_WORDS = {"": None, "Infinity": None, "NaN": None}
_DIGITS = 20
_BILLED = frozenset(("cpu", "mem", "node", "gres/gpu"))


def read_job(job: object, *, cluster: str) -> Item:
    """One element of ``jobs`` -> a record, or a refused row with the JSON as its text."""
    try:
        if not isinstance(job, dict):
            raise RowError("bad_record", "a job is not a JSON object")
        return build(_draft(job, cluster))
    except RowError as error:
        return BadRow(0, _compact(job), error.reason, error.detail)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return BadRow(0, _compact(job), "bad_record", f"{type(error).__name__}: {error}"[:255])


def number(value: object) -> int | None:
    """A number of any version: 5, "5", null, "Infinity", {"set": true, "infinite": false, "number": 5}.

    None where Slurm says that it has none. Raises ``RowError`` for anything else:
    an amount that cannot be read must not become zero.
    """
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    if isinstance(value, str):
        value = (
            int(value) if value.isascii() and value.isdigit() and len(value) <= _DIGITS else _WORDS.get(value, value)
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        if value is None or value < 0 or value in _NO_VAL:
            return None
        if value > MAX_INT:
            raise RowError("out_of_range", f"{value} does not fit into 64 bits")
        return value
    raise RowError("bad_record", f"{str(value)[:40]!r} is not a number")


def _draft(job: dict[str, Any], cluster: str) -> Draft:
    time, association = job["time"], job.get("association") or {}
    elapsed = number(time["elapsed"])
    if elapsed is None:
        raise RowError("bad_duration", f"time.elapsed is {time['elapsed']!r}")
    job_id = number(job["job_id"])
    if not job_id:
        raise RowError("bad_job_id", f"job_id is {job['job_id']!r}")
    display, shown = _display(job, job_id)
    tres = job.get("tres") or {}
    state = _state(job["state"]["current"])
    return Draft(
        cluster=text(job.get("cluster")) or text(association.get("cluster")) or cluster,
        job_id=job_id,
        display=display,
        job_id_display=shown,
        username=text(association.get("user")) or text(job.get("user")),
        account=text(association.get("account")) or text(job.get("account")),
        state=state,
        submit=_epoch(time["submission"]),
        start=_epoch(time["start"]),
        end=_epoch(time["end"]),
        elapsed=elapsed,
        billed=_tres(tres["allocated"], strict=True),
        requested=_tres(tres.get("requested") or []),
        used_cpu=_used_cpu(time.get("total"), elapsed),
        nodes=number(job.get("allocation_nodes")) or 0,
        exit_code=_exit_code(job.get("exit_code") or {}, state),
        partition=text(job.get("partition")),
        qos=text(job.get("qos")),
        job_name=text(job.get("name")),
        raw=_compact({name: value for name, value in job.items() if name != "steps"}),
    )


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def words_of(value: object) -> list[str]:
    """A word of an old version, or the list of words that newer ones have in its place."""
    return [text(each) for each in value] if isinstance(value, list) else [text(value)]


def _epoch(value: object) -> int | None:
    moment = number(value)
    return check_epoch(moment) if moment else None


def _state(value: object) -> str:
    return join_states(value) if isinstance(value, list) else parse_state(text(value))


def _display(job: dict[str, Any], job_id: int) -> tuple[JobId, str]:
    """The id as sacct shows it: ``1056_5``, ``1006_[5-20%3]`` for the pending rest, ``1050+1``."""
    array, het = job.get("array") or {}, job.get("het") or {}
    array_id, task = number(array.get("job_id")), number(array.get("task_id"))
    het_id, offset = number(het.get("job_id")), number(het.get("job_offset"))
    if array_id and task is not None:
        return JobId(array_id, task=task, is_array=True), f"{array_id}_{task}"
    if array_id and (rest := text(array.get("task"))):
        return JobId(array_id, is_array=True), f"{array_id}_[{rest}]"[:80]
    if het_id and offset is not None:
        return JobId(het_id, offset=offset), f"{het_id}+{offset}"
    return JobId(job_id), str(job_id)


def _tres(rows: list[dict[str, Any]], *, strict: bool = False) -> Tres:
    """Counts come as whole numbers (memory in MiB); the untyped GPU row already includes the typed ones.

    ``strict``: an amount that is billed must be said, and said once. Raises ``RowError``.
    """
    found: dict[str, int] = {}
    for row in rows:
        name = (f"{row['type']}/{row['name']}" if row.get("name") else str(row["type"])).lower()
        count = number(row.get("count"))
        if strict and (name in _BILLED or name.startswith("gres/gpu:")) and (count is None or name in found):
            raise RowError("bad_tres", f"{name} is {'there twice' if name in found else 'not counted'}")
        found[name] = count or 0
    types = {name[9:]: count for name, count in found.items() if name.startswith("gres/gpu:")}
    return Tres(
        cpus=found.get("cpu", 0),
        gpus=found.get("gres/gpu", sum(types.values())),
        gpu_types=tuple(sorted(types.items())),
        mem_mib=found.get("mem", 0),
        nodes=found.get("node", 0),
        billing=found.get("billing"),
    )


def _used_cpu(total: object, elapsed: int) -> int | None:
    """Sum over steps, half-up; with skip_steps it is zero, which says nothing about a job that ran."""
    if not isinstance(total, dict):
        return None
    micro = (number(total.get("seconds")) or 0) * _MICRO + (number(total.get("microseconds")) or 0)
    return None if elapsed and not micro else (2 * micro + _MICRO) // (2 * _MICRO)


def _exit_code(code: dict[str, Any], state: str) -> str:
    """As ``code:signal``. v0.0.38 and 39 say SUCCESS of every exit(), so of a job that failed they say nothing."""
    signal = code.get("signal") or {}
    killed = number(signal.get("signal_id")) or number(signal.get("id")) or 0
    returned = number(code.get("return_code")) or 0
    if code.get("status") == "SUCCESS" and state != "COMPLETED" and not (returned or killed):
        return ""
    return f"{returned}:{killed}"


def _pruned(value: Any) -> Any:
    """Without what is empty, at every depth."""
    if isinstance(value, dict):
        return {name: kept for name, each in value.items() if (kept := _pruned(each)) not in (None, "", [], {})}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _compact(value: object) -> str:
    return clean(json.dumps(_pruned(value), ensure_ascii=False, separators=(",", ":")))
