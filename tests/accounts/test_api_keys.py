"""API keys: shown once, kept as a hash, ended at once, and never more than their scopes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Member, MemberRole, Project, Scope
from accounts.services.api_keys import find_key, hash_of, issue_key, note_use, revoke_key, rotate_key
from audit.models import AuditLog
from core.context import SYSTEM, Actor
from core.errors import BadInput, Conflict
from tests.factories import make_project
from tests.races import at_once

pytestmark = pytest.mark.django_db
ALICE = Actor("alice")


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def call(key: str, path: str, method: str = "get", body: Any = None) -> Any:
    extra: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    if body is not None:
        extra |= {"data": json.dumps(body), "content_type": "application/json"}
    return getattr(Client(), method)(path, **extra)


def test_a_key_is_kept_as_its_hash_alone(project: Project) -> None:
    issued = issue_key(actor=ALICE, name=" gateway ", scopes=["usage:read", "events:write"], project=project)
    key = ApiKey.objects.get()
    assert issued.secret.startswith(key.key_prefix)
    assert len(issued.secret) - len(key.key_prefix) == 1 + 43, "32 random bytes"
    assert (key.name, key.scopes, key.key_hash) == ("gateway", ["events:write", "usage:read"], hash_of(issued.secret))
    row = AuditLog.objects.get(action="api_key_issue")
    assert (row.actor, row.target) == ("alice", key.key_prefix)
    assert issued.secret[14:] not in json.dumps([row.extra, row.changes])
    assert find_key(issued.secret) == key


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": " "}, "name"), ({"scopes": []}, "scopes"), ({"scopes": ["fly"]}, "scopes"),
     ({"scopes": ["admin:*"]}, "scopes"), ({"expires_at": timezone.now()}, "expires_at")],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_refused_by_field(project: Project, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as error:
        issue_key(actor=ALICE, **{"name": "x", "scopes": ["usage:read"], "project": project, **fields})
    assert error.value.details["field"] == field
    assert not ApiKey.objects.exists()


def test_only_staff_have_operators_keys(alice: Any, finance: Any) -> None:
    with pytest.raises(BadInput):
        issue_key(actor=ALICE, name="x", scopes=["admin:*"], user=alice)
    issue_key(actor=SYSTEM, name="x", scopes=["admin:*"], user=finance)


def test_what_ends_a_key(project: Project, alice: Any) -> None:
    def fresh(**owner: Any) -> str:
        return issue_key(actor=ALICE, name="x", scopes=["usage:read"], **owner).secret

    revoked, run_out, mine, theirs = (
        fresh(project=project),
        fresh(project=project),
        fresh(user=alice),
        fresh(project=project),
    )
    revoke_key(actor=ALICE, key=ApiKey.objects.get(key_hash=hash_of(revoked)))
    assert find_key(revoked) is None
    ApiKey.objects.filter(key_hash=hash_of(run_out)).update(expires_at=timezone.now())
    assert find_key(run_out) is None
    assert (find_key(mine), find_key(theirs)) != (None, None)
    alice.is_active = False
    alice.save()
    project.is_active = False
    project.save()
    assert (find_key(mine), find_key(theirs)) == (None, None)


def test_revoking_twice_is_told_and_written_once(project: Project) -> None:
    key = issue_key(actor=ALICE, name="x", scopes=["usage:read"], project=project).key
    assert [revoke_key(actor=ALICE, key=key) for _each in range(2)] == [True, False]
    assert AuditLog.objects.filter(action="api_key_revoke").count() == 1


def test_two_keys_work_beside_each_other_for_a_while(project: Project) -> None:
    old = issue_key(actor=ALICE, name="x", scopes=["usage:read"], project=project)
    with time_machine.travel(timezone.now()) as clock:
        new = rotate_key(actor=ALICE, key=old.key, overlap=timedelta(hours=2))
        assert (find_key(old.secret), find_key(new.secret)) == (old.key, new.key)
        clock.shift(timedelta(hours=3))
        assert (find_key(old.secret), find_key(new.secret)) == (None, new.key)
    assert new.key.scopes == old.key.scopes
    with pytest.raises(Conflict):
        rotate_key(actor=ALICE, key=old.key)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_replace_a_key_at_once_one_does(project: Project) -> None:
    key = issue_key(actor=ALICE, name="x", scopes=["usage:read"], project=project).key

    def replace(_number: int) -> bool:
        try:
            rotate_key(actor=ALICE, key=key)
        except Conflict:
            return False
        return True

    assert sum(at_once(6, replace)) == 1
    assert ApiKey.objects.count() == 2


def test_use_is_noted_by_the_minute(project: Project, django_assert_num_queries: Any) -> None:
    key = issue_key(actor=ALICE, name="x", scopes=["usage:read"], project=project).key
    note_use(key)
    key.refresh_from_db()
    with django_assert_num_queries(0):
        note_use(key)
    note_use(key, now=timezone.now() + timedelta(minutes=2))
    assert ApiKey.objects.get().last_used_at > key.last_used_at


@pytest.mark.parametrize("text", ["", "x", "hpcb_", "hpcb_" + "a" * 500, "hpcb_\0", "Basic abc"])
def test_every_wrong_key_has_the_same_answer(text: str) -> None:
    answer = call(text, "/api/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_api_key")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_users_key_reads_what_is_theirs_within_its_scopes(alice: Any) -> None:
    key = issue_key(actor=ALICE, name="x", scopes=["usage:read"], user=alice).secret
    assert call(key, "/api/v1/jobs").status_code == 200
    for path in ("/api/v1/receipts", "/api/v1/keys"):
        assert call(key, path).json()["code"] == "scope_missing", path
    assert call(key, "/api/v1/receipts", "post", {"start": None, "end": None}).json()["code"] == "scope_missing"
    bills = issue_key(actor=ALICE, name="x", scopes=["billing:read"], user=alice).secret
    assert call(bills, "/api/v1/receipts").status_code == 200
    assert call(bills, "/api/v1/jobs").json()["code"] == "scope_missing"


def test_a_key_of_staff_without_admin_has_none_of_their_rights(finance: Any, alice: Any) -> None:
    from tests.factories import make_job

    make_job(username="alice")
    plain = issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], user=finance).secret
    whole = issue_key(actor=SYSTEM, name="x", scopes=["admin:*"], user=finance).secret
    assert call(plain, "/api/v1/jobs").json()["results"] == []
    assert len(call(whole, "/api/v1/jobs").json()["results"]) == 1
    finance.refresh_from_db()
    assert finance.role == "admin", "nothing of it is stored"


def test_what_an_operators_key_does_names_the_key_in_the_audit_log(finance: Any, alice: Any) -> None:
    issued = issue_key(actor=SYSTEM, name="robot", scopes=[Scope.ADMIN], user=finance)
    made = call(issued.secret, "/api/v1/keys", "post", {"name": "second", "scopes": ["usage:read"]})
    assert made.status_code == 201
    row = AuditLog.objects.filter(action="api_key_issue").latest("id")
    assert (row.actor, row.extra["api_key"]) == ("fin", issued.key.key_prefix)


def test_a_projects_key_is_nobody_at_peoples_addresses(project: Project) -> None:
    key = issue_key(actor=ALICE, name="x", scopes=["usage:read", "billing:read"], project=project).secret
    for path in ("/api/v1/jobs", "/api/v1/receipts", "/api/v1/keys", "/api/v1/organisations"):
        answer = call(key, path)
        assert (answer.status_code, answer.json()["code"]) == (403, "personal_key_needed"), path
    assert call(key, "/api/v1/aggregates").status_code == 200


# --- API of keys and pages -------------------------------------------------------


@pytest.fixture
def member(alice: Any, project: Project) -> Client:
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.MEMBER)
    visitor = Client()
    visitor.force_login(alice)
    return visitor


def post(visitor: Client, path: str, body: Any) -> Any:
    return visitor.post(path, json.dumps(body), content_type="application/json")


def test_the_api_makes_lists_replaces_and_revokes(member: Client, project: Project) -> None:
    made = post(member, "/api/v1/keys", {"name": "gw", "scopes": ["events:write"], "project": str(project.uuid)})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    secret, uuid = made.json()["key"], made.json()["id"]
    (listed,) = member.get("/api/v1/keys").json()["results"]
    assert "key" not in listed
    assert (listed["prefix"], listed["project"]) == (secret[:13], str(project.uuid))
    new = post(member, f"/api/v1/keys/{uuid}/rotate", {"overlap_hours": 0})
    assert new.status_code == 201
    assert (find_key(secret), find_key(new.json()["key"])) == (None, ApiKey.objects.get(pk=new.json()["id"]))
    for _repeat in range(2):
        assert member.delete(f"/api/v1/keys/{new.json()['id']}").status_code == 204
    assert find_key(new.json()["key"]) is None


def test_keys_of_others_are_as_absent_as_none(member: Client, bob: Any, project: Project) -> None:
    neighbour = make_project("Other institute")
    theirs = issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], project=neighbour).key
    bobs = issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], user=bob).key
    for key in (theirs, bobs):
        assert member.get(f"/api/v1/keys/{key.pk}").status_code == 404
        assert member.delete(f"/api/v1/keys/{key.pk}").status_code == 404
        assert member.get(f"/keys/{key.pk}/").status_code == 404
        assert member.post(f"/keys/{key.pk}/revoke/").status_code == 404
    order = {"name": "x", "scopes": ["usage:read"], "project": str(neighbour.uuid)}
    assert post(member, "/api/v1/keys", order).json()["errors"]["project"]
    assert member.get("/api/v1/keys").json()["results"] == []


def test_a_viewer_has_no_projects_keys_in_hand(bob: Any, project: Project) -> None:
    Member.objects.create(organisation=project.organisation, user=bob, role=MemberRole.VIEWER)
    issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], project=project)
    visitor = Client()
    visitor.force_login(bob)
    assert visitor.get("/api/v1/keys").json()["results"] == []
    assert "imaging" not in visitor.get("/keys/new/").content.decode()


def test_the_page_shows_the_key_once(member: Client, project: Project) -> None:
    assert "No API keys yet" in member.get("/keys/").content.decode()
    form = {"owner": str(project.uuid), "name": "gateway", "scopes": ["events:write"], "expires_on": "2031-01-31"}
    shown = member.post("/keys/new/", form)
    key = ApiKey.objects.get()
    assert "no-store" in shown["Cache-Control"]
    secret = shown.content.decode().split('value="hpcb_')[1].split('"')[0]
    assert find_key(f"hpcb_{secret}") == key
    assert key.expires_at.isoformat() == "2031-01-31T17:00:00+00:00", "the end of the day in Bangkok"
    for path in ("/keys/", f"/keys/{key.pk}/"):
        text = member.get(path).content.decode()
        assert key.key_prefix in text
        assert secret[10:] not in text
    replaced = member.post(f"/keys/{key.pk}/rotate/")
    assert "The old key" in replaced.content.decode()
    assert member.post(f"/keys/{key.pk}/revoke/").status_code == 302
    assert find_key(f"hpcb_{secret}") is None


def test_a_form_that_makes_no_sense_says_why(member: Client) -> None:
    answer = member.post("/keys/new/", {"owner": "me", "name": "", "scopes": ["admin:*"]})
    assert answer.status_code == 400
    assert not ApiKey.objects.exists()


def test_operations_find_and_revoke_a_leaked_key_and_make_none(make_user: Any, alice: Any, project: Project) -> None:
    leaked = issue_key(actor=ALICE, name="laptop", scopes=["usage:read"], user=alice)
    visitor = Client()
    visitor.force_login(make_user("opr", role="admin", groups=["Operator"]))
    assert (
        leaked.key.key_prefix in visitor.get("/admin/accounts/apikey/", {"q": leaked.key.key_prefix}).content.decode()
    )
    assert visitor.get(f"/admin/accounts/apikey/{leaked.key.pk}/change/").status_code == 200
    order = {"name": "x", "scopes": ["usage:read"], "project": str(project.uuid)}
    assert post(visitor, "/api/v1/keys", order).status_code == 400, "keys of projects are not theirs to make"
    act = {"action": "revoke_action", "_selected_action": [str(leaked.key.pk)]}
    assert b"laptop" in visitor.post("/admin/accounts/apikey/", act).content, "it asks first"
    assert find_key(leaked.secret) is not None
    visitor.post("/admin/accounts/apikey/", {**act, "confirm": "1"})
    assert find_key(leaked.secret) is None
    assert visitor.delete(f"/api/v1/keys/{leaked.key.pk}").status_code == 204, "a repeat changes nothing"
