"""The console's pages about money: what they show, what they ask before, and who may do it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid
from core.context import Actor
from payments import attention
from payments.models import Dispute, Payment, PaymentEvent, ReconciliationDay, Refund
from payments.providers.dummy.provider import DummyProvider
from payments.providers.errors import ProviderError, Refused
from payments.services.refunds import reserve_refund
from payments.services.review import close_payment
from tests.pages.conftest import text
from tests.payments.conftest import call

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
PAYMENTS, REFUNDS, EVENTS = (f"/admin/payments/{name}/" for name in ("payment", "refund", "paymentevent"))
DAYS = "/admin/payments/reconciliationday/"


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_auditor(client: Any, auditor: Any) -> Any:
    client.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def paid(payment: Payment) -> Payment:
    """8.00 THB have come in."""
    call(payment)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def failed(payment: Payment) -> Payment:
    call(payment, "payment.failed")
    payment.refresh_from_db()
    return payment


@pytest.fixture
def by_hand(paid: Payment) -> Refund:
    """A refund of 3.00 that finance sends itself."""
    refund = reserve_refund(actor=FIN, payment=paid, amount_minor=300, reason="too much")
    Refund.objects.filter(pk=refund.pk).update(by_hand=True)
    refund.refresh_from_db()
    return refund


def act(client: Any, where: str, row: Any, action: str, **extra: str) -> str:
    return text(client.post(where, {"action": action, "_selected_action": [row.pk], **extra}, follow=True))


def refunds() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("pk").values_list("amount_cents", "status"))


# --- lists -------------------------------------------------------------------
def test_the_list_shows_what_came_in_and_went_back(as_finance: Any, paid: Payment) -> None:
    Payment.objects.filter(pk=paid.pk).update(captured_cents=1100, refunded_cents=100)
    page = text(as_finance.get(PAYMENTS))
    for words in (str(paid.receipt), "dummy · page", "THB 8.00", "THB 11.00", "THB 1.00", "succeeded"):
        assert words in page


@pytest.mark.parametrize(
    "query", ["document", "alice", "idempotency_key", "external_payment_id", "external_charge_id", "pk"]
)
def test_a_payment_is_found_by_whatever_people_have_in_hand(as_finance: Any, paid: Payment, query: str) -> None:
    term = {"document": paid.receipt.document_number, "alice": "alice"}.get(query) or str(getattr(paid, query))
    assert f"{PAYMENTS}{paid.pk}/change/" in as_finance.get(PAYMENTS, {"q": term}).content.decode()
    assert f"{PAYMENTS}{paid.pk}/change/" not in as_finance.get(PAYMENTS, {"q": "nothing-like-it"}).content.decode()


def shown(client: Any, where: str, **filters: str) -> set[int]:
    response = client.get(where, filters)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


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


@pytest.mark.parametrize("status", ["succeeded", "canceled", "failed"])
@pytest.mark.parametrize(("captured", "refunded"), [(0, 0), (800, 0), (900, 0), (900, 100), (900, 900)])
def test_the_filter_for_credits_says_what_the_payment_says(
    payment: Payment, status: str, captured: int, refunded: int
) -> None:
    if status == "succeeded" and captured < 800:
        pytest.skip("a success has money")
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


# --- giving back -------------------------------------------------------------
def page_of(payment: Payment) -> str:
    return f"{PAYMENTS}{payment.pk}/refund/"


def test_the_amount_is_prefilled_and_the_next_page_says_what_will_change(as_finance: Any, paid: Payment) -> None:
    page = as_finance.get(page_of(paid)).content.decode()
    assert re.search(r'name="amount" value="8.00"', page)
    look = {"amount": "8.00", "reason": "wrong person", "seen": "0"}
    words = text(as_finance.post(page_of(paid), look))
    assert f"receipt {paid.receipt} becomes refunded" in words
    assert "dummy gives it back to the payer by itself" in words
    assert f"Receipt {paid.receipt} stays paid." in text(as_finance.post(page_of(paid), {**look, "amount": "3"}))
    assert refunds() == [], "looking gives nothing back"
    edited = as_finance.post(page_of(paid), {**look, "amount": "3", "edit": "1"}).content.decode()
    assert 'value="3"' in edited
    assert "wrong person" in edited


def test_giving_all_back_makes_the_receipt_refunded_once(as_finance: Any, paid: Payment) -> None:
    form = {"amount": "8.00", "reason": "wrong person", "seen": "0", "confirm": "1"}
    assert "THB 8.00 was given back" in text(as_finance.post(page_of(paid), form, follow=True))
    assert refunds() == [(800, "succeeded")]
    paid.receipt.refresh_from_db()
    assert paid.receipt.status == "refunded"
    entry = AuditLog.objects.get(action="refund_request")
    assert (entry.actor, entry.extra["reason"]) == ("fin", "wrong person")
    as_finance.post(page_of(paid), form)
    assert refunds() == [(800, "succeeded")]
    assert "There is no money to give back" in text(as_finance.get(page_of(paid)))


def test_a_second_click_on_a_part_gives_nothing_twice(as_finance: Any, paid: Payment) -> None:
    form = {"amount": "3", "reason": "part", "seen": "0", "confirm": "1"}
    as_finance.post(page_of(paid), form)
    assert "given back meanwhile" in text(as_finance.post(page_of(paid), form, follow=True))
    assert refunds() == [(300, "succeeded")]


@pytest.mark.parametrize("amount", ["8.01", "0", "-1", "0.001", "x", "", "NaN", "1e9"])
def test_an_amount_that_cannot_be_is_refused_beside_the_field(as_finance: Any, paid: Payment, amount: str) -> None:
    form = {"amount": amount, "reason": "x", "seen": "0", "confirm": "1"}
    response = as_finance.post(page_of(paid), form)
    assert response.status_code == 200
    assert response.context["form"].errors["amount"]
    assert refunds() == []


def test_a_refund_needs_a_reason(as_finance: Any, paid: Payment) -> None:
    response = as_finance.post(page_of(paid), {"amount": "1", "reason": " ", "seen": "0", "confirm": "1"})
    assert response.context["form"].errors["reason"]
    assert refunds() == []


def test_money_that_the_provider_cannot_give_back_is_written_down_for_finance(as_finance: Any, paid: Payment) -> None:
    Payment.objects.update(external_charge_id="")
    form = {"amount": "8.00", "reason": "x", "seen": "0"}
    assert "finance sends it by bank" in text(as_finance.post(page_of(paid), form))
    words = text(as_finance.post(page_of(paid), {**form, "confirm": "1"}, follow=True))
    assert "enter the bank's reference" in words
    assert refunds() == [(800, "requested")]


@pytest.mark.parametrize(
    ("error", "words", "left"),
    [
        (ProviderError("The provider does not answer."), "What came of it is not known", "requested"),
        (Refused("charge too old"), "charge too old", "failed"),
    ],
)
def test_trouble_of_the_provider_is_a_message_and_no_crash(
    as_finance: Any, paid: Payment, monkeypatch: Any, error: Exception, words: str, left: str
) -> None:
    def broken(*args: Any) -> None:
        raise error

    monkeypatch.setattr(DummyProvider, "refund", broken)
    form = {"amount": "8.00", "reason": "x", "seen": "0", "confirm": "1"}
    assert words in text(as_finance.post(page_of(paid), form, follow=True))
    assert refunds() == [(800, left)]


def test_a_dispute_keeps_money_from_going_back(as_finance: Any, paid: Payment) -> None:
    Dispute.objects.create(payment=paid, amount_cents=800, external_dispute_id="dp_1")
    form = {"amount": "8.00", "reason": "x", "seen": "0", "confirm": "1"}
    assert "a refund might pay twice" in text(as_finance.post(page_of(paid), form, follow=True))
    assert refunds() == []


def test_an_auditor_gives_nothing_back(as_auditor: Any, paid: Payment) -> None:
    form = {"amount": "8.00", "reason": "x", "seen": "0", "confirm": "1"}
    assert as_auditor.get(page_of(paid)).status_code == 403
    assert as_auditor.post(page_of(paid), form).status_code == 403
    page = as_auditor.get(f"{PAYMENTS}{paid.pk}/change/").content.decode()
    assert page_of(paid) not in page
    assert "sync_action" not in page
    assert refunds() == []


def test_nobody_comes_to_the_page_without_signing_in_or_of_a_payment_that_is_none(
    client: Any, as_finance: Any, paid: Payment
) -> None:
    assert as_finance.get(f"{PAYMENTS}999999/refund/").status_code == 404
    client.logout()
    assert client.post(page_of(paid), {"amount": "8", "confirm": "1"}).status_code == 302
    assert refunds() == []


# --- refunds: sent by hand, not sent, asked again ----------------------------
@pytest.mark.parametrize(("action", "status"), [("confirm_action", "succeeded"), ("cancel_action", "canceled")])
def test_finance_says_once_whether_a_refund_was_sent(
    as_finance: Any, by_hand: Refund, action: str, status: str
) -> None:
    assert "THB 3.00" in act(as_finance, REFUNDS, by_hand, action)
    act(as_finance, REFUNDS, by_hand, action, confirm="1")
    assert refunds() == [(300, "requested")], "the reference or reason is required"
    act(as_finance, REFUNDS, by_hand, action, confirm="1", text="slip 0042")
    by_hand.refresh_from_db()
    assert (by_hand.status, by_hand.detail) == (status, "slip 0042")
    entries = AuditLog.objects.count()
    act(as_finance, REFUNDS, by_hand, "cancel_action", confirm="1", text="again")
    by_hand.refresh_from_db()
    assert (by_hand.status, AuditLog.objects.count()) == (status, entries)


def test_a_refund_of_the_provider_cannot_be_called_sent(as_finance: Any, paid: Payment) -> None:
    refund = reserve_refund(actor=FIN, payment=paid, amount_minor=300, reason="x")
    words = act(as_finance, REFUNDS, refund, "confirm_action", confirm="1", text="slip")
    assert "The provider sends this refund by itself" in words
    assert refunds() == [(300, "requested")]


def test_a_refund_whose_answer_was_lost_is_asked_for_again(as_finance: Any, paid: Payment) -> None:
    refund = reserve_refund(actor=FIN, payment=paid, amount_minor=300, reason="x")
    Refund.objects.update(asked_at=timezone.now())
    assert "asked a moment ago" in act(as_finance, REFUNDS, refund, "ask_action", confirm="1")
    Refund.objects.update(asked_at=timezone.now() - timedelta(minutes=5))
    act(as_finance, REFUNDS, refund, "ask_action", confirm="1")
    assert refunds() == [(300, "succeeded")]


@pytest.mark.parametrize("action", ["confirm_action", "cancel_action", "ask_action"])
def test_an_auditor_decides_about_no_refund(as_auditor: Any, by_hand: Refund, action: str) -> None:
    act(as_auditor, REFUNDS, by_hand, action, confirm="1", text="x")
    assert refunds() == [(300, "requested")]
    assert action not in as_auditor.get(f"{REFUNDS}{by_hand.pk}/change/").content.decode()


def test_refunds_are_filtered_by_what_they_need(as_finance: Any, by_hand: Refund) -> None:
    assert shown(as_finance, REFUNDS, need="to_send") == {by_hand.pk}
    assert shown(as_finance, REFUNDS, need="trouble") == set()
    Refund.objects.update(status="failed", settled_at=timezone.now() - timedelta(days=29))
    assert shown(as_finance, REFUNDS, need="trouble") == {by_hand.pk}
    Refund.objects.update(settled_at=timezone.now() - timedelta(days=31))
    assert shown(as_finance, REFUNDS, need="trouble") == set()
    Refund.objects.update(status="needs_review")
    assert shown(as_finance, REFUNDS, need="trouble") == {by_hand.pk}


# --- asking the provider, and retries ----------------------------------------
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


# --- messages ----------------------------------------------------------------
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


# --- days --------------------------------------------------------------------
def day(provider: str, theirs: int, ours: int, **fields: Any) -> ReconciliationDay:
    return ReconciliationDay.objects.create(
        provider=provider, day=timezone.localdate(), currency="THB", provider_count=1, provider_cents=theirs,
        our_count=1, our_cents=ours, checked_at=timezone.now(), **fields,
    )  # fmt: skip


def test_days_stand_side_by_side_and_what_differs_is_found(as_finance: Any, finance: Any) -> None:
    day("stripe", 800, 800)
    short = day("omise", 800, 500)
    nobody = day("razorpay", 100, 100, unknown=[{"id": "pay_<b>", "amount": 100}])
    day("manual", 900, 800, provider_refunded_cents=100)
    page = text(as_finance.get(DAYS))
    for words in ("THB +3.00", "pay_<b>", "THB 8.00"):
        assert words in page
    assert shown(as_finance, DAYS, differs="yes") == {short.pk, nobody.pk}
    assert len(shown(as_finance, DAYS, differs="no")) == 2
    assert shown(as_finance, DAYS, provider="omise") == {short.pk}
    page = text(as_finance.get(f"{DAYS}{nobody.pk}/change/"))
    assert "pay_<b>" in page
    assert "Look these ids up at the provider" in page


# --- receipts ----------------------------------------------------------------
def test_a_refunded_receipt_can_be_voided_in_the_console(as_finance: Any, paid: Payment) -> None:
    Receipt.objects.update(status="refunded")
    page = act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action")
    assert "THB 8.00" in page
    act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action", confirm="1", text="given back")
    assert Receipt.objects.get().status == "void"


def test_a_paid_receipt_is_not_voided(as_finance: Any, paid: Payment) -> None:
    act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action", confirm="1", text="x")
    assert Receipt.objects.get().status == "paid"


def test_a_receipt_leads_to_its_payments(as_finance: Any, paid: Payment) -> None:
    page = as_finance.get(f"/admin/billing/receipt/{paid.receipt_id}/change/").content.decode()
    link = re.search(r'href="(/admin/payments/payment/\?receipt__id__exact=\d+)"', page)
    assert link
    assert shown(as_finance, link[1]) == {paid.pk}
