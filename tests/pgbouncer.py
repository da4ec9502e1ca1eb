"""A real pgbouncer in transaction mode before a server of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.ports import free_port
from tests.postgres import _as_plain_user

SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_reset_query_always = 0
logfile = {folder}/log
pidfile = {folder}/pid
"""


def binary() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextlib.contextmanager
def pooled(url: str) -> Iterator[str]:
    """Yield a DATABASE_URL that leads through pgbouncer to the server of ``url``."""
    program = binary()
    if program is None:
        raise SystemExit("pgbouncer is not installed; on Debian and Ubuntu: apt-get install pgbouncer")
    parts = urlsplit(url)
    folder_of_socket, _slash, name = parts.path.lstrip("/").rpartition("/")
    host = parts.hostname or "/" + unquote(folder_of_socket)
    listen = free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        prefix = _as_plain_user(Path(folder))
        file = Path(folder) / "pgbouncer.ini"
        user = parts.username or "postgres"
        file.write_text(SETTINGS.format(host=host, port=parts.port or 5432, user=user, listen=listen, folder=folder))
        file.chmod(0o644)
        environment = {"PATH": os.environ["PATH"]}
        with subprocess.Popen([*prefix, program, "-q", str(file)], cwd=folder, env=environment) as process:
            try:
                _wait(listen)
                yield f"postgres://{user}:any@127.0.0.1:{listen}/{name}"
            finally:
                process.terminate()


def _wait(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit("pgbouncer did not start")
