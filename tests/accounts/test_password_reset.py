"""A forgotten password: a link to the address on record sets a new one, once; whoever asks learns nothing by asking.

If this broke, somebody would be locked out of their bills, or somebody else let in to them.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from accounts.models import EmailNotification, Identity, User
from accounts.services import second_factors
from accounts.services.sending import send_due
from accounts.views import password_resets as pages
from audit.models import AuditLog
from core.context import Actor
from tests.conftest import PASSWORD
from tests.races import at_once

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
ASK, LOGIN, NEW = "/accounts/forgotten/", "/accounts/login/", "slow-otter-swims-at-dawn"


@pytest.fixture(autouse=True)
def clock(monkeypatch: Any) -> Any:
    cache.clear()
    monkeypatch.setattr(pages, "LEAST_SECONDS", 0)
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


@pytest.fixture
def known(alice: Any) -> Any:
    Identity.objects.create(user=alice, email="alice@lab.example")
    return alice


def ask(name: str = "alice", client: Client | None = None) -> Any:
    return (client or Client()).post(ASK, {"username": name})


def link() -> str:
    found = re.search(r"http://testserver(/accounts/reset/\S+/)", EmailNotification.objects.latest("id").body_text)
    assert found
    return found[1]


def choose(at: str, password: str = NEW, client: Client | None = None) -> Any:
    return (client or Client()).post(at, {"new_password1": password, "new_password2": password})


def may_enter(password: str, name: str = "alice") -> bool:
    return bool(Client().post(LOGIN, {"username": name, "password": password}).status_code == 302)


class TestTheLink:
    def test_sets_a_new_password_and_ends_every_session(self, known: Any) -> None:
        open_one = Client()
        open_one.force_login(known)
        ask()
        assert Client().get(link()).status_code == 200
        answer = choose(link())
        assert (answer.status_code, answer["Location"]) == (302, LOGIN)
        assert (may_enter(NEW), may_enter(PASSWORD)) == (True, False)
        assert open_one.get("/usage/").status_code == 302

    def test_goes_to_the_address_on_record_in_the_users_language(self, known: Any) -> None:
        User.objects.filter(pk="alice").update(language="th")
        ask()
        sent = EmailNotification.objects.get()
        assert (sent.recipient_email, sent.language) == ("alice@lab.example", "th")
        assert "ลืมรหัสผ่าน" in sent.body_text

    def test_works_once(self, known: Any) -> None:
        ask()
        at = link()
        choose(at)
        assert Client().get(at).status_code == 404
        assert choose(at, "another-otter-swims-too").status_code == 404
        assert may_enter(NEW)

    def test_works_once_for_two_at_the_same_moment(self, known: Any, transactional_db: None) -> None:
        ask()
        at = link()
        words = ["first-otter-of-the-dawn", "second-otter-of-the-dawn"]
        found = at_once(2, lambda number: choose(at, words[number]).status_code)
        assert sorted(found) == [302, 404]
        assert [may_enter(each) for each in words].count(True) == 1

    def test_ends_after_an_hour(self, known: Any, clock: Any) -> None:
        ask()
        clock.shift(timedelta(minutes=59))
        assert Client().get(link()).status_code == 200
        clock.shift(timedelta(minutes=2))
        assert Client().get(link()).status_code == 404
        assert choose(link()).status_code == 404

    def test_ends_with_a_sign_in_and_with_another_address(self, known: Any, clock: Any) -> None:
        ask()
        clock.shift(timedelta(minutes=1))
        assert may_enter(PASSWORD)
        assert Client().get(link()).status_code == 404
        EmailNotification.objects.update(created_at=NOON - timedelta(hours=1))
        ask()
        Identity.objects.update(email="alice@elsewhere.example")
        assert Client().get(link()).status_code == 404

    @pytest.mark.parametrize("wrong", ["x", "\N{THAI CHARACTER KO KAI}", "a" * 400, "AGFi", "..%2f..", "YQ"])
    def test_is_nobodys_when_a_letter_of_it_is_another(self, known: Any, bob: Any, wrong: str) -> None:
        ask()
        _empty, _accounts, _reset, uid, token, _end = link().split("/")
        for at in (f"/accounts/reset/{uid}/{token[:-1]}/", f"/accounts/reset/{uid}/{wrong}/", f"/accounts/reset/{wrong}/{token}/",
                   f"/accounts/reset/Ym9i/{token}/"):  # fmt: skip
            assert Client().get(at).status_code == 404, at
            assert choose(at).status_code in (403, 404), at
        assert (may_enter(PASSWORD), may_enter(PASSWORD, "bob")) == (True, True)

    def test_takes_no_weak_password(self, known: Any) -> None:
        ask()
        for weak in ("short", "password1234", "alice-alice-alice", "hpcbilling-slurm"):
            assert choose(link(), weak).status_code == 400, weak
        mixed = Client().post(link(), {"new_password1": NEW, "new_password2": NEW + "x"})
        assert mixed.status_code == 400
        assert may_enter(PASSWORD)

    def test_opens_what_an_administrators_password_kept_shut(self, known: Any) -> None:
        User.objects.filter(pk="alice").update(must_change_password=True)
        ask()
        choose(link())
        client = Client()
        client.post(LOGIN, {"username": "alice", "password": NEW})
        assert client.get("/usage/").status_code == 200

    def test_is_no_way_around_the_second_factor(self, known: Any) -> None:
        import pyotp

        secret = second_factors.new_secret()
        second_factors.set_up(actor=Actor("alice"), user=known, secret=secret, code=pyotp.TOTP(secret).now(), keep="")
        ask()
        client = Client()
        choose(link(), client=client)
        assert "_auth_user_id" not in client.session
        entered = client.post(LOGIN, {"username": "alice", "password": NEW})
        assert entered["Location"].startswith("/accounts/second-factor/")


class TestWhoeverAsks:
    def test_gets_the_same_page_whether_or_not_a_link_goes_out(self, known: Any, bob: Any, make_user: Any) -> None:
        """bob has no address, carol is not active, dave signs in by the identity provider alone, and nobody is nobody."""
        for name, fields in (("carol", {"is_active": False}), ("dave", {})):
            Identity.objects.create(user=make_user(name, **fields), email=f"{name}@lab.example")
        dave = User.objects.get(pk="dave")
        dave.set_unusable_password()
        dave.save()
        answers = [ask(name) for name in ("alice", "bob", "carol", "dave", "nobody", "x" * 150)]
        assert {page.status_code for page in answers} == {200}
        assert len({re.sub(r"nonce=\S+|value=\"[^\"]*\"", "", page.content.decode()) for page in answers}) == 1
        assert [each.recipient_email for each in EmailNotification.objects.all()] == ["alice@lab.example"]

    def test_waits_as_long_in_either_case(self, known: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr(pages, "LEAST_SECONDS", 0.2)
        with time_machine.travel(NOON, tick=True):
            for name in ("alice", "nobody"):
                begun = monotonic()
                ask(name)
                assert monotonic() - begun >= 0.2

    def test_may_write_the_name_in_another_way(self, known: Any) -> None:
        ask(" ALICE ")
        assert EmailNotification.objects.count() == 1

    def test_is_told_of_an_empty_field(self, known: Any) -> None:
        assert ask("").status_code == 400

    def test_sends_nobody_a_flood_of_links_and_keeps_nobody_from_theirs(self, known: Any, clock: Any) -> None:
        """Within a quarter of an hour there is one, which works for an hour, whoever asked for it."""
        for _ in range(10):
            clock.shift(timedelta(minutes=1))
            assert ask().status_code == 200
            EmailNotification.objects.update(created_at=NOON)  # the database has a clock of its own
        assert EmailNotification.objects.count() == 1
        assert Client().get(link()).status_code == 200
        clock.shift(timedelta(minutes=15))
        ask()
        assert EmailNotification.objects.count() == 2

    def test_gets_another_where_the_first_could_not_be_sent(self, known: Any, clock: Any) -> None:
        ask()
        EmailNotification.objects.update(status="failed")
        clock.shift(timedelta(minutes=1))
        ask()
        assert EmailNotification.objects.count() == 2

    def test_is_held_back_after_ten_in_a_minute_from_one_network(self, known: Any) -> None:
        answers = [ask(f"user{number}") for number in range(11)]
        assert [each.status_code for each in answers] == [200] * 10 + [429]
        assert int(answers[-1]["Retry-After"]) > 0


class TestWhatIsKept:
    def test_the_log_says_that_it_happened_and_no_secret(self, known: Any) -> None:
        ask()
        secret = link().split("/")[4]
        choose(link())
        rows = AuditLog.objects.filter(target="alice", action__startswith="password_reset")
        assert list(rows.order_by("pk").values_list("action", "actor")) == [
            ("password_reset_ask", "anonymous"), ("password_reset", "alice"),
        ]  # fmt: skip
        assert secret not in str(list(AuditLog.objects.values()))
        assert "alice@lab.example" not in str(list(AuditLog.objects.values()))

    def test_the_request_log_masks_the_link(self, known: Any, caplog: Any) -> None:
        ask()
        with caplog.at_level(logging.INFO, logger="hpcbilling.request"):
            Client().get(link())
        lines = " ".join(f"{each.getMessage()} {getattr(each, 'fields', '')}" for each in caplog.records)
        assert "/accounts/reset/" in lines
        assert link().split("/")[4] not in lines

    def test_the_text_of_the_e_mail_is_forgotten_once_it_was_sent(self, known: Any) -> None:
        ask()
        at = link()
        send_due()
        assert at.split("/")[4] not in str(list(EmailNotification.objects.values()))
