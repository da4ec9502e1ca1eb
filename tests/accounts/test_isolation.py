"""Whatever belongs to one organisation is, for everybody else, as absent as what never was: on every route."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.urls import get_resolver

from accounts.models import EmailNotification, Invitation, Member, Organisation, Project
from accounts.services.invitations import invite
from accounts.services.members import remove_member
from accounts.services.organisations import set_organisation_active
from audit.models import AuditLog
from core.context import Actor
from tests.accounts.worlds import ROLES, World
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
VALID = {"role": "member", "email": "x@example.ac.th", "language": "en", "name": "Anew", "description": "",
         "billing_email": "", "time_zone": "UTC", "currency": "THB"}  # fmt: skip
# (method, address, the right it needs, body of the API)
PAGES = [
    ("GET", "/organisations/{o}/", "view"),
    ("GET", "/organisations/{o}/settings/", "settings"),
    ("POST", "/organisations/{o}/settings/", "settings"),
    ("GET", "/organisations/{o}/invite/", "members"),
    ("POST", "/organisations/{o}/invite/", "members"),
    ("POST", "/organisations/{o}/invitations/{i}/", "members"),
    ("GET", "/organisations/{o}/members/guest/", "members"),
    ("POST", "/organisations/{o}/members/guest/", "members"),
    ("GET", "/organisations/{o}/projects/new/", "settings"),
    ("POST", "/organisations/{o}/projects/new/", "settings"),
    ("GET", "/organisations/{o}/projects/{p}/", "settings"),
    ("POST", "/organisations/{o}/projects/{p}/", "settings"),
]
API = [
    ("GET", "/api/v1/organisations/{o}", "view", None),
    ("PATCH", "/api/v1/organisations/{o}", "settings", {"billing_email": "x@example.ac.th"}),
    ("GET", "/api/v1/organisations/{o}/members", "view", None),
    ("POST", "/api/v1/organisations/{o}/members", "staff", {"user": "nobody", "role": "viewer"}),
    ("PATCH", "/api/v1/organisations/{o}/members/guest", "members", {"role": "member"}),
    ("DELETE", "/api/v1/organisations/{o}/members/guest", "members", None),
    ("GET", "/api/v1/organisations/{o}/invitations", "members", None),
    ("POST", "/api/v1/organisations/{o}/invitations", "members", {"email": "x@example.ac.th", "role": "viewer"}),
    ("GET", "/api/v1/organisations/{o}/invitations/{i}", "members", None),
    ("DELETE", "/api/v1/organisations/{o}/invitations/{i}", "members", None),
    ("GET", "/api/v1/organisations/{o}/projects", "view", None),
    ("POST", "/api/v1/organisations/{o}/projects", "settings", {"name": "Anew"}),
    ("GET", "/api/v1/projects/{p}", "view", None),
    ("PATCH", "/api/v1/projects/{p}", "settings", {"description": "other"}),
]
ROUTES = [*((*page, None) for page in PAGES), *API]
OUTSIDERS = ("former", "rival", "nobody")
RIGHTS = {
    "owner": {"view", "members", "settings"}, "billing_manager": {"view"}, "member": {"view"}, "viewer": {"view"},
}  # fmt: skip


@pytest.fixture
def physics(world: World, make_user: Any) -> World:
    """With an invitation that is open, somebody who has left, and a guest about whom the others decide."""
    Member.objects.create(organisation=world.physics, user=make_user("guest"), role="viewer")
    Member.objects.create(organisation=world.physics, user=world.people["former"], role="owner")
    remove_member(actor=Actor("owner"), member=world.member("former"))
    invite(actor=Actor("owner"), organisation=world.physics, email="new@example.ac.th", role="member", language="en")
    return world


def address(world: World, path: str, *, absent: bool = False) -> str:
    known = {"o": world.physics.uuid, "p": world.project.uuid, "i": Invitation.objects.get().uuid}
    return path.format(**({name: uuid.uuid4() for name in known} if absent else known))


def send(client: Any, method: str, path: str, body: Any) -> Any:
    if path.startswith("/api/"):
        return client.generic(method, path, json.dumps(body) if body is not None else "", "application/json")
    return client.get(path) if method == "GET" else client.post(path, VALID)


def state() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in
            (Organisation, Project, Member, Invitation, EmailNotification)] + [AuditLog.objects.count()]  # fmt: skip


def said(response: Any) -> str:
    """What the answer tells, without what is random in every page."""
    return response.content.decode() if response["Content-Type"] != "text/html; charset=utf-8" else text(response)


def test_every_route_of_organisations_is_in_this_test() -> None:
    routes = {str(pattern.pattern) for pattern in _patterns(get_resolver().url_patterns)}
    routes = {
        route for route in routes if "test-clocks" not in route
    }  # of staff and owners: tests/clocks, tests/access
    ours = {route for route in routes if re.search(r"organisations|projects/<uuid|invitations", route)}
    listed = {re.sub(r"\{\w\}", "*", path).replace("/guest", "/*").strip("/") for _m, path, *_ in ROUTES}
    apart = {"organisations", "organisations/*/leave", "invitations/*", "api/v1/organisations"}
    assert {re.sub(r"<[^>]+>", "*", route).strip("/") for route in ours} == listed | apart


def _patterns(found: Any, above: str = "") -> Any:
    class Whole:
        def __init__(self, pattern: str) -> None:
            self.pattern = pattern

    for each in found:
        path = above + str(each.pattern)
        if path.startswith("admin"):
            continue
        yield from _patterns(each.url_patterns, path) if hasattr(each, "url_patterns") else [Whole(path)]


@pytest.mark.parametrize(("method", "path", "right", "body"), ROUTES)
def test_outsiders_find_nothing_and_change_nothing(
    physics: World, method: str, path: str, right: str, body: Any
) -> None:
    for name in OUTSIDERS:
        browser, before = physics.client(name), state()
        theirs = send(browser, method, address(physics, path), body)
        nobodys = send(browser, method, address(physics, path, absent=True), body)
        assert theirs.status_code == nobodys.status_code == 404, (name, path)
        assert said(theirs) == said(nobodys)
        assert state() == before


@pytest.mark.parametrize(("method", "path", "right", "body"), ROUTES)
def test_strangers_are_asked_to_sign_in(physics: World, method: str, path: str, right: str, body: Any) -> None:
    browser, before = physics.client("stranger"), state()
    answer = send(browser, method, address(physics, path), body)
    assert answer.status_code == (401 if path.startswith("/api/") else 302)
    assert state() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path", "right", "body"), ROUTES)
def test_each_role_may_what_it_may_and_a_refusal_changes_nothing(
    physics: World, method: str, path: str, right: str, body: Any, role: str
) -> None:
    browser = physics.client(role)
    before = state()
    answer = send(browser, method, address(physics, path), body)
    if right in RIGHTS[role]:
        assert answer.status_code in (200, 201, 204, 302), said(answer)
        assert method == "GET" or state() != before
    else:
        assert answer.status_code == 403
        assert state() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path", "right", "body"), ROUTES)
def test_in_a_closed_organisation_nobody_does_anything(
    physics: World, method: str, path: str, right: str, body: Any, role: str
) -> None:
    set_organisation_active(actor=Actor("fin"), organisation=physics.physics, active=False)
    browser = physics.client(role)
    before = state()
    answer = send(browser, method, address(physics, path), body)
    reads = role in ("owner", "billing_manager")
    assert answer.status_code == ((200 if right == "view" else 403) if reads else 404)
    assert state() == before


def test_an_owner_of_one_organisation_reaches_nothing_of_another_through_it(physics: World) -> None:
    """The organisation of the address is one's own, the rest is not."""
    rival, own = physics.client("rival"), physics.chemistry.uuid
    before = state()
    for path in (
        f"projects/{physics.project.uuid}/",
        "members/guest/",
        f"invitations/{Invitation.objects.get().uuid}/",
    ):
        assert rival.post(f"/organisations/{own}/{path}", VALID).status_code == 404
    assert rival.delete(f"/api/v1/organisations/{own}/members/guest").status_code == 404
    assert state() == before


