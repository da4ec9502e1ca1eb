"""A filter of a console list, kept under a name by the one who uses it."""

from __future__ import annotations

from typing import Any

import pytest

from hpcbilling.models import SavedFilter
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
