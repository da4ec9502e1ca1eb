"""``/api/v1/organisations`` and ``/api/v1/projects``: what is sent, what is answered, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Member, Organisation, Project
from tests.accounts.worlds import World

pytestmark = pytest.mark.django_db


def patch(client: Client, path: str, body: Any) -> Any:
    return client.patch(path, json.dumps(body), content_type="application/json")


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


@pytest.fixture
def as_finance(finance: Any) -> Client:
    client = Client()
    client.force_login(finance)
    return client


def test_an_owner_changes_what_owners_decide(world: World) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}"
    wanted = {"billing_email": "n@example.ac.th", "time_zone": "Asia/Tokyo", "currency": "USD"}
    for _repeat in range(2):
        found = patch(world.client("owner"), path, wanted).json()
        assert {name: found[name] for name in wanted} == wanted
    assert sorted(found["rights"]) == ["billing", "keys", "members", "settings", "use", "view"]


@pytest.mark.parametrize(
    "change", [{"name": "Mine"}, {"tier": "mu"}, {"billing_mode": "invoices"}, {"is_active": False}]
)
def test_what_is_agreed_with_the_site_is_changed_by_the_site(world: World, as_finance: Client, change: Any) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}"
    assert patch(world.client("owner"), path, change).status_code == 403
    answer = patch(as_finance, path, change)
    assert (answer.status_code, {name: answer.json()[name] for name in change}) == (200, change)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"currency": "baht"}, "currency"), ({"currency": "ZZZ"}, "currency"),
     ({"time_zone": "Mars"}, "time_zone"), ({"nothing": 1}, "nothing"),
     ({"billing_email": "x"}, "billing_email"), ({"time_zone": 5}, "time_zone")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_field(world: World, change: Any, field: str) -> None:
    answer = patch(world.client("owner"), f"/api/v1/organisations/{world.physics.uuid}", change)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_an_unknown_tier_and_a_taken_name_are_refused_by_field(world: World, as_finance: Client) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}"
    for change in ({"tier": "none"}, {"name": "Chemistry"}, {"name": ""}):
        answer = patch(as_finance, path, change)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, list(change))
    assert patch(as_finance, path, {"tier": "mu", "is_active": None}).status_code == 400
    assert Organisation.objects.get(pk=world.physics.pk).tier is None, "all of it or nothing"


def test_members_are_listed_page_by_page(world: World) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}/members?limit=3"
    first = world.client("viewer").get(path).json()
    second = world.client("viewer").get(first["next"]).json()
    assert [row["user"] for row in first["results"] + second["results"]] == [
        "owner", "billing.manager", "member", "viewer",
    ]  # fmt: skip
    assert second["next"] is None


def test_an_owner_gives_roles_and_the_last_one_stays(world: World) -> None:
    browser, path = world.client("owner"), f"/api/v1/organisations/{world.physics.uuid}/members"
    assert patch(browser, f"{path}/viewer", {"role": "owner"}).json()["role"] == "owner"
    assert patch(browser, f"{path}/viewer", {"role": "king"}).status_code == 400
    assert patch(browser, f"{path}/nobody", {"role": "viewer"}).status_code == 404
    assert browser.delete(f"{path}/viewer").status_code == 204
    assert browser.delete(f"{path}/viewer").status_code == 404
    answer = browser.delete(f"{path}/owner")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert patch(browser, f"{path}/owner", {"role": "viewer"}).json()["code"] == "last_owner"


def test_everybody_may_leave(world: World) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}/members/viewer"
    assert world.client("viewer").delete(path).status_code == 204
    assert world.client("viewer").delete(path).status_code == 404
    assert not Member.objects.filter(user="viewer").exists()


def test_staff_add_members_and_owners_invite(world: World, as_finance: Client) -> None:
    path = f"/api/v1/organisations/{world.physics.uuid}/members"
    wanted = {"user": "Nobody", "role": "owner"}
    assert post(world.client("owner"), path, wanted).status_code == 403
    assert [post(as_finance, path, wanted).status_code for _repeat in range(2)] == [201, 201]
    assert post(as_finance, path, {**wanted, "role": "viewer"}).json()["code"] == "is_member"
    assert list(post(as_finance, path, {"user": "ghost", "role": "viewer"}).json()["errors"]) == ["user"]


def test_an_owner_makes_changes_and_closes_projects(world: World, as_finance: Client) -> None:
    browser, path = world.client("owner"), f"/api/v1/organisations/{world.physics.uuid}/projects"
    made = post(browser, path, {"name": "High pressure"})
    assert (made.status_code, made.json()["slurm_accounts"], made.json()["is_active"]) == (201, [], True)
    assert list(post(browser, path, {"name": "High pressure"}).json()["errors"]) == ["name"]
    one = f"/api/v1/projects/{made.json()['uuid']}"
    assert patch(browser, one, {"description": "hot", "is_active": False}).json()["is_active"] is False
    assert patch(browser, one, {"is_active": True}).json()["description"] == "hot"
    assert [row["name"] for row in browser.get(path).json()["results"]] == ["Low temperature", "High pressure"]


def test_a_project_with_slurm_accounts_is_closed_by_finance(world: World, as_finance: Client) -> None:
    world.project.accounts.create(account="physics")
    one = f"/api/v1/projects/{world.project.uuid}"
    answer = patch(world.client("owner"), one, {"is_active": False, "description": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "has_slurm_accounts")
    assert Project.objects.get().description == "", "all of it or nothing"
    answer = patch(as_finance, one, {"is_active": False})
    assert (answer.json()["is_active"], answer.json()["slurm_accounts"]) == (False, ["physics"])


def test_nobody_maps_a_slurm_account_here(world: World, as_finance: Client) -> None:
    for browser in (world.client("owner"), as_finance):
        answer = patch(browser, f"/api/v1/projects/{world.project.uuid}", {"slurm_accounts": ["gov-health"]})
        assert list(answer.json()["errors"]) == ["slurm_accounts"]


def test_lists_take_a_few_statements_whatever_their_length(
    world: World, django_assert_max_num_queries: Any, as_finance: Client
) -> None:
    for number in range(30):
        organisation = Organisation.objects.create(name=f"O{number}")
        Member.objects.create(organisation=organisation, user=world.people["viewer"], role="viewer")
        Project.objects.create(organisation=world.physics, name=f"P{number}").accounts.create(account=f"a{number}")
    browser = world.client("viewer")
    with django_assert_max_num_queries(8):
        assert len(browser.get("/api/v1/organisations").json()["results"]) == 31
    with django_assert_max_num_queries(8):
        assert len(browser.get(f"/api/v1/organisations/{world.physics.uuid}/projects").json()["results"]) == 31
