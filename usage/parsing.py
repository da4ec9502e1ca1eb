"""Pure readers of what Slurm prints: TRES, durations, times, states, job ids. No Django.

Every reader raises ``RowError`` with a reason code; a row is read whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

MAX_INT = 2**63 - 1
MAX_EPOCH = 4_102_444_799  # the last second of 2099: what is later is a broken clock
MIN_EPOCH = 100_000_000  # 1973: an 8-digit number is a date without dashes, not an epoch


class RowError(ValueError):
    """A row that cannot be read: ``reason`` is a short code (part of the interface), ``detail`` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


# --- TRES --------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tres:
    """What a job holds while it runs. ``mem_mib`` in MiB; ``gpu_types`` sorted (type, count) pairs."""

    cpus: int = 0
    gpus: int = 0
    gpu_types: tuple[tuple[str, int], ...] = ()
    mem_mib: int = 0
    nodes: int = 0
    billing: int | None = None


_AMOUNT = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?([KMGTPE]?)", re.IGNORECASE)
_KIB = {"K": 1, "M": 1024, "": 1024, "G": 1024**2, "T": 1024**3, "P": 1024**4, "E": 1024**5}
_TIMES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5, "E": 1024**6}


def parse_memory(text: str) -> int:
    """``8G``, ``3410M``, ``62.50G``, bare = MiB -> whole MiB by integer arithmetic (half-up below one MiB)."""
    whole, fraction, unit = _amount(text)
    divisor = 1024 * int("1" + "0" * len(fraction))
    kib = int(whole + fraction) * _KIB[unit]
    return (2 * kib + divisor) // (2 * divisor)


def parse_count(text: str) -> int:
    """A count of CPUs, nodes or GPUs: whole, Slurm's own suffix K means 1024 (``1.5K`` is 1536)."""
    whole, fraction, unit = _amount(text)
    if fraction.strip("0") and not unit:
        raise RowError("bad_tres", f"{text[:60]!r} is no whole number")
    return int(whole + fraction) * _TIMES[unit] // int("1" + "0" * len(fraction))


def _amount(text: str) -> tuple[str, str, str]:
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise RowError("bad_tres", f"{text[:60]!r} is not an amount")
    return match[1], match[2] or "", match[3].upper()


@lru_cache(maxsize=65_536)
def parse_tres(text: str) -> Tres:
    """``billing=42,cpu=8,gres/gpu:a100=4,gres/gpu=4,mem=8G,node=2``; empty text is nothing at all.

    ``gres/gpu`` already includes the typed rows; only where it is absent are they summed.
    """
    found: dict[str, str] = {}
    for part in filter(None, text.strip().split(",")):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not name or name in found:
            raise RowError("bad_tres", f"{part[:60]!r} in {text[:120]!r}")
        found[name] = value
    types = {name[9:]: parse_count(value) for name, value in found.items() if name.startswith("gres/gpu:")}
    return Tres(
        cpus=parse_count(found.get("cpu", "0")),
        gpus=parse_count(found["gres/gpu"]) if "gres/gpu" in found else sum(types.values()),
        gpu_types=tuple(sorted(types.items())),
        mem_mib=parse_memory(found.get("mem", "0")),
        nodes=parse_count(found.get("node", "0")),
        billing=parse_count(found["billing"]) if "billing" in found else None,
    )


_GPU_GRES = re.compile(
    r"(?:^|,)\s*(?:gres[/:])?gpu(?::(?![0-9]+(?:[,(]|\s*$))[^,:=()]+)?(?:[:=]([0-9]+))?(?=[,(]|\s*$)", re.IGNORECASE
)


def names_gpus(gres: str) -> bool:
    """Whether a GRES text (``gpu:2``, ``gpu:a100:4(S:0-1)``, ``craynetwork:1``) names GPUs. How many in all
    nodes it does not say in every version, so they are never counted from it."""
    return any(count is None or int(count[:18]) for count in (found[1] for found in _GPU_GRES.finditer(gres)))


# --- durations and times -----------------------------------------------------
_DURATION = re.compile(r"(?:([0-9]{1,9})-)?([0-9]{1,12}(?::[0-9]{1,9}){0,2})(?:\.([0-9]{1,9}))?")
_SIXTY = 60