def test_lists_show_ones_own_alone(physics: World, auditor: Any) -> None:
    def names(client: Any) -> list[str]:
        return [row["name"] for row in client.get("/api/v1/organisations").json()["results"]]

    for role in ROLES:
        assert names(physics.client(role)) == ["Physics"]
        assert "Chemistry" not in text(physics.client(role).get("/organisations/"))
    assert names(physics.client("rival")) == ["Chemistry"]
    assert names(physics.client("former")) == names(physics.client("nobody")) == []
    looking = physics.client("stranger")
    looking.force_login(auditor)
    assert names(looking) == ["Physics", "Chemistry"]
    assert "You belong to no organisation" in text(looking.get("/organisations/"))


def test_the_address_for_bills_is_shown_to_those_who_answer_for_them(physics: World) -> None:
    for role in ROLES:
        browser, may = physics.client(role), role in ("owner", "billing_manager")
        assert ("bills@example.ac.th" in text(browser.get(f"/organisations/{physics.physics.uuid}/"))) == may
        found = browser.get(f"/api/v1/organisations/{physics.physics.uuid}").json()
        assert found["billing_email"] == ("bills@example.ac.th" if may else None)
        assert (found["role"], set(found["rights"]) >= {"view"}) == (role, True)


def test_the_addresses_of_the_invited_are_shown_to_owners(physics: World) -> None:
    for role in ROLES:
        page = text(physics.client(role).get(f"/organisations/{physics.physics.uuid}/"))
        assert ("new@example.ac.th" in page) == (role == "owner")


def test_the_menu_leads_there_only_for_whoever_belongs_to_one(physics: World) -> None:
    for name, shown in (("viewer", True), ("former", False), ("nobody", False)):
        assert ('href="/organisations/"' in physics.client(name).get("/").content.decode()) == shown


def test_an_auditor_reads_and_changes_nothing(physics: World, auditor: Any) -> None:
    looking = physics.client("stranger")
    looking.force_login(auditor)
    before = state()
    for method, path, right, body in ROUTES:
        answer = send(looking, method, address(physics, path), body)
        assert answer.status_code == (200 if right == "view" else 403), path
    assert state() == before


def test_somebody_who_is_no_longer_active_finds_nothing(physics: World) -> None:
    browser = physics.client("owner")
    user = physics.people["owner"]
    user.is_active = False
    user.save()
    assert browser.get(f"/organisations/{physics.physics.uuid}/").status_code == 302
    assert browser.get(f"/api/v1/organisations/{physics.physics.uuid}").status_code == 401
