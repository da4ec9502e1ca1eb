"""Seeds of second factors and secrets of webhooks: encrypted in the database, and through a change of the key."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO
from ipaddress import ip_network
from typing import Any

import pyotp
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from accounts.models import SecondFactor, Session, WebhookEndpoint
from accounts.services import second_factors, stored_secrets
from accounts.services.webhook_sending import send_due
from accounts.services.webhooks import create_endpoint, queue_message, rotate_secret
from audit.models import AuditLog
from core import sealing
from core.context import SYSTEM, Actor
from core.errors import Conflict
from tests.accounts.receiver import Receiver, receiver
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ME = Actor("alice")
OLD, NEW = f"old-{'k1' * 40}", f"new-{'k2' * 40}"


@pytest.fixture
def there(settings: Any) -> Any:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiver() as state:
        yield state


def enrolled(user: Any) -> tuple[str, list[str]]:
    seed = second_factors.new_secret()
    codes = second_factors.set_up(
        actor=Actor(user.username), user=user, secret=seed, code=pyotp.TOTP(seed).now(), keep=""
    )
    return seed, codes


def code_of(seed: str) -> str:
    """Of the next half minute: this one's was used when the app was set up."""
    return pyotp.TOTP(seed).at(timezone.now() + timedelta(seconds=30))


def stored() -> str:
    """Every column of both tables, as the database gives it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM second_factors")
        rows = list(cursor.fetchall())
        cursor.execute("SELECT * FROM webhook_endpoints")
        return repr([*rows, *cursor.fetchall()])


def changed_key(settings: Any, *, known: bool) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD] if known else []


def seal_secrets(*args: str) -> tuple[dict[str, int], int]:
    out, code = StringIO(), 0
    try:
        call_command("seal_secrets", *args, format="json", stdout=out)
    except SystemExit as left:
        code = int(left.code or 0)
    return json.loads(out.getvalue()), code


def test_nothing_that_is_needed_again_lies_open_in_the_database(alice: Any, there: Receiver) -> None:
    seed, _codes = enrolled(alice)
    endpoint = create_endpoint(actor=ME, user=alice, url=there.url)
    first = endpoint.signing_secret
    second = rotate_secret(actor=ME, endpoint=endpoint)
    assert not any(secret in stored() for secret in (seed, first, second, first.removeprefix("whsec_")))
    assert stored().count(sealing.MARK) == 3
    assert second_factors.check(actor=ME, user=alice, code=code_of(seed))


def test_nor_in_the_session_while_an_app_is_being_set_up(alice: Any) -> None:
    client = Client()
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    page = client.get("/accounts/second-factor/setup/").content.decode()
    found = re.search(r"<code>(\w{32})</code>", page)
    assert found
    sessions = [row.get_decoded() for row in Session.objects.all()]
    assert sessions
    assert found[1] not in repr(sessions)
    assert found[1] in client.get("/accounts/second-factor/setup/").content.decode(), "the same until it was taken"


def test_after_the_key_was_changed_all_goes_on_and_the_command_makes_the_old_key_superfluous(
    alice: Any, there: Receiver, settings: Any
) -> None:
    settings.SECRET_KEY = OLD
    seed, _codes = enrolled(alice)
    endpoint = create_endpoint(actor=ME, user=alice, url=there.url)
    secret = endpoint.signing_secret
    changed_key(settings, known=True)
    assert second_factors.check(actor=ME, user=alice, code=code_of(seed))
    assert seal_secrets("--dry-run") == ({"current": 0, "older": 2, "lost": 0}, 0)
    assert seal_secrets() == ({"current": 0, "older": 2, "lost": 0}, 0)
    assert seal_secrets() == ({"current": 2, "older": 0, "lost": 0}, 0), "again: nothing is left to do"
    assert list(AuditLog.objects.filter(action="secrets_sealed").values_list("extra", flat=True)) == [{"sealed": 2}]
    changed_key(settings, known=False)
    endpoint.refresh_from_db()
    assert endpoint.signing_secret == secret
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        assert second_factors.check(actor=ME, user=alice, code=pyotp.TOTP(seed).now())


def test_what_was_kept_open_before_works_and_is_encrypted_by_the_command(alice: Any, there: Receiver) -> None:
    seed, _codes = enrolled(alice)
    endpoint = create_endpoint(actor=ME, user=alice, url=there.url)
    secret = endpoint.signing_secret
    SecondFactor.objects.update(secret=seed)
    WebhookEndpoint.objects.update(secret=secret, old_secret=secret, old_secret_until=timezone.now())
    queue_message(endpoint=endpoint, event_type="alert.raised", data={})
    send_due()
    _path, headers, body = there.came[0]
    Webhook(secret).verify(body, headers)
    assert stored_secrets.standing() == stored_secrets.Standing(older=3)
    seal_secrets()
    assert stored_secrets.standing() == stored_secrets.Standing(current=3)
    assert not any(each in stored() for each in (seed, secret))
    assert second_factors.check(actor=ME, user=alice, code=code_of(seed))


def test_where_the_key_is_lost_a_recovery_code_still_works_and_a_code_of_the_app_says_why_not(
    alice: Any, settings: Any
) -> None:
    settings.SECRET_KEY = OLD
    seed, codes = enrolled(alice)
    changed_key(settings, known=False)
    with pytest.raises(Conflict, match="key was changed"):
        second_factors.check(actor=ME, user=alice, code=code_of(seed))
    client = Client()
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    refused = client.post("/accounts/second-factor/", {"code": code_of(seed)})
    assert refused.status_code == 400
    assert "Give a recovery code" in refused.content.decode()
    assert "_auth_user_id" not in client.session
    assert client.post("/accounts/second-factor/", {"code": codes[0]}).status_code == 302
    assert client.session["_auth_user_id"] == "alice"
    assert seal_secrets() == ({"current": 0, "older": 0, "lost": 1}, 3)
    assert SecondFactor.objects.get().secret.startswith(sealing.MARK), "kept: the key may be found"


def test_a_webhook_whose_secret_is_lost_waits_and_goes_on_with_a_new_one(
    alice: Any, there: Receiver, settings: Any
) -> None:
    settings.SECRET_KEY = OLD
    endpoint = create_endpoint(actor=ME, user=alice, url=there.url)
    row = queue_message(endpoint=endpoint, event_type="alert.raised", data={})
    changed_key(settings, known=False)
    assert send_due()["later"] == 1
    assert there.came == []
    assert "Make a new secret" in row.log.get().error
    new = rotate_secret(actor=SYSTEM, endpoint=endpoint)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert send_due()["sent"] == 1
        _path, headers, body = there.came[0]
        Webhook(new).verify(body, headers)
