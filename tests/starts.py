"""``manage.py`` as a process of its own, in an environment that holds nothing but what is given.

Python and the libraries are loaded once, in the server from which the standard library forks processes; the program reads
its settings and loads itself anew each time, which is what tests of a start are about. That takes half of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = [  # none of them looks at a setting when it is imported
    "django.core.management", "django.core.management.commands.check", "django.contrib.postgres.fields",
    "django.contrib.postgres.indexes", "django.db.models", "django.db.backends.sqlite3.base", "django.http", "django.forms",
    "django.template.loader", "django.urls", "django.test", "django.utils.translation.trans_real", "environ", "psycopg",
    "psycopg_binary", "requests", "cryptography.fernet", "jinja2", "yaml", "markdown", "pygments.formatters.html",
    "prometheus_client", "sqlparse", "msgspec", "email.message", "importlib.metadata", "zipfile", "asyncio",
]  # fmt: skip
_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload([__name__, *LIBRARIES])


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DATABASE_URL": "sqlite:////nonexistent/db.sqlite3"}
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ("stdout", "stderr")]
        process = _fork.Process(target=_start, args=(arguments, clean | environment, outputs))
        process.start()
        process.join(300)
        process.kill()  # if it hangs; then it ended with -9
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, *(each.read_text() for each in outputs))


def _start(arguments: tuple[str, ...], environment: dict[str, str], outputs: list[Path]) -> None:
    """In the new process: become what ``python manage.py ...`` is."""
    for number, output in enumerate(outputs, 1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(ROOT / "manage.py"), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
