"""Above an amount two people decide about bank transfers and statement lines, too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Approval
from accounts.services.approvals import WaitsForSecond, approve
from billing.models import Receipt
from core.context import Actor
from core.errors import Conflict
from payments.models import BankTransfer, Payment
from payments.services.lines import match_line
from payments.services.transfers import accept_transfer, reject_transfer
from tests.pages.conftest import text
from tests.payments.manual.conftest import FIN, manual, report
from tests.payments.manual.conftest import line as statement_line

pytestmark = pytest.mark.django_db
SECOND = Actor("fin2")


@pytest.fixture(autouse=True)
def _limit(settings: Any, finance: Any, make_user: Any) -> None:
    """The receipt of 8.00 is above it, and there are two who may."""
    settings.FOUR_EYES_ABOVE = Decimal("7.99")
    make_user("fin2", role="admin", groups=["Finance"])


def status(receipt: Receipt) -> str:
    return Receipt.objects.get(pk=receipt.pk).status


@pytest.fixture
def transfer(receipt: Receipt) -> BankTransfer:
    return report(manual(receipt))


def test_accepting_a_bank_transfer_waits_and_parts_count_together(receipt: Receipt) -> None:
    payment = manual(receipt)
    first, rest = report(payment, 700), report(payment, 100, reference="REST")
    accept_transfer(actor=FIN, transfer=first, received_minor=700, note="seen")
    with pytest.raises(WaitsForSecond):
        accept_transfer(actor=FIN, transfer=rest, received_minor=100, note="seen, too")
    rest.refresh_from_db()
    assert (rest.status, status(receipt)) == ("submitted", "pending")
    approve(actor=SECOND, approval=Approval.objects.get())
    rest.refresh_from_db()
    assert (rest.status, rest.reviewed_by, rest.review_note) == ("accepted", "fin", "seen, too")
    assert status(receipt) == "paid"


def test_who_may_not_decide_about_a_transfer_may_not_sign_for_it(receipt: Receipt) -> None:
    report(manual(receipt))
    BankTransfer.objects.update(submitted_by="fin2")
    with pytest.raises(WaitsForSecond):
        accept_transfer(actor=FIN, transfer=BankTransfer.objects.get(), received_minor=800, note="seen")
    with pytest.raises(Conflict, match="that you reported"):
        approve(actor=SECOND, approval=Approval.objects.get())
    assert (status(receipt), Approval.objects.get().status) == ("pending", "open")


def test_a_transfer_that_was_rejected_meanwhile_is_not_confirmed(transfer: BankTransfer, receipt: Receipt) -> None:
    with pytest.raises(WaitsForSecond):
        accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="seen")
    reject_transfer(actor=SECOND, transfer=BankTransfer.objects.get(), note="not ours")
    with pytest.raises(Conflict):
        approve(actor=SECOND, approval=Approval.objects.get())
    assert status(receipt) == "pending"


@pytest.mark.parametrize("reported", [True, False])
def test_matching_a_line_that_pays_waits(receipt: Receipt, reported: bool) -> None:
    it = statement_line("8.00")
    target: dict[str, Any] = {"transfer": report(manual(receipt))} if reported else {"receipt": receipt}
    with pytest.raises(WaitsForSecond):
        match_line(actor=FIN, line=it, note="on the statement", **target)
    it.refresh_from_db()
    assert (it.status, status(receipt)) == ("open", "pending")
    assert reported or not Payment.objects.exists(), "nothing is opened before the second person"
    approve(actor=SECOND, approval=Approval.objects.get())
    it.refresh_from_db()
    assert (it.status, it.decided_by, it.note) == ("matched", "fin", "on the statement")
    assert status(receipt) == "paid"


def test_tying_a_line_to_what_was_accepted_moves_nothing_and_needs_one(receipt: Receipt, settings: Any) -> None:
    transfer = report(manual(receipt))
    settings.FOUR_EYES_ABOVE = None
    accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="seen")
    settings.FOUR_EYES_ABOVE = Decimal(1)
    it = statement_line("8.00")
    assert match_line(actor=FIN, line=it, note="n", transfer=transfer).status == "matched"


# --- the console -------------------------------------------------------------
def test_the_page_of_a_transfer_says_that_it_waits(client: Any, finance: Any, transfer: BankTransfer) -> None:
    client.force_login(finance)
    form = {"amount": "8.00", "note": "seen", "confirm": "1"}
    page = text(client.post(f"/admin/payments/banktransfer/{transfer.pk}/accept/", form, follow=True))
    assert "needs a second person" in page
    assert Approval.objects.get().act == "accept_transfer"


def test_the_page_of_a_line_says_that_it_waits(client: Any, finance: Any, receipt: Receipt) -> None:
    client.force_login(finance)
    it = statement_line("8.00")
    where = f"/admin/payments/bankline/{it.pk}/match/"
    page = text(client.post(where, {"receipt": receipt.pk, "note": "seen"}, follow=True))
    assert "needs a second person" in page
    assert status(receipt) == "pending"
    client.force_login(type(finance).objects.get(pk="fin2"))
    act = {"action": "confirm_action", "_selected_action": Approval.objects.get().pk, "confirm": "1"}
    client.post("/admin/accounts/approval/", act)
    assert status(receipt) == "paid"
