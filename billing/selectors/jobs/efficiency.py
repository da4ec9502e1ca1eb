"""How much of what a job held it used: CPU time by its record, memory where the record tells its peak. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from usage.models import Job

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)", re.IGNORECASE)
_POWERS = {"": -2, "K": -1, "M": 0, "G": 1, "T": 2, "P": 3}  # of 1,024, from MiB
LOW = 50  # percent of what was held: below it a smaller request would do


@dataclass(frozen=True, slots=True)
class Use:
    """``used`` of ``held``, in one unit: CPU seconds or MiB."""

    used: Decimal
    held: Decimal

    @property
    def percent(self) -> int:
        return int((self.used * 100 / self.held).to_integral_value(ROUND_HALF_UP))

    @property
    def is_low(self) -> bool:
        return self.percent < LOW


def cpu_use(job: Job) -> Use | None:
    """None where the source does not tell the CPU time, and for a job that held none."""
    if job.used_cpu_seconds is None or not job.cpu_core_seconds:
        return None
    return Use(Decimal(job.used_cpu_seconds), Decimal(job.cpu_core_seconds))


def memory_use(job: Job, record: Mapping[str, str]) -> Use | None:
    """The peak as the record has it (``MaxRSS``, or ``mem`` of ``TRESUsageInMax``), against what was held."""
    cells = {name.casefold(): text for name, text in record.items()}
    usage = dict(part.partition("=")[::2] for part in cells.get("tresusageinmax", "").split(","))
    peak = mebibytes(cells.get("maxrss") or usage.get("mem", ""))
    return Use(peak, Decimal(job.mem_mib)) if peak and job.mem_mib else None


def mebibytes(text: str) -> Decimal | None:
    """``1234K`` or ``1.5G`` as Slurm writes sizes (bytes without a letter); None for anything else."""
    match = _SIZE.fullmatch(text.strip())
    return Decimal(match[1]) * Decimal(1024) ** _POWERS[match[2].upper()] if match else None
