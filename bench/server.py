"""A PostgreSQL that keeps what it commits, and an empty database on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import postgres

OPTIONS = (
    "fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=8GB",
    "listen_addresses=''",
)  # fmt: skip


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Address of a database that is dropped at the end: on ``BENCH_DATABASE_URL``'s server, else on one of its own."""
    with contextlib.ExitStack() as stack:
        url = os.environ.get("BENCH_DATABASE_URL") or stack.enter_context(_server())
        name = f"bench_{os.getpid()}"
        with psycopg.connect(address(url), autocommit=True) as control:
            control.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(url)._replace(path=urlsplit(url).path.rsplit("/", 1)[0] + f"/{name}"))
        finally:
            with psycopg.connect(address(url), autocommit=True) as control:
                control.execute(f"DROP DATABASE {name} WITH (FORCE)")


def address(url: str) -> str:
    """The driver's form of a DATABASE_URL; the path of one with a socket is the socket's folder and the name."""
    parts = urlsplit(url)
    if parts.hostname:
        return url
    folder, name = parts.path.removeprefix("/").rsplit("/", 1)
    return psycopg.conninfo.make_conninfo(host=folder, dbname=name, user=parts.username or "postgres")


@contextlib.contextmanager
def _server() -> Iterator[str]:
    binaries = postgres._local_binaries()
    if binaries is None:
        with postgres.server() as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as name:
        folder, data = Path(name), Path(name) / "data"
        prefix = postgres._as_plain_user(folder)

        def run(*command: str) -> None:
            subprocess.run([*prefix, *command], check=True, stdout=subprocess.DEVNULL, cwd=folder)

        run(
            str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )
        options = " ".join([f"-k {folder}", *(f"-c {option}" for option in OPTIONS)])
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgres://postgres:@/{folder}/postgres"
        finally:
            run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
