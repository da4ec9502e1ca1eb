"""Above an amount a credit note needs a second person: what one alone could give away is bounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import Approval, User
from accounts.services.approvals import SamePerson, WaitsForSecond, approve, decline
from audit.models import AuditLog
from billing.models import CreditNote, Invoice, InvoiceStatus
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.receipts import TotalChanged
from core.context import Actor
from core.errors import BadInput
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.billing.test_finance_api import twice
from tests.pages.conftest import text
from tests.races import at_once

pytestmark = pytest.mark.django_db
SECOND = Actor("fin2")
LIMIT = Decimal(50)


@pytest.fixture(autouse=True)
def two_of_finance(settings: Any, make_user: Any) -> None:
    settings.FOUR_EYES_ABOVE = LIMIT
    for name in ("fin", "fin2"):
        make_user(name, role="admin", groups=["Finance"])


@pytest.fixture
def invoice(two_of_finance: None) -> Invoice:
    project = make_customer()
    fee(project, "100")
    return finalized(project)


def asked(invoice: Invoice, **wanted: Any) -> Approval:
    with pytest.raises(WaitsForSecond):
        write_credit_note(actor=FIN, invoice=invoice, reason="outage", **wanted)
    return Approval.objects.get()


def test_one_alone_up_to_the_limit(invoice: Invoice) -> None:
    assert write_credit_note(actor=FIN, invoice=invoice, reason="outage", lines={1: LIMIT}).total == LIMIT
    assert not Approval.objects.exists()


def test_above_it_nothing_stays_but_the_question(invoice: Invoice) -> None:
    before = AuditLog.objects.count()
    approval = asked(invoice)
    assert (approval.act, approval.amount, approval.asked_by) == ("credit_invoice", 100, "fin")
    assert (invoice.amount_due, invoice.amount_credited, CreditNote.objects.count()) == (100, 0, 0)
    assert [row.action for row in AuditLog.objects.order_by("pk")[before:]] == ["approval_ask"]
    with pytest.raises(SamePerson):
        approve(actor=FIN, approval=approval)


def test_the_second_person_does_it_in_the_name_of_the_first(invoice: Invoice) -> None:
    approve(actor=SECOND, approval=asked(invoice, lines={1: Decimal("60.50")}))
    invoice.refresh_from_db()
    note = CreditNote.objects.get()
    assert (note.total, note.reason, note.created_by) == (Decimal("60.50"), "outage", "fin")
    assert (invoice.amount_due, invoice.amount_credited) == (Decimal("39.50"), Decimal("60.50"))
    assert note.serial == 1  # the one that was tried took no number
    call_command("check_books")


def test_a_cancel_is_asked_for_as_it_was_meant(invoice: Invoice) -> None:
    approve(actor=SECOND, approval=asked(invoice, cancel=True))
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.CANCELED


def test_what_could_not_be_done_is_not_asked_for(invoice: Invoice) -> None:
    with pytest.raises(BadInput):
        write_credit_note(actor=FIN, invoice=invoice, reason="x", lines={1: Decimal(60)}, cancel=True)
    with pytest.raises(TotalChanged):
        write_credit_note(actor=FIN, invoice=invoice, reason="x", seen=Decimal(1))
    assert not Approval.objects.exists()


def test_what_came_between_is_looked_at_anew(invoice: Invoice) -> None:
    approval = asked(invoice, lines={1: Decimal(60)})
    write_credit_note(actor=FIN, invoice=invoice, reason="a part", lines={1: Decimal(10)})
    with pytest.raises(TotalChanged):
        approve(actor=SECOND, approval=approval)
    approval.refresh_from_db()
    assert approval.status == "open"
    decline(actor=SECOND, approval=approval, note="a part was taken back")
    assert CreditNote.objects.get().total == 10


def test_parts_and_other_acts_count_together(invoice: Invoice) -> None:
    write_credit_note(actor=FIN, invoice=invoice, reason="a part", lines={1: Decimal(30)})
    with pytest.raises(WaitsForSecond):
        write_credit_note(actor=FIN, invoice=invoice, reason="a part", lines={1: Decimal(21)})
    with pytest.raises(WaitsForSecond):
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    assert sorted(Approval.objects.values_list("act", flat=True)) == ["credit_invoice", "write_off"]


def test_the_console_says_that_it_waits_and_shows_what_for(invoice: Invoice, client: Client) -> None:
    client.force_login(User.objects.get(pk="fin"))
    at = f"/admin/billing/invoice/{invoice.pk}/"
    form = {"reason": "outage", "line_1": "60.00", "seen": "0", "seen_notes": "0", "confirm": "1"}
    answer = client.post(f"{at}credit/", form, follow=True)
    assert "It waits under Second signatures." in text(answer)
    client.force_login(User.objects.get(pk="fin2"))
    shown = text(client.get(f"/admin/accounts/approval/{Approval.objects.get().pk}/change/"))
    assert "write a credit note" in shown
    assert "outage · line 1: 60.00" in shown


def test_a_program_is_told_that_it_waits_and_asks_once(invoice: Invoice, client: Client) -> None:
    client.force_login(User.objects.get(pk="fin"))
    told = twice(client, f"invoices/{invoice.uuid}/credit-notes", {"reason": "outage", "seen": "0"}, 202)
    assert told["code"] == "waits_for_second"
    approve(actor=SECOND, approval=Approval.objects.get())
    assert CreditNote.objects.get().total == 100


@pytest.mark.django_db(transaction=True)
def test_many_at_once_stay_below_the_limit(invoice: Invoice) -> None:
    def one(_n: int) -> str:
        try:
            write_credit_note(actor=FIN, invoice=Invoice.objects.get(), reason="part", lines={1: Decimal(30)})
        except Exception as error:
            return type(error).__name__
        return "written"

    assert sorted(at_once(4, one)).count("written") == 1
    assert sum(CreditNote.objects.values_list("total", flat=True)) == 30
