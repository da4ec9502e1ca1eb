"""Webhook messages to customers: signed as Standard Webhooks have it, tried again, given up, sent anew."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.models import DeliveryStatus, Organisation, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from accounts.outside import OutsideRefused
from accounts.services import webhook_sending as sending
from accounts.services import webhooks
from accounts.services.webhook_sending import MOST_FAILURES, PAUSES, claim, send_due
from accounts.services.webhooks import BeingSent, EndpointOff, create_endpoint, queue_message, replay, rotate_secret
from audit.models import AuditLog
from core.context import Actor
from core.errors import BadInput, Conflict
from hpcbilling.retention import prune
from tests.accounts.receiver import Receiver, receiver
from tests.races import at_once

pytestmark = pytest.mark.django_db
ME = Actor("alice")


@pytest.fixture
def there(settings: Any) -> Any:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiver() as state:
        yield state


@pytest.fixture
def endpoint(there: Receiver, alice: Any) -> WebhookEndpoint:
    return create_endpoint(actor=ME, user=alice, url=there.url, description="my bot")


def message(endpoint: WebhookEndpoint, **data: Any) -> WebhookDelivery:
    return queue_message(endpoint=endpoint, event_type="alert.raised", data=data or {"name": "ค่าใช้จ่าย"})


def run(**options: Any) -> dict[str, int]:
    out = StringIO()
    with suppress(SystemExit):
        call_command("send_webhooks", format="json", stdout=out, **options)
    return dict(json.loads(out.getvalue()))


def test_a_message_arrives_signed_so_that_the_receivers_own_library_believes_it(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    row = message(endpoint, name="ค่าใช้จ่าย", value="1.5")
    assert run() == {"sent": 1, "later": 0, "failed": 0, "held_back": 0, "waiting": 0}
    _path, headers, body = there.came[0]
    seen = Webhook(endpoint.signing_secret).verify(body, headers)
    assert seen["type"] == "alert.raised"
    assert seen["data"] == {"name": "ค่าใช้จ่าย", "value": "1.5"}
    assert headers["webhook-id"] == row.message_id
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.new_secret()).verify(body, headers)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("sent", 1)
    assert row.sent_at is not None
    assert list(row.log.values_list("status_code", "error")) == [(200, "")]
    assert run()["sent"] == 0, "once"


def test_while_the_secret_changes_both_sign_and_afterwards_only_the_new_one(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    old = endpoint.signing_secret
    new = rotate_secret(actor=ME, endpoint=endpoint, overlap=timedelta(hours=1))
    assert new != old
    message(endpoint)
    send_due()
    _path, headers, body = there.came[0]
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        message(endpoint)
        send_due()
        _path, headers, body = there.came[1]
        Webhook(new).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(body, headers)


def test_what_fails_is_tried_again_after_longer_and_longer_pauses_and_then_given_up(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    there.status = 500
    row = message(endpoint)
    begun = timezone.now()
    with time_machine.travel(begun + timedelta(seconds=1), tick=False) as clock:
        for number, pause in enumerate(PAUSES, start=1):
            assert send_due()["later"] == 1, number
            row.refresh_from_db()
            assert row.next_attempt_at - timezone.now() == pause
            clock.shift(pause - timedelta(seconds=1))
            assert send_due()["later"] == 0, "before its time"
            clock.shift(timedelta(seconds=1))
        assert run() == {"sent": 0, "later": 0, "failed": 1, "held_back": 0, "waiting": 0}
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("failed", 8)
    assert {headers["webhook-id"] for _path, headers, _body in there.came} == {row.message_id}
    assert list(row.log.values_list("status_code", flat=True)) == [500] * 8
    assert [pause.total_seconds() for pause in PAUSES] == [5, 300, 1800, 7200, 18000, 36000, 36000]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 429, 503])
def test_only_a_2xx_counts_as_delivered(endpoint: WebhookEndpoint, there: Receiver, status: int) -> None:
    there.status, there.headers = status, {"Location": there.url}
    row = message(endpoint)
    assert send_due()["later"] == 1
    assert len(there.came) == 1
    assert row.log.get().status_code == status


def test_a_message_can_be_sent_again_with_the_same_id_and_new_tries(endpoint: WebhookEndpoint, there: Receiver) -> None:
    row = message(endpoint)
    send_due()
    assert replay(actor=ME, delivery=row)
    assert not replay(actor=ME, delivery=row), "it waits already"
    assert (row.status, row.attempts, row.sent_at) == ("pending", 0, None)
    send_due()
    assert [headers["webhook-id"] for _path, headers, _body in there.came] == [row.message_id] * 2
    assert row.log.count() == 2
    assert AuditLog.objects.filter(action="webhook_resend", actor="alice").count() == 1


def test_one_that_waits_for_its_next_try_is_sent_now(endpoint: WebhookEndpoint, there: Receiver) -> None:
    """The receiver is mended: nobody should have to wait for hours."""
    row = message(endpoint)
    there.status = 500
    send_due()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.next_attempt_at > timezone.now()) == ("pending", 1, True)
    there.status = 200
    assert send_due()["sent"] == 0
    assert replay(actor=ME, delivery=row)
    assert (row.status, row.attempts) == ("pending", 0)
    assert not replay(actor=ME, delivery=row), "it is due already"
    assert send_due()["sent"] == 1
    assert AuditLog.objects.filter(action="webhook_resend").count() == 1


def test_one_that_is_under_way_is_left_alone_and_it_is_said(endpoint: WebhookEndpoint) -> None:
    row = message(endpoint)
    held = claim(row.pk)
    with pytest.raises(BeingSent):
        replay(actor=ME, delivery=row)
    row.refresh_from_db()
    assert held is not None
    assert (row.attempts, row.claimed_until) == (1, held.claimed_until)
    browser = Client()
    browser.force_login(endpoint.user)
    answer = browser.post(f"/api/v1/webhooks/{endpoint.uuid}/deliveries/{row.pk}/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "being_sent")


def test_old_messages_are_pruned_with_their_tries_and_those_that_wait_stay(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    rows = [message(endpoint) for _each in range(4)]
    send_due()
    old = timezone.now() - timedelta(days=91)
    made = WebhookDelivery.objects.filter
    made(pk__in=[row.pk for row in rows[:3]]).update(created_at=old, sent_at=old)
    made(pk=rows[1].pk).update(status="failed", sent_at=None)
    made(pk=rows[2].pk).update(status="pending", sent_at=None)
    assert prune(kinds=["deliveries"], older_than=timedelta(days=90), dry_run=True) == {"deliveries": 2}
    assert made().count() == 4
    assert prune(kinds=["deliveries"], older_than=timedelta(days=90), dry_run=False) == {"deliveries": 2}
    assert set(made().values_list("pk", flat=True)) == {rows[2].pk, rows[3].pk}
    assert WebhookAttempt.objects.count() == 2


def test_an_address_that_fails_again_and_again_is_switched_off_and_says_why(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    there.status = 500
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=MOST_FAILURES - 2)
    rows = [message(endpoint), message(endpoint)]
    assert send_due() == {"sent": 0, "later": 1, "failed": 0, "held_back": 1}, "one failure a run"
    endpoint.refresh_from_db()
    assert endpoint.is_active
    send_due()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures) == (False, MOST_FAILURES)
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"failed"}
    assert AuditLog.objects.get(action="webhook_off").actor == "system"
    with pytest.raises(EndpointOff):
        message(endpoint)
    with pytest.raises(EndpointOff):
        replay(actor=ME, delivery=rows[0])
    there.status = 200
    assert webhooks.switch_on(actor=ME, endpoint=endpoint)
    assert (endpoint.is_active, endpoint.failures) == (True, 0)
    replay(actor=ME, delivery=rows[0])
    assert send_due()["sent"] == 1


def test_one_success_forgets_the_failures_before_it(endpoint: WebhookEndpoint, there: Receiver) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=MOST_FAILURES - 1)
    message(endpoint)
    send_due()
    endpoint.refresh_from_db()
    assert endpoint.failures == 0


def test_a_dead_receiver_does_not_keep_the_others_waiting(endpoint: WebhookEndpoint, alice: Any) -> None:
    dead = create_endpoint(actor=ME, user=alice, url="http://127.0.0.1:9/")
    for _number in range(3):
        message(dead)
    message(endpoint)
    assert send_due() == {"sent": 1, "later": 1, "failed": 0, "held_back": 2}


def test_the_guard_looks_again_when_the_message_is_sent(
    endpoint: WebhookEndpoint, there: Receiver, settings: Any
) -> None:
    """An address that was fine when it was saved may lead inside today."""
    row = message(endpoint)
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    assert send_due()["later"] == 1
    assert there.came == []
    assert row.log.get().status_code is None
    assert row.log.get().error


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://169.254.169.254/", "https://2130706433/", "nonsense"])
def test_an_address_inside_is_never_saved(alice: Any, url: str) -> None:
    with pytest.raises(OutsideRefused):
        create_endpoint(actor=ME, user=alice, url=url)
    assert not WebhookEndpoint.objects.exists()


def test_an_address_has_one_owner_and_its_changes_are_recorded_without_secrets(
    endpoint: WebhookEndpoint, there: Receiver, alice: Any
) -> None:
    organisation = Organisation.objects.create(name="Science")
    for owners in ({}, {"user": alice, "organisation": organisation}):
        with pytest.raises(BadInput):
            create_endpoint(actor=ME, url=there.url, **owners)
    webhooks.change_endpoint(actor=ME, endpoint=endpoint, url=there.url + "&new=1", description="other")
    rotate_secret(actor=ME, endpoint=endpoint)
    assert webhooks.switch_off(actor=ME, endpoint=endpoint)
    assert not webhooks.switch_off(actor=ME, endpoint=endpoint)
    actions = list(AuditLog.objects.filter(actor="alice").order_by("id").values_list("action", flat=True))
    assert actions == ["webhook_create", "webhook_change", "webhook_rotate", "webhook_off"]
    kept = json.dumps(list(AuditLog.objects.values_list("target", "changes", "extra")))
    assert "whsec_" not in kept
    parts = urlsplit(there.url)
    assert f"{parts.path}?" not in kept, "the path is where others put their secret"
    old, new = AuditLog.objects.get(action="webhook_change").changes["url"]
    assert old != new
    assert {each.split("/…")[0] for each in (old, new)} == {f"{parts.scheme}://{parts.netloc}"}


def test_nobody_collects_addresses_without_end(endpoint: WebhookEndpoint, there: Receiver, alice: Any) -> None:
    for _number in range(webhooks.MOST_ENDPOINTS - 1):
        create_endpoint(actor=ME, user=alice, url=there.url)
    with pytest.raises(Conflict):
        create_endpoint(actor=ME, user=alice, url=there.url)


def test_a_message_stands_or_falls_with_the_change_that_it_tells_of(endpoint: WebhookEndpoint) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        message(endpoint)
        _ = 1 / 0
    assert not WebhookDelivery.objects.exists()


def test_the_same_message_is_queued_once(endpoint: WebhookEndpoint) -> None:
    rows = [queue_message(endpoint=endpoint, event_type="x", data={}, message_id="alert_1") for _ in range(2)]
    assert rows[0] == rows[1]
    with pytest.raises(BadInput):
        queue_message(endpoint=endpoint, event_type="x", data={"a": "x" * webhooks.LARGEST})


def test_a_dry_run_counts_and_sends_nothing(endpoint: WebhookEndpoint, there: Receiver) -> None:
    message(endpoint)
    assert run(dry_run=True) == {"due": 1, "waiting": 1}
    assert there.came == []


def test_a_sender_that_died_is_found_and_its_message_sent_by_the_next(
    endpoint: WebhookEndpoint, there: Receiver
) -> None:
    row = message(endpoint)
    assert claim(row.pk) is not None
    assert send_due()["sent"] == 0, "somebody holds it"
    with time_machine.travel(timezone.now() + sending.LEASE + timedelta(seconds=1)):
        assert send_due()["sent"] == 1
    row.refresh_from_db()
    assert (row.status, row.attempts) == (DeliveryStatus.SENT, 2)
    assert [bool(error) for error in row.log.values_list("error", flat=True)] == [True, False]


@pytest.mark.django_db(transaction=True)
def test_of_many_senders_each_message_is_sent_by_one(there: Receiver, make_user: Any) -> None:
    endpoint = create_endpoint(actor=ME, user=make_user("alice"), url=there.url)
    for number in range(12):
        queue_message(endpoint=endpoint, event_type="x", data={"n": number})
    counts = at_once(6, lambda _index: send_due())
    assert sum(count["sent"] for count in counts) == 12
    assert len(there.came) == len({headers["webhook-id"] for _path, headers, _body in there.came}) == 12
    assert WebhookAttempt.objects.count() == 12


def test_the_console_asks_and_switches_an_address_off(superuser: Any) -> None:
    from django.test import Client

    endpoint = WebhookEndpoint.objects.create(
        user=superuser, url="https://hooks.example.ac.th/x", secret="whsec_x", created_by="root"
    )
    visitor = Client()
    visitor.force_login(superuser)
    for action in ("switch_on_action", "switch_off_action"):
        form = {"action": action, "_selected_action": [str(endpoint.pk)]}
        assert b"hooks.example.ac.th" in visitor.post("/admin/accounts/webhookendpoint/", form).content
    visitor.post("/admin/accounts/webhookendpoint/", {**form, "confirm": "1"})
    endpoint.refresh_from_db()
    assert endpoint.is_active is False
