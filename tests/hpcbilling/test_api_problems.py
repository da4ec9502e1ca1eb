"""Below /api/ every error is problem JSON, whoever refuses: Django, a middleware, a serializer or a service."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client, override_settings
from django.utils import translation

from billing.api import jobs
from core.api.paging import cursor_of
from hpcbilling.api import SchemaView
from tests.billing.test_api import JOBS, OCTOBER, RECEIPTS, post, problem, signed_in
from tests.factories import account_tier, make_job

pytestmark = pytest.mark.django_db
QUOTE = "/api/v1/quote"
FORM = "application/x-www-form-urlencoded"
UNKNOWN_HOST = {"HTTP_HOST": "elsewhere.example"}


# --- refused before a view is asked ----------------------------------------------------
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"path": f"{JOBS}/%00"}, 400, "bad_request"),
        ({"path": f"{JOBS}?account=%00"}, 400, "bad_request"),
        ({"path": "/formula?type=%00"}, 400, "bad_request"),
        ({"path": JOBS, **UNKNOWN_HOST}, 400, "bad_request"),
        ({"path": "/api/nothing%0Ahere"}, 404, "not_found"),
        ({"path": "/api/"}, 404, "not_found"),
        ({"path": "/api/docs/", "method": "POST", "data": "a=1&" * 1001, "content_type": FORM}, 400, "bad_request"),
        ({"path": "/api/docs/", "method": "DELETE"}, 405, "method_not_allowed"),
    ],
)
def test_what_django_refuses_is_a_problem_that_tells_nothing_of_the_inside(
    request_: dict[str, Any], status: int, code: str, debug: bool, alice: Any, settings: LazySettings
) -> None:
    settings.DEBUG = debug
    answer = ask(signed_in(alice), **request_)
    found = problem(answer, status, code)
    assert found.keys() == {"type", "title", "status", "code"}
    assert (found["status"], answer["X-Request-ID"] != "") == (status, True)


def ask(browser: Client, *, path: str, method: str = "GET", **facts: Any) -> Any:
    """The address goes out as it is written, escapes and all."""
    return browser.generic(method, path, facts.pop("data", ""), facts.pop("content_type", "text/plain"), **facts)


@pytest.mark.parametrize("kind", ["application/json", FORM])
@pytest.mark.parametrize("path", [RECEIPTS, QUOTE, "/formula", "/api/docs/"])
def test_a_body_that_is_too_large_is_413_and_one_that_just_fits_is_read(path: str, kind: str, alice: Any) -> None:
    browser = signed_in(alice)
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1000):
        problem(browser.post(path, "x" * 1001, content_type=kind), 413, "too_large")
        assert browser.post(path, "x" * 1000, content_type=kind).status_code != 413


def test_nul_in_a_body_is_refused_by_field(alice: Any) -> None:
    found = problem(post(signed_in(alice), RECEIPTS, {**OCTOBER, "note": "a\0"}), 400, "invalid")
    assert list(found["errors"]) == ["note"]


@pytest.mark.parametrize("debug", [False, True])
def test_what_breaks_is_500_without_the_reason_and_is_logged_once(
    debug: bool, alice: Any, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_args: object, **_named: object) -> None:
        raise RuntimeError("the secret of the inside")

    settings.DEBUG = debug
    monkeypatch.setattr(jobs.job_pages, "page", breaks)
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logging.getLogger("django.request").addHandler(handler)
    try:
        answer = browser.get(JOBS)
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    problem(answer, 500, "internal_error")
    assert "secret" not in answer.content.decode()
    assert [str(record.exc_info[1]) for record in seen if record.exc_info] == ["the secret of the inside"]
    assert len(seen) == 1


def test_pages_keep_their_pages(alice: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    for answer in (browser.get("/no/such/page"), browser.get("/?x=%00"), browser.post("/receipts/new/")):
        assert answer.status_code in (400, 403, 404)
        assert answer["Content-Type"].startswith("text/html")
    assert "csrf_failed" not in browser.post("/receipts/new/").content.decode()


def test_a_missing_csrf_token_is_told_from_a_missing_right_everywhere(alice: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    for path in (RECEIPTS, QUOTE, "/formula", "/api/docs/"):
        answer = post(browser, path, OCTOBER)
        problem(answer, 403, "csrf_failed")
        assert answer.get("Content-Length", str(len(answer.content))) == str(len(answer.content))
    problem(post(signed_in(alice), RECEIPTS, {**OCTOBER, "user": "bob"}), 403, "permission_denied")


def test_nobody_is_asked_to_sign_in_before_anything_else_is_said() -> None:
    for method, path in (("GET", JOBS), ("POST", RECEIPTS), ("POST", f"{RECEIPTS}/1/void"), ("POST", "/formula")):
        answer = ask(Client(enforce_csrf_checks=True), path=path, method=method)
        problem(answer, 401, "not_authenticated")
        assert answer["WWW-Authenticate"] == 'Bearer realm="api", Session realm="api"'


# --- parameters, formats -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{JOBS}?user=alice&user=bob", "user"), (f"{JOBS}?limit=1&limit=1", "limit"),
        (f"{RECEIPTS}?status=paid&status=void", "status"), ("/api/v1/rates?tier=mu&tier=gov", "tier"),
        ("/formula?type=mu&type=gov", "type"), ("/api/schema/?format=json&format=yaml", "format"),
    ],
)  # fmt: skip
def test_a_parameter_given_twice_is_refused_by_name(path: str, name: str, alice: Any) -> None:
    found = problem(signed_in(alice).get(path), 400, "invalid")
    assert found["errors"] == {name: ["Give this parameter once."]}


def test_format_is_no_parameter_but_of_the_description(alice: Any) -> None:
    browser = signed_in(alice)
    assert list(problem(browser.get(f"{JOBS}?format=xml"), 400, "invalid")["errors"]) == ["format"]
    assert list(problem(browser.get("/api/schema/?format=xml"), 400, "invalid")["errors"]) == ["format"]
    assert list(problem(browser.get("/api/schema/?lang=xx"), 400, "invalid")["errors"]) == ["lang"]
    as_json, as_yaml = browser.get("/api/schema/?format=json"), browser.get("/api/schema/?format=yaml")
    assert as_json.json()["openapi"] == "3.1.0"
    assert as_yaml.content.decode().startswith("openapi: 3.1.0")
    assert browser.get("/api/schema/").content == as_yaml.content
    assert browser.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).json() == as_json.json()
    assert '"/api/schema/?format=json"' in browser.get("/api/docs/").content.decode()


def test_the_description_is_the_same_whatever_the_reader_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are made from it: in Thai a component had another name."""
    found = []
    for language in ("th", "en"):
        monkeypatch.setattr(SchemaView, "_made", {})
        found.append(Client().get("/api/schema/?format=json", headers={"Accept-Language": language}))
    assert found[0].content == found[1].content
    assert {each["Content-Language"] for each in found} == {"en"}
    assert "BillingCycleEnum" in found[0].json()["components"]["schemas"]
    assert not [name for name in found[0].json()["components"]["schemas"] if re.search(r"[0-9a-f]{3}Enum$", name)]


