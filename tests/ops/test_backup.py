"""The drill: a backup is restored elsewhere, and books and audit log prove that it is the same."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from audit import keys
from tests.ops.test_configuration import GOOD

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)
SACCT = """\
JobIDRaw|JobID|Cluster|User|Account|Partition|Submit|Start|End|ElapsedRaw|TotalCPU|AllocCPUS|ReqTRES|AllocTRES|NNodes|State
101|101|tara|alice|physics|cpu|2026-10-02T08:00:00|2026-10-02T08:00:05|2026-10-02T10:00:05|7200|03:00:00|4|billing=4,cpu=1,mem=1G,node=1|billing=4,cpu=4,mem=8G,node=1|1|COMPLETED
102|102|tara|bob|gov-lab|gpu|2026-10-03T08:00:00|2026-10-03T08:00:00|2026-10-03T09:00:00|3600|00:30:00|8|billing=8,cpu=8,mem=16G,node=1|billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=16G,node=1|1|TIMEOUT
"""


class Site:
    """A production site by its environment: two databases, a folder, a signing key."""

    def __init__(self, folder: Path, live: str, spare: str) -> None:
        self.folder, self.live, self.spare = folder, live, spare
        keys.make_key(folder / "key.pem")
        self.environment = {
            "PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "SECRET_KEY": GOOD["SECRET_KEY"], "LOG_LEVEL": "ERROR",
            "ALLOWED_HOSTS": "billing.example.ac.th", "SITE_BASE_URL": "https://billing.example.ac.th",
            "ADMIN_PASSWORD": "violet-harbour-93-kettle", "PYTHON": sys.executable,
            "AUDIT_SIGNING_KEY_FILE": str(folder / "key.pem"), "AUDIT_HEADS_FILE": str(folder / "heads.ndjson"),
        }  # fmt: skip

    def run(self, *command: object, url: str = "", fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(part) for part in command], cwd=ROOT, env=self.environment | {"DATABASE_URL": url or self.live},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done

    def manage(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "manage.py", *arguments, **options)

    def backup(self) -> Path:
        return Path(self.run(ROOT / "deploy" / "backup.sh", self.folder / "backups").stdout.strip())

    def execute(self, statement: str) -> None:
        if self.live.startswith("sqlite"):
            with closing(sqlite3.connect(self.live.removeprefix("sqlite:///"))) as database, database:
                database.execute(statement)
            return
        import psycopg

        host, _slash, name = self.live.removeprefix("postgres://postgres:@/").rpartition("/")
        with psycopg.connect(host=host, user="postgres", dbname=name) as database:
            database.execute(statement)  # type: ignore[call-overload]

    def hashes(self, url: str) -> dict[str, str]:
        """SHA-256 of all rows of every table, in an order of their own."""
        if url.startswith("sqlite"):
            with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
                names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                return {name: _hashed(database.execute(f'SELECT * FROM "{name}"')) for name in names}
        import psycopg

        host, _slash, name = url.removeprefix("postgres://postgres:@/").rpartition("/")
        with psycopg.connect(host=host, user="postgres", dbname=name) as database:
            listed = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            return {table: _hashed(database.execute(f'SELECT * FROM "{table}"')) for (table,) in listed}  # type: ignore[call-overload]


def _hashed(rows: Any) -> str:
    return hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()


@contextmanager
def new_site(folder: Path, *, like: str = "") -> Iterator[Site]:
    """With two databases of its own: an empty one, or a copy of ``like``, and a spare one."""
    if connection.vendor == "sqlite":
        live = folder / "live.sqlite3"
        if like:
            shutil.copy(like.removeprefix("sqlite:///"), live)
        yield Site(folder, f"sqlite:///{live}", f"sqlite:///{folder / 'spare.sqlite3'}")
        return
    if not (shutil.which("pg_dump") and shutil.which("pg_restore") and shutil.which("psql")):
        pytest.skip("PostgreSQL's own programs (pg_dump, pg_restore, psql) are not installed")
    import psycopg

    host = connection.settings_dict["HOST"]
    if not str(host).startswith("/"):
        pytest.skip("the drill makes databases of its own on the local server of the tests")
    names = [f"drill_{os.getpid()}_{next(_numbers)}_{part}" for part in ("live", "spare")]
    template = like.rpartition("/")[2] or "template1"
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {names[0]} TEMPLATE {template}")  # type: ignore[call-overload]
        server.execute(f"CREATE DATABASE {names[1]}")  # type: ignore[call-overload]
        yield Site(folder, *(f"postgres://postgres:@/{host}/{name}" for name in names))
        for name in names:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Site]:
    """Usage, receipts, an administrator, signed heads: made once, for copies."""
    with new_site(tmp_path_factory.mktemp("original")) as site:
        site.manage("migrate", "-v0")
        site.manage("bootstrap_admin")
        (site.folder / "usage.txt").write_text(SACCT)
        site.manage("import_usage", "--source", "csv", "--file", site.folder / "usage.txt", "--timezone", "UTC")
        site.manage("create_receipts", "--all")
        site.manage("sign_audit_head")
        if connection.vendor == "sqlite":  # the file alone shall be the whole of it
            with closing(sqlite3.connect(site.live.removeprefix("sqlite:///"))) as database:
                assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        yield site


@pytest.fixture
def filled(original: Site, tmp_path: Path, db: None) -> Iterator[Site]:
    """A copy of the original, with the same key."""
    with new_site(tmp_path, like=original.live) as site:
        for name in ("key.pem", "heads.ndjson", "usage.txt"):
            shutil.copy(original.folder / name, tmp_path / name)
        yield site


def test_a_backup_that_is_restored_elsewhere_is_the_same_and_proves_it(filled: Site) -> None:
    backup = filled.backup()
    assert {file.name for file in backup.iterdir()} >= {"head.json", "heads.ndjson", "SHA256SUMS"}
    assert backup.stat().st_mode & 0o077 == 0, "nobody else reads it"
    before = filled.hashes(filled.live)
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare)
    assert "The audit chain is intact" in done.stdout
    after = filled.hashes(filled.spare)
    ignored = {"audit_verifications", "sqlite_sequence", "audit_log"}  # the proof itself is noted; sealing is an entry
    assert {name: text for name, text in after.items() if name not in ignored} == {
        name: text for name, text in before.items() if name not in ignored
    }
    assert len(after) > 60
    assert filled.manage("verify_audit", "--head", backup / "head.json", url=filled.spare).returncode == 0
    assert "is there already" in filled.run(
        ROOT / "deploy" / "restore.sh", backup, url=filled.spare, fails=True
    ).stderr or (connection.vendor == "postgresql"), "nothing is restored over a database"


def test_a_backup_that_was_changed_or_is_older_than_its_head_is_refused(filled: Site) -> None:
    backup = filled.backup()
    file = next(each for each in backup.iterdir() if each.name.startswith("database"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-100] + b"\0" * 100)
    filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare, fails=True)
    file.write_bytes(whole)
    filled.manage("create_receipts", "--all")
    filled.manage("seal_audit", "--out", filled.folder / "later.json")
    filled.manage("seal_audit", "--out", filled.folder / "last.json")
    shutil.copy(filled.folder / "last.json", backup / "head.json")
    sums = [line for line in (backup / "SHA256SUMS").read_text().splitlines() if not line.endswith("head.json")]
    (backup / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare, fails=True)
    assert "BROKEN" in done.stdout, "the head of a later day is not in it"


def test_a_backup_of_a_newer_version_is_not_proven_by_this_one(filled: Site) -> None:
    filled.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('billing', '9000_later', '2027-01-01')")
    backup = filled.backup()
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare, fails=True)
    assert "of a newer version" in done.stderr
    assert "billing.9000_later" in done.stderr
    assert "intact" not in done.stdout


def test_old_backups_go_and_a_failed_one_leaves_no_folder_that_looks_whole(filled: Site) -> None:
    folder = filled.folder / "backups"
    old = folder / "20200101T000000Z"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    kept = filled.backup()
    assert [each.name for each in sorted(folder.iterdir())] == [kept.name]
    filled.environment["AUDIT_SIGNING_KEY_FILE"] = "/nonexistent"
    filled.run(ROOT / "deploy" / "backup.sh", folder, fails=True)
    assert [each.name for each in folder.iterdir()] == [kept.name], "on a full disk it would leave no room for the next"


def test_a_database_that_is_not_there_is_not_made(filled: Site) -> None:
    absent = filled.folder / "absent.sqlite3"
    done = filled.run(ROOT / "deploy" / "backup.sh", filled.folder / "backups", url=f"sqlite:///{absent}", fails=True)
    assert f"{absent} is not there" in done.stderr
    assert not absent.exists()


def test_what_killed_backups_left_behind_goes_when_it_is_days_old(filled: Site) -> None:
    folder = filled.folder / "backups"
    for name, days in ((".20200101T000000Z.part", 3), (".20200103T000000Z.part", 0)):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    kept = filled.backup()
    assert [each.name for each in sorted(folder.iterdir())] == [".20200103T000000Z.part", kept.name]


def test_heads_that_are_signed_while_the_copy_is_taken_do_not_make_the_backup_a_broken_one(filled: Site) -> None:
    """A dump shows the database of its beginning, and may take longer than an hour."""
    (filled.folder / "bin").mkdir()
    for name, real in (("python", sys.executable), ("pg_dump", shutil.which("pg_dump"))):
        (filled.folder / "bin" / name).write_text(f"""#!/bin/sh
{real} "$@" || exit
case "$0 $1" in *pg_dump*|*" -")
  {sys.executable} manage.py seal_audit --out {filled.folder / "later.json"} &&
  {sys.executable} manage.py sign_audit_head ;;
