"""Data frames in the uniform columns."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.usage.helpers import HIST, counted, oracle, run_import, stored
from usage import frames
from usage.models import Job
from usage.parsing import parse_duration, parse_tres

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("chunk", [100, 20_000])
def test_a_frame_sums_to_the_oracle_and_its_text_columns_say_the_same(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "CHUNK", chunk)
    run_import(HIST / "sacct-X-D.psv.gz")
    start, end, expected = oracle(HIST)
    frame = frames.jobs_frame(Job.objects.filter(end_at__gte=start, end_at__lt=end))
    assert {type(dtype).__name__ for dtype in frame.dtypes} == {"ArrowDtype"}
    assert list(frame.columns[:7]) == ["User", "JobID", "Elapsed", "TotalCPU", "ReqTRES", "End", "State"]
    sums = frame.groupby(["User", "Account"])[["CPUCoreSeconds", "GPUSeconds", "MemMiBSeconds"]].sum()
    found = {key: tuple(map(int, row)) for key, row in zip(sums.index, sums.values, strict=True) if any(row)}
    assert found == counted(start, end)
    assert stored(start, end) == expected
    for each in frame.to_dict("records")[:200]:
        tres, elapsed = parse_tres(each["ReqTRES"]), parse_duration(each["Elapsed"])
        assert tres.cpus * elapsed == each["CPUCoreSeconds"]
        assert tres.mem_mib * elapsed == each["MemMiBSeconds"]
        assert tres.gpus * elapsed == each["GPUSeconds"]


def test_a_frame_of_nothing_has_its_columns() -> None:
    frame = frames.jobs_frame(Job.objects.none())
    assert (len(frame), list(frame.columns)) == (0, list(frames.COLUMNS))


def test_no_web_process_loads_what_only_imports_need() -> None:
    code = (
        "import django; django.setup(); import hpcbilling.urls, usage.frames, sys;"
        "sys.exit(bool({'pandas', 'pyarrow', 'numpy', 'tqdm'} & set(sys.modules)))"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "hpcbilling.settings", "DEBUG": "1", "READ_DOT_ENV": "0"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
