"""/formula: everybody reads the rates, rate editors set them, caches and editors never work on stale ones."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.models import AuditLog
from billing.models import Rate, RateVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(make_user: Any, client: Any) -> Any:
    client.force_login(make_user("rita", role="admin", groups=["Rates editor"]))
    return client


def post(client: Any, data: Any, **headers: str) -> Any:
    return client.post("/formula", json.dumps(data), content_type="application/json", headers=headers)


NEW = {"type": "mu", "cpu": "1.25", "gpu": 6, "mem": 0.75, "note": "autumn"}


def test_anybody_reads_the_rates_of_a_tier_in_exact_digits(client: Any) -> None:
    answer = client.get("/formula?type=mu")
    body = json.loads(answer.content, parse_float=Decimal, parse_int=Decimal)
    assert answer.status_code == 200
    assert (body["type"], body["currency"], body["unit"]) == ("mu", "THB", "per-hour")
    assert body["rates"] == {"cpu": Decimal(1), "gpu": Decimal(5), "mem": Decimal("0.5")}


def test_a_known_etag_gets_304_and_a_change_gets_the_new_rates(editor: Any) -> None:
    etag = editor.get("/formula?type=mu")["ETag"]
    again = editor.get("/formula?type=mu", headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert post(editor, NEW).status_code == 200
    fresh = editor.get("/formula?type=mu", headers={"If-None-Match": etag})
    assert fresh.status_code == 200
    assert fresh["ETag"] != etag
    assert json.loads(fresh.content)["rates"] == {"cpu": 1.25, "gpu": 6, "mem": 0.75}


def test_other_tiers_keep_their_etag(editor: Any) -> None:
    gov = editor.get("/formula?type=gov")["ETag"]
    post(editor, NEW)
    assert editor.get("/formula?type=gov")["ETag"] == gov


def test_setting_rates_appends_a_version_moves_the_current_rate_and_is_audited(editor: Any) -> None:
    post(editor, NEW)
    assert RateVersion.objects.filter(tier="mu").count() == 2
    assert Rate.objects.get(pk="mu").cpu == Decimal("1.25")
    entry = AuditLog.objects.order_by("-id")[0]
    assert (entry.action, entry.actor, entry.target) == ("rate_update", "rita", "mu")
    assert entry.changes["cpu"] == ["1.000000", "1.25"]


def test_if_match_refuses_an_editor_who_worked_on_old_rates(editor: Any) -> None:
    etag = editor.get("/formula?type=mu")["ETag"]
    assert post(editor, NEW, **{"If-Match": etag}).status_code == 200
    stale = post(editor, NEW, **{"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert RateVersion.objects.filter(tier="mu").count() == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cpu": -1}, "cpu"), ({"cpu": "NaN"}, "cpu"), ({"gpu": "Infinity"}, "gpu"), ({"mem": "1_000"}, "mem"),
        ({"cpu": "１"}, "cpu"), ({"cpu": True}, "cpu"), ({"cpu": None}, "cpu"), ({"cpu": "1000000"}, "cpu"),
        ({"cpu": "0.0000001"}, "cpu"), ({"cpu": [1]}, "cpu"), ({"cpu": "1e999"}, "cpu"), ({"cpu": ""}, "cpu"),
        ({"cpu": "1e2"}, "cpu"), ({"cpu": "+-5"}, "cpu"),
    ],
)  # fmt: skip
def test_a_number_that_is_no_rate_is_refused_by_name(editor: Any, change: dict[str, Any], field: str) -> None:
    answer = post(editor, {**NEW, **change})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]
    assert RateVersion.objects.filter(tier="mu").count() == 1


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ({"type": "mu", "cpu": 1}, 400, "bad_input"),
        ([1], 400, "bad_input"),
        ({**NEW, "type": "nobody"}, 404, "unknown_tier"),
        ({**NEW, "cpu_basis": "guess"}, 400, "bad_input"),
        ({**NEW, "effective_at": "2020-01-01T00:00:00+07:00"}, 400, "bad_input"),
        ({**NEW, "effective_at": "2030-01-01T00:00:00"}, 400, "bad_input"),
        ({**NEW, "effective_at": "9999-12-31T23:59:59-12:00"}, 400, "bad_input"),
        ({**NEW, "note": "nul \0"}, 400, "bad_input"),
        ({**NEW, "note": None}, 400, "bad_input"),
        ({**NEW, "note": ["x"]}, 400, "bad_input"),
        ({**NEW, "note": "half \ud800"}, 400, "bad_input"),
        ({**NEW, "note": "x" * 201}, 400, "bad_input"),
        ({**NEW, "type": "\0"}, 404, "unknown_tier"),
    ],
)
def test_a_bad_order_changes_nothing(editor: Any, data: Any, status: int, code: str) -> None:
    answer = post(editor, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert RateVersion.objects.count() == 3


@pytest.mark.parametrize(
    "path", ["/formula?type=%00", "/?x=%00", "/receipts/?status=%00", "/payments/simulate?payment=%00"]
)
def test_a_nul_in_an_address_is_a_bad_request_everywhere(editor: Any, path: str) -> None:
    assert editor.get(path).status_code == 400


def test_a_nul_in_a_form_is_a_bad_request(editor: Any) -> None:
    assert editor.post("/receipts/new/", {"start": "\0"}).status_code == 400


def test_json_nested_beyond_reason_is_refused_and_never_an_error(editor: Any, alice: Any) -> None:
    deep = editor.post("/formula", "[" * 100_000, content_type="application/json")
    assert (deep.status_code, deep["Content-Type"]) == (400, "application/problem+json")
    strict = Client(enforce_csrf_checks=True)  # here the body is read before the right is asked for
    strict.force_login(alice)
    assert strict.post("/formula", "[" * 100_000, content_type="application/json").status_code in (400, 403)


def test_broken_json_and_unknown_tiers_are_problems_too(editor: Any) -> None:
    broken = editor.post("/formula", "{", content_type="application/json")
    assert (broken.status_code, broken["Content-Type"]) == (400, "application/problem+json")
    assert editor.get("/formula?type=nobody").json()["code"] == "unknown_tier"
    assert editor.get("/formula").json()["tiers"] == ["mu", "gov", "private"]


def test_future_rates_come_into_force_by_themselves(editor: Any) -> None:
    later = timezone.now() + timedelta(days=10)
    post(editor, {**NEW, "effective_at": later.isoformat()})
    assert json.loads(editor.get("/formula?type=mu").content)["rates"]["cpu"] == 1
    with time_machine.travel(later + timedelta(seconds=1), tick=False):
        assert json.loads(editor.get("/formula?type=mu").content)["rates"]["cpu"] == 1.25


@pytest.mark.parametrize("who", ["anonymous", "user", "auditor"])
def test_only_rate_editors_set_rates(client: Any, make_user: Any, who: str) -> None:
    if who != "anonymous":
        client.force_login(make_user("x", **({} if who == "user" else {"role": "admin", "groups": ["Auditor"]})))
    assert post(client, NEW).status_code == (401 if who == "anonymous" else 403)
    assert RateVersion.objects.count() == 3


def test_a_browser_needs_its_csrf_token(make_user: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("rita", role="admin", groups=["Rates editor"]))
    assert post(strict, NEW).status_code == 403