esac >&2
""")
        (filled.folder / "bin" / name).chmod(0o755)
    former = (filled.folder / "heads.ndjson").read_text()
    with pytest.MonkeyPatch.context() as changed:
        changed.setitem(filled.environment, "PATH", f"{filled.folder / 'bin'}:{filled.environment['PATH']}")
        changed.setitem(filled.environment, "PYTHON", str(filled.folder / "bin" / "python"))
        backup = filled.backup()
    assert (filled.folder / "heads.ndjson").read_text() != former, "one was signed meanwhile"
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare)
    assert "The audit chain is intact" in done.stdout


@pytest.mark.parametrize(
    ("url", "kind", "copy", "other"),
    [
        ("postgres://site:secret-93-word@127.0.0.1:1/site", "PostgreSQL", "database.dump", "database.sqlite3"),
        ("sqlite:///{folder}/new.sqlite3", "SQLite", "database.sqlite3", "database.dump"),
    ],
)
def test_a_copy_of_the_other_kind_of_database_is_refused_without_a_word_of_the_password(
    filled: Site, url: str, kind: str, copy: str, other: str
) -> None:
    backup = filled.folder / "backup"
    backup.mkdir()
    (backup / other).write_bytes(b"")
    (backup / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  {other}\n")
    to = url.format(folder=filled.folder)
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=to, fails=True)
    assert done.stderr == f"DATABASE_URL is of {kind}, and {backup} holds no {copy}\n"


# --- as an operator types it, with the settings in a file -------------------------
@pytest.fixture
def installed(filled: Site) -> Path:
    """A copy of the program in a folder of its own with an .env file, as in /opt/hpcbilling; nothing in the shell."""
    app = filled.folder / "app"
    keep_out = shutil.ignore_patterns(
        ".*", "tests", "bench", "docs", "*.sqlite3*", "staticfiles", "var", "site", "node_modules"
    )
    shutil.copytree(ROOT, app, ignore=keep_out)
    lines = {
        name: value for name, value in filled.environment.items() if name not in ("PATH", "PYTHON", "READ_DOT_ENV")
    }
    write_dot_env(app, lines | {"DATABASE_URL": filled.live})
    return app


def write_dot_env(app: Path, variables: dict[str, str]) -> None:
    (app / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def in_shell(command: str, app: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    shell = {"PATH": os.environ["PATH"], "PYTHON": sys.executable} | variables
    return subprocess.run(["sh", "-c", command], cwd=app, env=shell, capture_output=True, text=True, check=False)


def documented(beginning: str) -> str:
    """The first line of the chapter on backups that begins so."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    chapter = text[text.index("## Backup and restore") :]
    return next(line for line in chapter.splitlines() if line.startswith(beginning)).removeprefix(AS_THE_USER)


