"""What is in deploy/ is accepted by the programs that it is for, and names only what there is."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from tests.ports import free_port, free_ports

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def accepted(*command: object, **options: Any) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr


def nginx_of(tmp_path: Path, listen: Callable[[re.Match[str]], str]) -> list[str]:
    """The command, with the shipped site in a folder of its own; ``listen`` says where it listens instead."""
    nginx, openssl = program("nginx"), program("openssl")
    accepted(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2",
             "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem")  # fmt: skip
    site = (DEPLOY / "nginx" / "hpcbilling.conf").read_text()
    site = site.replace("/etc/ssl/hpcbilling", str(tmp_path)).replace("/etc/nginx", str(DEPLOY / "nginx"))
    site = re.sub(r"listen (\[::\]:)?(80|443)\b", listen, site.replace("/var/log/nginx", str(tmp_path)))
    (tmp_path / "site.conf").write_text(site)
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    return [nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    accepted(*nginx_of(tmp_path, lambda port: f"listen {port[1] or ''}1{port[2]}8"), "-t", "-q")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/accounts/reset/MQ/{'s' * 39}/", "/accounts/reset/..."),
        (f"/account/email/{'s' * 43}/", "/account/email/..."),
        (f"/invitations/{'s' * 43}/?next=/", "/invitations/..."),
        ("/receipts/?month=2026-10", "/receipts/?month=2026-10"),
    ],
)
def test_links_that_are_as_good_as_a_password_stand_in_no_log_of_nginx(tmp_path: Path, path: str, shown: str) -> None:
    ports = free_ports(4)  # as they stand there: that of plain HTTP first
    plain, left = ports[0], iter(ports)
    command = [*nginx_of(tmp_path, lambda _port: f"listen 127.0.0.1:{next(left)}"), "-g", "daemon off;"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with _connected(plain) as wire:
                wire.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: billing.example.ac.th\r\nConnection: close\r\n\r\n".encode()
                )
                assert b" 301 " in wire.recv(4096)
        finally:
            process.terminate()
            process.wait()
    log = (tmp_path / "hpcbilling.log").read_text()
    assert f'"GET {shown} HTTP/1.1" 301' in log
    assert "sssss" not in log


def test_nginx_writes_the_headers_that_the_site_believes_anew() -> None:
    text = (DEPLOY / "nginx" / "hpcbilling-proxy.conf").read_text()
    assert "X-Forwarded-For $remote_addr;" in text
    assert "$proxy_add_x_forwarded_for" not in text, "which would let a stranger choose"
    assert "X-Forwarded-Proto $scheme;" in text
    assert (DEPLOY / "nginx" / "hpcbilling.conf").read_text().count("hpcbilling-proxy.conf") == 4, "in every location"


def test_caddy_accepts_its_configuration(tmp_path: Path) -> None:
    accepted(program("caddy"), "validate", "--config", DEPLOY / "caddy" / "Caddyfile", "--adapter", "caddyfile",
             env={"HOME": str(tmp_path), "PATH": "/usr/bin"})  # fmt: skip


class Upstream(BaseHTTPRequestHandler):
    asked: threading.Event

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.asked.set()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


def test_caddy_asks_the_site_when_a_body_has_come_to_its_end_so_that_slow_ones_hold_no_thread(tmp_path: Path) -> None:
    caddy = program("caddy")
    asked = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Site", (Upstream,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    text = (DEPLOY / "caddy" / "Caddyfile").read_text()
    text = text.replace("billing.example.ac.th {", f"http://127.0.0.1:{port} {{", 1)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{server.server_port}")
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    command = [caddy, "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            with _connected(port) as wire:
                wire.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nslow ")
                assert not asked.wait(1)
                wire.sendall(b"body.")
                assert asked.wait(10)
        finally:
            process.kill()
            server.shutdown()
            server.server_close()


def _connected(port: int) -> socket.socket:
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the proxy does not listen")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for file in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"/opt/hpcbilling/\S+", "/bin/true", file.read_text())
        (tmp_path / file.name).write_text(re.sub(r"^User=.*$", "User=root", text, flags=re.M))
    done = subprocess.run(
        [analyze, "verify", *map(str, sorted(tmp_path.iterdir()))], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "hpcbilling" in line and "special user" not in line.lower()]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_web_unit_ends_gracefully_and_does_not_try_refused_settings_again() -> None:
    unit = (DEPLOY / "systemd" / "hpcbilling.service").read_text()
    graceful, stop = (
        int(re.findall(r"--graceful-timeout (\d+)", unit)[0]),
        int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]),
    )
    assert graceful < stop
    assert "RestartPreventExitStatus=78" in unit


@pytest.mark.django_db
@pytest.mark.postgres
def test_the_server_of_the_tests_has_each_of_these_settings() -> None:
    from django.db import connection

    names = re.findall(r"^#?([a-z_]+) = ", (DEPLOY / "postgresql" / "hpcbilling.conf").read_text(), re.M)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings")
        known = {row[0] for row in cursor.fetchall()}
    assert set(names) - known == set()


# --- Prometheus and Grafana --------------------------------------------------------
RULES = DEPLOY / "prometheus" / "alerts.yml"


def test_promtool_accepts_the_rules_and_every_one_of_them_fires_and_stays_quiet_when_it_should() -> None:
    promtool = program("promtool")
    accepted(promtool, "check", "rules", RULES)
    accepted(promtool, "test", "rules", DEPLOY / "prometheus" / "alerts_test.yml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    cases = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
    fires = {each["alertname"] for case in cases for each in case["alert_rule_test"] if each["exp_alerts"]}
    quiet = {each["alertname"] for case in cases for each in case["alert_rule_test"] if not each["exp_alerts"]}
    assert fires == quiet == alerts


@pytest.fixture
def exported(db: None, tmp_path: Path, settings: Any) -> str:
    """/metrics of a site at which everything was done once."""
    from io import StringIO

    from django.core.management import call_command
    from django.utils import timezone

    from hpcbilling.models import PeriodicTask
    from tests.audit.worlds import Signed
    from usage.models import ImportRun

    Signed(tmp_path, settings)
    call_command("sign_audit_head", stdout=StringIO())
    call_command("verify_audit", stdout=StringIO())
    now = timezone.now()
    ImportRun.objects.create(source="csv", status="done", actor="x", finished_at=now, data_until=now)
    PeriodicTask.objects.create(name="send_emails", last_run_at=timezone.now(), last_status="failed")
    Client().get("/accounts/login/")
    return Client().get("/metrics").content.decode()


def series(text: str) -> dict[str, set[str]]:
    """Names of series with the labels that they have."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", line):
            found.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
    return found


