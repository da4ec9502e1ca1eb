"""A production server, asked as others ask it: by Prometheus with the shipped job, and under a name that is not its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.databases import migrated_file
from tests.ops.test_configuration import GOOD
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
Ask = Callable[[str, dict[str, str]], tuple[int, str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a site whose database is migrated and whose static files are collected."""
    folder = tmp_path_factory.mktemp("served")
    environment = {
        "PATH": os.environ["PATH"], "READ_DOT_ENV": "0", **GOOD, "TRUSTED_PROXY_COUNT": "1",
        "DATABASE_URL": migrated_file(folder / "site.sqlite3"), "STATIC_ROOT": str(folder / "static"),
    }  # fmt: skip
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    return environment


@contextmanager
def served(environment: dict[str, str], log: Path) -> Iterator[Ask]:
    with serving(environment, log) as wire:

        def ask(path: str, headers: dict[str, str]) -> tuple[int, str]:
            wire.request("GET", path, headers=headers)
            answer = wire.getresponse()
            text = answer.read().decode()
            wire.close()
            return answer.status, text

        yield ask


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[http.client.HTTPConnection]:
    port = free_port()
    server = [str(Path(sys.executable).parent / "gunicorn"), "hpcbilling.wsgi", "--bind", f"127.0.0.1:{port}",
              "--threads", "2", "--forwarded-allow-ips="]  # fmt: skip

    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with log.open("w") as told, subprocess.Popen(server, cwd=ROOT, env=environment, stderr=told) as process:
        try:
            for _ in range(120):
                try:
                    wire.connect()
                    break
                except OSError:
                    time.sleep(0.25)
            yield wire
        finally:
            wire.close()
            process.terminate()


# --- Prometheus --------------------------------------------------------------------
def job() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / "deploy" / "prometheus" / "scrape.yml").read_text())["scrape_configs"]
    return dict(found)


def target() -> str:
    ((only,),) = [each["targets"] for each in job()["static_configs"]]
    return str(only)


def scrape(ask: Ask, token: str) -> tuple[int, str]:
    """As Prometheus does: the target is the host, the token the credentials."""
    return ask(job()["metrics_path"], {"Host": target(), "Authorization": f"{job()['authorization']['type']} {token}"})


def test_the_scrape_job_asks_the_address_at_which_the_units_start_the_program_and_not_the_proxy() -> None:
    unit = (ROOT / "deploy" / "systemd" / "hpcbilling.service").read_text()
    assert (job()["scheme"], target()) == ("http", re.findall(r"--bind (\S+)", unit)[0])


def test_the_documented_scrape_reads_the_numbers_of_a_site_with_the_documented_settings(
    installed: dict[str, str], tmp_path: Path
) -> None:
    (hosts,) = re.findall(r"^ALLOWED_HOSTS=(\S+)$", OPERATIONS, re.M)
    with served(installed | {"ALLOWED_HOSTS": hosts}, tmp_path / "log") as ask:
        status, text = scrape(ask, GOOD["METRICS_TOKEN"])
        assert (status, "\nhpcbilling_database_up 1.0" in text) == (200, True)
        assert scrape(ask, "another-token-of-somebody")[0] == 401


def test_without_the_documented_host_the_same_scrape_is_refused(installed: dict[str, str], tmp_path: Path) -> None:
    with served(installed, tmp_path / "log") as ask:
        assert scrape(ask, GOOD["METRICS_TOKEN"])[0] == 400


def test_the_server_wants_no_folder_to_write_into(installed: dict[str, str], tmp_path: Path) -> None:
    """The folder of the program belongs to somebody else; a socket for commands would be an error in every start's log."""
    home = tmp_path / "home"
    home.mkdir()
    with served(installed | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}, tmp_path / "log"):
        told = (tmp_path / "log").read_text()
    assert ("ontrol" in told, list(home.iterdir()), (ROOT / ".gunicorn").exists()) == (False, [], False)


def test_every_line_of_the_log_is_json_the_servers_own_too(installed: dict[str, str], tmp_path: Path) -> None:
    with served(installed, tmp_path / "log") as ask:
        ask("/accounts/login/", {"Host": "billing.example.ac.th", "X-Forwarded-Proto": "https"})
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"gunicorn.error", "hpcbilling.request"} == {line["logger"] for line in lines}
    assert len([line for line in lines if "/accounts/login/" in line["message"]]) == 1, "no second line from the server"


def test_a_connection_that_rests_is_kept_longer_than_the_proxy_keeps_it(
    installed: dict[str, str], tmp_path: Path
) -> None:
    """Else an order goes out over one that was closed at that moment, and no proxy sends an order twice: 502."""
    with serving(installed, tmp_path / "log") as wire:
        before = None
        for pause in (0, 4):
            time.sleep(pause)
            wire.request("POST", "/api/v1/nowhere", headers={"Host": "billing.example.ac.th"})
            wire.getresponse().read()
            assert wire.sock is not None
            own = wire.sock.getsockname()
            assert before in (None, own), "the same connection"
            before = own
    kept = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["keepalive"]
    assert kept > 120, "Caddy keeps one for two minutes, nginx for one"


# --- a name that is not its own ------------------------------------------------------
@pytest.mark.parametrize(("level", "lines"), [("INFO", 1), ("WARNING", 1), ("ERROR", 0)])
def test_a_wrong_host_is_answered_with_400_and_one_warning_without_a_traceback(
    installed: dict[str, str], tmp_path: Path, level: str, lines: int
) -> None:
    with served(installed | {"LOG_LEVEL": level}, tmp_path / "log") as ask:
        assert ask("/accounts/login/", {"Host": "elsewhere.example"})[0] == 400
    told = (tmp_path / "log").read_text()
    found = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    about = [each for each in found if each["logger"] == "django.security.DisallowedHost"]
    assert [(each["level"], "elsewhere.example" in each["message"]) for each in about] == [("WARNING", True)] * lines
    assert ("Traceback" in told, "exception" in told) == (False, False)


def test_a_form_of_too_much_is_one_warning_too(installed: dict[str, str], tmp_path: Path) -> None:
    host = {
        "Host": "billing.example.ac.th", "X-Forwarded-Proto": "https", "Origin": "https://billing.example.ac.th",
        "Content-Type": "application/x-www-form-urlencoded", "Cookie": f"__Host-csrftoken={'a' * 32}",
    }  # fmt: skip
    with serving(installed, tmp_path / "log") as wire:
        wire.request("POST", "/playground/", "a=1&" * 20_000, host)
        assert wire.getresponse().status == 400
    told = (tmp_path / "log").read_text()
    found = [json.loads(line) for line in told.splitlines() if "django.security" in line]
    assert [each["level"] for each in found] == ["WARNING"]
    assert "Traceback" not in told
