"""Payments in the console: the lists, asking the provider, and retries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditLog
from billing.services.receipts import mark_paid
from payments import attention
from payments.models import Dispute, Payment, PaymentEvent, Refund
from payments.providers.dummy.provider import DummyProvider
from payments.providers.errors import ProviderError
from payments.services.review import close_payment
from tests.pages.conftest import text
from tests.payments.conftest import call
from tests.payments.console.conftest import DAYS, EVENTS, FIN, PAYMENTS, REFUNDS, act, shown

pytestmark = pytest.mark.django_db


@pytest.mark.forged("payments put into each state")
def test_the_list_shows_what_came_in_and_went_back(as_finance: Any, paid: Payment) -> None:
    Payment.objects.filter(pk=paid.pk).update(captured_cents=1100, refunded_cents=100)
    page = text(as_finance.get(PAYMENTS))
    for words in (
        str(paid.receipt),
        "Demonstration · Demonstration page",
        "THB 8.00",
        "THB 11.00",
        "THB 1.00",
        "succeeded",
    ):
        assert words in page


@pytest.mark.parametrize(
    "query", ["document", "alice", "idempotency_key", "external_payment_id", "external_charge_id", "pk"]
)
def test_a_payment_is_found_by_whatever_people_have_in_hand(as_finance: Any, paid: Payment, query: str) -> None:
    term = {"document": paid.receipt.document_number, "alice": "alice"}.get(query) or str(getattr(paid, query))
    assert f"{PAYMENTS}{paid.pk}/change/" in as_finance.get(PAYMENTS, {"q": term}).content.decode()
    assert f"{PAYMENTS}{paid.pk}/change/" not in as_finance.get(PAYMENTS, {"q": "nothing-like-it"}).content.decode()


def test_filters_find_credits_unknown_outcomes_test_money_and_what_was_given_up(
    as_finance: Any, payment: Payment
) -> None:
    rows = Payment.objects.filter(pk=payment.pk)
    assert shown(as_finance, PAYMENTS, live__exact="0") == {payment.pk}
    assert shown(as_finance, PAYMENTS, live__exact="1") == set()
    for changes, need in (
        ({"external_payment_id": ""}, "unknown"),
        ({"status": "failed", "gave_up_at": timezone.now()}, "given_up"),
        ({"status": "canceled", "captured_cents": 500}, "credit"),
    ):
        rows.update(**changes)
        assert shown(as_finance, PAYMENTS, need=need) == {payment.pk}, need
        assert shown(as_finance, PAYMENTS, need="nonsense") == {payment.pk}
    for need in ("unknown", "given_up"):
        assert shown(as_finance, PAYMENTS, need=need) == set()


SUMS = [(0, 0), (800, 0), (900, 0), (900, 100), (900, 900)]
ENDS = [  # a success has money
    (status, *sums)
    for status in ("succeeded", "canceled", "failed")
    for sums in SUMS
    if status != "succeeded" or sums[0]
]


@pytest.mark.forged("payments put into each state")
@pytest.mark.parametrize(("status", "captured", "refunded"), ENDS)
def test_the_filter_for_credits_says_what_the_payment_says(
    payment: Payment, status: str, captured: int, refunded: int
) -> None:
    Payment.objects.update(status=status, captured_cents=captured, refunded_cents=refunded)
    payment.refresh_from_db()
    assert Payment.objects.filter(attention.credits()).exists() == bool(payment.credit_cents)


def test_given_up_ends_with_a_newer_attempt_or_when_the_receipt_is_paid(failed: Payment) -> None:
    rows = Payment.objects.filter(attention.given_up())
    Payment.objects.update(gave_up_at=timezone.now())
    assert rows.count() == 1
    newer = Payment.objects.create(
        receipt=failed.receipt, user=failed.user, provider="dummy", currency="THB", amount_cents=800,
        idempotency_key="k2",
    )  # fmt: skip
    assert rows.count() == 0
    newer.delete()
    mark_paid(actor=FIN, receipt=failed.receipt, method="manual", tx_ref="slip")
    assert rows.count() == 0


@pytest.mark.forged("payments put into each state")
def test_the_lists_need_no_more_queries_for_more_rows(
    as_finance: Any, paid: Payment, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        Payment.objects.create(
            receipt=paid.receipt, user=paid.user, provider="dummy", status="failed", currency="THB", amount_cents=800,
            idempotency_key=f"k{number}",
        )  # fmt: skip
        Refund.objects.create(payment=paid, amount_cents=1, status="failed", idempotency_key=f"r{number}")
        Dispute.objects.create(payment=paid, amount_cents=1, external_dispute_id=f"d{number}")
        PaymentEvent.objects.create(payment=paid, provider="dummy", external_event_id=f"e{number}")
    for where in (PAYMENTS, REFUNDS, EVENTS, "/admin/payments/dispute/"):
        with django_assert_max_num_queries(12):
            assert as_finance.get(where).status_code == 200


def test_the_page_of_a_payment_shows_its_refunds_disputes_tries_and_messages(
    as_finance: Any, paid: Payment, by_hand: Refund
) -> None:
    Dispute.objects.create(payment=paid, amount_cents=800, external_dispute_id="dp_1", reason="fraudulent")
    paid.attempts.create(number=1, attempted_at=timezone.now(), outcome="unreachable", detail="no answer")
    page = text(as_finance.get(f"{PAYMENTS}{paid.pk}/change/"))
    for words in ("too much", "dp_1", "fraudulent", "the provider did not answer", "payment.succeeded", "test money",
                  paid.idempotency_key, paid.external_payment_id):  # fmt: skip
        assert words in page


@pytest.mark.parametrize("where", [PAYMENTS, REFUNDS, EVENTS, DAYS, "/admin/payments/dispute/"])
@pytest.mark.parametrize("verb", ["add", "change", "delete"])
def test_nobody_edits_or_deletes(client: Any, superuser: Any, by_hand: Refund, where: str, verb: str) -> None:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    path = f"{where}add/" if verb == "add" else f"{where}{by_hand.pk}/{verb}/"
    assert client.post(path, {"status": "failed", "post": "yes"}).status_code in (302, 403, 404)
    by_hand.refresh_from_db()
    assert by_hand.status == "requested"


def test_asking_the_provider_says_what_its_record_did(as_finance: Any, payment: Payment) -> None:
    assert (
        "Ask about 1 payment"
        in as_finance.post(PAYMENTS, {"action": "sync_action", "_selected_action": [payment.pk]}).content.decode()
    )
    words = act(as_finance, PAYMENTS, payment, "sync_action", confirm="1")
    assert "the provider shows no record of it; it is pending here" in words


def test_a_provider_that_does_not_answer_is_a_message(as_finance: Any, payment: Payment, monkeypatch: Any) -> None:
    def silent(*args: Any) -> None:
        raise ProviderError("Nothing came back.")

    monkeypatch.setattr(DummyProvider, "fetches", True)
    monkeypatch.setattr(DummyProvider, "find", silent)
    words = act(as_finance, PAYMENTS, payment, "sync_action", confirm="1")
    assert "Nothing came back. What came of it is not known; the reconciliation" in words
    assert "0 payments compared" in words


@pytest.mark.forged("payments put into each state")
def test_no_more_payments_are_asked_about_at_once_than_a_request_has_time_for(
    as_finance: Any, payment: Payment
) -> None:
    rows = [
        Payment.objects.create(
            receipt=payment.receipt, user=payment.user, provider="dummy", status="failed", currency="THB",
            amount_cents=800, idempotency_key=f"k{number}",
        ).pk
        for number in range(11)
    ]  # fmt: skip
    form = {"action": "sync_action", "_selected_action": rows, "confirm": "1"}
    assert "Choose 10 rows at most" in text(as_finance.post(PAYMENTS, form, follow=True))


@pytest.mark.parametrize("number", ["-1", "31", "x", "²", "9" * 30])
def test_odd_numbers_of_retries_are_refused(as_finance: Any, failed: Payment, number: str) -> None:
    assert "Between 0 and 30 retries" in act(as_finance, PAYMENTS, failed, "retries_action", confirm="1", text=number)
    failed.refresh_from_db()
    assert failed.max_retries == 3


def test_finance_stops_the_retries_of_a_payment_and_starts_them_again(as_finance: Any, failed: Payment) -> None:
    act(as_finance, PAYMENTS, failed, "retries_action", confirm="1", text="0")
    failed.refresh_from_db()
    assert (failed.max_retries, failed.next_retry_at) == (0, None)
    assert failed.gave_up_at
    assert "0 of 0, given up" in text(as_finance.get(PAYMENTS))
    act(as_finance, PAYMENTS, failed, "retries_action", confirm="1", text="2")
    failed.refresh_from_db()
    assert (failed.max_retries, failed.gave_up_at) == (2, None)
    assert failed.next_retry_at
    assert AuditLog.objects.filter(action="payment_retry_set", actor="fin").count() == 2


def test_trying_again_opens_a_new_checkout_once(as_finance: Any, failed: Payment) -> None:
    assert "a new checkout was opened" in act(as_finance, PAYMENTS, failed, "retry_action", confirm="1")
    assert Payment.objects.filter(retry_of=failed, status="pending").count() == 1
    assert "not needed any more" in act(as_finance, PAYMENTS, failed, "retry_action", confirm="1")
    assert Payment.objects.count() == 2


@pytest.mark.parametrize("action", ["retry_action", "retries_action", "sync_action"])
def test_an_auditor_collects_nothing(as_auditor: Any, failed: Payment, action: str) -> None:
    act(as_auditor, PAYMENTS, failed, action, confirm="1", text="9")
    failed.refresh_from_db()
    assert (failed.max_retries, Payment.objects.count(), failed.checked_at) == (3, 1, None)


def test_a_page_offers_only_what_can_be_done_now(as_finance: Any, payment: Payment) -> None:
    def offered() -> set[str]:
        page = as_finance.get(f"{PAYMENTS}{payment.pk}/change/").content.decode()
        return set(re.findall(r'name="action" value="(\w+)"', page)) | set(re.findall(r"/payment/\d+/(refund)/", page))

    assert offered() == {"sync_action", "retries_action"}
    call(payment, amount=1)
    assert offered() == {"accept_action", "close_action", "sync_action", "refund"}
    payment.refresh_from_db()
    close_payment(actor=FIN, payment=payment, note="x")
    assert offered() == {"sync_action", "retries_action", "refund"}