def test_the_description_is_made_once_for_each_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it takes most of a second, and nobody need sign in for it: strangers could keep the site busy with it."""
    browser, asked = Client(), [f"/api/schema/?format={each}" for each in ("json", "yaml")]
    first = [browser.get(each) for each in asked]
    monkeypatch.setattr(
        "drf_spectacular.generators.SchemaGenerator.get_schema", lambda *_args, **_kw: pytest.fail("again")
    )
    again = [browser.get(each) for each in asked]
    assert [each.content for each in again] == [each.content for each in first]
    assert [each["Content-Type"] for each in again] == [
        "application/vnd.oai.openapi+json", "application/vnd.oai.openapi; charset=utf-8",
    ]  # fmt: skip
    assert all("hpcbilling" in each["Content-Disposition"] for each in again)


@pytest.mark.parametrize("accept", ["text/html,application/xml;q=0.9,*/*;q=0.8", "application/*", "application/json"])
def test_json_is_given_to_whoever_takes_it(accept: str, alice: Any) -> None:
    answer = signed_in(alice).get(JOBS, headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "x", "application/vnd.oai.openapi"])
def test_an_accept_header_without_json_is_406(accept: str, alice: Any) -> None:
    problem(signed_in(alice).get(JOBS, headers={"Accept": accept}), 406, "not_acceptable")


# --- one shape -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "body", "code", "fields"),
    [
        (RECEIPTS, {"start": "soon", "end": None}, "invalid", ["start"]),
        (RECEIPTS, {**OCTOBER, "user": "nobody"}, "bad_input", ["user"]),
        (RECEIPTS, {**OCTOBER, "note": "tab\tbed"}, "bad_input", ["note"]),
        (RECEIPTS, [OCTOBER], "invalid", ["non_field_errors"]),
        (QUOTE, {"command": "sbatch -t whenever x"}, "bad_input", ["command"]),
        (QUOTE, {"script": "#SBATCH -t whenever"}, "bad_input", ["script"]),
        (QUOTE, {}, "invalid", ["script"]),
        ("/formula", {"type": "mu", "cpu": "x", "gpu": 1, "mem": 1}, "bad_input", ["cpu"]),
        ("/formula", {"type": "mu", "cpu": 1}, "bad_input", ["gpu", "mem"]),
        ("/formula", {"type": "none", "cpu": 1, "gpu": 1, "mem": 1}, "unknown_tier", ["type"]),
        ("/formula", {"type": "mu", "cpu": 1, "gpu": 1, "mem": 1, "cpu_basis": "x"}, "bad_input", ["cpu_basis"]),
    ],
)
def test_errors_of_fields_have_one_shape_whoever_found_them(
    path: str, body: Any, code: str, fields: list[str], superuser: Any
) -> None:
    answer = signed_in(superuser).post(path, json.dumps(body), content_type="application/json")
    found = problem(answer, 404 if code == "unknown_tier" else 400, code)
    assert list(found["errors"]) == fields
    assert all(isinstance(text, str) and text for texts in found["errors"].values() for text in texts)
    assert "field" not in found


# What a key of a row cannot be: the database would break on it, or the calendar.
UNCOUNTED = [2**63, -(2**63), -1, "x", "\0"]
NO_MOMENT = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-28T00:00:00"]
SOME_UUID = "00000000-0000-4000-8000-000000000000"
FORGED = [
    *[("aggregates", [place]) for place in UNCOUNTED],
    *[("models", [text]) for text in ("\0", "\ud800")],
    *[(path, [moment, SOME_UUID]) for path in ("keys", "events") for moment in NO_MOMENT],
    *[("rates", [moment, 1]) for moment in NO_MOMENT],
]


@pytest.mark.parametrize(("path", "key"), FORGED, ids=range(len(FORGED)))
def test_a_forged_cursor_is_refused_and_asks_no_database(path: str, key: list[Any], alice: Any) -> None:
    problem(signed_in(alice).get(f"/api/v1/{path}", {"cursor": cursor_of(key)}), 400, "bad_cursor")


def test_a_bad_cursor_and_a_missing_tier_name_their_parameter(alice: Any) -> None:
    assert "cursor" in problem(signed_in(alice).get(f"{JOBS}?cursor=x"), 400, "bad_cursor")["errors"]
    found = problem(Client().get("/formula"), 400, "bad_input")
    assert (list(found["errors"]), found["tiers"]) == (["type"], ["mu", "gov", "private"])


def test_the_description_says_so() -> None:
    found = Client().get("/api/schema/?format=json").json()
    described = found["components"]["schemas"]["Problem"]
    assert described["properties"].keys() == {"type", "title", "status", "code", "errors"}
    texts = described["properties"]["errors"]["additionalProperties"]
    assert texts == {"type": "array", "items": {"type": "string"}}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            if {} not in operation.get("security", []) and operation.get("security"):
                assert "401" in operation["responses"], (method, path)


# --- in the language of the reader -----------------------------------------------------------
def test_problems_are_told_in_thai(alice: Any) -> None:
    make_job()
    account_tier("physics", "mu")
    browser = signed_in(alice)
    for request_, words in (
        ({"path": f"{JOBS}?limit=0"}, "คำขอไม่ถูกต้อง"),
        ({"path": JOBS, "HTTP_ACCEPT": "text/html"}, "ที่นี่ไม่มีข้อมูลชนิดที่ส่วนหัว Accept ระบุ"),
        (
            {"path": RECEIPTS, "method": "POST", "data": "[" * 100_000, "content_type": "application/json"},
            "JSON ซ้อนกันลึกเกินไป",
        ),
        ({"path": JOBS, **UNKNOWN_HOST}, "ระบบไม่เข้าใจคำขอนี้"),
    ):
        translation.activate("en")  # what the request before has left behind
        answer = ask(browser, HTTP_ACCEPT_LANGUAGE="th", **request_)
        assert answer.json()["title"] == words, request_


@pytest.mark.parametrize(
    ("chosen", "asked", "words"),
    [
        ("", "th", "คำขอไม่ถูกต้อง"), ("", "th-TH,en;q=0.5", "คำขอไม่ถูกต้อง"), ("en", "th", "Invalid request"),
        ("th", "en", "คำขอไม่ถูกต้อง"), ("", "fr", "Invalid request"), ("", "", "Invalid request"),
    ],
)  # fmt: skip
def test_the_language_chosen_on_the_pages_goes_before_that_of_the_browser_and_the_sites_is_the_last(
    alice: Any, chosen: str, asked: str, words: str
) -> None:
    browser = signed_in(alice)
    if chosen:
        browser.cookies["django_language"] = chosen
    headers = {"HTTP_ACCEPT_LANGUAGE": asked} if asked else {}
    assert ask(browser, path=f"{JOBS}?limit=0", **headers).json()["title"] == words


def test_without_any_wish_of_the_caller_the_language_is_the_sites(alice: Any, settings: Any) -> None:
    settings.LANGUAGE_CODE = "th"
    assert ask(signed_in(alice), path=f"{JOBS}?limit=0").json()["title"] == "คำขอไม่ถูกต้อง"
