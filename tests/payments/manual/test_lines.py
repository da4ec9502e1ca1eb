"""What a line may pay, and the decision about it: once, by somebody else, to the satang."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid
from core.context import Actor
from core.errors import BadInput, Conflict
from core.periods import today
from hpcbilling.books import INVARIANTS
from payments.models import BankLine, BankTransfer, Payment
from payments.services.checkout import StillAsking, start_payment
from payments.services.lines import LineDecided, match_line, reopen_line, set_aside_line
from payments.services.transfers import KnownTransfer, accept_transfer, reject_transfer
from payments.statements.suggestions import suggestions_for
from tests.payments.conftest import call
from tests.payments.manual.conftest import ALICE, FIN, OTHER, YESTERDAY, imported, line, manual, report, row, state
from tests.races import at_once

pytestmark = pytest.mark.django_db


def reasons(of: BankLine) -> list[tuple[str, str]]:
    return [(each.candidate.kind, each.reason) for each in suggestions_for([of])[of.pk]]


# suggestions


def test_a_reference_comes_before_amount_and_day_and_both_before_an_amount_alone(
    receipt: Receipt, another: Receipt, third: Receipt
) -> None:
    exact = report(manual(receipt), 500, reference="REF 0001")
    near = report(manual(another), 800, reference="OTHER1", day=YESTERDAY)
    old = report(manual(third), 800, reference="OTHER2", day=today() - timedelta(days=40))
    found = suggestions_for([it := line("8.00", reference="ref0001")])[it.pk]
    assert [(each.candidate.pk, each.why.name) for each in found] == [
        (exact.pk, "REFERENCE"), (near.pk, "AMOUNT_AND_DAY"), (old.pk, "AMOUNT")
    ]  # fmt: skip
    assert "THB\u00a05.00" in found[0].reason


@pytest.mark.parametrize("form", ["{}", "pay {}", "{}/ALICE"])
def test_the_number_of_a_receipt_in_the_line_names_it_whole_or_by_its_digits(receipt: Receipt, form: str) -> None:
    number = str(receipt.document_number)
    digits = "".join(each for each in number if each.isdigit())
    for text in (number, number.lower().replace("-", " "), digits):
        it = line("8.00", form.format(text))
        assert reasons(it)[0] == ("receipt", "the receipt's number stands in the line, same amount")
    assert reasons(line("7.00", "x", reference=digits))[0][1].startswith("the receipt's number stands in the line, but")


def test_a_reported_receipt_is_offered_as_its_transfer_only(receipt: Receipt) -> None:
    report(manual(receipt))
    assert [kind for kind, _reason in reasons(line("8.00"))] == ["transfer"]


def test_an_accepted_transfer_is_offered_to_be_tied_while_its_money_surely_is_this(receipt: Receipt) -> None:
    accept_transfer(actor=FIN, transfer=report(manual(receipt)), received_minor=800, note="seen")
    assert "accepted already" in reasons(line("8.00", reference="REF0001"))[0][1]
    assert reasons(line("9.00", reference="REF0001")) == []


def test_other_currencies_paid_receipts_and_unlike_amounts_are_not_offered(receipt: Receipt, another: Receipt) -> None:
    mark_paid(actor=FIN, receipt=another, method="manual", tx_ref="x")
    it = line("8.00")
    assert [each.candidate.number for each in suggestions_for([it])[it.pk]] == [str(receipt)]
    BankLine.objects.update(currency="USD")
    assert reasons(BankLine.objects.get()) == []


def test_a_page_of_lines_takes_four_queries(receipt: Receipt, django_assert_num_queries: Any) -> None:
    report(manual(receipt))
    imported(*[row("8.00")] * 100)
    lines = list(BankLine.objects.all())
    with django_assert_num_queries(4):  # and one more where invoices were paid
        found = suggestions_for(lines)
    assert sum(map(len, found.values())) == 100
    assert suggestions_for([]) == {}


# matching with a reported transfer


def test_matching_a_reported_transfer_accepts_it_with_the_lines_amount_and_pays(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    held = match_line(actor=FIN, line=line("8.00", reference="REF0001"), transfer=transfer, note="on the statement")
    transfer.refresh_from_db()
    assert (held.status, held.transfer, held.decided_by) == ("matched", transfer, "fin")
    assert (transfer.status, transfer.received_cents, transfer.reviewed_by) == ("accepted", 800, "fin")
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    entry = AuditLog.objects.get(action="statement_match")
    assert (entry.actor, entry.extra["transfer"], entry.extra["note"]) == ("fin", transfer.pk, "on the statement")


def test_the_line_counts_and_not_what_was_said(receipt: Receipt) -> None:
    match_line(actor=FIN, line=line("5.00"), transfer=report(manual(receipt), 800), note="short")
    assert state(receipt) == ("pending", "needs_review", 500, 500)


def test_a_transfer_that_was_accepted_by_hand_is_tied_and_nothing_is_paid_twice(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="seen")
    with pytest.raises(Conflict, match="another amount"):
        match_line(actor=FIN, line=line("9.00"), transfer=transfer, note="n")
    match_line(actor=FIN, line=line("8.00"), transfer=transfer, note="n")
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    with pytest.raises(Conflict, match="another line"):
        match_line(actor=FIN, line=line("8.00", "second"), transfer=transfer, note="n")


def test_a_rejected_transfer_is_refused(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    reject_transfer(actor=FIN, transfer=transfer, note="not there")
    with pytest.raises(Conflict):
        match_line(actor=FIN, line=line("8.00"), transfer=transfer, note="n")
    assert BankLine.objects.get().status == "open"


# matching with a receipt


def test_matching_a_receipt_opens_the_payment_writes_the_transfer_and_pays(receipt: Receipt) -> None:
    held = match_line(actor=FIN, line=line("8.00", reference="ab 12"), receipt=receipt, note="number in the text")
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    transfer = held.transfer
    assert transfer is not None
    assert (transfer.bank, transfer.reference, transfer.submitted_by, transfer.received_cents) == (
        "KBANK", "AB12", "statement:KBANK", 800,
    )  # fmt: skip
    receipt.refresh_from_db()
    assert receipt.method == "manual"


def test_a_line_without_a_reference_gets_one_of_its_own(receipt: Receipt) -> None:
    it = line("8.00")
    held = match_line(actor=FIN, line=it, receipt=receipt, note="n")
    assert held.transfer is not None
    assert held.transfer.reference == f"LINE-{it.line_key[:24].upper()}"


def test_two_deposits_with_one_reference_pay_two_receipts(receipt: Receipt, another: Receipt) -> None:
    imported(row("8.00", reference="QR"), row("8.00", reference="QR"))
    first, second = BankLine.objects.order_by("pk")
    match_line(actor=FIN, line=first, receipt=receipt, note="n")
    match_line(actor=FIN, line=second, receipt=another, note="n")
    assert [state(each)[0] for each in (receipt, another)] == ["paid", "paid"]


def test_a_reference_that_was_reported_for_another_receipt_is_refused(receipt: Receipt, another: Receipt) -> None:
    report(manual(receipt), reference="R9", bank="KBANK")
    with pytest.raises(KnownTransfer, match="match the line with that one"):
        match_line(actor=FIN, line=line("8.00", reference="R9"), receipt=another, note="n")
    assert BankLine.objects.get().status == "open"


def test_a_receipt_with_a_report_is_matched_by_its_transfer(receipt: Receipt) -> None:
    report(manual(receipt))
    with pytest.raises(Conflict, match="was reported for this receipt"):
        match_line(actor=FIN, line=line("8.00"), receipt=receipt, note="n")


def test_a_part_waits_and_a_second_line_completes_it(receipt: Receipt) -> None:
    match_line(actor=FIN, line=line("5.00"), receipt=receipt, note="first")
    assert state(receipt) == ("pending", "needs_review", 500, 500)
    match_line(actor=FIN, line=line("2.00"), receipt=receipt, note="second")
    assert state(receipt) == ("pending", "needs_review", 700, 700)
    assert "got 7.00" in receipt.payments.get().review_reason
    match_line(actor=FIN, line=line("1.00"), receipt=receipt, note="third")
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    assert not [fault for check in INVARIANTS.values() for fault in check()]


def test_too_much_pays_and_the_rest_is_a_credit(receipt: Receipt) -> None:
    match_line(actor=FIN, line=line("10.50"), receipt=receipt, note="n")
    assert state(receipt) == ("paid", "succeeded", 1050, 250)


def test_a_second_transfer_for_a_paid_receipt_is_a_credit(receipt: Receipt) -> None:
    payment = manual(receipt)
    first, second = report(payment), report(payment, reference="REF0002")
    match_line(actor=FIN, line=line("8.00", "a"), transfer=first, note="n")
    match_line(actor=FIN, line=line("8.00", "b"), transfer=second, note="n")
    assert state(receipt) == ("paid", "succeeded", 1600, 800)
    assert not [fault for check in INVARIANTS.values() for fault in check()]


def test_an_open_attempt_by_another_way_is_ended_first(receipt: Receipt) -> None:
    other = start_payment(actor=ALICE, receipt=receipt, provider_name="dummy")
    match_line(actor=FIN, line=line("8.00"), receipt=receipt, note="n")
    other.refresh_from_db()
    assert (other.status, state(receipt)[:2]) == ("canceled", ("paid", "succeeded"))


def test_what_the_other_way_answers_is_said(receipt: Receipt, monkeypatch: pytest.MonkeyPatch) -> None:
    other = start_payment(actor=ALICE, receipt=receipt, provider_name="dummy")
    Payment.objects.filter(pk=other.pk).update(external_payment_id="", asked_at="2099-01-01T00:00Z")
    with pytest.raises(StillAsking):
        match_line(actor=FIN, line=line("8.00"), receipt=receipt, note="n")
    assert BankLine.objects.get().status == "open"


def test_a_late_transfer_ends_the_attempt_that_the_payer_began_meanwhile(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    other = start_payment(actor=ALICE, receipt=receipt, provider_name="dummy")
    match_line(actor=FIN, line=line("8.00"), transfer=transfer, note="n")
    other.refresh_from_db()
    assert (other.status, transfer.payment.status) == ("canceled", "succeeded")
    assert state(receipt)[0] == "paid"


def test_money_for_a_receipt_that_was_paid_by_card_meanwhile_waits_for_review(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    other = start_payment(actor=ALICE, receipt=receipt, provider_name="dummy")
    call(other)
    match_line(actor=FIN, line=line("8.00"), transfer=transfer, note="n")
    transfer.payment.refresh_from_db()
    assert (transfer.payment.status, transfer.payment.credit_cents) == ("needs_review", 800)
    assert not [fault for check in INVARIANTS.values() for fault in check()]


# refused, repeated, raced


def test_the_payer_decides_nothing_about_own_money(receipt: Receipt) -> None:
    it = line("8.00")
    with pytest.raises(Conflict, match="Somebody else"):
        match_line(actor=ALICE, line=it, receipt=receipt, note="n")
    with pytest.raises(Conflict, match="Somebody else"):
        match_line(actor=ALICE, line=it, transfer=report(manual(receipt)), note="n")
    assert state(receipt)[:2] == ("pending", "pending")


def test_another_currency_is_refused(receipt: Receipt) -> None:
    line("8.00")
    BankLine.objects.update(currency="USD")
    it = BankLine.objects.get()
    with pytest.raises(Conflict, match="in USD"):
        match_line(actor=FIN, line=it, receipt=receipt, note="n")
    assert not Payment.objects.exists()
    with pytest.raises(Conflict, match="in USD"):
        match_line(actor=FIN, line=it, transfer=report(manual(receipt)), note="n")


def test_a_paid_receipt_takes_no_line(receipt: Receipt) -> None:
    mark_paid(actor=FIN, receipt=receipt, method="manual", tx_ref="x")
    with pytest.raises(Conflict):
        match_line(actor=FIN, line=line("8.00"), receipt=receipt, note="n")


def test_a_decision_needs_a_note_and_one_target(receipt: Receipt) -> None:
    it = line("8.00")
    for act in (
        lambda: match_line(actor=FIN, line=it, receipt=receipt, note=" "),
        lambda: match_line(actor=FIN, line=it, note="n"),
        lambda: set_aside_line(actor=FIN, line=it, note=""),
    ):
        with pytest.raises(BadInput):
            act()


def test_a_line_is_set_aside_opened_again_and_decided_once(receipt: Receipt) -> None:
    it = set_aside_line(actor=FIN, line=line("8.00"), note="salary")
    assert (it.status, it.note, it.decided_by) == ("ignored", "salary", "fin")
    for act in (set_aside_line, match_line):
        with pytest.raises(LineDecided):
            act(actor=FIN, line=it, note="n", **({"receipt": receipt} if act is match_line else {}))  # type: ignore[operator]
    it = reopen_line(actor=OTHER, line=it)
    assert (it.status, it.decided_by, it.decided_at) == ("open", "", None)
    it = match_line(actor=FIN, line=it, receipt=receipt, note="n")
    with pytest.raises(LineDecided):
        reopen_line(actor=FIN, line=it)
    acts = AuditLog.objects.filter(action__startswith="statement_").values_list("action", flat=True)
    assert list(acts.order_by("pk")) == ["statement_import", "statement_ignore", "statement_reopen", "statement_match"]


def tried(act: Any) -> str:
    try:
        act()
    except Conflict as error:
        return error.code
    return "done"


@pytest.mark.django_db(transaction=True)
def test_of_many_matches_of_one_line_one_counts(receipt: Receipt, another: Receipt) -> None:
    it = line("8.00")
    targets = (receipt, another)

    def match(index: int) -> str:
        mine = BankLine.objects.get(pk=it.pk)
        return tried(lambda: match_line(actor=FIN, line=mine, receipt=targets[index % 2], note="n"))

    assert at_once(6, match).count("done") == 1
    assert sorted(Receipt.objects.values_list("status", flat=True)) == ["paid", "pending"]
    assert BankTransfer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_lines_for_one_transfer_one_counts(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    imported(*[row("8.00")] * 4)
    lines = list(BankLine.objects.all())

    def match(index: int) -> str:
        mine = BankTransfer.objects.get(pk=transfer.pk)
        return tried(lambda: match_line(actor=FIN, line=lines[index], transfer=mine, note="n"))

    assert at_once(4, match).count("done") == 1
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    assert BankLine.objects.filter(status="matched").count() == 1


@pytest.mark.django_db(transaction=True)
def test_matching_and_accepting_by_hand_at_once_count_the_money_once(receipt: Receipt) -> None:
    transfer = report(manual(receipt))
    it = line("8.00")

    def act(index: int) -> str:
        mine = BankTransfer.objects.get(pk=transfer.pk)
        if index:
            return tried(lambda: accept_transfer(actor=FIN, transfer=mine, received_minor=800, note="n"))
        return tried(lambda: match_line(actor=OTHER, line=it, transfer=mine, note="n"))

    at_once(2, act)
    assert state(receipt) == ("paid", "succeeded", 800, 0)
    assert not [fault for check in INVARIANTS.values() for fault in check()]


@pytest.mark.django_db(transaction=True)
def test_parts_that_are_matched_at_once_add_up(receipt: Receipt) -> None:
    imported(*[row("2.00")] * 4)
    lines = list(BankLine.objects.all())

    def match(index: int) -> str:
        for _again in range(20):
            told = tried(lambda: match_line(actor=Actor(f"f{index}"), line=lines[index], receipt=receipt, note="n"))
            if told == "done":
                break
        return told

    fresh = [match(0)]
    fresh += at_once(3, lambda index: match(index + 1))
    assert fresh == ["done"] * 4
    assert state(receipt) == ("paid", "succeeded", 800, 0)
