"""A filter of a console list, kept under a name by the one who uses it."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.utils import timezone

from hpcbilling.models import SavedFilter
from hpcbilling.pages.saved_filters import MOVING
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
LIST, ADD = "/admin/billing/receipt/", "/admin/saved-filters/"


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


def keep(
    client: Any, name: str = "Open ones", query: str = "status__exact=pending&p=3", where: str = "billing.receipt"
) -> Any:
    return client.post(ADD, {"where": where, "name": name, "query": query})


def test_a_filter_is_kept_shown_marked_and_forgotten(as_finance: Any) -> None:
    assert "Keep this filter" not in text(as_finance.get(LIST)), "nothing is filtered"
    assert "Keep this filter" in text(as_finance.get(LIST, {"status__exact": "pending"}))
    response = keep(as_finance)
    assert response.headers["Location"] == f"{LIST}?status__exact=pending", "without the page that was open"
    page = as_finance.get(LIST).content.decode()
    assert '<a href="?status__exact=pending">Open ones</a>' in page
    page = as_finance.get(LIST, {"status__exact": "pending"}).content.decode()
    assert 'aria-current="true">Open ones</a>' in page
    assert "Keep this filter" not in page
    as_finance.post(f"/admin/saved-filters/{SavedFilter.objects.get().pk}/delete/")
    assert "Open ones" not in text(as_finance.get(LIST))


def test_the_same_name_is_kept_anew(as_finance: Any) -> None:
    keep(as_finance)
    keep(as_finance, query="status__exact=paid")
    assert [(row.name, row.query) for row in SavedFilter.objects.all()] == [("Open ones", "status__exact=paid")]


@pytest.mark.parametrize(
    ("name", "query"), [("", "a=b"), (" ", "a=b"), ("x" * 61, "a=b"), ("x", ""), ("x", "a=" + "b" * 2001)]
)
def test_what_is_no_filter_is_refused(as_finance: Any, name: str, query: str) -> None:
    keep(as_finance, name, query)
    assert not SavedFilter.objects.exists()


def test_nobody_keeps_without_end(as_finance: Any) -> None:
    for number in range(21):
        keep(as_finance, f"f{number}")
    assert SavedFilter.objects.count() == 20


@pytest.mark.parametrize(
    "where", ["", "nonsense", "billing.nothing", "accounts.session", "hpcbilling.savedfilter", "a.b.c"]
)
def test_only_lists_of_the_console_have_filters(as_finance: Any, where: str) -> None:
    assert keep(as_finance, where=where).status_code == 404


def test_filters_are_ones_own(as_finance: Any, client: Any, auditor: Any, make_user: Any) -> None:
    keep(as_finance)
    as_finance.get(LIST)  # the message that it was kept
    pk = SavedFilter.objects.get().pk
    client.force_login(auditor)
    assert "Open ones" not in text(client.get(LIST))
    assert client.post(f"/admin/saved-filters/{pk}/delete/").status_code == 404
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    assert keep(client).status_code == 404
    assert SavedFilter.objects.count() == 1


def test_only_a_post_changes_anything(as_finance: Any) -> None:
    assert as_finance.get(ADD).status_code == 405


def test_a_name_is_text(as_finance: Any) -> None:
    keep(as_finance, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in as_finance.get(LIST).content.decode()


def test_an_empty_value_is_part_of_a_filter(as_finance: Any) -> None:
    """Jobs that are not billed are one: no document claims the job."""
    keep(as_finance, query="claimed_by__exact=", where="usage.job")
    assert '<a href="?claimed_by__exact=">Open ones</a>' in as_finance.get("/admin/usage/job/").content.decode()


@pytest.mark.parametrize(
    ("link", "days"),
    [
        (1, ["2027-03-08", "2027-03-09"]),  # today
        (2, ["2027-03-01", "2027-03-09"]),  # past 7 days
        (3, ["2027-03-01", "2027-04-01"]),  # this month
        (4, ["2027-01-01", "2028-01-01"]),  # this year
    ],
)
def test_a_period_moves_on_with_the_days(
    as_finance: Any, finance: Any, monkeypatch: pytest.MonkeyPatch, link: int, days: list[str]
) -> None:
    specs = as_finance.get(LIST).context["cl"].filter_specs
    spec = next(each for each in specs if getattr(each, "field_path", "") == "created_at")
    since, until = spec.links[link][1].values()
    page = as_finance.get(LIST, {"created_at__gte": since, "created_at__lt": until, "p": 1}).content.decode()
    sent = {
        key: unescape(value) for key, value in re.findall(r'type="hidden" name="(query|here)" value="([^"]*)"', page)
    }
    answer = as_finance.post(ADD, {"where": "billing.receipt", "name": "Lately", **sent})
    assert SavedFilter.objects.get().query == f"created_at__period={MOVING[link]}"
    shown = as_finance.get(answer.headers["Location"]).content.decode()
    assert 'aria-current="true">Lately</a>' in shown, "today it shows what it was made of"

    later = datetime(2027, 3, 8, 12, tzinfo=timezone.get_default_timezone())
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    as_finance.force_login(finance)
    [address] = re.findall(r'<a href="([^"]*)">Lately</a>', as_finance.get(LIST).content.decode())
    assert re.findall(r"created_at__(?:gte|lt)=([0-9-]{10})", unescape(address)) == days
    assert as_finance.get(LIST + unescape(address)).status_code == 200


def test_days_of_no_period_stay_those_days(as_finance: Any) -> None:
    january = urlencode({"created_at__gte": "2026-01-01 00:00+07:00", "created_at__lt": "2026-02-01 00:00+07:00"})
    keep(as_finance, query=january)
    [address] = re.findall(r'<a href="([^"]*)">Open ones</a>', as_finance.get(LIST).content.decode())
    assert QueryDict(unescape(address)[1:]) == QueryDict(january)
