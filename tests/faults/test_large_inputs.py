"""F22 and F23: input without end is refused or read in passing, in little memory; nothing of it is a fault of ours.

``LARGE_MB`` is how large the large files are.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Project
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from core.errors import AppError
from tests.factories import make_project
from tests.faults.memory import growth
from tests.faults.seeds import FULL, times
from tests.usage.events import body
from tests.usage.helpers import HEADER, row, run_import
from usage.models import Job, UsageEvent

pytestmark = pytest.mark.django_db
LARGE = times("LARGE_MB", 24) * 1024 * 1024
MOST_MB = 200.0
MOST_SECONDS = 10.0
URL = "/api/v1/events"


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def key(project: Project) -> str:
    return issue_key(actor=SYSTEM, name="gateway", scopes=["events:write"], project=project).secret


def packed(size: int, of: bytes = b"\0") -> bytes:
    """gzip of ``size`` bytes that are all the same."""
    packer = zlib.compressobj(9, wbits=31)
    chunk = of * (1024 * 1024 // len(of))
    parts = [packer.compress(chunk) for _each in range(size // len(chunk))]
    return b"".join(parts) + packer.flush()


def send(key: str, content: bytes, **extra: Any) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(URL, content, content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {key}", **extra)


def test_a_packed_body_that_unpacks_without_end_is_refused_in_little_memory(key: str) -> None:
    bomb = packed(256 * 1024 * 1024)
    assert len(bomb) < 1024 * 1024, "it is small enough to be let in"
    answers: list[int] = []
    assert growth(lambda: answers.append(send(key, bomb, HTTP_CONTENT_ENCODING="gzip").status_code)) < 100
    assert answers == [413]
    assert not UsageEvent.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 100_000, id="deep list"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep list that ends"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep object"),
        pytest.param(json.dumps(body()).encode().replace(b"}", b', "metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001),
                     id="deep facts"),
        pytest.param(b'[{"metric_value": ' + b"9" * 200_000 + b"}]", id="long number"),
        pytest.param(b'[{"metric_name": "' + b"x" * 400_000 + b'"}]', id="long name"),
        pytest.param(b"[" + b"{}," * 100_000 + b"{}]", id="many of nothing"),
    ],
)  # fmt: skip
def test_nesting_and_length_beyond_reason_are_refused_in_words(key: str, content: bytes) -> None:
    answer = send(key, content)
    assert answer.status_code in (202, 400, 413, 422), answer.content[:300]
    assert not UsageEvent.objects.exists()


def test_fifty_megabytes_of_json_are_refused_unread(key: str) -> None:
    content = b"[" + b" " * (50 * 1024 * 1024) + b"]"
    statuses: list[int] = []
    began = time.monotonic()
    assert growth(lambda: statuses.append(send(key, content).status_code)) < MOST_MB
    assert statuses == [413]
    assert not FULL or time.monotonic() - began < MOST_SECONDS


def lines(path: Path, write: Callable[[Any], object]) -> Path:
    with path.open("wb") as out:
        out.write(f"{HEADER}\n{row(1)}\n".encode())
        write(out)
        out.write(f"\n{row(2)}\n".encode())
    return path


def endless_line(out: Any) -> None:
    for _each in range(LARGE // (1024 * 1024)):
        out.write(b"x" * 1024 * 1024)


def many_columns(out: Any) -> None:
    out.write(b"|".join([b"x"] * 10_000))


def nothing_but_delimiters(out: Any) -> None:
    out.write(b"|" * 1_000_000)


def one_open_quote(out: Any) -> None:
    out.write(b'"' + b"x\n" * 80_000)


@pytest.mark.parametrize("kind", [endless_line, many_columns, nothing_but_delimiters, one_open_quote])
def test_a_line_without_end_costs_itself_alone(tmp_path: Path, kind: Callable[[Any], object]) -> None:
    file = lines(tmp_path / "usage.psv", kind)
    assert growth(lambda: run_import(file)) < MOST_MB
    assert set(Job.objects.values_list("job_id_display", flat=True)) >= {"1"}
    if kind is not one_open_quote:
        assert Job.objects.filter(job_id_display="2").exists(), "the next line is read"


def test_a_packed_file_that_unpacks_without_end_is_read_in_passing(tmp_path: Path) -> None:
    file = tmp_path / "usage.psv.gz"
    head = gzip.compress(f"{HEADER}\n{row(1)}\n".encode())
    file.write_bytes(head + packed(4 * LARGE, b"x"))  # one line of it
    assert growth(lambda: run_import(file)) < MOST_MB
    assert Job.objects.count() == 1


def test_ten_thousand_columns_in_a_header_are_no_usage(tmp_path: Path) -> None:
    file = tmp_path / "usage.psv"
    file.write_text("|".join(f"c{n}" for n in range(10_000)) + "\n" + "|".join("1" for _n in range(10_000)) + "\n")
    with pytest.raises(AppError):
        run_import(file)
    assert not Job.objects.exists()


@pytest.mark.parametrize("content", [b"x", b"[", b'{"a":'])
def test_a_file_of_events_without_an_end_of_line_is_refused(project: Project, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(content * (LARGE // len(content)))

    def run() -> None:
        try:
            call_command(
                "import_events", file=str(file), project=str(project.uuid), stdout=StringIO(), stderr=StringIO()
            )
        except (SystemExit, CommandError) as stop:
            codes.append(stop)

    codes: list[object] = []
    assert growth(run) < MOST_MB
    assert codes, "it ended with an error, in words"
    assert not UsageEvent.objects.exists()
