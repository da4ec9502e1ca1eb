"""Webhooks: a receipt becomes paid only by a verified call whose money is the money we asked for."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
import time_machine
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from audit import chain
from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from core.errors import Misconfigured
from payments.models import Payment, PaymentEvent
from payments.providers.dummy import signing
from payments.providers.dummy.provider import DummyProvider, signed_event
from payments.services.checkout import NotPayable, start_payment
from tests.payments.conftest import call, send
from tests.races import at_once

pytestmark = pytest.mark.django_db


def state(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.status, Receipt.objects.get(pk=payment.receipt_id).status


def test_a_verified_success_pays_the_receipt_once_with_payment_and_audit(payment: Payment) -> None:
    assert call(payment).status_code == 200
    assert state(payment) == ("succeeded", "paid")
    receipt = Receipt.objects.get(pk=payment.receipt_id)
    assert (receipt.method, receipt.tx_ref) == ("dummy", payment.external_payment_id)
    assert receipt.paid_at == payment.paid_at
    actions = list(AuditLog.objects.order_by("id").values_list("action", "actor"))[-2:]
    assert actions == [("mark_paid", "provider:dummy"), ("payment_succeeded", "provider:dummy")]
    assert chain.verify().ok


def test_the_old_address_for_the_configured_provider_works_too(payment: Payment) -> None:
    body, headers = signed_event(payment, "payment.succeeded", event_id="evt_a", timestamp=int(time.time()))
    assert send(body, headers, "/payments/webhook").status_code == 200
    assert state(payment) == ("succeeded", "paid")


def _other_last_digit(header: str) -> str:
    return header[:-1] + ("1" if header[-1] == "0" else "0")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda body, headers: (body.replace(b"800", b"900"), headers),
        lambda body, headers: (body, {signing.HEADER: _other_last_digit(headers[signing.HEADER])}),
        lambda body, headers: (body, {signing.HEADER: "t=1,v1=é"}),
        lambda body, headers: (body, {}),
        lambda body, headers: (body, {signing.HEADER: signing.sign(body, "another secret", int(time.time()))}),
    ],
)
def test_a_wrong_signature_is_400_and_changes_nothing(payment: Payment, tamper: Any) -> None:
    body, headers = signed_event(payment, "payment.succeeded", event_id="evt_x", timestamp=int(time.time()))
    body, headers = tamper(body, headers)
    assert send(body, headers).status_code == 400
    assert state(payment) == ("pending", "pending")
    row = PaymentEvent.objects.get()
    assert (row.signature_ok, row.outcome, row.payment) == (False, "rejected", None)
    assert "data" not in row.raw_payload


def test_a_secret_that_cannot_be_read_is_told_in_the_log(settings: Any, caplog: Any, client: Any) -> None:
    """The provider sees that nothing is there; ops see why."""
    settings.PAYMENT_PROVIDERS = {
        **settings.PAYMENT_PROVIDERS,
        "omise": "payments.providers.omise.provider.OmiseProvider",
    }
    settings.PAYMENT_PROVIDER_NAMES = ["omise"]
    settings.OMISE_SECRET_KEY, settings.OMISE_WEBHOOK_SECRET = "skey_test_1", "no base64!"
    assert client.post("/payments/webhooks/omise/", b"{}", content_type="application/json").status_code == 404
    assert "no message of omise can be taken: OMISE_WEBHOOK_SECRET is not base64" in caplog.text
    caplog.clear()
    settings.PAYMENT_PROVIDER_NAMES = ["manual"]
    client.post("/payments/webhooks/omise/", b"{}", content_type="application/json")
    assert "no message" not in caplog.text, "what is not in use is nobody's trouble"


@pytest.mark.parametrize("age", [301, -301])
def test_an_old_or_future_signature_is_refused(payment: Payment, age: int) -> None:
    with time_machine.travel(time.time(), tick=False):
        assert call(payment, timestamp=int(time.time()) - age).status_code == 400
    assert state(payment) == ("pending", "pending")


def test_a_rejected_call_cannot_take_the_id_of_a_real_event(payment: Payment) -> None:
    body, headers = signed_event(payment, "payment.succeeded", event_id="evt_real", timestamp=int(time.time()))
    send(body, {signing.HEADER: "t=1,v1=" + "0" * 64})
    assert send(body, headers).status_code == 200
    assert state(payment) == ("succeeded", "paid")


@pytest.mark.parametrize(
    "claim",
    [{"amount": 799}, {"amount": 801}, {"amount": 0}, {"amount": -800}, {"currency": "USD"}, {"reference": "other"}],
)
def test_wrong_money_is_never_paid_and_waits_for_review(payment: Payment, claim: dict[str, Any]) -> None:
    assert call(payment, **claim).status_code == 200
    assert state(payment) == ("needs_review", "pending")
    assert PaymentEvent.objects.get().outcome == "mismatch"
    assert next(iter(claim)) in payment.review_reason
    with pytest.raises(NotPayable):
        start_payment(actor=Actor("alice"), receipt=payment.receipt)


def test_the_right_money_after_a_mismatch_still_pays(payment: Payment) -> None:
    call(payment, amount=1)
    call(payment)
    assert state(payment) == ("succeeded", "paid")
    assert payment.review_reason == ""


@pytest.mark.parametrize("amount", ["800", 800.0, True, None, [800]])
def test_an_amount_that_is_no_integer_is_refused(payment: Payment, amount: Any) -> None:
    assert call(payment, amount=amount).status_code == 400
    assert state(payment) == ("pending", "pending")


@pytest.mark.parametrize("amount", [10**30, -(10**30), 2**63, 10**400], ids=["1e30", "-1e30", "2^63", "1e400"])
def test_an_amount_that_no_column_holds_is_refused_with_its_reason_and_not_tried_again(
    payment: Payment, amount: int
) -> None:
    assert call(payment, amount=amount).status_code == 400
    assert state(payment) == ("pending", "pending")
    row = PaymentEvent.objects.get()
    assert (row.outcome, row.detail) == ("rejected", "an amount is larger than any that we can hold")
    assert row.next_try_at is None


def test_a_success_for_a_void_receipt_is_kept_for_review(payment: Payment) -> None:
    void_receipt(actor=Actor("fin"), receipt=payment.receipt, reason="wrong")
    assert call(payment).status_code == 200
    assert state(payment) == ("needs_review", "void")


def test_money_for_a_receipt_that_finance_marked_paid_is_kept_for_review(payment: Payment) -> None:
    mark_paid(actor=Actor("fin"), receipt=payment.receipt, method="manual", tx_ref="slip")
    call(payment)
    assert state(payment) == ("needs_review", "paid")
    assert Receipt.objects.get().method == "manual"


@pytest.mark.parametrize("kind", ["payment.failed", "payment.canceled"])
def test_an_ended_attempt_lets_the_payer_try_again(payment: Payment, kind: str) -> None:
    call(payment, kind)
    assert state(payment) == (kind.split(".")[1], "pending")
    again = start_payment(actor=Actor("alice"), receipt=payment.receipt)
    assert again.pk != payment.pk
    call(again)
    assert state(again) == ("succeeded", "paid")


def test_a_late_success_of_a_failed_attempt_still_counts(payment: Payment) -> None:
    call(payment, "payment.failed")
    call(payment)
    assert state(payment) == ("succeeded", "paid")


def test_a_failure_after_success_takes_nothing_back(payment: Payment) -> None:
    call(payment)
    call(payment, "payment.failed")
    assert state(payment) == ("succeeded", "paid")


def test_a_second_success_by_another_attempt_is_money_to_review(payment: Payment) -> None:
    call(payment, "payment.failed")
    again = start_payment(actor=Actor("alice"), receipt=payment.receipt)
    call(again)
    call(payment)
    assert state(again) == ("succeeded", "paid")
    assert state(payment)[0] == "needs_review"


@pytest.mark.parametrize("claim", [{"amount": 801}, {"amount": 0}, {"currency": "USD"}, {"reference": "other"}])
def test_other_money_under_a_settled_payments_id_is_kept_for_finance(payment: Payment, claim: dict[str, Any]) -> None:
    call(payment)
    call(payment, **claim)
    assert state(payment) == ("succeeded", "paid")
    odd = PaymentEvent.objects.order_by("-id")[0]
    assert (odd.outcome, odd.payment) == ("mismatch", payment)
    assert next(iter(claim)) in odd.detail


@pytest.mark.parametrize("name", ["id", "reference", "currency"])
@pytest.mark.parametrize("text", ["a\0b", "\ud800", "y" * 256])
def test_an_id_that_no_database_can_hold_is_refused(payment: Payment, name: str, text: str) -> None:
    assert call(payment, **{name: text}).status_code == 400
    assert call(payment, event_id=text).status_code == 400
    assert state(payment) == ("pending", "pending")


def test_odd_text_elsewhere_in_a_good_event_does_not_stop_it(payment: Payment) -> None:
    assert call(payment, description="nul \0 and half \ud800").status_code == 200
    assert state(payment) == ("succeeded", "paid")


@pytest.mark.parametrize("depth", [100, 300, 500, 700, 900])
def test_a_deeply_nested_extra_field_is_taken_or_refused_and_never_an_error(payment: Payment, depth: int) -> None:
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    assert call(payment, extra=nested).status_code in (200, 400)


def test_unknown_types_and_unknown_payments_are_answered_200_and_kept(payment: Payment) -> None:
    assert call(payment, "payment.something_new").status_code == 200
    assert call(payment, id="dummy_unknown", reference="unknown").status_code == 200
    assert sorted(PaymentEvent.objects.values_list("outcome", flat=True)) == ["failed", "ignored"], (
        "the unknown one is tried again"
    )
    assert state(payment) == ("pending", "pending")


def test_a_call_that_overtakes_our_record_of_the_checkout_still_settles(payment: Payment) -> None:
    external_id = payment.external_payment_id
    Payment.objects.filter(pk=payment.pk).update(external_payment_id="", checkout_url="")
    call(payment, id=external_id)
    assert state(payment) == ("succeeded", "paid")
    assert payment.external_payment_id == external_id


@given(body=st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_body_however_odd_is_more_than_a_400(body: bytes) -> None:
    headers = {signing.HEADER: signing.sign(body, settings.PAYMENT_WEBHOOK_SECRET, int(time.time()))}
    assert send(body, headers).status_code == 400


def test_deep_nesting_and_huge_bodies_are_refused() -> None:
    deep = b"[" * 100_000
    assert send(deep, {signing.HEADER: signing.sign(deep, settings.PAYMENT_WEBHOOK_SECRET, int(time.time()))}
                ).status_code == 400  # fmt: skip
    assert send(b"x" * (256 * 1024 + 1), {}).status_code == 413


def test_get_is_not_allowed_and_unknown_providers_are_404(client: Any) -> None:
    assert client.get("/payments/webhooks/dummy/").status_code == 405
    assert client.post("/payments/webhooks/nobody/").status_code == 404


def test_dummy_refuses_to_exist_in_production(settings: Any, receipt: Receipt, client: Any) -> None:
    settings.DUMMY_PROVIDER_ALLOWED = False
    with pytest.raises(Misconfigured, match="dummy"):
        DummyProvider()
    assert client.post("/payments/webhooks/dummy/", b"{}", content_type="application/json").status_code == 404
    assert client.get("/payments/simulate").status_code == 404
    client.force_login(receipt.user)
    assert client.get("/payments/simulate").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_thousand_shuffled_duplicates_make_one_paid_transition(payment: Payment) -> None:
    calls = [
        signed_event(payment, kind, event_id=event_id, timestamp=int(time.time()))
        for kind, event_id in (
            ("payment.succeeded", "evt_s1"), ("payment.succeeded", "evt_s2"), ("payment.failed", "evt_f"),
            ("payment.something", "evt_n"), ("payment.succeeded", "evt_s3"),
        )
        for _ in range(200)
    ]  # fmt: skip
    random.Random(7).shuffle(calls)
    parts = at_once(8, lambda index: [send(*one).status_code for one in calls[index::8]])
    assert [status for part in parts for status in part] == [200] * 1000
    assert state(payment) == ("succeeded", "paid")
    assert AuditLog.objects.filter(action="mark_paid").count() == 1
    assert AuditLog.objects.filter(action="payment_succeeded").count() == 1
    assert PaymentEvent.objects.count() == 5
    assert chain.verify().ok
