"""What is shipped beside the code is true: variables, commands, metric names, and a production start."""

from __future__ import annotations

import ast
import configparser
import http.client
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from django.test import Client

from hpcbilling.periodic import TASKS
from tests.databases import migrated_file
from tests.ops.test_configuration import GOOD
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = [ROOT / "hpcbilling" / "settings.py", *sorted((ROOT / "hpcbilling" / "configuration").glob("*.py"))]


def variables_read() -> set[str]:
    names = set()
    for node in (node for path in SETTINGS for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "env" and node.func.attr != "read_env":
            assert isinstance(node.args[0], ast.Constant), f"line {node.lineno}: name the variable literally"
            names.add(str(node.args[0].value))
    return names


def example() -> list[tuple[str, str, str]]:
    """(comment above, name, value) of every variable in .env.example."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = []
    for above, line in itertools.pairwise(lines):
        if match := re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=(.*)", line):
            found.append((above, match[1], match[2]))
    return found


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8")))


def manage_commands(text: str) -> set[str]:
    return set(re.findall(r"manage\.py (\w+)", text))


def test_env_example_lists_every_variable_that_settings_read_and_no_other() -> None:
    assert {name for _above, name, _value in example()} == variables_read()


def test_the_table_in_the_operations_document_is_the_same_list() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|.*\| (.+) \|$", text, re.M))
    assert rows == {name: above.removeprefix("# ") for above, name, _value in example()}


def test_the_operations_document_lists_every_periodic_task() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(.+)` \| (?:hourly|daily|every .+?) \|", text, re.M)) == {
        " ".join((task.name, *task.arguments)) for task in TASKS
    }


def test_every_variable_in_env_example_has_its_comment() -> None:
    for above, name, _value in example():
        assert above.startswith("# "), name
        assert not re.fullmatch(r"#?[A-Z0-9_]+=.*", above), name


def test_env_example_holds_no_secret() -> None:
    for _above, name, value in example():
        if re.search(r"SECRET|TOKEN|PASSWORD|KEY|JWT", name) and name != "SECRET_KEY_FALLBACKS":
            assert value == "", name


def test_compose_has_the_parts_and_no_secret_of_its_own() -> None:
    services = compose()["services"]
    assert {"web", "db", "adminer", "runner"} <= services.keys()
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "ADMIN_PASSWORD"):
        assert re.search(rf"{name}: \$\{{{name}:\?", text), f"{name} must be given, not defaulted"
    for service in services.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nothing is opened to the network by default"


def test_compose_names_only_variables_that_exist() -> None:
    for name in ("web", "runner", "migrate"):
        assert compose()["services"][name]["environment"].keys() <= variables_read()


def test_every_command_in_packaging_and_documents_exists() -> None:
    files = [ROOT / "compose.yaml", ROOT / "Dockerfile", ROOT / "CONTRIBUTING.md", *(ROOT / "deploy").rglob("*.*"),
             *(ROOT / "docs").glob("*.md")]  # fmt: skip
    used = {name for file in files for name in manage_commands(file.read_text(encoding="utf-8"))}
    assert {"migrate", "bootstrap_admin", "run_due", "doctor"} <= used
    assert used <= get_commands().keys()


def test_make_targets_in_documents_and_ci_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for name in ("CONTRIBUTING.md", ".ci/run", "docs/operations.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        used = set(re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", text, re.M))
        assert {first or second for first, second in used} <= targets, name


def test_unit_files_parse_and_start_what_is_there() -> None:
    for file in (ROOT / "deploy" / "systemd").iterdir():
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(file)
        assert "Description" in unit["Unit"], file


@pytest.mark.django_db
def test_alerts_speak_of_metrics_that_exist() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    used = {
        name
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"\b(?:hpcbilling|django)_\w+", rule["expr"])
    }
    assert used
    text = Client().get("/metrics").content.decode()
    assert {name for name in used if f"# TYPE {name} " not in text} == set()
    assert yaml.safe_load((ROOT / "deploy" / "prometheus" / "scrape.yml").read_text(encoding="utf-8"))


@pytest.mark.django_db(transaction=True)
def test_documents_name_no_metric_that_is_not_exported() -> None:
    from django.utils import timezone

    from usage.models import ImportRun

    now = timezone.now()
    ImportRun.objects.create(source="csv", status="done", actor="x", finished_at=now, data_until=now)
    text = Client().get("/metrics").content.decode()
    for file in (ROOT / "docs").glob("*.md"):
        named = set(re.findall(r"`(hpcbilling_[a-z_]+)[`{ ]", file.read_text(encoding="utf-8")))
        assert {name for name in named if not re.search(rf"^{name}[ {{]", text, re.M)} == set(), file.name


def start_lines() -> dict[str, str]:
    """Every line in what we ship that starts the web server."""
    files = (ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / "docs" / "operations.md",
             *(ROOT / "deploy" / "systemd").iterdir())  # fmt: skip
    found = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "gunicorn hpcbilling.wsgi" in line:
                found[f"{file.name}: {line}"] = line
    return found


def test_every_start_line_leaves_it_to_our_setting_who_may_say_https() -> None:
    assert len(start_lines()) >= 3
    for where, line in start_lines().items():
        assert re.search(r'--forwarded-allow-ips=(["\s]|$)', line), where


def test_ci_run_is_a_strict_script() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(script)], check=True)


# --- a production start, as the Dockerfile does it ------------------------------
@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str], Path]]:
    """The image's steps in a folder of their own: texts, static files, migrate (again), first administrator, gunicorn."""
    app = tmp_path_factory.mktemp("image") / "app"
    keep_out = shutil.ignore_patterns(
        ".git", ".venv", ".env", "tests", "bench", "*.sqlite3*", "staticfiles", "var", ".*_cache", ".hypothesis", "*.mo",
    )  # fmt: skip
    shutil.copytree(ROOT, app, ignore=keep_out)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "SECRET_KEY": GOOD["SECRET_KEY"], "PORT": str(port),
        "ALLOWED_HOSTS": ".example.ac.th,127.0.0.1", "SITE_BASE_URL": "https://billing.example.ac.th",
        "DATABASE_URL": migrated_file(app.parent / "db.sqlite3"), "TRUSTED_PROXY_COUNT": "1",
        "ADMIN_PASSWORD": "violet-harbour-93-kettle", "LOG_LEVEL": "ERROR",
    }  # fmt: skip

    def step(*command: str) -> None:
        subprocess.run(command, cwd=app, env=environment, check=True)

    tools = Path(sys.executable).parent
    step(str(tools / "pybabel"), "-q", "compile", "-D", "django djangojs", "-d", str(app / "locale"))
    step(sys.executable, "manage.py", "collectstatic", "--noinput", "-v0")
    step(sys.executable, "manage.py", "migrate", "-v0")
    step(sys.executable, "manage.py", "bootstrap_admin")
    server = [str(tools / "gunicorn"), "hpcbilling.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4",
              "--forwarded-allow-ips="]  # fmt: skip
    with subprocess.Popen([*server, "--log-level", "error"], cwd=app, env=environment) as process:
        try:
            yield f"http://127.0.0.1:{port}", environment, app
        finally:
            process.terminate()


