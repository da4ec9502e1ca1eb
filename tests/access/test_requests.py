"""Requests as attackers write them, against every address of the table: what is not asked for properly changes nothing,
breaks nothing and tells nothing."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import Member, Organisation, User
from billing.models import Invoice, Receipt
from payments.models import Payment
from tests.access.addresses import address
from tests.access.outcomes import ask
from tests.access.table import lines
from tests.access.world import World
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
API = list(lines("api"))
SIGNED_BY_PROVIDERS = ("payments/webhook", "payments/webhooks/", "payments/return/")  # no session, their own proof
RIVAL = "rival's_key"
OPEN_TO_ALL = ("api/v1/quote",)  # counts a price, writes nothing, knows nobody
EXTRA = {
    "id": 1, "pk": 1, "uuid": "00000000-0000-4000-8000-000000000000", "username": "root", "user": "root", "owner": "me",
    "role": "admin", "is_superuser": True, "is_staff": True, "is_active": False, "groups": ["Finance"], "status": "paid",
    "total": "0.01", "subtotal": "0.01", "amount": "0.01", "amount_cents": 1, "captured_cents": 10_000_000,
    "amount_due": "0", "paid_at": "2026-01-01T00:00:00Z", "currency": "USD", "organisation_id": 2, "billing_mode": "receipts",
    "created_by": "root", "actor": "root", "password": "x", "scopes": ["admin:*"], "pricing_tier": "gov", "tier": "gov",
}  # fmt: skip
TRICKS = [
    "https://evil.example", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example",
    "\\/evil.example", "/\\/evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example",
    "http:\\\\evil.example", "HTTPS://EVIL.EXAMPLE", "ftp://evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x",
    "vbscript:x", "mailto:a@evil.example", "//evil.example/%2f..", "/%09/evil.example/..;//evil.example",
    "https://testserver@evil.example", "https://testserver.evil.example", "https://testserver:80@evil.example",
    "https://evil.example#testserver", "https://evil.example?testserver", "https://evil.example\\@testserver",
    "//testserver@evil.example", "\t//evil.example", " //evil.example", "/\t/evil.example", "/\n/evil.example",
    "\x00//evil.example", "https://еvil.example", "//[::1]", "//2130706433", "https://evil.example/\r\nSet-Cookie: a=b",
]  # fmt: skip


def signed_in(world: World, name: str, **options: Any) -> Client:
    client = Client(raise_request_exception=False, **options)
    client.force_login(world.people[name], backend=BACKEND)
    return client


# --- where one is led -----------------------------------------------------------
@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_nobody_is_led_to_another_site(alice: Any, trick: str) -> None:
    client = Client()
    for path, fields in (
        ("/accounts/login/", {"username": "alice", "password": PASSWORD, "next": trick}),
        ("/i18n/setlang/", {"language": "th", "next": trick}),
    ):
        answer = client.post(
            path, fields, headers={"Referer": trick} if trick.isprintable() and trick.isascii() else None
        )
        if answer.status_code == 400 and "\0" in trick:
            continue
        assert answer.status_code == 302
        assert urlsplit(answer["Location"]).netloc in ("", "testserver"), answer["Location"]
        assert urlsplit(answer["Location"]).scheme in ("", "http"), answer["Location"]
        assert not answer["Location"].startswith(("//", "/\\", "\\")), answer["Location"]
        assert "Set-Cookie: a" not in str(answer.headers)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "testserver.evil.example", "testserver:80@evil.example", "", "a b", "testserver,evil.example"],
)
def test_a_host_that_is_not_ours_is_refused_everywhere(client: Any, db: None, host: str) -> None:
    for path in ("/accounts/login/", "/", "/api/v1/receipts", "/payments/webhook", "/admin/"):
        assert client.get(path, headers={"Host": host}).status_code in (400, 405), path


def test_a_forwarded_host_counts_nothing(client: Any, db: None) -> None:
    answer = client.get(
        "/", headers={"X-Forwarded-Host": "evil.example", "X-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert answer["Location"] == "/accounts/login/?next=/"
    page = client.get("/accounts/login/", headers={"X-Forwarded-Host": "evil.example"}).content
    assert b"evil.example" not in page


# --- whose request it is ----------------------------------------------------------
@pytest.mark.parametrize("name", ["pages", "api", "console"])
def test_without_the_token_of_the_form_nothing_is_changed(name: str, world: World) -> None:
    browser = signed_in(world, "root", enforce_csrf_checks=True)
    for line in lines(name):
        exempt = line.route.startswith((*SIGNED_BY_PROVIDERS, *OPEN_TO_ALL))
        if line.method == "GET" or line.expected["root"] == "405" or exempt:
            continue
        answer = ask(browser, line.method, address(line.route, world))
        assert answer.status_code == 403, (line.method, line.route, answer.status_code)


def test_a_key_needs_no_token_and_a_session_beside_it_gives_it_nothing(world: World) -> None:
    browser = signed_in(world, "root", enforce_csrf_checks=True)
    headers = {"Authorization": f"Bearer {world.keys[RIVAL]}"}
    assert browser.get("/api/v1/receipts", headers=headers).status_code == 403


# --- methods ------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "GETX"])
def test_a_method_that_a_page_does_not_know_changes_nothing_and_breaks_nothing(method: str, world: World) -> None:
    browser = signed_in(world, "owner")
    for line in lines("pages"):
        if line.method == "GET":
            answer = ask(browser, method, address(line.route, world))
            assert answer.status_code in (302, 403, 404, 405), (method, line.route, answer.status_code)


@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND"])
def test_a_method_that_the_api_does_not_know_is_a_problem_with_the_list_of_those_it_does(
    method: str, world: World
) -> None:
    browser = signed_in(world, "root")
    for route in sorted({line.route for line in API} - {"api/docs/", "api/schema/", "api/"}):
        answer = ask(browser, method, address(route, world))
        assert answer.status_code == 405, (method, route)
        assert json.loads(answer.body)["code"] == "method_not_allowed", route
        assert answer["Allow"], route


@pytest.mark.parametrize(
    "how", [{"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method": "DELETE"}, {"X-Method-Override": "DELETE"}]
)
def test_no_header_and_no_field_makes_another_method_of_it(how: dict[str, str], world: World) -> None:
    browser, key = signed_in(world, "alice"), world.row("accounts.ApiKey")
    where = f"/api/v1/keys/{key.pk}"
    assert browser.get(where, headers=how).status_code == 200
    assert (
        browser.post(
            where + "?_method=DELETE", {"_method": "DELETE"}, headers=how, content_type="application/json"
        ).status_code
        == 405
    )
    key.refresh_from_db()
    assert key.is_active


def test_head_tells_what_get_tells_without_a_body(world: World) -> None:
    browser = signed_in(world, "alice")
    for line in lines("pages"):
        if line.method == "GET" and line.expected["alice"] == "200":
            head = ask(browser, "HEAD", address(line.route, world))
            assert head.status_code in (200, 405), line.route
            assert head.body == b"", line.route


# --- bodies -------------------------------------------------------------------------
WRITES = [line for line in API if line.method in ("POST", "PATCH", "PUT") and line.route not in ("api/", "api/docs/")]
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
BODIES = {
    "a key twice": b'{"name": "a", "name": "b"}', "a key twice inside": b'{"a": {"b": 1, "b": 2}}', "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": -Infinity}', "nested": DEEP, "a list": b"[]", "a word": b'"x"', "null": b"null", "cut": b'{"a": ',
    "not UTF-8": b'{"a": "\xff"}', "a huge number": b'{"amount": 1' + b"0" * 5000 + b"}", "an exponent": b'{"amount": 1e999999}',
    "UTF-16": '{"a": 1}'.encode("utf-16"), "NUL": b'{"name": "a\\u0000b"}', "half a surrogate": b'{"name": "\\ud800"}',
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_proper_json_is_a_problem_and_no_error_of_ours(name: str, world: World) -> None:
    browser = signed_in(world, "root")
    for line in WRITES:
        if line.route.endswith("/acknowledge"):
            continue
        answer = ask(browser, line.method, address(line.route, world), data=BODIES[name])
        assert answer.status_code < 500, (line.method, line.route)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", line.route
            assert json.loads(answer.body)["code"], line.route


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/jsonx",
    ],
)
def test_a_body_of_another_kind_is_415(kind: str, world: World) -> None:
    browser = signed_in(world, "root")
    for line in WRITES:
        answer = ask(browser, line.method, address(line.route, world), data=b'{"name": "x"}', content_type=kind)
        if answer.status_code in (200, 201, 202, 204):  # takes no body
            continue
        assert answer.status_code in (400, 403, 404, 409, 415), (line.route, answer.status_code)
        assert json.loads(answer.body)["code"], line.route


def test_every_refusal_of_the_api_has_one_shape(world: World, browsers: dict[str, Client]) -> None:
    for line in API:
        for column in ("nobody", "bob", "project_key"):
            answer = ask(browsers[column], line.method, address(line.route, world))
            if answer.status_code >= 400:
                told = json.loads(answer.body)
                assert answer["Content-Type"] == "application/problem+json", line.route
                assert told["status"] == answer.status_code
                assert {"type", "title", "code"} <= told.keys(), line.route
                assert told["code"].replace("_", "").isalnum(), told


# --- fields that nobody asked for ---------------------------------------------------------
def _state() -> list[Any]:
    return [
        list(User.objects.order_by("pk").values_list("pk", "role", "is_superuser", "is_active", "password")),
        list(
            Receipt.objects.order_by("pk").values_list("pk", "status", "total", "user_id", "paid_at", "pricing_tier_id")
        ),
        list(Payment.objects.order_by("pk").values_list("pk", "status", "amount_cents", "captured_cents", "user_id")),
        list(Invoice.objects.order_by("pk").values_list("pk", "status", "total", "amount_due", "organisation_id")),
        list(Organisation.objects.order_by("pk").values_list("pk", "billing_mode", "tier_id", "is_active", "currency")),
        list(Member.objects.order_by("pk").values_list("organisation_id", "user_id", "role")),
    ]


def test_the_api_refuses_fields_that_it_does_not_know_by_their_name(world: World) -> None:
    before = _state()
    for name in ("owner", "alice"):
        browser = signed_in(world, name)
        for line in WRITES:
            if line.route == "api/v1/events":
                continue
            with transaction.atomic():
                answer = browser.generic(
                    line.method,
                    address(line.route, world),
                    json.dumps({**EXTRA, "nobody_knows": 1}),
                    content_type="application/json",
                )
                assert answer.status_code >= 400 or _state() == before, (name, line.route)
                assert _state() == before, (name, line.method, line.route)
                transaction.set_rollback(True)


def test_of_very_many_wrong_names_a_few_are_told(client: Client, alice: Any) -> None:
    """A stranger's body of a megabyte was answered with six, and a worker was busy for seconds."""
    body = dict.fromkeys(map(str, range(50_000)), 1)
    told = client.post("/api/v1/quote", body, content_type="application/json").json()
    client.force_login(alice)
    asked = client.get("/api/v1/plans?" + "&".join(f"a{n}=1&a{n}=2" for n in range(400)))
    assert [len(each["errors"]) for each in (told, asked.json())] == [20, 20]


