"""``/api/v1/organisations/<uuid>/invitations``: asking somebody to join, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import EmailNotification, Invitation
from accounts.services import invitations
from accounts.services.api_keys import issue_key
from core.context import SYSTEM, Actor
from tests.accounts.test_invitations import token
from tests.accounts.test_organisation_api import post
from tests.accounts.worlds import World

pytestmark = pytest.mark.django_db
NEW = {"email": "New@example.ac.th", "role": "viewer", "language": "th"}


def path_of(world: World) -> str:
    return f"/api/v1/organisations/{world.physics.uuid}/invitations"


def test_an_owner_asks_lists_and_withdraws(world: World) -> None:
    browser, path = world.client("owner"), path_of(world)
    answer = post(browser, path, NEW)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in ("email", "role", "status", "invited_by", "accepted_at")} == {
        "email": "new@example.ac.th", "role": "viewer", "status": "open", "invited_by": "owner", "accepted_at": None,
    }  # fmt: skip
    assert EmailNotification.objects.get().language == "th"
    assert browser.get(path).json() == {"next": None, "results": [made]}
    assert browser.get(f"{path}/{made['uuid']}").json() == made
    for _repeat in range(2):
        assert browser.delete(f"{path}/{made['uuid']}").status_code == 204
    assert [row["status"] for row in browser.get(path).json()["results"]] == ["withdrawn"]


def test_the_secret_of_the_link_is_in_no_answer(world: World) -> None:
    browser, path = world.client("owner"), path_of(world)
    texts = [post(browser, path, NEW).content.decode(), browser.get(path).content.decode()]
    row = Invitation.objects.get()
    assert not any(secret in text for text in texts for secret in (token(), row.token_hash))


def test_who_was_asked_already_gets_a_new_link(world: World) -> None:
    first = post(world.client("owner"), path_of(world), NEW).json()
    old = token()
    again = post(world.client("owner"), path_of(world), {**NEW, "role": "member"}).json()
    assert (again["uuid"], again["role"]) == (first["uuid"], "member")
    assert invitations.find(old) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "email"), ({"email": "x"}, "email"), ({**NEW, "role": "king"}, "role"), ({**NEW, "language": "de"}, "language"),
     ({**NEW, "name": "x"}, "name"), ({"email": 5}, "email"), ({"email": "a@b.th\nc@d.th"}, "email")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_field(world: World, body: Any, field: str) -> None:
    answer = post(world.client("owner"), path_of(world), body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Invitation.objects.exists()


def test_a_flood_is_429(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 1)
    assert post(world.client("owner"), path_of(world), NEW).status_code == 201
    answer = post(world.client("owner"), path_of(world), {"email": "two@example.ac.th"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_invitations")


def test_an_accepted_one_cannot_be_withdrawn(world: World) -> None:
    made = post(world.client("owner"), path_of(world), NEW).json()
    invitations.accept(actor=Actor("nobody"), token=token())
    answer = world.client("owner").delete(f"{path_of(world)}/{made['uuid']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    read = world.client("owner").get(f"{path_of(world)}/{made['uuid']}").json()
    assert (read["status"], read["accepted_by"]) == ("accepted", "nobody")


def test_a_key_needs_admin_rights_for_it(world: World, client: Any) -> None:
    key = issue_key(actor=SYSTEM, name="x", scopes=["events:write"], user=world.people["owner"]).secret
    answer = client.get(path_of(world), headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
