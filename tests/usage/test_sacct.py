"""sacct: how it is called, and each way it may fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from core.errors import Misconfigured, Unavailable
from tests.usage.conftest import Sacct
from tests.usage.helpers import HIST, LIVE, oracle, run_import, stored
from usage.models import ImportRun, Job
from usage.sources.sacct import FIELDS, SacctSource

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
    assert sacct.environment[:3] == ["TZ=UTC", "SLURM_TIME_FORMAT=%s", "SACCT_FORMAT="]


def test_a_long_window_is_asked_in_parts_and_no_record_counts_twice(sacct: Sacct) -> None:
    sacct.says(captured())
    start, end, _ = oracle(LIVE)
    result = ask(start=start - timedelta(days=100), end=end + timedelta(days=1))
    asked = [(call[call.index("-S") + 1], call[call.index("-E") + 1]) for call in sacct.calls]
    assert len(asked) == 8
    assert all(first[1] == second[0] for first, second in pairwise(asked))
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
    _start, end, _ = oracle(LIVE)
    sacct.says(captured())
    sacct.says(captured(), errors="lost the database", code=1, call=3)
    with pytest.raises(Unavailable, match="lost the database"):
        ask(end=end + timedelta(days=9))
    run = ImportRun.objects.get()
    assert (run.status, run.imported) == ("failed", 65)


def test_half_an_answer_is_none(sacct: Sacct) -> None:
    sacct.says(captured(), errors="lost the database", code=1)
    with pytest.raises(Unavailable, match="lost the database"):
        ask()
    assert not ImportRun.objects.exists()
    assert not Job.objects.exists()


def test_a_window_that_takes_too_long_is_asked_in_halves(sacct: Sacct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SacctSource, "timeout", 0.5)
    sacct.says(captured())
    for call in (1, 2):
        sacct.says(captured()[:500], seconds=30, call=call)
    _start, end, _ = oracle(LIVE)
    result = ask(start=end - timedelta(hours=24), end=end)
    windows = [[datetime.fromisoformat(call[call.index(edge) + 1]) for edge in ("-S", "-E")] for call in sacct.calls]
    hours = [(last - first) / timedelta(hours=1) for first, last in windows]
    assert hours == [24, 12, 6, 6, 6, 6], "what was too much is not asked again at once"
    assert (result.imported, result.pending) == (65, 7)


def test_a_window_that_is_too_wide_for_slurmdbd_is_asked_in_halves(sacct: Sacct) -> None:
    _start, end, _ = oracle(LIVE)
    sacct.says(captured())
    sacct.says(errors="sacct: error: Too wide of a date range in query", code=95, call=1)
    assert ask(start=end - timedelta(hours=24), end=end).imported == 65
    assert len(sacct.calls) == 3
    sacct.says(errors="sacct: error: Too wide of a date range in query", code=95)
    with pytest.raises(
        Unavailable, match=r"exit code 95: sacct: error: Too wide .* The window was 2026-11-20 22:04 to"
    ):
        ask()


# --- which fields, which cluster, who asks --------------------------------------
def test_a_field_that_this_sacct_lacks_is_left_out_with_a_note_or_named_when_it_is_needed(sacct: Sacct) -> None:
    _start, _end, _ = oracle(LIVE)
    sacct.knows(*(name.lower() for name in FIELDS if name != "QOS"))
    sacct.says("\n".join(_without(line, "QOS") for line in captured().decode().splitlines()).encode() + b"\n")
    result = ask()
    assert (result.imported, result.notes) == (65, ["This sacct cannot show QOS; left out."])
    assert "QOS" not in sacct.calls[-1][-1].split(",")
    assert set(Job.objects.values_list("qos", flat=True)) == {""}
    sacct.knows("JobID", "State")
    with pytest.raises(Unavailable, match=r"cannot show JobIDRaw, User, Account, .*AllocTRES"):
        ask()


def _without(line: str, name: str) -> str:
    place = captured().decode().splitlines()[0].split("\x1f").index(name)
    cells = line.split("\x1f")
    return "\x1f".join(cells[:place] + cells[place + 1 :])


def test_only_the_cluster_that_is_asked_for_is_asked_of_sacct(sacct: Sacct) -> None:
    sacct.says(captured())
    ask()
    assert not {"-M", "-L"} & set(sacct.calls[-1]), "sacct's own cluster"
    ask(cluster="bench")
    call = sacct.calls[-1]
    assert call[call.index("-M") + 1] == "bench"


def as_user(monkeypatch: pytest.MonkeyPatch, sacct: Sacct, name: str, level: str) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setattr("usage.sources.sacct._login", lambda: name)
    sacctmgr = sacct.folder / "sacctmgr"
    sacctmgr.write_text(f"#!/bin/sh\necho '{level}'\n")
    sacctmgr.chmod(0o755)


@pytest.mark.parametrize(("level", "told"), [("None", True), ("", True), ("Operator", False), ("Administrator", False)])
def test_a_system_user_that_may_see_only_its_own_jobs_is_noticed_and_said(
    sacct: Sacct, monkeypatch: pytest.MonkeyPatch, level: str, told: bool
) -> None:
    as_user(monkeypatch, sacct, "alice", level)
    lines = captured().splitlines(keepends=True)
    sacct.says(b"".join([lines[0], *(line for line in lines if b"\x1falice\x1f" in line)]))
    notes = ask().notes
    assert [("sacctmgr modify user alice set adminlevel=operator" in note) for note in notes] == [True] * told
    sacct.says(lines[0])
    assert len(ask().notes) == 1 + told, "nothing at all may mean the same"
    sacct.says(captured())
    assert ask().notes == [], "who sees others sees all"


def test_a_slurm_conf_that_is_not_there_is_named(sacct: Sacct, settings: Any) -> None:
    settings.SLURM_CONF = "/nonexistent/slurm.conf"
    with pytest.raises(Misconfigured, match="SLURM_CONF"):
        ask()


def test_a_header_alone_is_no_usage_and_no_error(sacct: Sacct) -> None:
    sacct.says(captured().split(b"\n")[0] + b"\n")
    result = ask()
    assert (result.rows_read, result.notes) == (0, ["sacct found no jobs at all in this window."])


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
