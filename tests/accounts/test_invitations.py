"""Invitations: a link by e-mail that makes one person a member, once, within a week."""

from __future__ import annotations

import hashlib
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import EmailNotification, Invitation, Member
from accounts.services import invitations
from accounts.services.invitations import InvitationGone, TooMany, accept, invite, withdraw
from accounts.services.members import IsMember
from accounts.services.organisations import set_organisation_active
from accounts.services.sending import send_due
from audit.models import AuditLog
from core.context import Actor
from core.errors import BadInput, Conflict
from tests.accounts.worlds import World
from tests.pages.conftest import text
from tests.races import at_once

pytestmark = pytest.mark.django_db
OWNER, NOBODY = Actor("owner"), Actor("nobody")
ADDRESS = "new@example.ac.th"


def ask(world: World, email: str = ADDRESS, role: str = "member", language: str = "en") -> Invitation:
    return invite(actor=OWNER, organisation=world.physics, email=email, role=role, language=language)


def link(number: int = -1) -> str:
    """The address in the e-mail that waits, and of it the secret."""
    found = re.search(r"http://testserver(/invitations/[\w-]+/)", list(EmailNotification.objects.order_by("id"))[number].body_text)  # fmt: skip
    assert found
    return found[1]


def token(number: int = -1) -> str:
    return link(number).split("/")[2]


def test_the_secret_is_256_bits_and_only_its_hash_is_kept(world: World) -> None:
    row = ask(world)
    assert len(token()) == 43  # 32 bytes in base64
    assert row.token_hash == hashlib.sha256(token().encode()).hexdigest()
    assert timedelta(days=6, hours=23) < row.expires_at - timezone.now() <= timedelta(days=7)
    entry = AuditLog.objects.get(action="invitation_send")
    assert token() not in f"{entry.extra}"
    assert entry.extra == {"to": "n…@example.ac.th", "role": "member"}
    email = EmailNotification.objects.get()
    assert (email.recipient_email, email.organisation, email.kind) == (ADDRESS, world.physics, "invitation")


def test_whoever_opens_the_link_becomes_a_member_once(world: World) -> None:
    ask(world, role="billing_manager")
    member = accept(actor=NOBODY, token=token())
    assert (member.user_id, member.role) == ("nobody", "billing_manager")
    row = Invitation.objects.get()
    assert (row.accepted_by, row.is_open) == ("nobody", False)
    with pytest.raises(InvitationGone):
        accept(actor=Actor("former"), token=token())
    assert AuditLog.objects.get(action="invitation_accept").actor == "nobody"


@pytest.mark.django_db(transaction=True)
def test_of_several_who_open_it_at_once_one_becomes_a_member(world: World) -> None:
    ask(world)
    secret = token()

    def join(number: int) -> str:
        try:
            return accept(actor=Actor(("nobody", "former", "rival")[number]), token=secret).role
        except InvitationGone as error:
            return error.code

    assert sorted(at_once(3, join)) == ["member", "not_found", "not_found"]
    assert Member.objects.filter(organisation=world.physics).count() == 5


def test_asking_again_gives_a_new_link_and_ends_the_old_one(world: World) -> None:
    first = ask(world)
    old = token()
    second = ask(world, email="NEW@example.ac.th", role="viewer")
    assert (second.pk, second.role) == (first.pk, "viewer")
    assert EmailNotification.objects.count() == 1, "the first had not gone out yet, and would lead nowhere"
    with pytest.raises(InvitationGone):
        accept(actor=NOBODY, token=old)
    assert accept(actor=NOBODY, token=token()).role == "viewer"


def test_a_link_ends_by_time_by_withdrawal_and_with_the_organisation(world: World) -> None:
    row = ask(world)
    secret = token()
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(InvitationGone):
        accept(actor=NOBODY, token=secret)
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=1))
    set_organisation_active(actor=Actor("fin"), organisation=world.physics, active=False)
    with pytest.raises(InvitationGone):
        accept(actor=NOBODY, token=secret)
    set_organisation_active(actor=Actor("fin"), organisation=world.physics, active=True)
    assert withdraw(actor=OWNER, invitation=row)
    assert not withdraw(actor=OWNER, invitation=row)
    assert not EmailNotification.objects.exists(), "what waits to tell of it does not go out"
    with pytest.raises(InvitationGone):
        accept(actor=NOBODY, token=secret)
    assert not Member.objects.filter(user="nobody").exists()