AS_THE_USER = "runuser -u hpcbilling -- "


def test_the_backup_as_the_document_prints_it_takes_the_site_that_the_env_file_names(
    filled: Site, installed: Path
) -> None:
    typed = documented(f"{AS_THE_USER}deploy/backup.sh").replace("/var/backups", str(filled.folder))
    done = in_shell(typed, installed)
    assert done.returncode == 0, done.stderr
    backup = Path(done.stdout.strip())
    assert (backup / "heads.ndjson").read_text() == (filled.folder / "heads.ndjson").read_text()
    filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare)
    assert filled.hashes(filled.spare)["receipts"] == filled.hashes(filled.live)["receipts"]


def test_the_address_of_the_database_may_lie_in_a_file_of_its_own(filled: Site, installed: Path) -> None:
    (filled.folder / "address").write_text(filled.live + "\n")
    text = (installed / ".env").read_text().replace(f"DATABASE_URL={filled.live}", "DATABASE_URL=")
    (installed / ".env").write_text(f"{text}DATABASE_URL_FILE={filled.folder / 'address'}\n")
    done = in_shell(f"deploy/backup.sh {filled.folder / 'backups'}", installed)
    assert done.returncode == 0, done.stderr
    filled.run(ROOT / "deploy" / "restore.sh", done.stdout.strip(), url=filled.spare)