@pytest.mark.django_db(transaction=True)
def test_dashboard_and_alerts_ask_for_series_and_labels_that_are_exported(exported: str) -> None:
    known = series(exported)
    board = json.loads((DEPLOY / "grafana" / "hpcbilling.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) >= 20
    asked += [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for expr in asked:
        for name, labels in re.findall(r"\b((?:hpcbilling|django)_\w+)(?:\{([^}]*)\})?", expr):
            assert name in known, f"{name} in {expr}"
            wanted = set(re.findall(r"(\w+)\s*=", labels)) - {"job"}
            grouped = {each for group in re.findall(r"by \(([^)]*)\)", expr) for each in re.split(r",\s*", group)} - {
                "le"
            }
            if "and" not in expr and " - " not in expr:
                wanted |= grouped
            assert wanted <= known[name] | {"le"}, f"{expr}: {name} has {sorted(known[name])}"


@pytest.mark.django_db(transaction=True)
def test_what_the_runner_and_the_proof_say_is_in_the_numbers(exported: str) -> None:
    from audit.models import AuditLog

    values = dict(line.rsplit(" ", 1) for line in exported.splitlines() if not line.startswith("#"))
    assert float(values["hpcbilling_audit_intact"]) == 1
    assert float(values["hpcbilling_audit_signed_rows"]) == AuditLog.objects.count()
    assert float(values['hpcbilling_task_failed{task="send_emails"}']) == 1
    assert float(values['hpcbilling_task_last_run_timestamp_seconds{task="send_emails"}']) > 1e9
