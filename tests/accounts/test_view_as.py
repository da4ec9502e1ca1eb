"""Support looks at pages as a user: reading only, for a while, with a reason, and never as staff."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from accounts.view_as import KEY
from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from tests.factories import account_tier, make_job
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
BEGIN = "/admin/accounts/user/alice/view-as/"


@pytest.fixture
def support(client: Any, make_user: Any, alice: Any) -> Any:
    client.force_login(make_user("sup", role="admin", groups=["Support"]))
    return client


@pytest.fixture
def looking(support: Any) -> Any:
    support.post(BEGIN, {"reason": "request 17"})
    return support


def test_with_a_reason_the_pages_are_those_of_the_user(support: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    assert "View as this user" in text(support.get("/admin/accounts/user/alice/change/"))
    assert "Please fill in" in text(support.post(BEGIN, {"reason": " "}))
    page = text(support.post(BEGIN, {"reason": "request 17"}, follow=True))
    assert "You are looking at the pages of alice" in page
    assert "Your account" in page
    assert support.get("/usage/?period=all").context["user"].username == "alice"
    entry = AuditLog.objects.get(action="view_as_start")
    assert (entry.actor, entry.target, entry.extra["reason"]) == ("sup", "alice", "request 17")


def test_nothing_can_be_changed_meanwhile(looking: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    response = looking.post("/receipts/new/", {"start": "", "end": "", "confirm": "1"})
    assert response.status_code == 403
    assert "You are only looking" in text(response)
    assert not Receipt.objects.exists()


def test_nothing_offers_to_pay_meanwhile(looking: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    receipt = create_receipts(actor=Actor("alice"), username="alice")[0]
    page = looking.get(receipt.get_absolute_url()).text
    buttons = re.findall(r'<button[^>]*name="way"[^>]*>', page)
    assert buttons
    assert all(" disabled" in button for button in buttons)


@pytest.mark.parametrize(
    "path", ["/account/", "/accounts/password/", "/api/v1/jobs/", "/formula?type=mu", "/payments/thanks?rid=1"]
)
def test_what_is_private_and_what_acts_stays_shut(looking: Any, path: str) -> None:
    assert looking.get(path).status_code == 403


def test_the_end_leads_back_and_is_written_down(looking: Any) -> None:
    assert looking.post("/account/view-as/end/").headers["Location"] == "/admin/accounts/user/alice/change/"
    assert looking.get("/", follow=True).context["user"].username == "sup"
    assert AuditLog.objects.filter(action="view_as_end", actor="sup", target="alice").count() == 1
    looking.post("/account/view-as/end/")
    assert AuditLog.objects.filter(action="view_as_end").count() == 1


def test_it_ends_by_itself(looking: Any) -> None:
    session = looking.session
    session[KEY] = {**session[KEY], "until": int(time.time()) - 1}
    session.save()
    assert looking.get("/").context["user"].username == "sup"
    assert AuditLog.objects.filter(action="view_as_end", actor="sup").exists()


def test_it_ends_when_the_right_is_taken_away_or_the_user_becomes_staff(looking: Any, alice: Any) -> None:
    alice.role = "admin"
    alice.save()
    assert looking.get("/").context["user"].username == "sup"


@pytest.mark.parametrize("whom", ["fin", "root", "gone", "nobody"])
def test_never_as_staff_or_somebody_who_is_not_active(
    support: Any, finance: Any, superuser: Any, make_user: Any, whom: str
) -> None:
    make_user("gone", is_active=False)
    response = support.post(f"/admin/accounts/user/{whom}/view-as/", {"reason": "x"})
    assert response.status_code == (404 if whom == "nobody" else 403)
    assert KEY not in support.session


def test_finance_and_auditors_may_not(client: Any, finance: Any, auditor: Any, alice: Any) -> None:
    for person in (finance, auditor):
        client.force_login(person)
        assert client.post(BEGIN, {"reason": "x"}).status_code == 403
        assert "View as this user" not in text(client.get("/admin/accounts/user/alice/change/"))


def test_a_download_meanwhile_is_that_of_the_one_who_looks(looking: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    b"".join(looking.get("/receipts.csv").streaming_content)
    entry = AuditLog.objects.latest("pk")
    assert (entry.action, entry.target) == ("view_as_download", "/receipts.csv")
    assert (entry.actor, entry.extra["viewing_as"]) == ("sup", "alice")


def test_the_console_stays_the_viewers_own(looking: Any) -> None:
    assert looking.get("/admin/accounts/user/").context["user"].username == "sup"