@lru_cache(maxsize=65_536)
def parse_duration(text: str) -> int:
    """``D-HH[:MM[:SS]]``, ``HH:MM:SS``, ``MM:SS``, ``SS``, with or without ``.fff`` -> whole seconds, half-up."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise RowError("bad_duration", f"{text[:60]!r} is not a duration")
    parts = [int(part) for part in match[2].split(":")]
    if any(part >= _SIXTY for part in parts[1:]):
        raise RowError("bad_duration", f"{text[:60]!r} has more than 59 minutes or seconds")
    gap = [0] * (3 - len(parts))
    hours, minutes, seconds = parts + gap if match[1] else gap + parts
    half_up = 1 if match[3] and match[3][0] >= "5" else 0
    return ((int(match[1] or 0) * 24 + hours) * 60 + minutes) * 60 + seconds + half_up


_NO_TIME = frozenset({"", "0", "unknown", "none", "n/a", "null", "invalid"})


@lru_cache(maxsize=65_536)
def parse_time(text: str, zone: ZoneInfo, fold: int = 0) -> int | None:
    """Epoch seconds, or ISO text (local to ``zone`` unless it carries an offset) -> epoch; Unknown, None, 0 -> None.

    In the repeated hour of a DST change the earlier reading is taken, with ``fold`` 1 the later one: good
    enough to place a job, never used to measure one (see ``records.build``).
    """
    text = text.strip()
    if text.lower() in _NO_TIME:
        return None
    if text.isascii() and text.isdigit():
        epoch = int(text[:20])
    else:
        try:
            moment = datetime.fromisoformat(text)
            epoch = int((moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=fold)).timestamp())
        except (ValueError, OverflowError) as error:
            raise RowError("bad_time", f"{text[:60]!r} is not a time") from error
    return check_epoch(epoch)


def check_epoch(epoch: int) -> int:
    if not MIN_EPOCH <= epoch <= MAX_EPOCH:
        raise RowError("bad_time", f"{epoch} is not an epoch time of a job")
    return epoch


# --- states ------------------------------------------------------------------
_COMPACT = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "CF": "CONFIGURING", "CG": "COMPLETING", "DL": "DEADLINE",
    "F": "FAILED", "NF": "NODE_FAIL", "OOM": "OUT_OF_MEMORY", "PD": "PENDING", "PR": "PREEMPTED", "R": "RUNNING",
    "RD": "RESV_DEL_HOLD", "RF": "REQUEUE_FED", "RH": "REQUEUE_HOLD", "RQ": "REQUEUED", "RS": "RESIZING",
    "RV": "REVOKED", "SI": "SIGNALING", "SE": "SPECIAL_EXIT", "SO": "STAGE_OUT", "ST": "STOPPED", "S": "SUSPENDED",
    "TO": "TIMEOUT",
}  # fmt: skip
# A state list is base state first, flags after; these flags are what sacct would print instead of the base.
_FLAGS_THAT_SPEAK = (
    "COMPLETING", "STAGE_OUT", "CONFIGURING", "RESIZING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
    "STOPPED", "REVOKED", "RESV_DEL_HOLD", "SIGNALING",
)  # fmt: skip
STATE_LENGTH = 40
KNOWN_STATES = frozenset(_COMPACT.values())


def parse_state(text: str) -> str:
    """``CANCELLED by 1006`` -> CANCELLED, compact ``CD`` -> COMPLETED, cut ``OUT_OF_ME+`` -> OUT_OF_MEMORY.

    A state of a later Slurm is kept as it is (40 characters).
    """
    words = text.split()
    if not words:
        raise RowError("no_state", "the state is empty")
    word = words[0].upper()
    if word.endswith("+"):
        word = next((full for full in _COMPACT.values() if full.startswith(word[:-1])), word[:-1])
    return _COMPACT.get(word, word)[:STATE_LENGTH]


def join_states(states: list[str]) -> str:
    """The list of v0.0.40 and later (base, then flags) as the one word that sacct prints."""
    flags = {state.upper() for state in states[1:]}
    return parse_state(next((flag for flag in _FLAGS_THAT_SPEAK if flag in flags), states[0] if states else ""))


# --- job ids -----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class JobId:
    """``base`` is the number in front; ``task`` and ``offset`` name an array task or a het component."""

    base: int
    task: int | None = None
    offset: int | None = None
    is_array: bool = False
    is_step: bool = False


_JOB_ID = re.compile(r"([0-9]{1,19})(?:_(?:([0-9]{1,18})|(\[[^\]]*\]?))|\+([0-9]{1,9}))?(\..+)?")


def parse_job_id(text: str) -> JobId:
    """``123``, ``1056_5``, ``1006_[5-20%3]``, ``1050+1``, and steps of each (``123_4.extern``)."""
    match = _JOB_ID.fullmatch(text.strip())
    if match is None or int(match[1]) > MAX_INT:
        raise RowError("bad_job_id", f"{text[:60]!r} is not a job id")
    return JobId(
        base=int(match[1]),
        task=int(match[2]) if match[2] else None,
        offset=int(match[4]) if match[4] else None,
        is_array=bool(match[2] or match[3]),
        is_step=bool(match[5]),
    )


def job_key(cluster: str, job_id: int, submit: int) -> str:
    """slurmdbd's own unique key: a requeue or resize keeps the id and gets a new submit time."""
    return f"{cluster}:{job_id}:{submit}"


def weak_job_key(cluster: str, display: str, end: int | None) -> str:
    """Key where the input has no submit time; end 0 stands for "not ended yet"."""
    return f"{cluster}:{display}:{end or 0}"