@pytest.mark.parametrize("name", ["alice", "owner", "viewer"])
def test_pages_take_no_field_that_is_not_on_their_form(name: str, world: World) -> None:
    before, browser = _state(), signed_in(world, name)
    fields = {key: value for key, value in EXTRA.items() if key not in ("role", "groups", "scopes")}
    for line in lines("pages"):
        leaves = line.route.endswith(
            ("leave/", "members/<str:username>/", "settings/", "receipts/new/", "start")
        ) or line.route.startswith("invitations/")
        if line.method == "GET" or line.expected[name] in ("405", "login", "404") or leaves:
            continue
        with transaction.atomic():
            browser.post(address(line.route, world), {key: str(value) for key, value in fields.items()})
            assert _state() == before, line.route
            transaction.set_rollback(True)


# --- files, caches ------------------------------------------------------------------------
@pytest.mark.parametrize("path", [
    "/static/../hpcbilling/settings.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fetc/passwd", "/static//etc/passwd",
    "/static/hpcbilling/..\\..\\settings.py", "/receipts/1.pdf/../../etc/passwd", "/receipts/..%2f1.pdf", "/admin/exports/..%2freceipts/",
    "/admin/exports/receipts%00/", "/invoices/..%2f..%2fetc%2fpasswd.pdf", "/.git/config", "/.env", "/static/.git/config",
])  # fmt: skip
def test_no_address_leads_out_of_its_folder(world: World, path: str) -> None:
    answer = ask(signed_in(world, "root"), "GET", path)
    assert answer.status_code in (301, 302, 400, 404), path
    assert b"SECRET_KEY" not in answer.body
    assert b"root:" not in answer.body


