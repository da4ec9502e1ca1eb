"""The pages of an organisation, clicked through as its people do."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Identity, Invitation, Member, Organisation, Project, ProjectLead
from accounts.services.invitations import invite
from audit.models import AuditLog
from core.context import Actor
from tests.accounts.worlds import World, make_world
from tests.pages.conftest import read, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(make_user: Any) -> World:
    made = make_world(make_user)
    made.project.accounts.create(account="physics")
    invite(actor=Actor("owner"), organisation=made.physics, email="new@example.ac.th", role="member", language="en")
    return made


def pages(world: World) -> list[str]:
    one = f"/organisations/{world.physics.uuid}/"
    return ["/organisations/", one, f"{one}settings/", f"{one}invite/", f"{one}members/viewer/", f"{one}projects/new/",
            f"{one}projects/{world.project.uuid}/", f"/invitations/{'x' * 43}/", "/account/"]  # fmt: skip


def test_pages_can_be_read_aloud_and_carry_nothing_inline(world: World) -> None:
    browser = world.client("owner")
    for path in pages(world):
        response = browser.get(path)
        page = response.content.decode()
        assert "unsafe" not in response["Content-Security-Policy"]
        assert (read(response).styles, read(response).inline_scripts) == ([], []), path
        assert page.count("<h1") == 1, path
        levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), (path, levels)
        fields = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
        shown = [field for field in fields if 'type="hidden"' not in field]
        ids = {match[1] for field in shown if (match := re.search(r' id="([^"]+)"', field))}
        assert ids == set(re.findall(r'<label for="([^"]+)"', page)), path


def test_an_owner_sees_projects_members_invitations_and_what_is_agreed(world: World) -> None:
    page = text(world.client("owner").get(f"/organisations/{world.physics.uuid}/"))
    for words in ("Your role: owner", "Low temperature physics active", "billing.manager billing manager",
                  "new@example.ac.th member owner", "Currency THB", "Time zone Asia/Bangkok"):  # fmt: skip
        assert words in page


def test_a_viewer_sees_no_button_that_would_refuse(world: World) -> None:
    page = world.client("viewer").get(f"/organisations/{world.physics.uuid}/").content.decode()
    for path in ("settings/", "invite/", "projects/new/", "members/"):
        assert f"/organisations/{world.physics.uuid}/{path}" not in page
    assert f"/organisations/{world.physics.uuid}/leave/" in page


def test_settings_are_saved_and_what_is_wrong_is_said_beside_the_field(world: World) -> None:
    browser, path = world.client("owner"), f"/organisations/{world.physics.uuid}/settings/"
    good = {"billing_email": "n@example.ac.th", "time_zone": "Asia/Tokyo", "currency": "USD", "language": "th"}
    assert "Saved." in text(browser.post(path, good, follow=True))
    assert "nothing was changed" in text(browser.post(path, good, follow=True))
    answer = browser.post(path, {**good, "currency": "baht"})
    assert (answer.status_code, "Three capital letters" in text(answer)) == (400, True)
    saved = Organisation.objects.get(pk=world.physics.pk)
    assert (saved.billing_email, saved.time_zone, saved.currency) == ("n@example.ac.th", "Asia/Tokyo", "USD")
    assert (saved.language, saved.email_invoices) == ("th", False)  # a box that is not ticked is off


def test_a_currency_that_stands_is_shown_and_not_read(world: World, alice: Any) -> None:
    from billing.services.receipts import create_receipts
    from tests.factories import account_tier, make_job

    ProjectLead.objects.create(project=world.project, user=alice)
    account_tier("physics", "mu")
    make_job(account="physics")
    create_receipts(actor=Actor("alice"), username="alice", project=world.project.pk)
    browser, path = world.client("owner"), f"/organisations/{world.physics.uuid}/settings/"
    assert re.search(r'<input[^>]*name="currency"[^>]* disabled', browser.get(path).content.decode())
    browser.post(path, {"billing_email": "", "time_zone": "UTC", "currency": "USD", "language": "en"})
    saved = Organisation.objects.get(pk=world.physics.pk)
    assert (saved.currency, saved.time_zone, saved.billing_email) == ("THB", "UTC", "")


def test_an_invitation_is_sent_repeated_and_withdrawn(world: World) -> None:
    browser, base = world.client("owner"), f"/organisations/{world.physics.uuid}/"
    fields = {"email": "two@example.ac.th", "role": "viewer", "language": "th"}
    assert "An invitation goes to two@example.ac.th." in text(browser.post(f"{base}invite/", fields, follow=True))
    row = Invitation.objects.get(email="two@example.ac.th")
    before = row.token_hash
    browser.post(f"{base}invitations/{row.uuid}/", {"act": "repeat"})
    row.refresh_from_db()
    assert row.token_hash != before
    assert "is withdrawn" in text(browser.post(f"{base}invitations/{row.uuid}/", {"act": "withdraw"}, follow=True))
    assert "two@example.ac.th" not in text(browser.get(base))
    assert browser.post(f"{base}invite/", {**fields, "email": "nonsense"}).status_code == 400


def test_a_member_gets_another_role_and_is_taken_out(world: World) -> None:
    browser, base = world.client("owner"), f"/organisations/{world.physics.uuid}/"
    assert "Saved." in text(browser.post(f"{base}members/viewer/", {"role": "member"}, follow=True))
    assert "no longer belongs" in text(browser.post(f"{base}members/viewer/", {"remove": "1"}, follow=True))
    assert browser.get(f"{base}members/viewer/").status_code == 404
    assert "Somebody must own" in text(browser.post(f"{base}members/owner/", {"remove": "1"}, follow=True))
    answer = browser.post(f"{base}members/owner/", {"role": "viewer"})
    assert (answer.status_code, "Somebody must own" in text(answer)) == (400, True)


def test_a_member_leaves_and_the_last_owner_does_not(world: World) -> None:
    path = f"/organisations/{world.physics.uuid}/leave/"
    assert "You no longer belong to Physics." in text(world.client("viewer").post(path, follow=True))
    assert "Somebody must own" in text(world.client("owner").post(path, follow=True))
    assert world.client("owner").get(path).status_code == 405


def test_projects_are_made_named_closed_and_opened(world: World) -> None:
    browser, base = world.client("owner"), f"/organisations/{world.physics.uuid}/"
    browser.post(f"{base}projects/new/", {"name": "High pressure", "description": ""})
    made = Project.objects.get(name="High pressure")
    taken = browser.post(f"{base}projects/new/", {"name": "High pressure", "description": ""})
    assert taken.status_code == 400
    one = f"{base}projects/{made.uuid}/"
    browser.post(one, {"name": " Higher pressure ", "description": "x"})
    browser.post(one, {"active": "0"})
    made.refresh_from_db()
    assert (made.name, made.is_active) == ("Higher pressure", False)
    assert "Open the project again" in text(browser.get(one))
    browser.post(one, {"active": "1"})
    assert Project.objects.get(pk=made.pk).is_active
    answer = browser.post(f"{base}projects/{world.project.uuid}/", {"active": "0"}, follow=True)
    assert "Ask finance." in text(answer)
    assert Project.objects.get(pk=world.project.pk).is_active


def test_names_are_text_wherever_they_stand(world: World) -> None:
    Organisation.objects.filter(pk=world.physics.pk).update(name="<script>alert(1)</script>")
    for path in pages(world):
        assert "<script>alert" not in world.client("owner").get(path).content.decode()


def test_many_members_make_pages_and_few_statements(
    world: World, make_user: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(120):
        Member.objects.create(organisation=world.physics, user=make_user(f"user{number:03}"), role="viewer")
    browser, path = world.client("owner"), f"/organisations/{world.physics.uuid}/"
    with django_assert_max_num_queries(15):
        page = browser.get(path)
    assert len(page.content) < 150_000
    assert "1 to 50 of 124" in text(page)
    assert "user119" in text(browser.get(f"{path}?page=3"))


# --- my account -------------------------------------------------------------------
def test_an_address_is_given_and_removed_under_my_account(as_alice: Client, alice: Any) -> None:
    words = text(as_alice.post("/account/", {"email": "alice@example.ac.th"}, follow=True))
    assert "A link goes to alice@example.ac.th." in words
    Identity.objects.create(user=alice, email="alice@example.ac.th")  # as opening the link does
    assert 'value="alice@example.ac.th"' in as_alice.get("/account/").content.decode()
    answer = as_alice.post("/account/", {"email": "alice"})
    assert (answer.status_code, Identity.objects.get().email) == (400, "alice@example.ac.th")
    as_alice.post("/account/", {"email": ""})
    assert not Identity.objects.exists()


# --- the console --------------------------------------------------------------------
def _inline(world: World, roles: dict[str, str]) -> dict[str, Any]:
    rows = list(Member.objects.filter(organisation=world.physics).order_by("pk"))
    fields: dict[str, Any] = {"members-TOTAL_FORMS": len(rows), "members-INITIAL_FORMS": len(rows)}
    for place, row in enumerate(rows):
        fields |= {f"members-{place}-id": row.pk, f"members-{place}-organisation": world.physics.pk,
                   f"members-{place}-user": row.user_id, f"members-{place}-role": roles.get(row.user_id, row.role)}  # fmt: skip
        if roles.get(str(row.user_id)) == "gone":
            fields |= {f"members-{place}-role": row.role, f"members-{place}-DELETE": "on"}
    return {"name": "Physics", "billing_mode": "receipts", "currency": "THB", "time_zone": "Asia/Bangkok", "language": "en",
            "is_active": "on", **fields}  # fmt: skip


def test_finance_sets_members_in_the_console_and_the_log_names_them(world: World, as_finance: Client) -> None:
    path = f"/admin/accounts/organisation/{world.physics.pk}/change/"
    assert as_finance.get(path).status_code == 200
    assert as_finance.post(path, _inline(world, {"viewer": "owner"})).status_code == 302
    changes = AuditLog.objects.get(action="object_change").changes
    assert "viewer: owner" in changes["members"][1]
    assert "viewer: viewer" in changes["members"][0]
    assert as_finance.post(path, _inline(world, {"owner": "gone"})).status_code == 302
    for roles in ({"viewer": "gone"}, {"viewer": "member"}):
        refused = as_finance.post(path, _inline(world, roles))
        assert (refused.status_code, "Somebody must own" in text(refused)) == (200, True)
    assert Member.objects.get(organisation=world.physics, role="owner").user_id == "viewer"


def test_invitations_and_identities_are_only_shown_there(world: World, as_finance: Client, alice: Any) -> None:
    Identity.objects.create(user=alice, email="alice@example.ac.th")
    row = Invitation.objects.get()
    for path in (f"invitation/{row.pk}", "identity/alice"):
        page = as_finance.get(f"/admin/accounts/{path}/change/")
        assert page.status_code == 200
        assert "example.ac.th" in text(page)
        assert row.token_hash not in page.content.decode()
        assert as_finance.post(f"/admin/accounts/{path}/change/", {"email": "x@example.ac.th"}).status_code == 403
        assert as_finance.post(f"/admin/accounts/{path}/delete/", {"post": "yes"}).status_code == 403
