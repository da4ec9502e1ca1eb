"""Giving money back from the console: what it asks before, and who may do it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditLog
from payments.models import Dispute, Payment, Refund
from payments.providers.dummy.provider import DummyProvider
from payments.providers.errors import ProviderError, Refused
from payments.services.refunds import reserve_refund
from tests.pages.conftest import text
from tests.payments.console.conftest import FIN, PAYMENTS, REFUNDS, act, refunds, shown

pytestmark = pytest.mark.django_db


def page_of(payment: Payment) -> str:
    return f"{PAYMENTS}{payment.pk}/refund/"


def test_the_amount_is_prefilled_and_the_next_page_says_what_will_change(as_finance: Any, paid: Payment) -> None:
    page = as_finance.get(page_of(paid)).content.decode()
    assert re.search(r'name="amount" value="8.00"', page)
    look = {"amount": "8.00", "reason": "wrong person", "seen": "0"}
    words = text(as_finance.post(page_of(paid), look))
    assert f"receipt {paid.receipt} becomes refunded" in words
    assert "Demonstration gives it back to the payer by itself" in words
    assert f"Receipt {paid.receipt} stays paid." in text(as_finance.post(page_of(paid), {**look, "amount": "3"}))
    assert refunds() == [], "looking gives nothing back"
    edited = as_finance.post(page_of(paid), {**look, "amount": "3", "edit": "1"}).content.decode()
    assert 'value="3"' in edited
    assert "wrong person" in edited


@pytest.mark.parametrize("language", ["en", "th"])
def test_the_second_page_sends_what_the_first_was_given(as_finance: Any, paid: Payment, language: str) -> None:
    as_finance.cookies["django_language"] = language
    page = as_finance.post(page_of(paid), {"amount": "3.5", "reason": "x", "seen": "0"}).content.decode()
    shown = dict(re.findall(r'<input type="hidden" name="(amount|reason|seen)" value="([^"]*)"', page))
    as_finance.post(page_of(paid), {**shown, "confirm": "1"})
    assert refunds() == [(350, "succeeded")]


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
    assert response.status_code == 400
    assert response.context["form"].errors["amount"]
    assert refunds() == []


@pytest.mark.parametrize("seen", [{}, {"seen": ""}, {"seen": "x"}])
def test_a_page_without_what_was_seen_says_so(as_finance: Any, paid: Payment, seen: dict[str, str]) -> None:
    form = {"amount": "1", "reason": "x", "confirm": "1", **seen}
    assert "This page is incomplete. Open it anew." in text(as_finance.post(page_of(paid), form))
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


@pytest.mark.forged("refunds put into each state")
def test_refunds_are_filtered_by_what_they_need(as_finance: Any, by_hand: Refund) -> None:
    assert shown(as_finance, REFUNDS, need="to_send") == {by_hand.pk}
    assert shown(as_finance, REFUNDS, need="trouble") == set()
    Refund.objects.update(status="failed", settled_at=timezone.now() - timedelta(days=29))
    assert shown(as_finance, REFUNDS, need="trouble") == {by_hand.pk}
    Refund.objects.update(settled_at=timezone.now() - timedelta(days=31))
    assert shown(as_finance, REFUNDS, need="trouble") == set()
    Refund.objects.update(status="needs_review")
    assert shown(as_finance, REFUNDS, need="trouble") == {by_hand.pk}