def test_what_was_accepted_cannot_be_withdrawn(world: World) -> None:
    row = ask(world)
    accept(actor=NOBODY, token=token())
    with pytest.raises(Conflict):
        withdraw(actor=OWNER, invitation=row)


def test_a_member_who_opens_it_does_not_use_it_up(world: World) -> None:
    ask(world, role="owner")
    with pytest.raises(IsMember):
        accept(actor=Actor("viewer"), token=token())
    assert world.member("viewer").role == "viewer"
    assert accept(actor=NOBODY, token=token()).role == "owner"


@pytest.mark.parametrize(("email", "role"), [("x", "member"), (ADDRESS, "king"), ("a@b.th\nBcc: c@d.th", "member")])
def test_a_wrong_address_or_role_is_refused(world: World, email: str, role: str) -> None:
    with pytest.raises(BadInput):
        ask(world, email=email, role=role)
    assert not EmailNotification.objects.exists()


def test_a_closed_organisation_invites_nobody(world: World) -> None:
    set_organisation_active(actor=Actor("fin"), organisation=world.physics, active=False)
    with pytest.raises(Conflict):
        ask(world)


def test_nobody_makes_a_flood_of_it(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    ask(world, "a@example.ac.th")
    ask(world, "b@example.ac.th")
    with pytest.raises(TooMany):
        ask(world, "c@example.ac.th")
    monkeypatch.setattr(invitations, "MOST_OPEN", 100)
    monkeypatch.setattr(invitations, "MOST_A_DAY", 2)
    with pytest.raises(TooMany):
        ask(world, "c@example.ac.th")


# --- the page --------------------------------------------------------------------
def test_the_page_says_what_one_is_asked_and_a_button_does_it(world: World) -> None:
    ask(world, role="viewer")
    browser = world.client("nobody")
    page = text(browser.get(link()))
    assert "Join Physics" in page
    assert "owner invites you" in page
    assert "viewer" in page
    assert not Member.objects.filter(user="nobody").exists(), "looking is not accepting"
    answer = browser.post(link(), follow=True)
    assert answer.redirect_chain == [(f"/organisations/{world.physics.uuid}/", 302)]
    assert "You belong to Physics now." in text(answer)
    again = browser.get(link())
    assert again["Location"] == f"/organisations/{world.physics.uuid}/", "a second click leads there"


def test_a_stranger_signs_in_first_and_comes_back(world: World) -> None:
    ask(world)
    assert world.client("stranger").get(link())["Location"] == f"/accounts/login/?next={link()}"


@pytest.mark.parametrize("which", ["wrong", "used", "withdrawn", "late"])
def test_a_link_that_leads_nowhere_explains_what_to_do(world: World, which: str) -> None:
    row = ask(world)
    address = link() if which != "wrong" else f"/invitations/{'x' * 43}/"
    if which == "used":
        accept(actor=Actor("former"), token=token())
    elif which == "withdrawn":
        withdraw(actor=OWNER, invitation=row)
    elif which == "late":
        Invitation.objects.update(expires_at=timezone.now())
    browser = world.client("nobody")
    for answer in (browser.get(address), browser.post(address)):
        assert answer.status_code == 404
        assert "This invitation has ended" in text(answer)
        assert "Physics" not in text(answer)


def test_a_member_is_told_and_the_link_stays(world: World) -> None:
    ask(world)
    assert "You belong to it already" in text(world.client("viewer").get(link()))
    assert world.client("viewer").post(link())["Location"] == f"/organisations/{world.physics.uuid}/"
    assert Invitation.objects.get().is_open


def test_the_secret_is_in_no_log_of_requests(world: World) -> None:
    ask(world)
    seen: list[logging.LogRecord] = []
    handler, logger = logging.Handler(), logging.getLogger("hpcbilling.request")
    handler.emit = seen.append  # type: ignore[method-assign]
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    try:
        world.client("nobody").get(link())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert len(seen) == 1
    assert token() not in f"{seen[0].getMessage()}{seen[0].__dict__['fields']}"


def test_what_is_sent_can_be_read_in_both_languages(world: World, mailoutbox: Any) -> None:
    ask(world, "a@example.ac.th", language="th")
    ask(world, "b@example.ac.th", language="en")
    assert send_due()["sent"] == 2
    thai, english = sorted(mailoutbox, key=lambda mail: mail.to)
    assert "เชิญคุณเข้าร่วม Physics" in thai.subject
    assert "invites you to join Physics" in english.body
    assert "/invitations/" in thai.body
