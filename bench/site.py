"""The site as in production, on a free port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench import world

PREFIX = "BENCH_OF_"  # what begins like this becomes a setting of the site

HEADERS = {"Content-Type": "application/json", "Host": "localhost", "X-Forwarded-Proto": "https"}


@contextmanager
def running(environment: dict[str, str], *, workers: int = 1, threads: int = 8) -> Iterator[str]:
    """Its address. gunicorn, with the proxy's header trusted, on the database of the benchmark."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "hpcbilling.wsgi", "--bind", f"127.0.0.1:{port}",
               "--workers", str(workers), "--threads", str(threads), "--log-level", "error"]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=world.ROOT, env={**os.environ, "TRUSTED_PROXY_COUNT": "1", **_with(environment)}
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/healthz")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _with(environment: dict[str, str]) -> dict[str, str]:
    """Addresses of providers go round the checks of the start (``bench.settings``), the rest goes through them."""
    found = {f"{PREFIX}{name}" if name.endswith("_API_URL") else name: value for name, value in environment.items()}
    return found | {"DJANGO_SETTINGS_MODULE": "bench.settings"}


def _wait_for(address: str) -> None:
    for _try in range(100):
        try:
            urllib.request.urlopen(urllib.request.Request(address, headers=HEADERS), timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the site did not start")
