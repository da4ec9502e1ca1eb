"""The audit log in the console, in the language of its reader."""

from __future__ import annotations

from typing import Any

from audit.services import record
from core.context import Actor
from tests.pages.conftest import text


def test_how_an_act_ended_is_told_in_words(client: Any, superuser: Any) -> None:
    record(actor=Actor("root"), action="export", target="receipts", status="broken_off")
    client.force_login(superuser)
    assert "broken off" in text(client.get("/admin/audit/auditlog/"))
    client.cookies["django_language"] = "th"
    page = text(client.get("/admin/audit/auditlog/"))
    for english in ("broken_off", "broken off", "refused", "started", " Id "):
        assert english not in page
