"""Several clusters: each with settings, a source and a mark of its own; the same ids in two of them are two jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from core.errors import BadInput, Misconfigured, Unavailable
from hpcbilling.models import PeriodicTask
from hpcbilling.periodic import TASKS, live_source_configured, look, run_due
from tests.starts import manage
from tests.usage.conftest import Daemon, Sacct, serving
from tests.usage.helpers import LIVE, at, oracle, read_json, row, run_import, write
from usage.clusters import SETTINGS
from usage.models import Cluster, Job

pytestmark = pytest.mark.django_db
SHORTLY_AFTER = at(1795187400)  # the captured jobs ended before
EPOCH_FILE = LIVE / "sacct-X-epoch.psv"
IMPORT = tuple(task for task in TASKS if task.name == "import_usage")


@pytest.fixture(autouse=True)
def _nothing_configured(settings: Any) -> None:
    for name in SETTINGS:
        setattr(settings, name, "true" if name == "SLURMRESTD_TLS_VERIFY" else "")
    settings.SLURM_JWT = ""
    settings.SLURM_CLUSTER = "c1"
    settings.SLURM_CLUSTERS, settings.SLURM_PER_CLUSTER = ["c1", "c2"], {"c1": {}, "c2": {}}


def of(cluster: str) -> list[dict[str, Any]]:
    """The same jobs with the same ids, as another cluster's."""
    jobs = deepcopy(read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"])
    for job in jobs:
        job["cluster"] = job["association"]["cluster"] = cluster
    return jobs


@pytest.fixture
def daemons(settings: Any) -> Iterator[tuple[Daemon, Daemon]]:
    """Two slurmrestds, each with an address and a token of its own."""
    with serving() as first, serving() as second:
        for cluster, daemon in (("c1", first), ("c2", second)):
            daemon.jobs = of(cluster)
            settings.SLURM_PER_CLUSTER[cluster] = {
                "SLURMRESTD_URL": daemon.url, "SLURMRESTD_TOKEN": f"token-of-{cluster}", "SLURMRESTD_USER": "root",
            }  # fmt: skip
        yield first, second


def ask(cluster: str, **options: Any) -> Any:
    start, end, _ = oracle(LIVE)
    return run_import(**{"cluster": cluster, "start": start, "end": end, **options})


# --- what belongs to whom --------------------------------------------------------
def test_ids_that_repeat_between_clusters_do_not_collide(daemons: tuple[Daemon, Daemon], no_sacct: None) -> None:
    for cluster in ("c1", "c2", "c1"):
        ask(cluster)
    assert {name: Job.objects.filter(cluster=name).count() for name in ("c1", "c2")} == {"c1": 72, "c2": 72}
    ids = {name: set(Job.objects.filter(cluster=name).values_list("job_id", "submit_at")) for name in ("c1", "c2")}
    assert ids["c1"] == ids["c2"]


def test_each_cluster_is_asked_at_its_own_address_with_its_own_token(
    daemons: tuple[Daemon, Daemon], no_sacct: None, settings: Any
) -> None:
    settings.SLURMRESTD_URL, settings.SLURMRESTD_TOKEN = "http://127.0.0.1:9", "plain"
    ask("c2")
    first, second = daemons
    assert first.asked == []
    assert {headers["X-SLURM-USER-TOKEN"] for _, _, headers in second.asked} == {"token-of-c2"}
    assert second.last[1]["cluster"] == "c2"


def test_plain_settings_are_the_default_and_a_token_of_its_own_brings_its_own_user(
    slurmrestd: Daemon, settings: Any
) -> None:
    settings.SLURM_PER_CLUSTER["c2"] = {"SLURMRESTD_TOKEN": "x.eyJzdW4iOiJiaWxsaW5nIn0.y"}
    slurmrestd.levels["billing"] = "Operator"
    for cluster, user in (("c1", "root"), ("c2", "billing")):
        slurmrestd.jobs = of(cluster)
        assert ask(cluster, source="slurmrestd").imported == 65
        assert slurmrestd.last[2]["X-SLURM-USER-NAME"] == user


def test_rows_that_name_no_cluster_are_the_one_that_was_asked_for(tmp_path: Path) -> None:
    header = "JobIDRaw|User|Account|Submit|Start|End|ElapsedRaw|AllocTRES|State"
    cells = "1|alice|physics|1789999000|1790000000|1790000100|100|cpu=2,mem=1G|COMPLETED"
    file = write(tmp_path / "u.psv", cells, header=header)
    assert [run_import(file, cluster=name).imported for name in ("c1", "c2", "c1")] == [1, 1, 0]
    assert set(Job.objects.values_list("cluster", flat=True)) == {"c1", "c2"}


def test_a_slurm_conf_of_its_own_reaches_sacct(sacct: Sacct, settings: Any, tmp_path: Path) -> None:
    conf = tmp_path / "c2.conf"
    conf.write_text("")
    settings.SLURM_PER_CLUSTER["c2"] = {"SLURM_CONF": str(conf)}
    sacct.says(EPOCH_FILE.read_bytes().replace(b"|", b"\x1f").replace(b"\x1fbench\x1f", b"\x1fc2\x1f"))
    assert ask("c2", source="sacct").imported == 65
    assert sacct.environment[3] == f"SLURM_CONF={conf}"
    settings.SLURM_PER_CLUSTER["c2"] = {"SLURM_CONF": "/nonexistent"}
    with pytest.raises(Misconfigured, match="SLURM_CONF__c2"):
        ask("c2", source="sacct")


# --- which source ------------------------------------------------------------------
def test_the_source_that_is_chosen_for_a_cluster_is_what_auto_means_there(
    daemons: tuple[Daemon, Daemon], sacct: Sacct
) -> None:
    Cluster.objects.create(name="c2", source="sacct")
    sacct.says(EPOCH_FILE.read_bytes().replace(b"|", b"\x1f").replace(b"\x1fbench\x1f", b"\x1fc2\x1f"))
    assert [ask(name).source for name in ("c1", "c2")] == ["slurmrestd", "sacct"]
    sacct.says(errors="down", code=1)
    with pytest.raises(Unavailable, match="down"):
        ask("c2")
    assert daemons[1].asked == [], "nothing steps in for the chosen one"
    assert ask("c2", source="slurmrestd").source == "slurmrestd", "what is named on the command line is taken"


def test_a_chosen_source_that_there_is_not_is_named(daemons: tuple[Daemon, Daemon]) -> None:
    Cluster.objects.create(name="c2", source="abacus")
    with pytest.raises(Misconfigured, match="'abacus'"):
        ask("c2")


def test_a_cluster_that_is_not_configured_is_named_and_its_files_may_still_be_read(
    daemons: tuple[Daemon, Daemon], tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="SLURM_CLUSTERS does not name the cluster 'c3'; it has c1, c2"):
        ask("c3", source="slurmrestd")
    assert run_import(write(tmp_path / "u.psv", row(1, Cluster="c3")), cluster="c3").imported == 1


def test_the_fallback_file_of_one_cluster_never_becomes_anothers(no_sacct: None, settings: Any, tmp_path: Path) -> None:
    settings.FALLBACK_CSV = str(write(tmp_path / "c1.psv", row(1)))
    assert run_import(cluster="c1").imported == 1
    with pytest.raises(Unavailable, match="give --file or set FALLBACK_CSV__c2"):
        run_import(cluster="c2")
    settings.SLURM_PER_CLUSTER["c2"] = {"FALLBACK_CSV": str(write(tmp_path / "c2.psv", row(2, Cluster="c2")))}
    assert run_import(cluster="c2").imported == 1
    settings.SLURM_PER_CLUSTER["c2"] = {"FALLBACK_CSV": settings.FALLBACK_CSV}
    with pytest.raises(BadInput, match="No row is of cluster c2"):
        run_import(cluster="c2", source="csv")


# --- the runner and doctor ----------------------------------------------------------
def test_the_runner_imports_each_cluster_and_one_failure_stops_no_other(
    daemons: tuple[Daemon, Daemon], no_sacct: None
) -> None:
    daemons[0].answers["/slurmdb/v0.0.38/jobs"] = (401, b"", "text/plain")
    with time_machine.travel(SHORTLY_AFTER, tick=False):
        assert [due.name for due in look(IMPORT)] == ["import_usage c1", "import_usage c2"]
        outcomes = {outcome.name: outcome for outcome in run_due(IMPORT)}
        assert list(look(IMPORT)) == []
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "import_usage c1": "failed",
        "import_usage c2": "done",
    }
    assert "renew SLURMRESTD_TOKEN" in PeriodicTask.objects.get(name="import_usage c1").last_error
    assert set(Job.objects.values_list("cluster", flat=True)) == {"c2"}


