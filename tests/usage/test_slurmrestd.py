"""slurmrestd: the same jobs as sacct in every shape, and no trouble taken for "no usage"."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from core.errors import Misconfigured, Unavailable
from tests.usage.conftest import NEW_FIELDS, OLD_FIELDS, TOKEN, Daemon
from tests.usage.helpers import HIST, LIVE, SHAPES, at, oracle, read_json, run_import, stored
from tests.usage.restd import CAPTURE, ask, facts
from usage.models import ImportRun, Job
from usage.sources import rest

pytestmark = pytest.mark.django_db

SHAPE_FILES = sorted(path.name for path in SHAPES.glob("*.gz"))


def test_two_months_by_rest_equal_the_oracle_and_the_text_record_by_record(slurmrestd: Daemon) -> None:
    result = ask(slurmrestd, HIST)
    start, end, expected = oracle(HIST)
    assert stored(start, end) == expected
    by_rest = facts(end_at__isnull=False)
    assert [round((last - first) / 86400) for first, last in slurmrestd.windows] == [1, 2, 4, 8, 16, 30]
    assert slurmrestd.windows[0][0] == start.timestamp()
    assert slurmrestd.windows[-1][1] == end.timestamp()
    assert run_import(HIST / "sacct-X-D.psv.gz", start=start, end=end).duplicate == result.imported == len(by_rest)
    Job.objects.all().delete()
    run_import(HIST / "sacct-X-D.psv.gz", start=start, end=end)
    assert facts(end_at__isnull=False) == by_rest


@pytest.mark.parametrize("name", ["", *SHAPE_FILES])
def test_every_json_shape_gives_the_jobs_that_sacct_gives(slurmrestd: Daemon, name: str) -> None:
    start, end, expected = oracle(LIVE)
    text = run_import(LIVE / "sacct-X-epoch.psv", start=start, end=end)
    by_text = facts()
    Job.objects.all().delete()
    result = ask(slurmrestd, SHAPES, name) if name else ask(slurmrestd)
    assert (result.imported, result.pending, result.quarantined) == (text.imported, text.pending, 0)
    assert facts() == by_text
    assert stored(start, end) == expected


def test_shapes_with_steps_say_what_was_used_and_those_without_do_not(slurmrestd: Daemon) -> None:
    ask(slurmrestd)
    assert not Job.objects.filter(elapsed_seconds__gt=0, used_cpu_seconds__isnull=False).exists()
    jobs = slurmrestd.jobs
    for job in jobs:
        job["time"]["total"] = {"seconds": 3, "microseconds": 500_000}
    assert ask(slurmrestd, name="").updated > 50
    assert set(Job.objects.filter(end_at__isnull=False).values_list("used_cpu_seconds", flat=True)) == {4}


def test_a_window_of_days_counts_a_long_job_once(slurmrestd: Daemon) -> None:
    start, end, _ = oracle(LIVE)
    result = ask(slurmrestd, start=at(int(start.timestamp()) - 5 * 86400), end=end)
    assert result.rows_read == 72
    assert len(set(slurmrestd.windows)) == 3


def test_the_newest_version_that_both_know_is_taken_with_the_flags_that_it_knows(slurmrestd: Daemon) -> None:
    slurmrestd.versions = {38: OLD_FIELDS, 41: NEW_FIELDS, 42: NEW_FIELDS, 99: NEW_FIELDS}
    ask(slurmrestd)
    path, query, headers = slurmrestd.last
    assert path == "/slurmdb/v0.0.42/jobs"
    flags = {name for name, value in query.items() if value == "true"}
    assert flags == {"skip_steps", "show_duplicates", "disable_truncate_usage_time"}
    assert query["start_time"] == "uts1795187051"
    assert (headers["X-SLURM-USER-NAME"], headers["X-SLURM-USER-TOKEN"]) == ("root", TOKEN)


def test_an_old_daemon_is_not_sent_fields_that_it_refuses(slurmrestd: Daemon) -> None:
    ask(slurmrestd)
    path, query, _ = slurmrestd.last
    assert path == "/slurmdb/v0.0.38/jobs"
    assert set(query) == {"start_time", "end_time", "skip_steps"}


def test_a_version_that_is_set_is_used_and_its_404_names_the_setting(slurmrestd: Daemon, settings: Any) -> None:
    settings.SLURMRESTD_API_VERSION = "v0.0.40"
    with pytest.raises(Unavailable, match=r"does not serve v0\.0\.40 .*SLURMRESTD_API_VERSION"):
        ask(slurmrestd)
    slurmrestd.versions = {40: NEW_FIELDS, 42: NEW_FIELDS}
    ask(slurmrestd)
    assert slurmrestd.last[0] == "/slurmdb/v0.0.40/jobs"
    settings.SLURMRESTD_API_VERSION = "latest"
    with pytest.raises(Misconfigured, match="SLURMRESTD_API_VERSION"):
        ask(slurmrestd)


def test_a_daemon_that_serves_no_known_version_is_named_with_what_it_serves(slurmrestd: Daemon) -> None:
    slurmrestd.versions = {36: OLD_FIELDS}
    with pytest.raises(Unavailable, match=r"serves v0\.0\.36; this program knows v0\.0\.38"):
        ask(slurmrestd)


JOBS = "/slurmdb/v0.0.38/jobs"
HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "error-expired-token.json", r"token has expired or is refused .*1007"),
        (500, "error-bad-time.json", "error 9000: .*Unable to parse time format"),
        (500, "error-unknown-field.json", "error 9000: .*Unknown Query field"),
        (400, "error-unencoded-colon.txt", "HTTP 400 without JSON: 'Unable to parse query.'"),
        (401, b"Authentication failure", "refuses the token or the user name"),
        (403, b"", "refuses the token"),
        (502, HTML, "web page .*502"),
        (200, HTML, "web page .*200"),
        (200, b"", "without JSON"),
        (200, b'{"jobs": [', "without JSON"),
        (200, b"[]", "without JSON"),
        (200, b'{"errors": []}', "without a list of jobs"),
        (503, b'{"errors": [], "jobs": []}', "HTTP 503 without saying why"),
        (302, b"", "HTTP 302 without JSON"),
    ],
)
def test_an_answer_that_is_not_jobs_is_an_error_and_never_no_usage(
    slurmrestd: Daemon, status: int, body: str | bytes, words: str
) -> None:
    content = (LIVE / body).read_bytes() if isinstance(body, str) else body
    slurmrestd.answers[JOBS] = (status, content, "text/html" if content == HTML else "application/json")
    with pytest.raises(Unavailable, match=words) as caught:
        ask(slurmrestd)
    assert caught.value.exit_code == 69
    assert TOKEN not in str(caught.value)
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize("errors", [["bad thing"], "bad thing", {"error": "bad thing"}, [{"error": "bad thing"}, None]])
def test_errors_of_any_shape_beside_jobs_are_errors(slurmrestd: Daemon, errors: Any) -> None:
    jobs = read_json(LIVE / CAPTURE)["jobs"]
    body = json.dumps({"jobs": jobs, "errors": errors}).encode()
    slurmrestd.answers[JOBS] = (200, body, "application/json")
    with pytest.raises(Unavailable, match="bad thing"):
        ask(slurmrestd, name="")
    assert not Job.objects.exists()


def test_nothing_found_is_no_usage_and_no_error(slurmrestd: Daemon) -> None:
    slurmrestd.answers[JOBS] = (200, (LIVE / "error-nothing-found.json").read_bytes(), "application/json")
    result = ask(slurmrestd)
    assert (result.rows_read, result.source) == (0, "slurmrestd")
    assert result.notes == ["slurmrestd found no jobs at all in this window."]
    assert ImportRun.objects.get().status == "done"


def test_an_error_after_the_first_windows_fails_the_run_and_keeps_what_was_stored(
    slurmrestd: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = slurmrestd.answer

    def failing(path: str, query: dict[str, str], user: str) -> tuple[int, bytes, str]:
        if path == JOBS and len(slurmrestd.windows) > 5:
            return 200, (LIVE / "error-expired-token.json").read_bytes(), "application/json"
        return answer(path, query, user)

    monkeypatch.setattr(slurmrestd, "answer", failing)
    with pytest.raises(Unavailable, match="expired"):
        ask(slurmrestd, HIST)
    run = ImportRun.objects.get()
    assert run.status == "failed"
    assert run.imported + run.pending == Job.objects.count() > 100


# --- windows -----------------------------------------------------------------
def test_what_the_daemon_is_too_slow_for_is_asked_in_halves(slurmrestd: Daemon, settings: Any) -> None:
    slurmrestd.delay, slurmrestd.widest, settings.SLURMRESTD_TIMEOUT = 1.5, 6 * 3600, 0.5
    _start, end, _ = oracle(LIVE)
    result = ask(slurmrestd, start=at(int(end.timestamp()) - 36 * 3600), end=end)
    assert result.imported == 65
    hours = [(last - first) / 3600 for first, last in slurmrestd.windows]
    assert hours[:3] == [24, 12, 6]
    assert sum(width for width in hours if width <= 6) == 36, "every hour was read, and once"


def test_an_answer_over_the_limit_is_not_read_to_its_end_and_asked_in_halves(slurmrestd: Daemon, settings: Any) -> None:
    _start, _end, _ = oracle(HIST)
    whole = ask(slurmrestd, HIST)
    everything = facts()
    Job.objects.all().delete()
    slurmrestd.asked.clear()
    settings.SLURMRESTD_MAX_BYTES = 200_000
    assert ask(slurmrestd, HIST, "").imported == whole.imported
    assert facts() == everything
    starts = [first for first, _ in slurmrestd.windows]
    assert len(set(starts)) < len(starts), "what was over the limit was asked again"
    settings.SLURMRESTD_MAX_BYTES = 2_000
    with pytest.raises(Unavailable, match=r"more than 2000 bytes \(SLURMRESTD_MAX_BYTES\)\. The window was 20.* to 20"):
        ask(slurmrestd, HIST, "")


def test_a_window_that_is_too_wide_for_slurmdbd_is_asked_in_halves(
    slurmrestd: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = slurmrestd.answer
    error = {"error_number": 7007, "error": "Too wide of a date range in query", "source": "slurmdb_jobs_get"}
    body = json.dumps({"errors": [error], "jobs": []}).encode()

    def narrow(path: str, query: dict[str, str], user: str) -> tuple[int, bytes, str]:
        too_wide = path == JOBS and slurmrestd.windows[-1][1] - slurmrestd.windows[-1][0] > 7 * 86400
        return (200, body, "application/json") if too_wide else answer(path, query, user)

    whole = ask(slurmrestd, HIST).imported
    Job.objects.all().delete()
    monkeypatch.setattr(slurmrestd, "answer", narrow)
    assert ask(slurmrestd, HIST).imported == whole


def test_reading_stops_at_the_limit(slurmrestd: Daemon, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CHUNK", 1000)
    settings.SLURMRESTD_MAX_BYTES = 5_000
    read: list[int] = []
    content = requests.Response.iter_content

    def counting(self: requests.Response, size: int) -> Iterator[bytes]:
        for chunk in content(self, size):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(requests.Response, "iter_content", counting)
    slurmrestd.answers[JOBS] = (200, b" " * 1_000_000, "application/json")
    with pytest.raises(Unavailable, match="5000 bytes"):
        ask(slurmrestd)
    assert sum(read) < 10_000


# --- who sees what -------------------------------------------------------------
@pytest.mark.parametrize(
    ("level", "coordinates", "told"),
    [
        ("None", [], True),
        (["None"], [], True),
        (["Operator"], [], False),
        ("Administrator", [], False),
        ("None", ["chem"], True),
    ],
)
def test_a_token_that_may_see_only_its_own_jobs_is_noticed_and_said(
    slurmrestd: Daemon, settings: Any, level: Any, coordinates: list[str], told: bool
) -> None:
    settings.SLURMRESTD_USER, slurmrestd.private = "alice", True
    slurmrestd.levels["alice"], slurmrestd.coordinates["alice"] = level, coordinates
    result = ask(slurmrestd)
    users = set(Job.objects.values_list("username", flat=True))
    assert ("alice" in users, "carol" in users) == (True, not told)
    assert [("sacctmgr modify user alice set adminlevel=operator" in note) for note in result.notes] == [True] * told


def test_a_token_that_sees_nothing_is_told_what_it_may_lack(slurmrestd: Daemon, settings: Any) -> None:
    settings.SLURMRESTD_USER, slurmrestd.private = "billing", True
    slurmrestd.jobs = read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"]
    notes = ask(slurmrestd, name="").notes
    assert notes[0] == "slurmrestd found no jobs at all in this window."
    assert "those of billing, who asked, and of accounts that they coordinate" in notes[1]


def test_a_plain_token_that_sees_everybody_is_enough(slurmrestd: Daemon, settings: Any) -> None:
    settings.SLURMRESTD_USER, slurmrestd.levels["alice"] = "alice", "None"
    assert ask(slurmrestd).notes == []
    slurmrestd.answers["/slurmdb/v0.0.38/user/alice"] = (500, b"", "text/plain")
    assert ask(slurmrestd, name="").notes == [], "that question never fails a run"


def test_silence_and_a_closed_port_are_told_apart(slurmrestd: Daemon, settings: Any) -> None:
    slurmrestd.delay, settings.SLURMRESTD_TIMEOUT = 3, 0.3
    with pytest.raises(Unavailable, match=r"did not answer within 0\.3 seconds"):
        ask(slurmrestd)
    settings.SLURMRESTD_URL = "http://127.0.0.1:9"
    with pytest.raises(Unavailable, match=r"cannot be reached .*refused"):
        ask(slurmrestd)
    settings.SLURMRESTD_URL = slurmrestd.url.replace("http:", "https:")
    with pytest.raises(Unavailable, match="TLS"):
        ask(slurmrestd)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLURMRESTD_URL", "slurmctl:6820"),
        ("SLURMRESTD_URL", "ftp://slurmctl"),
        ("SLURMRESTD_URL", "http://slurmctl:port"),
        ("SLURMRESTD_URL", "http://me:open-sesame@slurmctl:6820"),
        ("SLURMRESTD_TLS_VERIFY", "/nonexistent/ca.pem"),
        ("SLURMRESTD_API_VERSION", "0.0.40/../x"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(slurmrestd: Daemon, settings: Any, name: str, value: str) -> None:
    setattr(settings, name, value)
    with pytest.raises(Misconfigured, match=name) as caught:
        ask(slurmrestd)
    assert "open-sesame" not in caught.value.message
    assert slurmrestd.asked == []


@pytest.mark.parametrize("name", ["SLURMRESTD_URL", "SLURMRESTD_TOKEN"])
def test_a_missing_setting_is_named(slurmrestd: Daemon, settings: Any, name: str) -> None:
    setattr(settings, name, "")
    settings.SLURM_JWT = ""
    with pytest.raises(Misconfigured, match=name) as caught:
        ask(slurmrestd)
    assert caught.value.exit_code == 78


def test_the_user_is_taken_from_the_token_when_it_is_not_set(slurmrestd: Daemon, settings: Any) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"sun": "billing"}).encode()).decode().rstrip("=")
    settings.SLURMRESTD_USER, settings.SLURMRESTD_TOKEN, settings.SLURM_JWT = "", "", f"x.{claims}.y"
    ask(slurmrestd)
    assert slurmrestd.last[2]["X-SLURM-USER-NAME"] == "billing"


def test_no_proxy_of_the_environment_sees_the_token(slurmrestd: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(slurmrestd).imported == 65


def test_the_token_is_never_logged_stored_or_sent_to_a_redirect(
    slurmrestd: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask(slurmrestd)
    assert TOKEN not in caplog.text
    assert TOKEN not in json.dumps(list(ImportRun.objects.values()), default=str)
    slurmrestd.answers[JOBS] = (307, b"", "text/plain")
    with pytest.raises(Unavailable):
        ask(slurmrestd)
