"""Every request: an id, one log line, strict headers."""

from __future__ import annotations

import json
import logging
from io import BytesIO
from typing import Any
from unittest.mock import Mock
from wsgiref.util import setup_testing_defaults

import pytest
from django.test import Client

from core.logs import JsonFormatter
from hpcbilling.wsgi import application

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


# --- headers that cannot be meant, and addresses without their last slash ---------------------------
CHARSETS = ["rot13", "zlib", "hex", "undefined", "idna", "utf-16", "nope"]
KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]


def served(method: str, path: str, kind: str, body: bytes = b"", **more: str) -> tuple[int, str, str]:
    """Status, media type and text, by way of what gunicorn calls: the test client makes its requests by itself."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "next=/x", "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body), "HTTP_HOST": "testserver", **more,
    }  # fmt: skip
    setup_testing_defaults(environ)
    begin = Mock()
    content = b"".join(application(environ, begin))
    status, headers = begin.call_args.args
    return int(status.split()[0]), dict(headers)["Content-Type"].partition(";")[0], content.decode()


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_charset_other_than_utf_8_is_refused_on_pages(method: str, kind: str, charset: str) -> None:
    status, media, page = served(method, "/accounts/login/", f"{kind}; charset={charset}", b"a=b")
    assert (status, media) == (400, "text/html")
    assert "The request cannot be understood" in page


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_other_than_utf_8_is_a_problem_at_the_api(charset: str) -> None:
    status, media, text = served("GET", "/api/v1/rates", f"application/json; charset={charset}")
    assert (status, media, json.loads(text)["code"]) == (415, "application/problem+json", "unsupported_charset")


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "us-ascii"])
def test_utf_8_may_be_named_by_its_names(charset: str) -> None:
    assert served("GET", "/accounts/login/", f"application/x-www-form-urlencoded; charset={charset}")[0] == 200


@pytest.mark.parametrize("length", ["abc", "-1", "1e3"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert served("POST", "/accounts/login/", KINDS[1], CONTENT_LENGTH=length)[:2] == (400, "text/html")


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


@pytest.mark.parametrize("path", ["/api/v1/quote", "/api/v1/events", "/payments/webhooks/stripe/"])
def test_a_program_that_sends_chunks_is_told_to_say_the_length(path: str) -> None:
    """Django reads nothing of them: an order with defaults would be done as if it had said nothing."""
    status, media, text = served("POST", path, "application/json", b'{"at_period_end": true}', **CHUNKED)
    assert (status, media, json.loads(text)["code"]) == (411, "application/problem+json", "length_required")


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_in_chunks_is_refused(kind: str) -> None:
    assert served("POST", "/accounts/login/", kind, b"a=b", **CHUNKED)[:2] == (400, "text/html")


def test_who_only_looks_may_name_chunks() -> None:
    """Some proxies do when they cannot know that nothing follows."""
    assert served("GET", "/accounts/login/", "", **CHUNKED)[0] == 200


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_sent_to_an_address_without_its_last_slash_is_a_404(
    client: Client, settings: Any, method: str, debug: bool
) -> None:
    settings.DEBUG = debug
    assert client.generic(method, "/playground", b"").status_code == 404
    at_the_api = client.generic(method, "/api", b"")
    assert (at_the_api.status_code, at_the_api["Content-Type"]) == (404, "application/problem+json")


def test_debugging_or_not_a_request_that_cannot_be_understood_gets_the_sites_page(
    client: Client, settings: Any
) -> None:
    settings.DEBUG = True
    for answer in (
        client.get("/verify/", headers={"host": "elsewhere.example"}),
        client.get("/verify/", {f"name{each}": "1" for each in range(1500)}),
    ):
        assert answer.status_code == 400
        assert "The request cannot be understood" in answer.text
        assert "SECRET_KEY" not in answer.text
