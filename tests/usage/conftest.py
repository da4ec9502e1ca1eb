"""The other side of the wire: a slurmrestd on loopback that serves captured bodies, and a sacct on PATH."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from usage.sources.sacct import FIELDS

TOKEN = "secret-token-of-the-tests"
OLD_FIELDS = ("start_time", "end_time", "skip_steps", "cluster")
NEW_FIELDS = (*OLD_FIELDS, "show_duplicates", "disable_truncate_usage_time", "users")


@dataclass
class Daemon:
    """What the daemon answers. ``answers`` maps a path to (status, body, content type); the rest is 404."""

    url: str = ""
    answers: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[int, tuple[str, ...]] = field(default_factory=lambda: {36: OLD_FIELDS, 38: OLD_FIELDS})
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    delay: float = 0
    widest: float = float("inf")  # seconds of the widest window that is answered without delay
    levels: dict[str, Any] = field(default_factory=lambda: {"root": "Administrator"})
    coordinates: dict[str, list[str]] = field(default_factory=dict)
    private: bool = False  # PrivateData: who is no operator sees their own jobs

    @property
    def windows(self) -> list[tuple[int, int]]:
        """Those that jobs were asked for, in order."""
        return [_window(query) for path, query, _ in self.asked if path.endswith("/jobs")]

    @property
    def last(self) -> tuple[str, dict[str, str], dict[str, str]]:
        """The last question for jobs: path, query, headers."""
        return next(each for each in reversed(self.asked) if each[0].endswith("/jobs"))

    def waits(self, path: str, query: dict[str, str]) -> float:
        start, end = _window(query) if path.endswith("/jobs") else (0, 0)
        return self.delay if end - start > self.widest or self.widest == float("inf") else 0

    def answer(self, path: str, query: dict[str, str], user: str = "root") -> tuple[int, bytes, str]:
        if path in self.answers:
            return self.answers[path]
        folder, _, name = path.rpartition("/")
        if folder in {f"/slurmdb/v0.0.{version}/user" for version in self.versions}:
            users = [self._user(name)] if name in self.levels else []
            body = {"meta": {}, "errors": [] if users else [NOTHING], "users": users}
            return 200, json.dumps(body).encode(), "application/json"
        if path == "/openapi/v3":
            paths = {
                # Later daemons describe the path with a slash at its end.
                f"/slurmdb/v0.0.{version}/jobs{'/' * (version >= 40)}": {
                    "get": {"parameters": [{"name": name} for name in fields]}
                }
                for version, fields in self.versions.items()
            }
            return 200, json.dumps({"paths": paths}).encode(), "application/json"
        if path in {f"/slurmdb/v0.0.{version}/jobs" for version in self.versions}:
            start, end = _window(query)
            found = [job for job in self.jobs if _overlaps(job, start, end) and self._shows(job, user)]
            body = {"meta": {}, "errors": [] if found else [NOTHING], "jobs": found}
            return 200, json.dumps(body).encode(), "application/json"
        return 404, b"Unable find requested URL. Please view /openapi/v3 for API reference.", "text/plain"

    def _user(self, name: str) -> dict[str, Any]:
        accounts = [{"name": account, "direct": True} for account in self.coordinates.get(name, [])]
        return {"name": name, "administrator_level": self.levels[name], "coordinators": accounts}

    def _shows(self, job: dict[str, Any], user: str) -> bool:
        free = not self.private or str(self.levels.get(user)).strip("[]'") in ("Operator", "Administrator")
        return free or job["user"] == user or job["account"] in self.coordinates.get(user, [])


def _window(query: dict[str, str]) -> tuple[int, int]:
    return int(query["start_time"].removeprefix("uts")), int(query["end_time"].removeprefix("uts"))


NOTHING = {"error_number": 9003, "error": "Nothing found with query", "description": "Nothing found"}


def _overlaps(job: dict[str, Any], start: int, end: int) -> bool:
    """slurmdbd's rule: eligible before the window's end, ended after its start, both inclusive."""
    times = job["time"]
    return times["eligible"] <= end and (not times["end"] or times["end"] >= start)


@contextmanager
def serving() -> Iterator[Daemon]:
    daemon = Daemon()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            daemon.asked.append((parts.path, query, dict(self.headers)))
            time.sleep(daemon.waits(parts.path, query))
            status, body, kind = daemon.answer(parts.path, query, self.headers.get("X-SLURM-USER-NAME", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that had enough has gone
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    daemon.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield daemon
    server.shutdown()
    server.server_close()


@pytest.fixture
def slurmrestd(settings: Any) -> Iterator[Daemon]:
    with serving() as daemon:
        settings.SLURMRESTD_URL = daemon.url
        settings.SLURMRESTD_TOKEN = TOKEN
        settings.SLURMRESTD_USER = "root"
        settings.SLURMRESTD_API_VERSION = ""
        settings.SLURMRESTD_TIMEOUT = 10
        yield daemon


@dataclass
class Sacct:
    """A program named sacct, first on PATH; it writes down how it was called (``--helpformat`` apart)."""

    folder: Path

    def says(self, text: bytes = b"", *, errors: str = "", code: int = 0, seconds: float = 0, call: int = 0) -> None:
        """What it answers: always, or only the ``call``-th time."""
        if not (self.folder / "fields").exists():
            self.knows(*FIELDS)
        answer = self.folder / f"answer{call or ''}"
        answer.write_bytes(text)
        answer.with_suffix(".errors").write_text(errors)
        answer.with_suffix(".end").write_text(f"exec sleep {seconds}" if seconds else f"exit {code}")
        script = self.folder / "sacct"
        script.write_text(
            "#!/bin/sh\n"
            f'cd "{self.folder}"\n'
            'if [ "$1" = --helpformat ]; then cat fields; exit; fi\n'
            'printf "%s\\n" "$@" -- >> calls\n'
            'printf "%s\\n" "TZ=$TZ" "SLURM_TIME_FORMAT=$SLURM_TIME_FORMAT" "SACCT_FORMAT=$SACCT_FORMAT"'
            ' "SLURM_CONF=$SLURM_CONF" > environment\n'
            "answer=answer$(grep -c ^--$ calls); [ -f $answer ] || answer=answer\n"
            "cat $answer; cat $answer.errors >&2; . ./$answer.end\n"
        )
        script.chmod(0o755)

    def knows(self, *fields: str) -> None:
        (self.folder / "fields").write_text(" ".join(fields) + "\n")

    @property
    def calls(self) -> list[list[str]]:
        text = (self.folder / "calls").read_text()
        return [call.strip("\n").split("\n") for call in text.split("--\n")[:-1]]

    @property
    def environment(self) -> list[str]:
        return (self.folder / "environment").read_text().splitlines()


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sacct:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Sacct(folder)


@pytest.fixture
def no_sacct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
