"""Above an amount two people are needed: one asks, another confirms; nothing goes round it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Approval, User
from accounts.services.approvals import NotEntitled, SamePerson, WaitsForSecond, approve, decline
from audit.models import AuditLog
from billing.debtors import OwnDebt
from billing.models import Receipt
from billing.services.receipts import mark_paid, mark_paid_by_hand, void_receipt
from core.context import Actor
from core.errors import BadInput, Conflict
from payments.models import Payment, Refund
from payments.services.refunds import refund_payment
from payments.services.review import accept_payment
from tests.pages.conftest import text
from tests.payments.conftest import call
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN, SECOND = Actor("fin"), Actor("fin2")
RECEIPTS, SIGNATURES = "/admin/billing/receipt/", "/admin/accounts/approval/"


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    """The receipt of 8.00 is above it."""
    settings.FOUR_EYES_ABOVE = Decimal("7.99")


@pytest.fixture(autouse=True)
def _people(finance: Any, second: Any) -> None:
    """Both have the right, or nobody could sign."""


@pytest.fixture
def second(make_user: Any) -> Any:
    return make_user("fin2", role="admin", groups=["Finance"])


@pytest.fixture
def paid(payment: Payment) -> Payment:
    call(payment)
    payment.refresh_from_db()
    return payment


def status(receipt: Receipt) -> str:
    return Receipt.objects.get(pk=receipt.pk).status


def asked(receipt: Receipt) -> Approval:
    with pytest.raises(WaitsForSecond):
        mark_paid_by_hand(actor=FIN, receipt=receipt, tx_ref="slip 7")
    return Approval.objects.get()


def test_what_one_asks_for_happens_when_another_confirms_and_the_log_names_both(receipt: Receipt) -> None:
    approval = asked(receipt)
    assert status(receipt) == "pending"
    approve(actor=SECOND, approval=approval, note="seen on the statement")
    receipt.refresh_from_db()
    assert (receipt.status, receipt.method, receipt.tx_ref) == ("paid", "manual", "slip 7")
    acts = AuditLog.objects.filter(action__in=["approval_ask", "approval_approved", "mark_paid"]).order_by("pk")
    assert [(each.action, each.actor) for each in acts] == [
        ("approval_ask", "fin"), ("approval_approved", "fin2"), ("mark_paid", "fin"),
    ]  # fmt: skip


def test_nobody_confirms_what_they_asked_for(receipt: Receipt) -> None:
    approval = asked(receipt)
    with pytest.raises(SamePerson):
        approve(actor=FIN, approval=approval)
    assert (status(receipt), Approval.objects.get().status) == ("pending", "open")


def test_it_is_asked_for_once_and_again_after_it_was_declined(receipt: Receipt) -> None:
    approval = asked(receipt)
    with pytest.raises(Conflict, match="waits for a second person already"):
        mark_paid_by_hand(actor=SECOND, receipt=receipt, tx_ref="slip 8")
    with pytest.raises(BadInput):
        decline(actor=SECOND, approval=approval, note=" ")
    decline(actor=SECOND, approval=approval, note="not on the statement")
    with pytest.raises(Conflict, match="is declined"):
        approve(actor=SECOND, approval=approval)
    assert status(receipt) == "pending"
    with pytest.raises(WaitsForSecond):
        mark_paid_by_hand(actor=FIN, receipt=receipt, tx_ref="slip 7")


def test_the_one_who_asked_may_take_it_back(receipt: Receipt) -> None:
    approval = asked(receipt)
    decline(actor=FIN, approval=approval, note="wrong receipt")
    assert AuditLog.objects.filter(action="approval_declined", actor="fin").exists()


@pytest.mark.forged("a receipt that is changed by hand")
def test_what_was_paid_meanwhile_is_not_confirmed(receipt: Receipt) -> None:
    approval = asked(receipt)
    mark_paid(actor=Actor("provider:dummy"), receipt=receipt, method="dummy", tx_ref="ch_1")
    with pytest.raises(Conflict, match="paid meanwhile"):
        approve(actor=SECOND, approval=approval)
    assert Approval.objects.get().status == "open", "to be declined"
    assert Receipt.objects.get().tx_ref == "ch_1"


def test_voiding_the_receipt_ends_what_was_asked_for_it(receipt: Receipt) -> None:
    approval = asked(receipt)
    void_receipt(actor=FIN, receipt=receipt, reason="wrong person")
    approval.refresh_from_db()
    assert (approval.status, approval.note) == ("declined", "The receipt was voided.")
    with pytest.raises(Conflict):
        approve(actor=SECOND, approval=approval)


@pytest.mark.forged("a receipt that is changed by hand")
def test_up_to_the_amount_and_without_a_limit_one_person_is_enough(receipt: Receipt, settings: Any) -> None:
    settings.FOUR_EYES_ABOVE = Decimal("8.00")
    assert mark_paid_by_hand(actor=FIN, receipt=receipt, tx_ref="slip 7") is True
    assert not Approval.objects.exists()
    Receipt.objects.update(status="pending", total=Decimal("9999999"))
    settings.FOUR_EYES_ABOVE = None
    receipt.refresh_from_db()
    assert mark_paid_by_hand(actor=FIN, receipt=receipt, tx_ref="slip 7") is True


def test_sums_of_another_currency_always_need_two(receipt: Receipt, settings: Any) -> None:
    settings.FOUR_EYES_ABOVE = Decimal(100)
    Receipt.objects.update(currency="USD")
    receipt.refresh_from_db()
    assert asked(receipt).currency == "USD"


def test_a_refund_waits_and_parts_count_together(paid: Payment) -> None:
    give = {"actor": FIN, "payment": paid, "reason": "too much"}
    refund_payment(**give, amount_minor=400)
    paid.refresh_from_db()
    with pytest.raises(WaitsForSecond):
        refund_payment(**give, amount_minor=400)
    assert list(Refund.objects.values_list("amount_cents", "status")) == [(400, "succeeded")]
    approve(actor=SECOND, approval=Approval.objects.get())
    paid.refresh_from_db()
    assert paid.refunded_cents == 800
    assert status(paid.receipt) == "refunded"


def test_a_refund_that_cannot_be_is_refused_before_anybody_signs(paid: Payment) -> None:
    with pytest.raises(BadInput):
        refund_payment(actor=FIN, payment=paid, amount_minor=801, reason="x")
    assert not Approval.objects.exists()


def test_a_refund_is_not_confirmed_when_other_money_went_back_since(paid: Payment, settings: Any) -> None:
    with pytest.raises(WaitsForSecond):
        refund_payment(actor=FIN, payment=paid, amount_minor=800, reason="x")
    settings.FOUR_EYES_ABOVE = None
    refund_payment(actor=FIN, payment=paid, amount_minor=100, reason="x")
    with pytest.raises(Conflict, match="meanwhile"):
        approve(actor=SECOND, approval=Approval.objects.get())
    assert Refund.objects.count() == 1


def test_accepting_a_payment_in_review_waits(payment: Payment) -> None:
    call(payment, currency="USD")
    payment.refresh_from_db()
    with pytest.raises(WaitsForSecond):
        accept_payment(actor=FIN, payment=payment, note="the provider shows 8.00")
    assert status(payment.receipt) == "pending"
    approve(actor=SECOND, approval=Approval.objects.get())
    assert status(payment.receipt) == "paid"


@pytest.mark.django_db(transaction=True)
def test_of_many_signatures_at_once_one_counts(receipt: Receipt, make_user: Any) -> None:
    pk = asked(receipt).pk
    for number in (3, 4, 5):
        make_user(f"fin{number}", role="admin", groups=["Finance"])

    def sign(index: int) -> bool:
        try:
            approve(actor=Actor(f"fin{index + 2}"), approval=Approval.objects.get(pk=pk))
        except Conflict:
            return False
        return True

    assert sorted(at_once(4, sign)) == [False, False, False, True]
    assert AuditLog.objects.filter(action="mark_paid").count() == 1


@pytest.mark.parametrize("who", ["fin", "fin2"])
@pytest.mark.parametrize("how", ["inactive", "no right"])
def test_two_people_need_the_right_at_that_moment(receipt: Receipt, who: str, how: str) -> None:
    approval = asked(receipt)
    user = User.objects.get(pk=who)
    if how == "inactive":
        User.objects.filter(pk=who).update(is_active=False)
    else:
        user.groups.clear()
    with pytest.raises(NotEntitled, match=f"{who} may not do this"):
        approve(actor=SECOND, approval=approval)
    assert (status(receipt), Approval.objects.get().status) == ("pending", "open")
    decline(actor=SECOND, approval=approval, note="has left")


def test_two_refunds_decided_on_the_same_page_do_not_pass_below_the_limit(paid: Payment) -> None:
    stale = Payment.objects.get(pk=paid.pk)
    refund_payment(actor=FIN, payment=paid, amount_minor=500, reason="x")
    with pytest.raises(Conflict, match="meanwhile"):
        refund_payment(actor=SECOND, payment=stale, amount_minor=300, reason="x")
    assert Refund.objects.count() == 1


def test_parts_by_one_person_wait_and_what_they_see_says_why(paid: Payment) -> None:
    refund_payment(actor=FIN, payment=paid, amount_minor=500, reason="x")
    with pytest.raises(WaitsForSecond, match="together with what was done before"):
        refund_payment(actor=FIN, payment=Payment.objects.get(pk=paid.pk), amount_minor=300, reason="x")
    assert Refund.objects.count() == 1


# --- the console -------------------------------------------------------------
def act(client: Any, where: str, row: Any, action: str, **more: str) -> str:
    return text(client.post(where, {"action": action, "_selected_action": [row.pk], **more}, follow=True))


def test_two_people_in_the_console(client: Any, finance: Any, second: Any, receipt: Receipt) -> None:
    client.force_login(finance)
    words = act(client, RECEIPTS, receipt, "mark_paid_action", confirm="1", text="slip 7")
    assert "needs a second person" in words
    assert "0 receipts" not in words
    approval = Approval.objects.get()
    assert "second signature" not in text(client.get("/admin/")), "the one who asked has nothing to sign"
    assert "Somebody else" in act(client, SIGNATURES, approval, "confirm_action", confirm="1")
    assert status(receipt) == "pending"
    own = client.get(f"{SIGNATURES}{approval.pk}/change/").content.decode()
    assert "Decline …" in own
    assert "Confirm …" not in own, "who asked is offered no signature"

    client.force_login(second)
    assert "Acts wait for a second signature" in text(client.get("/admin/"))
    page = text(client.get(f"{SIGNATURES}{approval.pk}/change/"))
    for words in ("slip 7", "THB 8.00", "fin", "Confirm"):
        assert words in page
    assert "mark as paid" in act(client, SIGNATURES, approval, "confirm_action")
    act(client, SIGNATURES, approval, "confirm_action", confirm="1")
    assert status(receipt) == "paid"


def test_a_bulk_choice_is_no_way_round(client: Any, finance: Any, receipt: Receipt, paid: Payment) -> None:
    """One of them is paid already, the other waits."""
    from billing.services.receipts import create_receipts
    from tests.factories import account_tier, make_job

    account_tier("acc2", "mu")
    make_job(account="acc2")
    (other,) = create_receipts(actor=Actor("alice"), username="alice")
    client.force_login(finance)
    form = {"action": "mark_paid_action", "_selected_action": [receipt.pk, other.pk], "confirm": "1", "text": "slip"}
    client.post(RECEIPTS, form)
    assert status(other) == "pending"
    assert Approval.objects.get().target == other.pk


def test_who_may_not_do_the_act_may_not_sign_for_it(client: Any, auditor: Any, receipt: Receipt) -> None:
    approval = asked(receipt)
    client.force_login(auditor)
    assert client.get(f"{SIGNATURES}{approval.pk}/change/").status_code == 200
    act(client, SIGNATURES, approval, "confirm_action", confirm="1")
    act(client, SIGNATURES, approval, "decline_action", confirm="1", text="x")
    assert (Approval.objects.get().status, status(receipt)) == ("open", "pending")


def test_a_refund_page_says_that_it_waits(client: Any, finance: Any, paid: Payment) -> None:
    client.force_login(finance)
    form = {"amount": "8.00", "reason": "wrong person", "seen": "0", "confirm": "1"}
    page = text(client.post(f"/admin/payments/payment/{paid.pk}/refund/", form, follow=True))
    assert "needs a second person" in page
    assert not Refund.objects.exists()


def test_nobody_gives_the_own_money_back_or_takes_it_as_paid(paid: Payment) -> None:
    """Neither alone nor as the second of two."""
    for act in (
        lambda: refund_payment(actor=Actor("alice"), payment=paid, amount_minor=100, reason="x"),
        lambda: accept_payment(actor=Actor("alice"), payment=paid, note="x"),
    ):
        with pytest.raises(OwnDebt):
            act()
    with pytest.raises(WaitsForSecond):
        refund_payment(actor=FIN, payment=paid, amount_minor=800, reason="twice")
    alice = User.objects.get(pk="alice")
    alice.groups.add(*User.objects.get(pk="fin").groups.all())
    User.objects.filter(pk="alice").update(role="admin")
    with pytest.raises(OwnDebt):
        approve(actor=Actor("alice"), approval=Approval.objects.get())
    assert (Approval.objects.get().status, Refund.objects.count()) == ("open", 0)
