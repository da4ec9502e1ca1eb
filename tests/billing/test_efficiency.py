"""What a job used of what it held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.selectors.jobs.efficiency import cpu_use, mebibytes, memory_use
from tests.factories import job_values
from usage.models import Job


def job(**fields: object) -> Job:
    return Job(**job_values(**fields))


@pytest.mark.parametrize(("used", "percent", "low"), [(7200, 50, False), (7100, 49, True), (14400, 100, False),
                                                      (20000, 139, False), (0, 0, True)])  # fmt: skip
def test_cpu_time_is_held_against_the_cores_for_the_time(used: int, percent: int, low: bool) -> None:
    use = cpu_use(job(used_cpu_seconds=used))  # of 4 cores for an hour
    assert use is not None
    assert (use.percent, use.is_low) == (percent, low)


def test_what_is_not_known_is_not_told() -> None:
    assert cpu_use(job()) is None
    assert cpu_use(job(used_cpu_seconds=5, elapsed_seconds=0)) is None
    assert memory_use(job(), {}) is None
    assert memory_use(job(mem_mib=0), {"MaxRSS": "5M"}) is None


@pytest.mark.parametrize(
    ("record", "percent"),
    [({"MaxRSS": "4096M"}, 50), ({"maxrss": "8388608K"}, 100), ({"TRESUsageInMax": "cpu=00:10,mem=2G,vmem=9G"}, 25),
     ({"MaxRSS": "", "TRESUsageInMax": "mem=8589934592"}, 100)],
)  # fmt: skip
def test_the_peak_of_memory_is_read_as_slurm_writes_it(record: dict[str, str], percent: int) -> None:
    use = memory_use(job(mem_mib=8192), record)
    assert use is not None
    assert use.percent == percent


@pytest.mark.parametrize("text", ["", "x", "5X", "-1K", "1,5G"])
def test_sizes_of_no_sense_are_none(text: str) -> None:
    assert mebibytes(text) is None


def test_sizes() -> None:
    assert mebibytes("1.5G") == Decimal("1536.0")
    assert mebibytes("0") == 0