def until_healthy(environment: dict[str, str], app: Path) -> int:
    for _ in range(60):
        done = subprocess.run(
            [sys.executable, "deploy/healthcheck.py"], cwd=app, env=environment, capture_output=True, check=False
        )
        if done.returncode == 0:
            return 0
        time.sleep(0.25)
    return done.returncode


def test_a_production_site_starts_is_healthy_and_serves_its_pages(production: Any) -> None:
    base, environment, app = production
    assert until_healthy(environment, app) == 0
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "Host": "billing.example.ac.th"}
    request = urllib.request.Request(f"{base}/accounts/login/", headers=forwarded)
    with urllib.request.urlopen(request, timeout=20) as answer:
        page = answer.read().decode()
        headers = answer.headers
    assert not (app / "staticfiles" / "rest_framework").exists(), "nobody asks for it"
    assert "max-age=31536000" in headers["Strict-Transport-Security"]
    assert "Secure" in headers["Set-Cookie"]
    style = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert style, "the page has its style sheet"
    with urllib.request.urlopen(urllib.request.Request(base + style[1], headers=forwarded), timeout=20) as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(("trusted", "status"), [("0", 301), ("1", 200)])
def test_who_says_https_is_believed_only_behind_proxies_that_were_announced(
    production: Any, trusted: str, status: int
) -> None:
    _base, environment, app = production
    port = free_port()
    mine = environment | {"TRUSTED_PROXY_COUNT": trusted, "PORT": str(port)}
    server = [str(Path(sys.executable).parent / "gunicorn"), "hpcbilling.wsgi", "--bind", f"127.0.0.1:{port}",
              "--forwarded-allow-ips=", "--log-level", "error"]  # fmt: skip
    with subprocess.Popen(server, cwd=app, env=mine) as process:
        try:
            assert until_healthy(mine, app) == 0
            wire = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            wire.request("GET", "/accounts/login/", headers={"X-Forwarded-Proto": "https", "Host": "127.0.0.1"})
            assert wire.getresponse().status == status
            wire.close()
        finally:
            process.terminate()


def test_the_healthcheck_fails_when_nobody_answers() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/healthcheck.py"], cwd=ROOT, env={"PORT": "1"}, capture_output=True, check=False
    )
    assert done.returncode != 0
