"""The record as it came, cell by cell, whichever way it was kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.factories import make_job
from usage.models import ImportRun, ImportStatus, Job
from usage.raws import join_cells, read_raw, split_line

pytestmark = pytest.mark.django_db


def job(raw: str, columns: list[str] | None = None, delimiter: str = "") -> Job:
    made = make_job(raw=raw)
    made.import_run = ImportRun.objects.create(
        source="csv", actor="system", status=ImportStatus.DONE, columns=columns or [], delimiter=delimiter
    )
    made.save()
    return made


@pytest.mark.parametrize(
    ("raw", "columns", "delimiter", "found"),
    [
        ("7|alice||DONE", ["JobID", "User", "Account", "State"], "|",
         {"JobID": "7", "User": "alice", "State": "DONE"}),
        ('7,"a, b",x', ["JobID", "JobName", "State"], ",", {"JobID": "7", "JobName": "a, b", "State": "x"}),
        ('7;"a ""b"" c";x', ["JobID", "JobName", "State"], ";", {"JobID": "7", "JobName": 'a "b" c', "State": "x"}),
        ("7\x1falice", ["JobID", "User"], "\x1f", {"JobID": "7", "User": "alice"}),
        ('{"JobID":"7","User":"alice"}', ["JobID", "User"], "|", {"JobID": "7", "User": "alice"}),
        ('{"JobID":"7","User":"alice"}', [], "", {"JobID": "7", "User": "alice"}),
        ("7|alice", ["JobID"], "|", {"": "7|alice"}),
        ("7|alice", [], "", {"": "7|alice"}),
        ("{broken", [], "", {"": "{broken"}),
        ("", ["JobID"], "|", {}),
    ],
)  # fmt: skip
def test_cells_are_named(raw: str, columns: list[str], delimiter: str, found: dict[str, str]) -> None:
    assert read_raw(job(raw, columns, delimiter)) == found


def test_json_is_flattened_for_reading() -> None:
    record: dict[str, Any] = {
        "job_id": 7, "time": {"start": 5, "limit": {"set": True}}, "flags": ["A", "B"], "empty": {}, "none": None,
        "tres": {"allocated": [{"type": "cpu", "count": 2}]},
    }  # fmt: skip
    assert read_raw(job(json.dumps(record))) == {
        "job_id": "7", "time.start": "5", "time.limit.set": "true", "flags": "A, B",
        "tres.allocated": '[{"type": "cpu", "count": 2}]',
    }  # fmt: skip


@pytest.mark.parametrize("delimiter", ["|", ",", ";", "\t", "\x1f", ""])
@pytest.mark.parametrize("cells", [["7", "", "x"], ["7", 'say "no"', ""]])
def test_joining_is_the_inverse_of_splitting(cells: list[str], delimiter: str) -> None:
    assert split_line(join_cells(cells, delimiter), delimiter) == cells


@pytest.mark.parametrize("cell", ["a|b", "a\nb", "a\rb"])
def test_a_cell_that_would_become_two_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r"\|"):
        join_cells([cell], "|")
    assert split_line(join_cells([cell], ","), ",") == [cell]
