"""Two people at the same row of the console: who saves second is told, and undoes nothing of the first."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Member, Organisation, Tier, User
from tests.races import at_once

CHANGED = "This was changed after you had opened the page"


class Fields(HTMLParser):
    """What a browser would send of the page's form, were it sent as it stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, Any] = {}
        self.select = self.area = ""
        self.feed(page[page.index('id="content-main"') :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name = has.get("name") or ""
        if tag == "input" and name and has.get("type") != "submit" and name != "action":
            if has.get("type") not in ("checkbox", "radio") or "checked" in has:
                self.found[name] = has.get("value") or ("on" if has.get("type") == "checkbox" else "")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in has:
            self.found.setdefault(self.select, []).append(has.get("value") or "")
        elif tag == "textarea":
            self.area = name

    def handle_data(self, data: str) -> None:
        if self.area:
            self.found[self.area] = data.strip()
            self.area = ""


def opened(person: Any, address: str) -> tuple[Client, dict[str, Any]]:
    client = Client()
    client.force_login(person)
    found = Fields(client.get(address).text).found
    assert "_seen" in found
    return client, found


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(name="Institute", billing_email="old@example.ac.th")


def test_what_somebody_did_meanwhile_is_not_undone(superuser: Any, make_user: Any, organisation: Organisation) -> None:
    address = f"/admin/accounts/organisation/{organisation.pk}/change/"
    (first, one), (second, other) = (opened(superuser, address) for _ in range(2))
    assert first.post(address, one | {"billing_email": "new@example.ac.th"}).status_code == 302
    answer = second.post(address, other | {"name": "Institute of Rivers"})
    assert (answer.status_code, CHANGED in answer.text) == (200, True)
    again = Fields(answer.text).found
    assert again["_seen"] == other["_seen"], "saved again as it is, it is refused again"
    organisation.refresh_from_db()
    assert (organisation.name, organisation.billing_email) == ("Institute", "new@example.ac.th")
    second, fresh = opened(superuser, address)
    assert second.post(address, fresh | {"name": "Institute of Rivers"}).status_code == 302
    organisation.refresh_from_db()
    assert (organisation.name, organisation.billing_email) == ("Institute of Rivers", "new@example.ac.th")


def test_who_was_switched_off_is_not_switched_on_again_by_an_older_page(superuser: Any, alice: Any) -> None:
    address = f"/admin/accounts/user/{alice.pk}/change/"
    (first, one), (second, other) = (opened(superuser, address) for _ in range(2))
    one.pop("is_active")
    assert first.post(address, one).status_code == 302
    assert CHANGED in second.post(address, other).text
    assert User.objects.get(pk=alice.pk).is_active is False


def test_groups_count_and_a_sign_in_meanwhile_does_not(superuser: Any, alice: Any) -> None:
    address = f"/admin/accounts/user/{alice.pk}/change/"
    client, page = opened(superuser, address)
    Client().force_login(alice)
    assert client.post(address, page).status_code == 302
    client, page = opened(superuser, address)
    alice.groups.add(Group.objects.get(name="Auditor"))
    assert CHANGED in client.post(address, page).text


def test_it_is_said_in_thai_with_the_names_of_the_columns(superuser: Any, organisation: Organisation) -> None:
    address = f"/admin/accounts/organisation/{organisation.pk}/change/"
    client, page = opened(superuser, address)
    Organisation.objects.filter(pk=organisation.pk).update(name="Other")
    client.cookies["django_language"] = "th"
    answer = client.post(address, page)
    assert "หลังจากที่คุณเปิดหน้านี้" in answer.text
    assert str(client.get(address).context["adminform"].form.fields["name"].label) in answer.text


def test_a_new_row_and_a_script_without_the_field_are_saved_as_ever(superuser: Any) -> None:
    client = Client()
    client.force_login(superuser)
    assert "_seen" not in client.get("/admin/accounts/tier/add/").text
    row = Tier.objects.first()
    assert row is not None
    address = f"/admin/accounts/tier/{row.pk}/change/"
    _client, page = opened(superuser, address)
    page.pop("_seen")
    assert client.post(address, page).status_code == 302


@pytest.fixture
def members(organisation: Organisation, alice: Any, bob: Any) -> str:
    Member.objects.create(organisation=organisation, user=alice, role="owner")
    Member.objects.create(organisation=organisation, user=bob, role="viewer")
    return f"/admin/accounts/organisation/{organisation.pk}/change/"


def of_bob(page: dict[str, Any]) -> str:
    """The rows of a form are numbered."""
    return next(name.removesuffix("role") for name, value in page.items() if value == ["viewer"])


def test_a_row_that_hangs_on_the_form_is_not_undone_either(superuser: Any, bob: Any, members: str) -> None:
    (first, one), (second, other) = (opened(superuser, members) for _ in range(2))
    assert first.post(members, one | {of_bob(one) + "role": "billing_manager"}).status_code == 302
    answer = second.post(members, other | {"name": "Institute of Rivers"})
    assert (answer.status_code, answer.text.count(CHANGED)) == (200, 1)
    assert Fields(answer.text).found[of_bob(other) + "seen"] == other[of_bob(other) + "seen"]
    assert Member.objects.get(user=bob).role == "billing_manager"
    second, fresh = opened(superuser, members)
    assert second.post(members, fresh | {"name": "Institute of Rivers"}).status_code == 302
    assert Member.objects.get(user=bob).role == "billing_manager"


def test_a_row_that_was_changed_meanwhile_is_not_deleted(superuser: Any, bob: Any, members: str) -> None:
    client, page = opened(superuser, members)
    Member.objects.filter(user=bob).update(role="billing_manager")
    assert CHANGED in client.post(members, page | {of_bob(page) + "DELETE": "on"}).text
    client, page = opened(superuser, members)
    name = next(name for name, value in page.items() if value == ["billing_manager"]).removesuffix("role")
    assert client.post(members, page | {name + "DELETE": "on"}).status_code == 302
    assert not Member.objects.filter(user=bob).exists()


def test_a_row_that_somebody_added_is_in_nobodys_way(superuser: Any, make_user: Any, members: str) -> None:
    client, page = opened(superuser, members)
    Member.objects.create(organisation=Organisation.objects.get(), user=make_user("carol"), role="viewer")
    assert client.post(members, page | {of_bob(page) + "role": "billing_manager"}).status_code == 302
    assert Member.objects.filter(role="viewer").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres  # SQLite lets one write after the other, and refuses the second for its own reason
def test_of_many_who_save_at_once_one_is_the_first(superuser: Any, organisation: Organisation) -> None:
    address = f"/admin/accounts/organisation/{organisation.pk}/change/"
    pages = [opened(superuser, address) for _ in range(6)]

    def save(number: int) -> int:
        client, page = pages[number]
        return client.post(address, page | {"billing_email": f"n{number}@example.ac.th"}).status_code

    assert sorted(at_once(6, save)) == [200] * 5 + [302]