def test_what_is_made_for_somebody_is_kept_in_no_cache(world: World, browsers: dict[str, Client]) -> None:
    for name, column in (("pages", "alice"), ("api", "project_key"), ("console", "finance")):
        for line in lines(name):
            if line.method == "GET" and line.expected[column] == "200":
                control = ask(browsers[column], "GET", address(line.route, world)).headers.get("Cache-Control", "")
                assert "no-store" in control or "private" in control, (line.route, control)


def test_what_is_wrong_with_a_field_is_told_where_the_field_says(world: World, browsers: dict[str, Client]) -> None:
    """Whoever hears a page instead of seeing it: each ``aria-describedby`` of a refused form leads to its words."""
    asked, lost = 0, []
    for name in ("pages", "console"):
        for line in lines(name):
            who = next((column for column, expected in line.expected.items() if expected == "400"), None)
            if line.method != "POST" or who is None:
                continue
            page = ask(browsers[who], "POST", address(line.route, world)).body.decode()
            named = {each for value in re.findall(r'aria-describedby="([^"]+)"', page) for each in value.split()}
            lost += [f"/{line.route}: {each}" for each in sorted(named - set(re.findall(r'\bid="([^"]+)"', page)))]
            asked += bool(named)
    assert not lost, "\n".join(lost)
    assert asked > 10
