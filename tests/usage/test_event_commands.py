"""Events from files, and the proof that sums and events agree."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Project
from audit.models import AuditLog
from core.errors import BadInput
from tests.factories import make_project
from tests.usage.events import body, row
from usage import partitions
from usage.events.files import read_events
from usage.events.rows import Batch
from usage.events.store import Stretch, open_store
from usage.models import UsageAggregate, UsageEvent

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def run(name: str, *arguments: str, **options: Any) -> tuple[dict[str, Any], int]:
    out, code = StringIO(), 0
    try:
        call_command(name, *arguments, format="json", stdout=out, **options)
    except SystemExit as end:
        code = int(end.code or 0)
    return json.loads(out.getvalue()), code


def ndjson(path: Path, items: list[Any]) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in items))
    return path


def test_a_file_of_lines_is_taken_and_taken_again_changes_nothing(project: Project, tmp_path: Path) -> None:
    items = [body(project=str(project.uuid)) for _each in range(5)]
    file = ndjson(tmp_path / "events.ndjson", [*items, "", "{broken", {**items[0], "metric_value": -1}])
    found, code = run("import_events", file=str(file))
    assert code == 3
    assert (found["rows_read"], found["accepted"], found["rejected"]) == (7, 5, 2)
    assert found["by_reason"] == {"malformed": 1, "bad_value": 1}
    assert found["notes"][0].startswith("line 7")
    again, _code = run("import_events", file=str(file))
    assert (again["accepted"], again["duplicate"]) == (0, 5)
    assert UsageEvent.objects.count() == 5
    assert AuditLog.objects.filter(action="events_import").count() == 2


def test_a_packed_table_with_old_events_is_taken(project: Project, tmp_path: Path) -> None:
    lines = [
        "metric_name,idempotency_key,timestamp,metric_value,unit,request_tokens,metadata.region,model",
        'api.call,a,2019-02-28T23:59:59+07:00,2.5,page,,"north, east",',
        "api.call,b,2026-11-10T04:00:00Z,1,,12,,gpt",
        "api.call,c,2026-11-10T04:00:00Z,1,,x,,gpt",
        "api.call,d,2026-11-10T04:00:00Z",
    ]
    file = tmp_path / "events.csv.gz"
    file.write_bytes(gzip.compress("\r\n".join(lines).encode("utf-8-sig")))
    found, code = run("import_events", file=str(file), project=str(project.uuid))
    assert (code, found["accepted"], found["by_reason"]) == (3, 2, {"invalid": 1, "field_count": 1})
    old = UsageEvent.objects.get(idempotency_key="a")
    assert (old.metric_value, old.unit, old.metadata, old.is_late) == (
        Decimal("2.5"),
        "page",
        {"region": "north, east"},
        True,
    )
    assert UsageEvent.objects.get(idempotency_key="b").request_tokens == 12
    assert open_store().check(Stretch()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "holds no events"), (b"a,b\n1,2\n", "no header of events"), (gzip.compress(b"x" * 99, mtime=0)[:-9], "cut off"),
     (b"metric_name,idempotency_key,timestamp\n", "holds no events"),
     (b"metric_name,unit,idempotency_key,timestamp,unit\n", "line 1: The column unit stands in the header twice")],
    ids=["empty", "other columns", "cut off", "header alone", "a column twice"],
)  # fmt: skip
def test_a_file_that_is_no_list_of_events_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=words):
        run("import_events", file=str(file))


def test_a_line_in_which_a_name_stands_twice_is_refused_and_named(project: Project, tmp_path: Path) -> None:
    twice = json.dumps(body(metric_value=1)).replace("{", '{"metric_value": 5, ', 1)
    found, code = run("import_events", file=str(ndjson(tmp_path / "x", [body(), twice])), project=str(project.uuid))
    assert (code, found["accepted"], found["rejected"]) == (3, 1, 1)
    assert found["notes"] == ["line 2 (metric_value): the name 'metric_value' stands twice in one object"]


class Endless(io.RawIOBase):
    """A stream that no reader may take to its end."""

    def __init__(self, begin: bytes) -> None:
        self.begin, self.given = begin, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self.given < 64 << 20, "it is read without bound"
        some = (self.begin or b"x" * len(buffer))[: len(buffer)]
        self.begin = self.begin[len(some) :]
        buffer[: len(some)] = some
        self.given += len(some)
        return len(some)


@pytest.mark.parametrize(
    ("begin", "line"), [(b"x", 1), (b"[", 1), (b"metric_name,idempotency_key,timestamp\nx,y,2026-11-01T00:00:00Z\n", 3)]
)
def test_a_line_without_end_is_refused_by_its_number_before_it_fills_the_memory(begin: bytes, line: int) -> None:
    with pytest.raises(BadInput, match=f"line {line} is longer"):
        list(read_events(Endless(begin), name="events.csv"))


def test_an_absent_file_or_project_is_exit_two(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as error:
        run("import_events", file=str(tmp_path / "none"))
    assert error.value.returncode == 2
    with pytest.raises(CommandError, match="there is no project"):
        run("import_events", file="-", project="0190e1f6-0000-7000-8000-000000000000")


def test_a_dry_run_counts_and_keeps_nothing(project: Project, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "e", [body(project=str(project.uuid)), body()])
    found, _code = run("import_events", "--dry-run", file=str(file))
    assert (found["accepted"], found["rejected"]) == (1, 1)
    assert not UsageEvent.objects.exists()
    assert not AuditLog.objects.filter(action="events_import").exists()


def test_a_check_that_fails_is_exit_one_and_a_rebuild_mends_it(project: Project) -> None:
    open_store().add(Batch([row(project), row(project)]))
    found, code = run("refresh_aggregates", "--check")
    assert (found["ok"], code, found["first"]) == (True, 0, "2026-11-10T04:30:00Z")
    UsageAggregate.objects.filter(period_type="hour").delete()
    found, code = run("refresh_aggregates", "--check", "--month", "2026-11")
    assert (found["ok"], code, len(found["differences"])) == (False, 1, 1)
    assert "2 events" in found["differences"][0]
    run("refresh_aggregates", "--rebuild", "--dry-run")
    assert run("refresh_aggregates", "--check")[1] == 1
    assert run("refresh_aggregates", "--rebuild", "--organisation", "Institute")[0] == {"aggregates": 3}
    assert run("refresh_aggregates", "--check")[1] == 0


@pytest.mark.postgres
def test_months_are_made_ahead_and_only_once(project: Project) -> None:
    coming = partitions.usual_months()[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.name_of(coming)}")
    partitions.forget()
    assert run("refresh_aggregates", "--dry-run")[0]["months_made"] == [f"{coming:%Y-%m}"]
    assert run("refresh_aggregates")[0]["months_made"] == [f"{coming:%Y-%m}"]
    assert run("refresh_aggregates")[0]["months_made"] == []


@pytest.mark.django_db(transaction=True)
def test_a_kill_in_the_middle_loses_nothing_that_was_taken(project: Project, tmp_path: Path) -> None:
    """The import dies at some moment; what is there agrees with its sums, and the same file again completes it."""
    number = 12_000
    moment = datetime.now(UTC).isoformat()
    file = ndjson(tmp_path / "e", [body(project=str(project.uuid), timestamp=moment) for _each in range(number)])
    settings = connection.settings_dict
    url = f"sqlite:///{settings['NAME']}"
    if connection.vendor == "postgresql":
        host = settings["HOST"] or ""
        word = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
        login = f"{settings['USER']}{word}@"
        port = f":{settings['PORT']}" if settings["PORT"] and not host.startswith("/") else ""
        url = f"postgres://{login}{'/' if host.startswith('/') else ''}{host}{port}/{settings['NAME']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_events", "--file", str(file)], cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DEBUG": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not UsageEvent.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    taken = UsageEvent.objects.count()
    assert 0 < taken < number, "the kill came too early or too late to test anything"
    assert taken % 1000 == 0
    assert open_store().check(Stretch()) == []
    found, code = run("import_events", file=str(file))
    assert (code, found["accepted"], found["duplicate"]) == (0, number - taken, taken)
    assert open_store().check(Stretch()) == []
