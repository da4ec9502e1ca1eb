"""sacct: how it is called, and each way it may fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.errors import Unavailable
from tests.usage.conftest import Sacct
from tests.usage.helpers import HIST, LIVE, oracle, run_import, stored
from usage.models import ImportRun, Job
from usage.sources.sacct import SacctSource

pytestmark = pytest.mark.django_db


def captured() -> bytes:
    return (LIVE / "sacct-X-epoch.psv").read_bytes().replace(b"|", b"\x1f")


def ask(**options: Any) -> Any:
    start, end, _ = oracle(LIVE)
    return run_import(source="sacct", **{"start": start, "end": end, **options})


def test_what_sacct_prints_equals_the_oracle(sacct: Sacct) -> None:
    sacct.says(captured())
    result = ask()
    start, end, expected = oracle(LIVE)
    assert (result.source, result.rows_read, result.pending, result.quarantined) == ("sacct", 72, 7, 0)
    assert stored(start, end) == expected


def test_sacct_is_asked_for_every_record_in_utc_and_never_for_free_text(
    sacct: Sacct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Bangkok")
    monkeypatch.setenv("SACCT_FORMAT", "jobid")
    sacct.says(captured())
    ask(cluster="bench")
    (call,) = sacct.calls
    assert call[:5] == ["-a", "-X", "-D", "-P", "--delimiter=\x1f"]
    assert call[5:11] == ["-M", "bench", "-S", "2026-11-20T15:04:11", "-E", "2026-11-20T15:09:21"]
    assert not {"JobName", "Comment", "SubmitLine", "WorkDir"} & set(call[12].split(","))
    assert sacct.environment == ["TZ=UTC", "SLURM_TIME_FORMAT=%s", "SACCT_FORMAT="]


def test_a_long_window_is_asked_in_parts_and_no_record_counts_twice(sacct: Sacct) -> None:
    sacct.says(captured())
    start, end, _ = oracle(LIVE)
    result = ask(start=start - timedelta(days=100), end=end + timedelta(days=1))
    asked = [(call[call.index("-S") + 1], call[call.index("-E") + 1]) for call in sacct.calls]
    assert len(asked) == 4
    assert all(asked[index][1] == asked[index + 1][0] for index in range(3))
    assert result.rows_read == 72


def test_a_missing_program_a_failure_silence_and_nonsense_each_say_so(
    sacct: Sacct, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as empty, pytest.raises(Unavailable, match="not installed"):
        empty.setenv("PATH", str(sacct.folder))
        ask()
    sacct.says(errors="slurm_persist_conn_open: Connection refused", code=1)
    with pytest.raises(Unavailable, match="exit code 1: slurm_persist_conn_open: Connection refused"):
        ask()
    sacct.says(b"")
    with pytest.raises(Unavailable, match="printed nothing"):
        ask()
    sacct.says(b"<html>\n")
    with pytest.raises(Unavailable, match="something else than a table"):
        ask()
    monkeypatch.setattr(SacctSource, "timeout", 0.2)
    sacct.says(captured()[:500], seconds=30)
    with pytest.raises(Unavailable, match=r"within 0\.2 seconds"):
        ask()
    assert not Job.objects.exists()


def test_a_failure_after_some_rows_fails_the_run(sacct: Sacct) -> None:
    sacct.says(captured(), errors="lost the database", code=1)
    with pytest.raises(Unavailable, match="lost the database"):
        ask()
    assert ImportRun.objects.get().status == "failed"


def test_a_header_alone_is_no_usage_and_no_error(sacct: Sacct) -> None:
    sacct.says(captured().split(b"\n")[0] + b"\n")
    assert ask().rows_read == 0


def test_what_sacct_says_beside_its_rows_becomes_a_note(sacct: Sacct) -> None:
    sacct.says(captured(), errors="warning: slurmdbd is slow")
    assert ask().notes == ["sacct said: warning: slurmdbd is slow"]


def test_a_broken_row_is_refused_and_the_rest_is_kept(sacct: Sacct) -> None:
    lines = captured().split(b"\n")
    sacct.says(b"\n".join([*lines[:3], b"two\xff", *lines[3:]]))
    result = ask()
    assert (result.by_reason, result.imported) == ({"field_count": 1}, 65)


def test_the_window_filters_what_sacct_gives_at_both_inclusive_ends(sacct: Sacct) -> None:
    import gzip

    text = gzip.decompress((HIST / "sacct-X-D.psv.gz").read_bytes()).replace(b"|", b"\x1f")
    sacct.says(text)
    start, end, _ = oracle(HIST)
    ended = run_import(source="sacct", start=start, end=end, timezone="UTC")
    assert not Job.objects.filter(end_at__gte=end).exists()
    assert not Job.objects.filter(end_at__lt=start).exists()
    assert ended.imported == Job.objects.filter(end_at__isnull=False).count()
