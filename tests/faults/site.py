"""The site as a production server runs it, on the database of the test: gunicorn with workers that can be killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
Answer = tuple[int, Any]


def database_url() -> str:
    """Of the test's own database, for another process."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    who = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
    where = f"/{given['HOST']}" if str(given["HOST"]).startswith("/") else f"{given['HOST']}:{given['PORT'] or 5432}"
    return f"postgres://{who}@{where}/{given['NAME']}"


class Site:
    """``with Site() as site``: two workers, ready to answer."""

    def __init__(self, url: str = "", workers: int = 2) -> None:
        self.port = free_port()
        command = [
            str(Path(sys.executable).parent / "gunicorn"), "hpcbilling.wsgi", "--bind", f"127.0.0.1:{self.port}",
            "--workers", str(workers), "--threads", "4", "--log-level", "critical", "--graceful-timeout", "5",
        ]  # fmt: skip
        environment = os.environ | {
            "DATABASE_URL": url or database_url(),
            "DJANGO_SETTINGS_MODULE": "hpcbilling.settings",
        }
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)

    def __enter__(self) -> Site:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.ask("GET", "/healthz")[0] == 200:
                return self
            time.sleep(0.2)
        self.process.kill()
        raise TimeoutError("the site does not answer")

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def ask(self, method: str, path: str, content: Any = None, key: str = "", timeout: float = 60) -> Answer:
        """Status and JSON; status 0 when no whole answer came."""
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"} if key else {}
        try:
            wire.request(method, path, json.dumps(content) if content is not None else None, headers)
            answer = wire.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            wire.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def insist(self, method: str, path: str, content: Any, key: str, within: float = 120) -> Answer:
        """As a client does that must know: again until there is an answer that is none of trouble."""
        deadline = time.monotonic() + within
        while True:
            status, found = self.ask(method, path, content, key)
            if status and status < 500:
                return status, found
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer but {status}: {found}")
            time.sleep(0.2)

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_workers(self) -> int:
        """All of them at once, as the kernel does that runs out of memory; how many there were."""
        found = self.workers
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)


def wait_until_nobody_writes(seconds: float = 30) -> None:
    """What a killed worker had asked PostgreSQL for is still being done, or undone."""
    if connection.vendor != "postgresql":
        return
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.1)
    raise TimeoutError("somebody is still at it")
