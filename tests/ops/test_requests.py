"""Every request: an id, one log line, strict headers."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.test import Client

from core.logs import JsonFormatter

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines() -> Any:
    """The request log as the JSON lines that production writes."""
    seen: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(json.loads(self.format(record)))

    handler, logger = Keep(), logging.getLogger("hpcbilling.request")
    handler.setFormatter(JsonFormatter())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield seen
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_one_line_a_request_says_who_what_and_how_long(lines: list[dict[str, Any]], alice: Any, client: Client) -> None:
    client.force_login(alice)
    answer = client.get("/accounts/password/?secret=1", headers={"X-Request-ID": "from-the-proxy-1"})
    (line,) = lines
    assert (line["request_id"], line["user"]) == ("from-the-proxy-1", "alice")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/accounts/password/", 200)
    assert isinstance(line["latency_ms"], float)
    assert answer["X-Request-ID"] == "from-the-proxy-1"


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "has space in it", "line\tbreak-id", "<script>alert</script>"]
)
def test_an_id_that_is_missing_or_odd_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert answer["X-Request-ID"] != given
    assert len(answer["X-Request-ID"]) == 32


def test_the_audit_row_carries_the_id_and_address_of_its_request(alice: Any) -> None:
    from audit.models import AuditLog

    Client(REMOTE_ADDR="192.0.2.4").post(
        "/accounts/login/",
        {"username": "alice", "password": "wrong"},
        headers={"X-Request-ID": "trace-me-12345", "User-Agent": "Test/1"},
    )
    entry = AuditLog.objects.get(action="login_failure")
    assert (entry.request_id, entry.ip, entry.user_agent) == ("trace-me-12345", "192.0.2.4", "Test/1")


def test_nothing_is_printed_twice() -> None:
    """Everything goes up to the one handler at the root; a refusal has its line from us, not one more from Django."""
    assert logging.getLogger("django").handlers == []
    assert logging.getLogger("django").propagate
    assert not logging.getLogger("django.request").isEnabledFor(logging.WARNING)
    assert logging.getLogger("django.request").isEnabledFor(logging.ERROR)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/nothing.css"])
def test_what_machines_ask_all_day_is_not_logged(client: Client, lines: list[dict[str, Any]], path: str) -> None:
    client.get(path)
    assert lines == []


@pytest.mark.parametrize("path", ["/accounts/login/", "/no/such/page", "/admin/", "/healthz"])
def test_every_page_has_the_strict_policy(client: Client, superuser: Any, path: str) -> None:
    client.force_login(superuser)
    answer = client.get(path)
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert (policy["object-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'",) * 3
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/", "/admin/", "/no/such/page"])
def test_pages_carry_no_inline_script_or_style_that_the_policy_would_block(
    client: Client, superuser: Any, path: str
) -> None:
    client.force_login(superuser)
    text = client.get(path).content.decode()
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<style>" not in text
    assert "<script>" not in text


def test_the_lockout_page_has_the_policy_too(alice: Any) -> None:
    for _ in range(6):
        answer = Client().post("/accounts/login/", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 429
    assert "default-src 'self'" in answer["Content-Security-Policy"]