def test_without_a_list_of_clusters_there_is_one_import_of_whatever_slurm_names(settings: Any) -> None:
    settings.SLURM_CLUSTERS = []
    assert [(task.key, task.arguments) for task in IMPORT[0].each()] == [("import_usage", ("--source", "auto"))]
    settings.SLURM_CLUSTERS = ["c2"]
    assert [task.arguments for task in IMPORT[0].each()] == [("--source", "auto", "--cluster", "c2")]


def test_a_cluster_is_imported_when_there_is_something_to_ask(no_sacct: None, settings: Any) -> None:
    assert not live_source_configured("c2")
    settings.SLURM_PER_CLUSTER["c2"] = {"SLURMRESTD_URL": "http://slurm2:6820"}
    assert (live_source_configured("c1"), live_source_configured("c2")) == (False, True)
    Cluster.objects.create(name="c1", source="csv")
    assert not live_source_configured("c1")
    settings.FALLBACK_CSV = "/srv/c1.psv"
    assert live_source_configured("c1")


def doctor() -> dict[str, dict[str, str]]:
    out = StringIO()
    with suppress(SystemExit):
        call_command("doctor", format="json", stdout=out)
    return {item["name"]: item for item in json.loads(out.getvalue())["findings"]}


@pytest.mark.django_db(transaction=True)
def test_doctor_looks_at_each_cluster_by_its_own_settings(daemons: tuple[Daemon, Daemon], no_sacct: None) -> None:
    daemons[1].levels = {"root": "None"}
    findings = doctor()
    first, second = findings["usage source of c1"], findings["usage source of c2"]
    assert (first["level"], first["message"]) == (
        "ok", f"Usage comes from slurmrestd at {daemons[0].url}, which answers.",
    )  # fmt: skip
    assert second["level"] == "note"
    assert "sacctmgr modify user root set adminlevel=operator" in second["message"]
    Cluster.objects.create(name="c2", source="abacus")
    assert doctor()["usage source of c2"]["level"] == "problem"


