"""--source auto: slurmrestd, then sacct, then the fallback file; each that is passed over is named with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.management import call_command
from django.utils import translation

from core.commands import EXIT_PARTIAL
from core.errors import Misconfigured, Unavailable, UsageError
from core.words.said import heard
from hpcbilling.periodic import live_source_configured
from tests.usage.conftest import Daemon, Sacct
from tests.usage.helpers import LIVE, read_json, row, run_import, write
from usage.models import Cluster, ImportRun
from usage.records import BadRow
from usage.selectors.freshness import data_until
from usage.sources.base import UsageSource

pytestmark = pytest.mark.django_db
EPOCH_FILE = LIVE / "sacct-X-epoch.psv"
SHORTLY_AFTER = datetime(2026, 11, 20, 15, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_configured(settings: Any) -> None:
    settings.SLURMRESTD_URL = settings.SLURMRESTD_TOKEN = settings.SLURM_JWT = settings.FALLBACK_CSV = ""


def live_jobs() -> list[dict[str, Any]]:
    return read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"]


@time_machine.travel(SHORTLY_AFTER, tick=False)
def test_slurmrestd_comes_first_and_nothing_is_passed_over(slurmrestd: Daemon, sacct: Sacct) -> None:
    slurmrestd.jobs = live_jobs()
    result = run_import()
    assert (result.source, result.imported, result.notes) == ("slurmrestd", 65, [])


@time_machine.travel(SHORTLY_AFTER, tick=False)
def test_a_refused_token_is_noted_and_sacct_is_asked(slurmrestd: Daemon, sacct: Sacct) -> None:
    body = (LIVE / "error-expired-token.json").read_bytes()
    slurmrestd.answers["/slurmdb/v0.0.38/jobs"] = (200, body, "application/json")
    sacct.says(EPOCH_FILE.read_bytes().replace(b"|", b"\x1f"))
    result = run_import()
    assert (result.source, result.imported) == ("sacct", 65)
    assert result.notes[0].startswith("slurmrestd passed over: slurmrestd: the token has expired")
    assert [heard(note) for note in ImportRun.objects.get().notes] == result.notes


def test_the_fallback_file_comes_last_with_a_note_for_each_source_before_it(no_sacct: None, settings: Any) -> None:
    settings.FALLBACK_CSV = str(EPOCH_FILE)
    result = run_import()
    assert (result.source, result.imported) == ("csv", 65)
    assert result.notes == [
        "slurmrestd passed over: not configured. SLURMRESTD_URL is not set.",
        "sacct passed over: sacct is not installed here (it was not found on PATH).",
    ]


def test_notes_of_what_was_passed_over_are_read_in_the_language_of_the_reader(no_sacct: None, settings: Any) -> None:
    """The import ran in Thai; an English reader reads the source's own words in English, too."""
    settings.FALLBACK_CSV = str(EPOCH_FILE)
    with translation.override("th"):
        shown = run_import().notes
    assert [heard(note) for note in ImportRun.objects.get().notes] == [
        "slurmrestd passed over: not configured. SLURMRESTD_URL is not set.",
        "sacct passed over: sacct is not installed here (it was not found on PATH).",
    ]
    assert "is not set" not in shown[0]
    assert "not installed" not in shown[1]


def test_when_all_fail_every_reason_is_listed_and_no_run_is_kept(no_sacct: None, settings: Any, tmp_path: Path) -> None:
    settings.SLURMRESTD_URL, settings.SLURMRESTD_TOKEN = "http://127.0.0.1:9", "x"
    settings.FALLBACK_CSV = str(tmp_path / "gone.csv")
    with pytest.raises(Unavailable) as caught:
        run_import()
    assert caught.value.exit_code == 69
    for words in ("slurmrestd passed over", "refused", "sacct is not installed", "csv passed over", "gone.csv"):
        assert words in caught.value.message
    assert not ImportRun.objects.exists()