def test_a_database_that_is_named_in_the_shell_is_backed_up_rather_than_that_of_the_env_file(
    filled: Site, installed: Path
) -> None:
    variables = dict(line.split("=", 1) for line in (installed / ".env").read_text().splitlines())
    nowhere = "postgres://nobody:nothing-93-there@127.0.0.1:1/nothing"
    write_dot_env(installed, variables | {"DATABASE_URL": nowhere, "DATABASE_DIRECT_URL": nowhere})
    typed = f"deploy/backup.sh {filled.folder / 'backups'}"
    assert in_shell(typed, installed).returncode != 0
    assert in_shell(typed, installed, DATABASE_URL=filled.live).returncode == 0


@pytest.mark.parametrize("form", ["DATABASE_DIRECT_URL", "DATABASE_DIRECT_URL_FILE", "DATABASE_URL_FILE"])
def test_a_restore_goes_into_the_named_database_whatever_the_env_file_says_of_the_live_one(
    filled: Site, installed: Path, form: str
) -> None:
    backup = filled.backup()
    filled.manage("sign_audit_head")
    (filled.folder / "address").write_text(filled.live)
    variables = dict(line.split("=", 1) for line in (installed / ".env").read_text().splitlines())
    more = filled.folder / "address" if form.endswith("_FILE") else filled.live
    write_dot_env(installed, variables | {form: str(more)})
    before = filled.hashes(filled.live)
    done = in_shell(f"deploy/restore.sh {backup}", installed, DATABASE_URL=filled.spare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert filled.hashes(filled.live) == before, "nothing was written to the live database, not even the proof"
    after = filled.hashes(filled.spare)
    assert after["receipts"] == before["receipts"]
    assert after["audit_verifications"] != before["audit_verifications"], "the proof is of the restored one"


def test_heads_that_were_signed_after_a_backup_do_not_make_it_a_broken_one(filled: Site) -> None:
    backup = filled.backup()
    filled.manage("seal_audit", "--out", filled.folder / "later.json")
    filled.manage("sign_audit_head")
    done = filled.run(ROOT / "deploy" / "restore.sh", backup, url=filled.spare)
    assert "The audit chain is intact" in done.stdout


def test_the_copy_is_taken_over_tls_where_the_site_asks_for_it() -> None:
    address = (
        "postgres://site:p%40ss@db.example.ac.th:5433/bills?sslmode=verify-full&options=-c%20statement_timeout%3D0"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "pg_environment.py")],
        input=address,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "export PGHOST=db.example.ac.th", "export PGPORT=5433", "export PGUSER=site", "export PGPASSWORD=p@ss",
        "export PGDATABASE=bills", "export PGSSLMODE=verify-full", "export PGOPTIONS='-c statement_timeout=0'",
    ]  # fmt: skip


def test_no_password_of_the_database_is_an_argument_of_a_program() -> None:
    for name in ("backup.sh", "restore.sh"):
        text = (ROOT / "deploy" / name).read_text()
        assert "pg_environment.py)" not in text
        assert 'printf \'%s\' "$url" | "$python"' in text
        subprocess.run(["sh", "-n", str(ROOT / "deploy" / name)], check=True)


def test_of_a_broken_chain_no_backup_is_taken_and_the_evidence_is_copied_as_the_document_says(
    filled: Site, installed: Path
) -> None:
    if connection.vendor == "sqlite":
        filled.execute("DROP TRIGGER audit_log_no_update")
    else:
        filled.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
    filled.execute("UPDATE audit_log SET actor = 'mallory' WHERE id = (SELECT MIN(id) FROM audit_log)")
    refused = filled.run(ROOT / "deploy" / "backup.sh", filled.folder / "backups", fails=True)
    assert "Not sealed: the chain is broken" in refused.stderr
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    recipe = text[text.index("### The audit chain is broken") :].split("\n### ")[0]
    typed = re.findall(r"(?:^ {8}.+\n)+", recipe, re.M)[connection.vendor == "sqlite"]
    typed = typed.replace("/tmp", str(filled.folder)).replace(".venv/bin/python", sys.executable)
    done = in_shell(typed, installed)
    assert done.returncode == 0, done.stderr
    (copy,) = filled.folder.glob("audit-evidence.*")
    assert copy.stat().st_mode & 0o077 == 0, "nobody else reads it"
    if connection.vendor == "sqlite":
        assert filled.hashes(f"sqlite:///{copy}") == filled.hashes(filled.live)
    else:
        assert "audit_log" in filled.run("pg_restore", "--list", copy).stdout
