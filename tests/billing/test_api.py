"""The JSON API: own rows only, amounts as text, cursors that do not slip, refusals as problems."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from accounts.models import Tier
from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from core.periods import fiscal_year, today
from tests.factories import NOON, account_tier, make_job, make_jobs
from tests.races import at_once
from usage.models import Job

pytestmark = pytest.mark.django_db
JOBS, RECEIPTS = "/api/v1/jobs", "/api/v1/receipts"
OCTOBER = {"start": "2026-10-01", "end": "2026-10-31"}


@pytest.fixture(autouse=True)
def _physics_is_mu() -> None:
    account_tier("physics", "mu")


def signed_in(user: Any) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def post(browser: Client, path: str, body: Any) -> Any:
    return browser.post(path, body, content_type="application/json")


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    found: dict[str, Any] = answer.json()
    assert found["code"] == code, found
    return found


# --- whose ---------------------------------------------------------------------------
@pytest.mark.parametrize("path", [JOBS, RECEIPTS, "/api/v1/rates", f"{JOBS}/1", f"{RECEIPTS}/1/explain"])
def test_nobody_reads_without_signing_in(path: str) -> None:
    answer = Client().get(path)
    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", Session realm="api"'


def test_people_see_their_own_and_somebody_elses_is_as_absent_as_none(alice: Any, bob: Any, finance: Any) -> None:
    job, other = make_job(), make_job(username="bob")
    (receipt,) = create_receipts(actor=Actor("bob"), username="bob")
    browser = signed_in(alice)
    assert [each["id"] for each in browser.get(JOBS).json()["results"]] == [job.pk]
    assert browser.get(RECEIPTS).json()["results"] == []
    hidden = (
        f"{JOBS}/{other.pk}",
        f"{JOBS}/{other.pk}/explain",
        f"{RECEIPTS}/{receipt.pk}",
        f"{RECEIPTS}/{receipt.pk}/items",
    )
    for path in (*hidden, f"{RECEIPTS}/{receipt.pk}/explain"):
        assert problem(browser.get(path), 404, "not_found") == problem(
            browser.get(f"{JOBS}/999999"), 404, "not_found"
        ) | {"title": browser.get(path).json()["title"]}
    problem(browser.get(JOBS, {"user": "bob"}), 403, "permission_denied")
    assert len(signed_in(finance).get(JOBS).json()["results"]) == 2
    assert signed_in(finance).get(f"{RECEIPTS}/{receipt.pk}").json()["user"] == "bob"


def test_amounts_are_text_with_their_currency(alice: Any) -> None:
    make_job()
    row = signed_in(alice).get(JOBS).json()["results"][0]
    assert (row["core_hours"], row["cost"], row["currency"], row["status"]) == ("4.0000", "8.00", "THB", "unbilled")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"cluster": "bench"}, 2), ({"cluster": "other"}, 0), ({"partition": "gpu"}, 1), ({"account": "physics"}, 2),
        ({"state": "FAILED"}, 1), ({"billed": "yes"}, 0), (OCTOBER, 2), ({"start": "2026-11-01"}, 0),
    ],
)  # fmt: skip
def test_jobs_are_filtered(query: dict[str, str], found: int, alice: Any) -> None:
    make_job(partition="gpu")
    make_job(state="FAILED")
    assert len(signed_in(alice).get(JOBS, query).json()["results"]) == found


# --- pages -----------------------------------------------------------------------------
def test_pages_follow_each_other_though_rows_arrive_meanwhile(alice: Any) -> None:
    make_jobs(5)
    make_job(end_at=None, state="RUNNING")
    browser, seen, path = signed_in(alice), [], f"{JOBS}?limit=2"
    while path:
        page = browser.get(path).json()
        seen += [row["id"] for row in page["results"]]
        path = page["next"]
        make_job(end_at=NOON.replace(year=2027))  # newer than everything that was shown
    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize("cursor", ["x", "W10", "e30", "WyJvcGVuIiwiIiwiYSJd", "a" * 300])
@pytest.mark.parametrize("path", [JOBS, RECEIPTS, "/api/v1/rates"])
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str, path: str, alice: Any) -> None:
    problem(signed_in(alice).get(path, {"cursor": cursor}), 400, "bad_cursor")


def test_the_number_of_queries_does_not_grow_with_the_page(alice: Any, django_assert_max_num_queries: Any) -> None:
    make_jobs(60)
    browser = signed_in(alice)
    with django_assert_max_num_queries(14):
        assert len(browser.get(JOBS, {"limit": 60}).json()["results"]) == 60


# --- receipts --------------------------------------------------------------------------
def test_a_receipt_is_previewed_ordered_read_and_explained(alice: Any) -> None:
    make_jobs(3)
    browser = signed_in(alice)
    preview = post(browser, f"{RECEIPTS}/preview", OCTOBER).json()
    assert (preview["total"], preview["currency"], Receipt.objects.count()) == ("24.00", "THB", 0)
    made = post(browser, RECEIPTS, {**OCTOBER, "expected": preview["expected"], "note": "project 7"})
    assert made.status_code == 201
    (receipt,) = made.json()["receipts"]
    number = f"RC{fiscal_year(today(), settings.FISCAL_YEAR_START_MONTH)}-000001"
    assert (receipt["total"], receipt["note"], receipt["number"]) == ("24.00", "project 7", number)
    assert receipt == browser.get(f"{RECEIPTS}/{receipt['id']}").json()
    items = browser.get(f"{RECEIPTS}/{receipt['id']}/items", {"limit": 2}).json()
    assert [item["cost"] for item in items["results"]] == ["8.00", "8.00"]
    assert len(browser.get(items["next"]).json()["results"]) == 1
    explained = browser.get(f"{RECEIPTS}/{receipt['id']}/explain").json()
    assert (explained["recomputed"], explained["unchanged"], explained["total"]) == (True, True, "24.00")
    job = browser.get(f"{JOBS}/{Job.objects.first().pk}/explain").json()  # type: ignore[union-attr]
    assert job["arithmetic"]["terms"][0]["hours"] == "4.0000"
    again = post(browser, RECEIPTS, OCTOBER)
    assert (again.status_code, again.json()) == (200, {"receipts": []})


def test_an_order_whose_preview_is_stale_makes_nothing(alice: Any) -> None:
    make_job()
    browser = signed_in(alice)
    expected = post(browser, f"{RECEIPTS}/preview", OCTOBER).json()["expected"]
    make_job()
    problem(post(browser, RECEIPTS, {**OCTOBER, "expected": expected}), 409, "total_changed")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**OCTOBER, "total": "0"}, "total"),
        ({**OCTOBER, "status": "paid"}, "status"),
        ({"start": "soon", "end": None}, "start"),
        ({"start": "2026-10-31", "end": "2026-10-01"}, "end"),
        ({"end": None}, "start"),
        ({**OCTOBER, "note": "x" * 501}, "note"),
        ({**OCTOBER, "note": 5}, "note"),
        ({**OCTOBER, "expected": True}, "expected"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_field(body: dict[str, Any], field: str, alice: Any) -> None:
    make_job()
    found = problem(post(signed_in(alice), RECEIPTS, body), 400, "invalid")
    assert field in found["errors"]
    assert not Receipt.objects.exists()


def test_receipts_for_others_need_the_right(alice: Any, bob: Any, finance: Any) -> None:
    make_job(username="bob")
    problem(post(signed_in(alice), RECEIPTS, {**OCTOBER, "user": "bob"}), 403, "permission_denied")
    assert not Receipt.objects.exists()
    assert post(signed_in(finance), RECEIPTS, {**OCTOBER, "user": "Bob"}).status_code == 201
    assert Receipt.objects.get().username == "bob"


def test_voiding_needs_the_right_and_a_reason_and_a_repeat_changes_nothing(alice: Any, finance: Any) -> None:
    make_job()
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice")
    path = f"{RECEIPTS}/{receipt.pk}/void"
    problem(post(signed_in(alice), path, {"reason": "mine"}), 403, "permission_denied")
    problem(post(signed_in(finance), path, {}), 400, "invalid")
    for _ in range(2):
        answer = post(signed_in(finance), path, {"reason": "wrong account"})
        assert (answer.status_code, answer.json()["status"]) == (200, "void")


def test_orders_over_http_need_the_csrf_token(alice: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    refused = problem(post(browser, RECEIPTS, OCTOBER), 403, "csrf_failed")
    assert "X-CSRFToken" in refused["title"]
    browser.get("/accounts/password/")  # a page that gives the token
    token = browser.cookies["csrftoken"].value
    answer = browser.post(RECEIPTS, OCTOBER, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_ten_orders_at_once_make_one_receipt(alice: Any) -> None:
    make_jobs(20)
    answers = at_once(10, lambda _number: post(signed_in(alice), RECEIPTS, OCTOBER).status_code)
    assert sorted(answers) == [200] * 9 + [201]
    assert Receipt.objects.count() == 1


# --- rates, quotes, the description ----------------------------------------------------
def test_rates_are_listed_with_their_moment(alice: Any) -> None:
    browser = signed_in(alice)
    rows = browser.get("/api/v1/rates", {"tier": "mu"}).json()["results"]
    assert [(row["tier"], row["cpu"], row["currency"]) for row in rows] == [("mu", "1.000000", "THB")]
    assert "tier" in problem(browser.get("/api/v1/rates", {"tier": "x"}), 400, "invalid")["errors"]
    assert browser.get("/api/v1/rates", {"at": "2020-01-01T00:00:00Z"}).json()["results"] == []
    assert "at" in problem(browser.get("/api/v1/rates", {"at": "2020-01-01T00:00:00"}), 400, "invalid")["errors"]


def test_a_quote_is_what_the_job_costs_on_its_receipt(alice: Any) -> None:
    script = "#SBATCH -n 4 --mem-per-cpu=2G\n#SBATCH -t 1:00:00 -A physics\n"
    found = post(signed_in(alice), "/api/v1/quote", {"script": script}).json()
    assert (found["cost"], found["tier"]["code"], found["currency"]) == ("8.00", "mu", "THB")
    make_job(cpus=4, mem_mib=8192, elapsed_seconds=3600)
    assert f"{create_receipts(actor=Actor('alice'), username='alice')[0].total}" == found["cost"]


def test_quotes_are_open_and_what_cannot_be_read_is_named() -> None:
    answer = post(Client(), "/api/v1/quote", {"command": "sbatch -N2 -t 60 --mem=1G job.sh", "tier": "gov"})
    assert (answer.status_code, answer.json()["request"]["nodes"]) == (200, 2)
    bad = post(Client(), "/api/v1/quote", {"command": "sbatch -t whenever job.sh"})
    assert bad.status_code == 400
    assert "whenever" in bad.json()["title"]
    problem(post(Client(), "/api/v1/quote", {}), 400, "invalid")
    problem(post(Client(), "/api/v1/quote", {"command": "sbatch -t 1 x", "tier": "none"}), 400, "invalid")


def test_a_tier_without_a_rate_has_no_quote() -> None:
    Tier.objects.create(code="partner", name="Partner")
    problem(post(Client(), "/api/v1/quote", {"command": "sbatch -t 1 x", "tier": "partner"}), 409, "missing_rate")


def test_the_description_is_valid_without_a_warning_and_served() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())
    found = Client().get("/api/schema/?format=json")
    assert (found.status_code, found.json()["openapi"]) == (200, "3.1.0")
    assert {"/api/v1/jobs", "/api/v1/receipts", "/api/v1/quote", "/formula"} <= set(found.json()["paths"])
    assert Client().get("/api/docs/").status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [
    ("get", "/api/v1/nothing", 404), ("delete", JOBS, 405), ("put", f"{RECEIPTS}/1", 405),
])  # fmt: skip
def test_whatever_is_not_there_is_a_problem_too(method: str, path: str, status: int, alice: Any) -> None:
    answer = getattr(signed_in(alice), method)(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        ('{"start":\n x', "application/json", 400, "The body is not JSON: line 2, column 2."),
        (b"\xff", "application/json", 400, "The body is not JSON that can be read."),
        ('{"start": ' + "9" * 5000, "application/json", 400, "The body is not JSON that can be read."),
        ("a=1", "text/plain", 415, 'Unsupported media type "text/plain" in request.'),
    ],
)
def test_bodies_that_are_no_json_are_problems(
    body: str | bytes, kind: str, status: int, words: str, alice: Any
) -> None:
    answer = signed_in(alice).post(RECEIPTS, body, content_type=kind)
    assert problem(answer, status, "parse_error" if status == 400 else "unsupported_media_type")["title"] == words


def test_receipts_are_filtered_by_their_days_and_status(alice: Any) -> None:
    make_job()
    create_receipts(actor=Actor("alice"), username="alice", start=NOON.date().replace(day=1), end=NOON.date())
    browser = signed_in(alice)
    for query, found in (({"start": "2026-10-15"}, 1), ({"start": "2026-10-16"}, 0), ({"end": "2026-09-30"}, 0),
                         ({"status": "paid"}, 0), (OCTOBER, 1)):  # fmt: skip
        assert len(browser.get(RECEIPTS, query).json()["results"]) == found
