"""A log with signed heads, and what somebody with the database's password does to it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from audit import keys, registry, services, triggers
from core.context import Actor

registry.register({"test_action": "Test action"})


class Signed:
    """The files of a site that signs, in one folder."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self.folder, self.settings = folder, settings
        self.heads, self.log, self.archive = folder / "heads.ndjson", folder / "log.ndjson", folder / "archive"
        self.archive.mkdir()
        self.key = keys.make_key(folder / "key.pem")
        settings.AUDIT_SIGNING_KEY = (folder / "key.pem").read_text()
        settings.AUDIT_PUBLIC_KEYS = []
        settings.AUDIT_HEADS_FILE = str(self.heads)
        settings.AUDIT_ARCHIVE_FOLDER = str(self.archive)

    @property
    def public(self) -> str:
        return self.key.public.hex()

    def export(self) -> list[bytes]:
        call_command("export_audit", out=str(self.log), stdout=StringIO())
        return self.log.read_bytes().splitlines(keepends=True)


def write(number: int) -> None:
    for index in range(number):
        services.record(
            actor=Actor(f"user{index % 7}"), action="test_action", target=f"row {index}", status="done",
            extra={"n": index, "text": 'ไทย "quoted" \x01\n', "list": [1, {"a": None}], "ok": True},
            changes={"status": ["pending", "paid"]},
        )  # fmt: skip


def tamper(*statements: str) -> None:
    """What somebody with the database's password could do: take the triggers off and edit."""
    triggers.remove(connection)
    try:
        with connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
    finally:
        triggers.install(connection)


def verify(**options: Any) -> tuple[int, str]:
    """Exit code and text of ``verify_audit``."""
    out = StringIO()
    try:
        call_command("verify_audit", stdout=out, **options)
    except SystemExit as leaving:
        return int(str(leaving.code)), out.getvalue()
    return 0, out.getvalue()
