"""Reported transfers: by the payer, decided by somebody else, once; the page says what is missing."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditLog
from billing.models import Receipt
from core.context import Actor
from core.errors import BadInput, Conflict
from core.periods import today
from payments.models import BankTransfer, Payment
from payments.services.review import close_payment
from payments.services.transfers import (
    SLIP_MAX_BYTES,
    KnownTransfer,
    Report,
    accept_transfer,
    reject_transfer,
    submit_transfer,
)
from tests.payments.manual.conftest import ALICE, FIN, PNG, manual, report, state
from tests.races import at_once

pytestmark = pytest.mark.django_db


def test_a_report_pays_nothing_and_acceptance_does(receipt: Receipt) -> None:
    transfer = report(manual(receipt), slip=PNG)
    assert state(receipt) == ("pending", "pending", 0, 0)
    accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="seen")
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    acts = AuditLog.objects.filter(action__startswith="transfer_").order_by("pk")
    assert [(entry.action, entry.actor) for entry in acts] == [("transfer_submit", "alice"), ("transfer_accept", "fin")]


def test_the_same_reference_or_slip_is_reported_once(receipt: Receipt, another: Receipt) -> None:
    first = report(manual(receipt), slip=PNG)
    other = manual(another)
    with pytest.raises(KnownTransfer):
        report(other, reference=" ref 0001 ", bank="scb")
    with pytest.raises(KnownTransfer):
        report(other, reference="NEW", slip=PNG)
    reject_transfer(actor=FIN, transfer=first, note="not there")
    assert report(other, reference="REF0001", slip=PNG).status == "submitted"


def test_one_transfer_is_one_whatever_its_bank_is_called(receipt: Receipt, another: Receipt) -> None:
    report(manual(receipt), bank="SCB")
    with pytest.raises(KnownTransfer):
        report(manual(another), bank="Siam Commercial Bank")
    assert report(manual(another), amount=801, bank="Siam Commercial Bank").status == "submitted"


@pytest.mark.django_db(transaction=True)
def test_of_many_reports_at_once_one_is_written_whatever_the_bank_is_called(
    receipt: Receipt, another: Receipt, third: Receipt
) -> None:
    payments = [manual(each) for each in (receipt, another, third)]

    def told(index: int) -> bool:
        with suppress(KnownTransfer):
            return bool(report(payments[index], bank=f"Bank {index}"))
        return False

    assert sorted(at_once(3, told)) == [False, False, True]
    assert BankTransfer.objects.count() == 1


def test_nobody_floods_finance_with_reports(receipt: Receipt) -> None:
    payment = manual(receipt)
    transfers = [report(payment, reference=f"R{number}") for number in range(10)]
    with pytest.raises(Conflict, match="10 reported transfers wait"):
        report(payment, reference="R10")
    reject_transfer(actor=FIN, transfer=transfers[0], note="not there")
    assert report(payment, reference="R10").status == "submitted"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"bank": ""}, "bank"), ({"bank": "x" * 61}, "bank"), ({"reference": " "}, "reference"),
        ({"reference": "a\nb"}, "reference"), ({"amount_minor": 0}, "amount"),
        ({"days_from_today": 1}, "transferred_on"), ({"days_from_today": -400}, "transferred_on"),
        ({"slip": b"GIF89a"}, "slip"),
        ({"slip": PNG + b"x" * SLIP_MAX_BYTES}, "slip"),
    ],
)  # fmt: skip
def test_reports_that_cannot_be(receipt: Receipt, values: dict[str, Any], field: str) -> None:
    values = dict(values)
    day = today() + timedelta(days=values.pop("days_from_today", 0))  # of the test, which may begin after midnight
    told = Report(**{"bank": "SCB", "reference": "R", "amount_minor": 800, "transferred_on": day, **values})
    with pytest.raises(BadInput) as caught:
        submit_transfer(actor=ALICE, payment=manual(receipt), report=told)
    assert caught.value.details["field"] == field


def test_who_reported_it_or_owes_it_may_not_decide(receipt: Receipt) -> None:
    payment = manual(receipt)
    told = Report("SCB", "R", 800, today())
    by_a_helper = submit_transfer(actor=Actor("helper"), payment=payment, report=told)
    for actor in (ALICE, Actor("helper")):
        with pytest.raises(Conflict, match="Somebody else"):
            accept_transfer(actor=actor, transfer=by_a_helper, received_minor=800, note="n")
        with pytest.raises(Conflict, match="Somebody else"):
            reject_transfer(actor=actor, transfer=by_a_helper, note="n")
    assert state(receipt)[0] == "pending"


def test_a_decision_needs_a_note_and_an_amount_and_stands(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    for received, note in ((800, " "), (0, "n"), (-5, "n"), (10**14, "n")):
        with pytest.raises(BadInput):
            accept_transfer(actor=FIN, transfer=transfer, received_minor=received, note=note)
    accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="n")
    for act in (
        lambda: accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="n"),
        lambda: reject_transfer(actor=FIN, transfer=transfer, note="n"),
    ):
        with pytest.raises(Conflict):
            act()
    assert state(receipt) == ("paid", "succeeded", 800, 0)


def test_one_satang_less_is_not_paid_and_the_rest_completes_it(receipt: Receipt) -> None:
    payment = manual(receipt)
    accept_transfer(actor=FIN, transfer=report(payment), received_minor=799, note="n")
    assert state(receipt) == ("pending", "needs_review", 799, 799)
    accept_transfer(actor=FIN, transfer=report(payment, 1, reference="REST"), received_minor=1, note="n")
    assert state(receipt) == ("paid", "succeeded", 800, 0)


def test_one_satang_more_pays_and_stays_a_credit(receipt: Receipt) -> None:
    accept_transfer(actor=FIN, transfer=report(manual(receipt)), received_minor=801, note="n")
    assert state(receipt) == ("paid", "succeeded", 801, 1)


def test_a_transfer_that_was_reported_before_the_case_was_closed_still_counts(receipt: Receipt) -> None:
    payment = manual(receipt)
    accept_transfer(actor=FIN, transfer=report(payment, 300), received_minor=300, note="n")
    late = report(payment, 500, reference="LATE")
    payment.refresh_from_db()
    close_payment(actor=FIN, payment=payment, note="given up")
    accept_transfer(actor=FIN, transfer=late, received_minor=500, note="n")
    assert state(receipt) == ("paid", "succeeded", 800, 0)


@pytest.mark.django_db(transaction=True)
def test_of_many_decisions_at_once_one_counts(receipt: Receipt) -> None:
    transfer = report(manual(receipt))

    def decide(index: int) -> bool:
        mine = BankTransfer.objects.get(pk=transfer.pk)
        try:
            if index % 2:
                accept_transfer(actor=FIN, transfer=mine, received_minor=800, note="n")
            else:
                reject_transfer(actor=FIN, transfer=mine, note="n")
        except Conflict:
            return False
        return True

    assert at_once(6, decide).count(True) == 1
    assert state(receipt) in (("paid", "succeeded", 800, 0), ("pending", "pending", 0, 0))


@pytest.mark.django_db(transaction=True)
def test_two_transfers_accepted_at_once_are_both_counted(receipt: Receipt) -> None:
    payment = manual(receipt)
    transfers = [report(payment, 400, reference=f"R{number}") for number in range(2)]
    at_once(2, lambda index: accept_transfer(actor=FIN, transfer=transfers[index], received_minor=400, note="n"))
    assert state(receipt) == ("paid", "succeeded", 800, 0)


# the payer's page


def form(**fields: Any) -> dict[str, Any]:
    return {"bank": "SCB", "reference": "R1", "amount": "8.00", "transferred_on": today().isoformat(), **fields}


def test_the_payer_reports_on_the_page_and_reads_what_became_of_it(client: Any, receipt: Receipt) -> None:
    client.force_login(receipt.user)
    started = client.post(f"/payments/receipt/{receipt.pk}/start", {"way": "manual.transfer"})
    payment = Payment.objects.get()
    page = client.get(started["Location"]).content.decode()
    assert all(words in page for words in ("Siam Bank", "123-4-56789-0", str(receipt), "8.00"))
    slip = SimpleUploadedFile("slip.png", PNG, "image/png")
    done = client.post(f"/payments/{payment.pk}/transfer", form(slip=slip), follow=True).content.decode()
    assert "Finance compares it with the bank" in done
    transfer = BankTransfer.objects.get()
    assert (transfer.claimed_cents, bytes(transfer.slip or b""), transfer.slip_type) == (800, PNG, "image/png")
    reject_transfer(actor=FIN, transfer=transfer, note="not on our account")
    assert "not on our account" in client.get(started["Location"]).content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"amount": "8.005"}, "decimal places"), ({"amount": "0"}, "greater than"), ({"reference": ""}, "required"),
     ({"transferred_on": "2999-01-01"}, "future")],
)  # fmt: skip
def test_what_is_wrong_stands_beside_the_field(client: Any, receipt: Receipt, fields: Any, words: str) -> None:
    payment = manual(receipt)
    client.force_login(receipt.user)
    answer = client.post(f"/payments/{payment.pk}/transfer", form(**fields))
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_a_repeated_report_is_refused_on_the_page(client: Any, receipt: Receipt) -> None:
    payment = manual(receipt)
    client.force_login(receipt.user)
    assert client.post(f"/payments/{payment.pk}/transfer", form()).status_code == 302
    again = client.post(f"/payments/{payment.pk}/transfer", form())
    assert again.status_code == 409
    assert "reported before" in again.content.decode()


def test_nobody_else_sees_or_reports(client: Any, receipt: Receipt, bob: Any) -> None:
    payment = manual(receipt)
    client.force_login(bob)
    assert client.get(f"/payments/{payment.pk}/").status_code == 404
    assert client.post(f"/payments/{payment.pk}/transfer", form()).status_code == 404


def test_after_a_part_the_pages_ask_for_the_rest_and_nothing_else(client: Any, receipt: Receipt) -> None:
    payment = manual(receipt)
    accept_transfer(actor=FIN, transfer=report(payment), received_minor=500, note="n")
    client.force_login(receipt.user)
    for address in (f"/receipts/{receipt.pk}/", f"/payments/thanks?rid={receipt.pk}", f"/payments/{payment.pk}/"):
        page = client.get(address).content.decode().replace("\u00a0", " ")
        assert "THB 5.00 of THB 8.00 has arrived; THB 3.00 is missing." in page, address
    assert 'value="3.00"' in page
    client.post(f"/payments/{payment.pk}/transfer", form(amount="3.00"))
    accept_transfer(actor=FIN, transfer=BankTransfer.objects.get(reference="R1"), received_minor=300, note="n")
    assert state(receipt)[0] == "paid"
    assert client.get(f"/payments/{payment.pk}/").status_code == 302