# --- the environment -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"SLURM_CLUSTERS": "c1, c-2", "SLURMRESTD_URL__c_2": "https://slurm2"}, 0, ""),
        ({"SLURM_CLUSTER": "c1", "SLURMRESTD_URL__c1": "http://slurm1:6820"}, 0, ""),
        ({"SLURM_CLUSTERS": "c1", "SLURMRESTD_URL__c2": "http://slurm2:6820"}, 1, "SLURMRESTD_URL__c2 belongs to"),
        ({"SLURMRESTD_TOKEN__c2_FILE": "/nonexistent"}, 1, "SLURMRESTD_TOKEN__c2_FILE belongs to"),
        ({"SLURM_CLUSTERS": "c1", "SLURMRESTD_TOKEN__c1_FILE": "/nonexistent"}, 78, "SLURMRESTD_TOKEN__c1"),
        ({"SLURM_CLUSTERS": "c1", "SLURMRESTD_URL__c1": "slurm1:6820"}, 1, "SLURMRESTD_URL__c1 is 'slurm1:6820'"),
        ({"SLURMRESTD_URL": "unix:/run/slurmrestd"}, 1, "SLURMRESTD_URL is 'unix:/run/slurmrestd'"),
        ({"SLURM_CLUSTERS": "c1", "SLURMRESTD_API_VERSION__c1": "40"}, 1, "SLURMRESTD_API_VERSION__c1"),
        ({"SLURM_CLUSTERS": "c1;c2"}, 78, "'c1;c2' is not the name of a Slurm cluster"),
        ({"SLURM_CLUSTERS": "c-2,c_2"}, 78, "two of these would read the same variables"),
        ({"USAGE_OVERLAP_DAYS": "-1"}, 78, "USAGE_OVERLAP_DAYS"),
        ({"SLURMRESTD_MAX_BYTES": "1000"}, 78, "SLURMRESTD_MAX_BYTES"),
    ],
)
def test_variables_of_clusters_are_checked_and_named(environment: dict[str, str], code: int, words: str) -> None:
    done = manage("check", DEBUG="1", **environment)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_a_clusters_token_may_come_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame\n")
    environment = {"SLURM_CLUSTERS": "c1", "SLURMRESTD_TOKEN__c1_FILE": str(tmp_path / "token")}
    shown = "from usage.sources import connections as c; print(c.token('c1') == 'open-sesame', c.token('c2') == '')"
    done = manage("shell", "--no-imports", "-c", shown, DEBUG="1", **environment)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert "open-sesame" not in manage("doctor", DEBUG="1", **environment).stdout