def test_a_file_needs_no_chain_and_goes_with_no_live_source(tmp_path: Path) -> None:
    file = write(tmp_path / "u.psv", row(1))
    result = run_import(str(file), source="auto")
    assert (result.source, result.notes) == ("csv", [])
    with pytest.raises(UsageError, match="--file"):
        run_import(str(file), source="sacct")


@time_machine.travel(SHORTLY_AFTER, tick=False)
def test_without_dates_a_first_look_goes_back_thirty_days_and_the_next_two_before_what_was_read(sacct: Sacct) -> None:
    sacct.says(EPOCH_FILE.read_bytes().replace(b"|", b"\x1f"))
    run_import(source="sacct")
    first_calls = len(sacct.calls)
    assert Cluster.objects.get(name="bench").read_until == SHORTLY_AFTER
    assert data_until() == SHORTLY_AFTER, "a live source goes as far as its window, not as its last job"
    again = run_import(source="sacct")
    starts = [datetime.fromisoformat(f"{call[call.index('-S') + 1]}Z") for call in sacct.calls]
    ends = [datetime.fromisoformat(f"{call[call.index('-E') + 1]}Z") for call in sacct.calls]
    assert SHORTLY_AFTER - starts[0] < timedelta(days=30, seconds=2)
    assert starts[first_calls] == SHORTLY_AFTER - timedelta(days=2)
    assert ends[first_calls - 1] == ends[-1] == SHORTLY_AFTER + timedelta(seconds=1)
    assert (again.imported, again.duplicate, again.pending) == (0, 65, 7)


@time_machine.travel(SHORTLY_AFTER, tick=False)
def test_a_run_that_read_less_than_everything_is_no_mark_to_go_on_from(sacct: Sacct) -> None:
    text = EPOCH_FILE.read_bytes().replace(b"|", b"\x1f")
    sacct.says(text)
    run_import(source="sacct", dry_run=True)
    run_import(source="sacct", user="alice")
    run_import(EPOCH_FILE)
    sacct.says(text, errors="gone", code=1, call=len(sacct.calls) + 3)
    with pytest.raises(Unavailable):
        run_import(source="sacct")
    assert set(Cluster.objects.values_list("read_until", flat=True)) == {None}


def test_a_source_that_is_not_registered_is_named_with_those_that_are() -> None:
    from core.errors import Misconfigured

    with pytest.raises(Misconfigured, match="knows no 'abacus'; it has csv, sacct, slurmrestd"):
        run_import(source="abacus")


class Pbs(UsageSource):
    """A source that a site has added; ``PBS_LOG`` is its setting."""

    key, live = "pbs", True

    def check(self) -> None:
        if not getattr(settings, "PBS_LOG", ""):
            raise Misconfigured("PBS_LOG is not set.")

    def batches(self) -> Iterator[Any]:
        from usage.batches import in_batches

        return in_batches(iter([BadRow(1, "2;alice", "no_state")]))


@pytest.fixture
def pbs(no_sacct: None, settings: Any) -> Any:
    settings.USAGE_SOURCES = {"pbs": f"{__name__}.Pbs", **settings.USAGE_SOURCES}
    return settings


def test_a_source_that_a_site_adds_has_its_place_and_its_name(pbs: Any) -> None:
    pbs.FALLBACK_CSV = str(EPOCH_FILE)
    assert run_import().notes[0] == "pbs passed over: not configured. PBS_LOG is not set."
    pbs.PBS_LOG = "/var/log/pbs"
    result = run_import()
    assert (result.source, result.quarantined) == ("pbs", 1)
    with pytest.raises(SystemExit) as ended:
        call_command("import_usage", "--source", "pbs")
    assert ended.value.code == EXIT_PARTIAL


def test_doctor_and_the_runner_know_a_source_that_a_site_adds_once_it_is_set_up(pbs: Any) -> None:
    assert not live_source_configured()
    pbs.PBS_LOG = "/var/log/pbs"
    assert live_source_configured()
    out = StringIO()
    with suppress(SystemExit):
        call_command("doctor", format="json", stdout=out)
    found = {each["name"]: each["message"] for each in json.loads(out.getvalue())["findings"]}
    assert found["usage source"] == "Usage comes from pbs, which answers."
