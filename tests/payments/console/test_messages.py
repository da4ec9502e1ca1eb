"""The providers' messages in the console: what they show, and working on them again."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditLog
from billing.models import Receipt
from payments.models import Payment, PaymentEvent
from tests.pages.conftest import text
from tests.payments.conftest import call
from tests.payments.console.conftest import EVENTS, PAYMENTS, act, shown

pytestmark = pytest.mark.django_db


def test_a_message_is_shown_readable_and_nothing_in_it_is_markup(as_finance: Any, paid: Payment) -> None:
    PaymentEvent.objects.update(raw_payload={"note": "<script>alert(1)</script>", "ชื่อ": {"b": 1}})
    page = as_finance.get(f"{EVENTS}{PaymentEvent.objects.get().pk}/change/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "ชื่อ" in page


def test_a_message_that_failed_is_worked_on_again_by_hand(as_finance: Any, payment: Payment) -> None:
    call(payment)
    event = PaymentEvent.objects.get()
    PaymentEvent.objects.update(outcome="failed", attempts=9, next_try_at=None)
    assert shown(as_finance, EVENTS, outcome="stuck") == {event.pk}
    assert "processed · already paid" in act(as_finance, EVENTS, event, "replay_action", confirm="1")
    event.refresh_from_db()
    assert event.outcome == "processed"
    assert AuditLog.objects.filter(action="webhook_replay", actor="fin").exists()
    assert Receipt.objects.get().status == "paid"


def test_a_rejected_message_is_never_worked_on(as_finance: Any, payment: Payment) -> None:
    event = PaymentEvent.objects.create(provider="dummy", external_event_id="rejected:x", outcome="rejected")
    assert "None of the chosen rows" in act(as_finance, EVENTS, event, "replay_action")
    act(as_finance, EVENTS, event, "replay_action", confirm="1")
    event.refresh_from_db()
    assert (event.outcome, event.attempts) == ("rejected", 0)
    assert "replay_action" not in as_finance.get(f"{EVENTS}{event.pk}/change/").content.decode()


def test_an_auditor_works_on_no_message(as_auditor: Any, payment: Payment) -> None:
    call(payment, amount=1)
    event = PaymentEvent.objects.get()
    act(as_auditor, EVENTS, event, "replay_action", confirm="1")
    assert not AuditLog.objects.filter(action="webhook_replay").exists()


def test_an_operator_works_on_messages_without_seeing_what_is_inside(
    client: Any, make_user: Any, payment: Payment
) -> None:
    call(payment)
    client.force_login(make_user("opr", role="admin", groups=["Operator"]),
                       backend="django.contrib.auth.backends.ModelBackend")  # fmt: skip
    event = PaymentEvent.objects.get()
    page = text(client.get(f"{EVENTS}{event.pk}/change/"))
    assert "payment.succeeded" in page
    assert payment.idempotency_key not in page
    assert "1 message worked on" in act(client, EVENTS, event, "replay_action", confirm="1")
    assert AuditLog.objects.filter(action="webhook_replay", actor="opr").exists()
    assert client.get(PAYMENTS).status_code == 403


def test_waiting_messages_have_a_filter(as_finance: Any, payment: Payment) -> None:
    row = PaymentEvent.objects.create(
        provider="dummy", external_event_id="e", outcome="failed", next_try_at=timezone.now()
    )
    assert shown(as_finance, EVENTS, outcome="waiting") == {row.pk}
    assert shown(as_finance, EVENTS, outcome="stuck") == set()
    assert shown(as_finance, EVENTS, outcome="failed") == {row.pk}
    assert shown(as_finance, EVENTS, outcome__in="mismatch,failed") == {row.pk}
