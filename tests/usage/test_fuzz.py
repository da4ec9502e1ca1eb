"""Broken input of every kind: no crash, and every row is accounted for.

The seed is printed: ``FUZZ_SEED=... FUZZ_ROWS=...`` replays it. ``make soak`` tries ten times as many.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from tests.usage.helpers import LIVE, SHAPES, read_json, run_import
from usage.models import VERDICTS, ImportRun, Job, QuarantinedRow
from usage.sources.base import UsageSource

pytestmark = pytest.mark.django_db
ROWS = int(os.environ.get("FUZZ_ROWS", "2000"))
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(10**6))
IN_ONE = 250  # rows of one file: what breaks in one place must not hide what breaks in another
LARGE = (
    "9" * 18,
    "9" * 19,
    str(2**63 - 1),
    str(2**63),
    "9" * 400,
    "-1",
    "1e9",
    "0x10",
    "٣",
    "²",
    "",
    " ",
    "nan",
    "inf",
)
WORDS = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\x1f", b"\t", b'"', b'""', b"'", b"|", b"||", b",", b";", b"\n", b"\r\n",
    "\u2028".encode(), "\u202e".encode(), "เจน".encode(), "😀".encode(), b"Unknown", b"None", b"CANCELLED by 5", b"\x85",
    b"cpu=1,cpu=2", b"gres/gpu:", b"mem=1.5Q", b"9999-99-99T99:99:99", b"1-2-3", b"_[1-5%2]", b".batch", b"+7", b"=1+1",
)  # fmt: skip


@pytest.fixture
def pick() -> random.Random:
    print(f"FUZZ_SEED={SEED} FUZZ_ROWS={ROWS}")  # noqa: T201 - shown when it fails
    return random.Random(SEED)


def accounted(result: Any) -> int:
    """Rows of the last run with a verdict; what it stored and refused is really there."""
    run = ImportRun.objects.latest("id")
    assert sum(getattr(run, name) for name in VERDICTS) == run.rows_read == result.rows_read
    assert sum(result.by_reason.values()) == result.quarantined
    assert Job.objects.filter(import_run=run).count() <= result.imported + result.updated + result.pending
    if result.quarantined:
        assert QuarantinedRow.objects.exists()
    return int(result.rows_read)


# --- text ----------------------------------------------------------------------------
def mutated_line(pick: random.Random, line: bytes, others: list[bytes]) -> bytes:
    cells = line.split(b"|")
    place = pick.randrange(len(cells))
    at = pick.randrange(len(line) + 1)
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: line,
        lambda: b"|".join([*cells[:place], pick.choice(LARGE).encode(), *cells[place + 1 :]]),
        lambda: b"|".join([*cells[:place], pick.choice(WORDS), *cells[place + 1 :]]),
        lambda: b"|".join([*cells[:place], *cells[place + 1 :]]),
        lambda: b"|".join([*cells[:place], *pick.choice(others).split(b"|")[place:]]),
        lambda: line[:at] + pick.choice(WORDS) + line[at:],
        lambda: line[:at] + bytes([pick.randrange(256)]) + line[at + 1 :],
        lambda: line[:at],
        lambda: line + line,
        lambda: b"|".join(pick.sample(cells, len(cells))),
        lambda: bytes(pick.randrange(256) for _ in range(pick.randrange(1, 200))),
    )
    return pick.choice(kinds)()


def files(folder: Path, pick: random.Random) -> Iterator[tuple[Path, int]]:
    """Files of mutated rows, and how many rows a reader of lines sees in each."""
    for source in (LIVE / "sacct-X-D.psv", LIVE / "sacct-X-epoch.psv", LIVE / "sacct-seedcols.psv"):
        header, *lines = source.read_bytes().splitlines()
        for number in range(ROWS // 2 // 3 // IN_ONE + 1):
            body = b"\n".join(mutated_line(pick, pick.choice(lines), lines) for _ in range(IN_ONE))
            file = folder / f"{source.stem}-{number}.psv"
            file.write_bytes(header + b"\n" + body + b"\n")
            yield file, sum(bool(line.strip()) and line != header for line in body.split(b"\n"))


def test_mutated_text_is_read_to_its_end_and_every_row_has_a_verdict(tmp_path: Path, pick: random.Random) -> None:
    for file, rows in files(tmp_path, pick):
        assert accounted(run_import(file)) == rows, file.name


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_mutated_quoted_text_loses_no_row_that_can_be_told_apart(
    tmp_path: Path, pick: random.Random, delimiter: str
) -> None:
    """Quotes may join lines, so that rows are fewer than lines; each run ends in order all the same."""
    header, *lines = (LIVE / "sacct-X-epoch.psv").read_bytes().splitlines()
    for number in range(ROWS // 20 // IN_ONE + 1):
        body = b"\n".join(mutated_line(pick, pick.choice(lines), lines) for _ in range(IN_ONE))
        file = tmp_path / f"{number}.csv"
        file.write_bytes((header + b"\n" + body + b"\n").replace(b",", b" ").replace(b"|", delimiter.encode()))
        assert 0 < accounted(run_import(file)) <= body.count(b"\n") + 1


def test_a_mutated_header_is_refused_in_words_or_read(tmp_path: Path, pick: random.Random) -> None:
    header, *lines = (LIVE / "sacct-X-epoch.psv").read_bytes().splitlines()
    for number in range(ROWS // 20):
        file = tmp_path / f"{number}.psv"
        file.write_bytes(mutated_line(pick, header, lines) + b"\n" + b"\n".join(lines[:3]) + b"\n")
        with suppress(BadInput):
            accounted(run_import(file))


# --- JSON ----------------------------------------------------------------------------
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 2**64 - 2, 10**400, 1.5, "", "x", "\0", "\ud800", "9" * 400, [], [None], [[]], {}, {"set": True},
    {"set": True, "infinite": True, "number": 5}, {"set": False, "infinite": False, "number": 0}, {"number": "many"}, ["RUNNING"],
    ["NEW_STATE", "REQUEUED"],
)  # fmt: skip
JSON_JOBS: list[Any] = []


class MutatedJson(UsageSource):
    """Reads ``JSON_JOBS`` as slurmrestd's jobs are read."""

    key = "csv"
    live = False

    def check(self) -> None:
        """Nothing is needed."""

    def batches(self) -> Iterator[Any]:
        from usage.batches import in_batches
        from usage.sources.restjson import read_job

        return in_batches((read_job(job, cluster="bench") for job in JSON_JOBS), size=100)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a job."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def mutated_job(pick: random.Random, job: dict[str, Any]) -> Any:
    if pick.random() < 0.02:
        return pick.choice(JUNK)
    job = copy.deepcopy(job)
    for _ in range(pick.randint(0, 3)):
        *path, last = pick.choice(list(places(job)))
        held: Any = job
        for name in path:
            held = held[name]
        if pick.random() < 0.3:
            del held[last]
        else:
            held[last] = copy.deepcopy(pick.choice(JUNK))
    return job


def test_mutated_json_is_read_to_its_end_and_every_job_has_a_verdict(settings: Any, pick: random.Random) -> None:
    settings.USAGE_SOURCES = {**settings.USAGE_SOURCES, "csv": f"{__name__}.MutatedJson"}
    shapes = [LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz", *sorted(SHAPES.glob("*.json.gz"))]
    jobs = [job for shape in shapes for job in read_json(shape)["jobs"][:60]]
    for _ in range(ROWS // 2 // IN_ONE + 1):
        JSON_JOBS[:] = [mutated_job(pick, pick.choice(jobs)) for _ in range(IN_ONE)]
        result = run_import(source="csv")
        assert accounted(result) == IN_ONE, json.dumps(result.as_dict())
