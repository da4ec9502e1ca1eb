"""An address counts once its owner opened the link that was sent there; until then the old one stays in force."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import EmailChange, EmailNotification, Identity
from accounts.services.email_changes import (
    MOST_A_DAY,
    LinkGone,
    TooManyLinks,
    ask_email,
    confirm_email,
    find,
    hash_of,
    waiting,
)
from accounts.services.sending import send_due
from audit.models import AuditLog
from core.context import Actor
from core.errors import BadInput
from tests.pages.conftest import as_alice, as_bob, text
from tests.races import at_once

__all__ = ["as_alice", "as_bob"]
pytestmark = pytest.mark.django_db
ALICE, BOB = Actor("alice"), Actor("bob")
OLD, NEW = "alice@old.example", "alice@new.example"


@pytest.fixture
def known(alice: Any) -> Any:
    Identity.objects.create(user=alice, email=OLD)
    return alice


def ask(user: Any, email: str = NEW, language: str = "en") -> EmailChange | None:
    return ask_email(actor=Actor(user.username), user=user, email=email, language=language)


def link() -> str:
    found = re.search(r"http://testserver(/account/email/[\w-]+/)", EmailNotification.objects.latest("id").body_text)
    assert found
    return found[1]


def token() -> str:
    return link().split("/")[3]


def address_of(user: Any) -> str:
    return Identity.objects.get(user=user).email


def test_the_old_address_stays_until_the_link_at_the_new_one_was_opened(known: Any) -> None:
    ask(known)
    sent = EmailNotification.objects.get()
    assert (sent.recipient_email, address_of(known)) == (NEW, OLD)
    assert confirm_email(actor=ALICE, token=token()) == NEW
    assert address_of(known) == NEW
    assert waiting(known) is None
    recorded = AuditLog.objects.filter(target="alice")
    assert set(recorded.values_list("action", flat=True)) == {"email_change", "email_address"}
    assert NEW not in str(list(recorded.values())), "the audit log is kept for ever"


def test_the_link_works_once_for_its_user_alone_and_for_a_day(known: Any, bob: Any) -> None:
    ask(known)
    secret = token()
    assert EmailChange.objects.get().token_hash == hash_of(secret)
    with pytest.raises(LinkGone):
        confirm_email(actor=BOB, token=secret)
    EmailChange.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(LinkGone):
        confirm_email(actor=ALICE, token=secret)
    assert waiting(known) is None
    EmailChange.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    confirm_email(actor=ALICE, token=secret)
    with pytest.raises(LinkGone):
        confirm_email(actor=ALICE, token=secret)


def test_the_next_link_ends_the_one_before(known: Any) -> None:
    ask(known)
    first = token()
    ask(known, "alice@third.example")
    assert find(first, known) is None
    assert confirm_email(actor=ALICE, token=token()) == "alice@third.example"
    assert EmailNotification.objects.count() == 1, "the first had not left yet"


def test_the_address_that_stands_gives_up_what_waits_and_an_empty_one_is_forgotten_at_once(known: Any) -> None:
    ask(known)
    secret = token()
    assert ask(known, f" {OLD} ") is None
    assert (find(secret, known), EmailNotification.objects.count()) == (None, 0)
    ask(known)
    assert ask(known, "") is None
    assert not Identity.objects.exists()
    assert not EmailChange.objects.exists()


def test_what_is_no_address_is_refused(known: Any) -> None:
    for wrong in ("alice", "a@b.example\nBcc: c@d.example", "a@b.example, c@d.example"):
        with pytest.raises(BadInput):
            ask(known, wrong)
    assert not EmailNotification.objects.exists()


def test_neither_a_user_nor_an_address_is_flooded(known: Any, bob: Any) -> None:
    for number in range(MOST_A_DAY):
        ask(known, NEW if number else "alice@first.example")
        send_due()
    with pytest.raises(TooManyLinks):
        ask(known, "alice@other.example")
    ask(bob, NEW)
    send_due()
    with pytest.raises(TooManyLinks):
        ask(bob, NEW.upper())
    assert EmailNotification.objects.filter(recipient_email=NEW).count() == MOST_A_DAY
    EmailNotification.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert ask(bob, NEW)


def test_once_it_was_sent_the_secret_is_forgotten(known: Any) -> None:
    ask(known)
    secret = token()
    send_due()
    sent = EmailNotification.objects.get()
    assert sent.status == "sent"
    assert secret not in sent.body_text + sent.body_html


@pytest.mark.django_db(transaction=True)
def test_of_many_who_open_the_link_at_once_one_succeeds(known: Any) -> None:
    ask(known)
    secret = token()

    def confirm(_number: int) -> bool:
        try:
            confirm_email(actor=ALICE, token=secret)
        except LinkGone:
            return False
        return True

    assert sorted(at_once(6, confirm)) == [False] * 5 + [True]


def test_on_the_pages(as_alice: Any, as_bob: Any, known: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hpcbilling.request")
    words = text(as_alice.post("/account/", {"email": NEW}, follow=True))
    assert f"A link goes to {NEW}." in words
    assert f"A link went to {NEW}." in words
    assert f'value="{OLD}"' in as_alice.get("/account/").content.decode()
    assert as_bob.get(link()).status_code == as_alice.get("/account/email/nothing/").status_code == 404
    page = as_alice.get(link())
    assert page.status_code == 200
    assert address_of(known) == OLD, "programs that look into e-mails open links, too"
    path = link()
    assert f"Messages go to {NEW} from now on." in text(as_alice.post(path, follow=True))
    assert as_alice.post(path).status_code == 404
    assert address_of(known) == NEW
    assert path.split("/")[3] not in caplog.text, "nobody who reads logs may confirm"


def test_a_stranger_signs_in_first(client: Any, known: Any) -> None:
    ask(known)
    assert client.get(link()).status_code == 302
