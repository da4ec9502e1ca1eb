"""What a file leaves open is never filled in to somebody's loss: it is told apart, read the other way, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.errors import BadInput
from tests.usage.helpers import run_import
from usage.models import Job, QuarantinedRow
from usage.parsing import names_gpus, parse_time
from usage.records import BadRow, JobRecord
from usage.sources.restjson import read_job

pytestmark = pytest.mark.django_db
SHOWN = "JobID|User|Account|Submit|Start|End|Elapsed|State|AllocTRES"
RAW = f"JobIDRaw|{SHOWN}"
TIMES = "2026-10-01T10:00:00|2026-10-01T10:00:05|2026-10-01T10:{end}|00:10:00|COMPLETED|cpu=2,mem=2G,node=1"


def write(folder: Path, *lines: str) -> Path:
    file = folder / "usage.psv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def task(number: int, job: str = "1056", raw: str = "") -> str:
    cells = f"{job}_{number}|al|ph|" + TIMES.format(end=f"10:{number:02d}")
    return f"{raw}|{cells}" if raw else cells


# --- ids without JobIDRaw ------------------------------------------------------------
def test_array_tasks_and_components_without_a_raw_id_are_jobs_of_their_own(tmp_path: Path) -> None:
    components = [f"1060+{offset}|al|ph|" + TIMES.format(end="20:00") for offset in (0, 1)]
    result = run_import(write(tmp_path, SHOWN, *(task(number) for number in range(1, 41)), *components))
    assert (result.imported, result.duplicate) == (42, 0)
    assert sum(Job.objects.values_list("cpu_core_seconds", flat=True)) == 42 * 1200
    assert run_import(tmp_path / "usage.psv").duplicate == 42


def test_the_same_tasks_from_a_listing_with_raw_ids_are_the_same_jobs(tmp_path: Path) -> None:
    run_import(write(tmp_path, SHOWN, *(task(number) for number in range(1, 6))))
    result = run_import(write(tmp_path, RAW, *(task(number, raw=str(1056 + number)) for number in range(1, 6))))
    assert (result.imported, result.duplicate) == (0, 5)
    assert Job.objects.count() == 5


def test_an_ordinary_job_keeps_its_key_with_or_without_its_raw_id(tmp_path: Path) -> None:
    cells = "7|al|ph|" + TIMES.format(end="20:00")
    run_import(write(tmp_path, SHOWN, cells))
    assert run_import(write(tmp_path, RAW, f"7|{cells}")).duplicate == 1
    assert Job.objects.get().submit_at is not None


# --- the hour that clocks repeat -----------------------------------------------------
def test_a_start_in_the_repeated_hour_takes_no_time_away(tmp_path: Path) -> None:
    rows = (
        "1|al|ph|2026-10-25T02:50:00|2026-10-25T02:10:00|2026-10-25T03:10:00|01:00:00|COMPLETED|cpu=2,mem=2G",
        "2|al|ph|2026-10-25T02:50:00|2026-10-25T02:10:00|2026-10-25T02:30:00|00:20:00|COMPLETED|cpu=2,mem=2G",
    )
    run_import(write(tmp_path, SHOWN, *rows), timezone="Europe/Berlin")
    jobs = Job.objects.order_by("job_id").values_list("elapsed_seconds", "overlap_seconds")
    assert list(jobs) == [(3600, 0), (1200, 0)]


def test_a_resize_outside_that_hour_still_counts_its_overlap_once(tmp_path: Path) -> None:
    row = "3|al|ph|2026-10-26T02:50:00|2026-10-26T02:10:00|2026-10-26T03:10:00|01:00:00|COMPLETED|cpu=2,mem=2G"
    run_import(write(tmp_path, SHOWN, row), timezone="Europe/Berlin")
    assert (Job.objects.get().elapsed_seconds, Job.objects.get().overlap_seconds) == (1200, 2400)


def test_the_later_reading_is_an_hour_on() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (parse_time("2026-10-25T02:30:00", berlin, fold) for fold in (0, 1))
    assert (second or 0) - (first or 0) == 3600


# --- GPUs that only the old column knows -----------------------------------------------
@pytest.mark.parametrize(
    ("gres", "found"),
    [("gpu:2", True), ("gpu:a100:4(S:0-1)", True), ("gres/gpu=1", True), ("gpu", True), ("craynetwork:1,gpu:1", True),
     ("gpu:0", False), ("", False), ("craynetwork:1", False), ("gpumem:4", False)],
)  # fmt: skip
def test_which_gres_name_gpus(gres: str, found: bool) -> None:
    assert names_gpus(gres) is found


@pytest.mark.parametrize("column", ["AllocGRES", "ReqGRES"])
def test_gpus_that_the_tres_does_not_count_are_refused_and_not_billed_as_none(column: str, tmp_path: Path) -> None:
    rows = ["8|al|ph|" + TIMES.format(end="20:00") + "|gpu:2", "9|al|ph|" + TIMES.format(end="20:00") + "|"]
    rows.append("10|al|ph|" + TIMES.format(end="20:00").replace("node=1", "node=1,gres/gpu=2") + "|gpu:2")
    result = run_import(write(tmp_path, f"{SHOWN}|{column}", *rows))
    assert (result.imported, result.by_reason) == (2, {"bad_tres": 1})
    assert "names GPUs" in QuarantinedRow.objects.get().detail
    assert sorted(Job.objects.values_list("gpus", flat=True)) == [0, 2]


# --- joined files ----------------------------------------------------------------------
def test_rows_below_a_header_of_another_order_are_never_read_into_the_wrong_columns(tmp_path: Path) -> None:
    other = SHOWN.replace("User|Account", "Account|User")
    file = write(tmp_path, SHOWN, "1|al|ph|" + TIMES.format(end="20:00"), other, "2|ph|al|" + TIMES.format(end="20:00"))
    with pytest.raises(BadInput, match="Line 3"):
        run_import(file)
    assert not Job.objects.filter(username="ph").exists()


# --- JSON --------------------------------------------------------------------------------
def answer(**changes: Any) -> dict[str, Any]:
    return {
        "job_id": 5, "association": {"user": "al", "account": "ph"}, "state": {"current": ["COMPLETED"]},
        "time": {"submission": 1790000000, "start": 1790000000, "end": 1790000600, "elapsed": 600},
        "tres": {"allocated": [{"type": "cpu", "name": "", "count": 2}], "requested": []}, **changes,
    }  # fmt: skip


def allocated(*rows: tuple[str, str, Any]) -> dict[str, Any]:
    return {"tres": {"allocated": [{"type": kind, "name": name, "count": count} for kind, name, count in rows]}}


@pytest.mark.parametrize("count", [None, -2, 2**64 - 2, {"set": False, "infinite": False, "number": 0}])
@pytest.mark.parametrize("kind", [("cpu", ""), ("mem", ""), ("gres", "gpu"), ("gres", "gpu:a100")])
def test_an_amount_that_is_billed_and_not_said_is_refused(kind: tuple[str, str], count: Any) -> None:
    item = read_job(answer(**allocated((*kind, count))), cluster="c")
    assert isinstance(item, BadRow)
    assert item.reason == "bad_tres"


def test_an_amount_that_is_said_twice_is_refused() -> None:
    item = read_job(answer(**allocated(("cpu", "", 2), ("cpu", "", 3))), cluster="c")
    assert isinstance(item, BadRow)
    assert item.reason == "bad_tres"


def test_types_are_read_in_any_case_and_what_is_never_billed_may_be_unknown() -> None:
    item = read_job(answer(**allocated(("CPU", "", 2), ("GRES", "GPU", 1), ("energy", "", None))), cluster="c")
    assert isinstance(item, JobRecord)
    assert (item.cpus, item.gpus) == (2, 1)


@pytest.mark.parametrize("state", [None, [], ""])
def test_a_job_without_a_state_is_refused(state: Any) -> None:
    item = read_job(answer(state={"current": state}), cluster="c")
    assert isinstance(item, BadRow)
    assert item.reason == "no_state"


# --- a file that was cut off ---------------------------------------------------------------
@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_a_last_line_without_its_break_is_named(ending: str, tmp_path: Path) -> None:
    file = tmp_path / "cut.psv"
    file.write_bytes(f"{SHOWN}\n6|al|ph|{TIMES.format(end='20:00')}{ending}".encode())
    assert any("line break" in note for note in run_import(file).notes) is (ending == "")
