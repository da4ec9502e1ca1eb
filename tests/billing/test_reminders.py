"""Reminders of unpaid invoices: each step once, the latest one only after a gap, to whom it concerns, in their language."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import EmailNotification, Member, Organisation
from billing.models import Invoice, InvoiceNotice
from billing.selectors.documents.dues import step_of
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment_by_hand
from billing.services.invoices.reminders import send_reminders
from core.context import SYSTEM
from payments.models import Dispute, Payment
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(db: None) -> Invoice:
    project = make_customer(billing_email="bills@institute.example")
    fee(project, "100")
    return finalized(project)


def after(invoice: Invoice, days: int) -> Any:
    """A run so many days after the due day."""
    assert invoice.due_date is not None
    return send_reminders(actor=SYSTEM, day=invoice.due_date + timedelta(days=days))


def steps() -> list[int]:
    return list(InvoiceNotice.objects.filter(kind="reminder").order_by("pk").values_list("step", flat=True))


@pytest.mark.parametrize(
    ("days", "step"),
    [(-4, None), (-3, -3), (0, -3), (1, 1), (6, 1), (7, 7), (14, 14), (21, 21), (29, 21), (30, 30), (36, 30), (37, 37),
     (43, 37), (44, 44), (365, 359)],
)  # fmt: skip
def test_the_steps_are_three_days_before_then_as_set_then_weekly(settings: Any, days: int, step: int | None) -> None:
    assert step_of(days) == step
    settings.DUNNING_REMIND_BEFORE_DAYS, settings.DUNNING_REMIND_AFTER_DAYS = 0, []
    assert step_of(days) is None


def test_each_step_is_told_once_however_often_it_runs(invoice: Invoice) -> None:
    for days in (-5, -3, -3, -1, 0, 1, 1, 2, 7, 8, 14, 21, 30, 37, 38, 44):
        after(invoice, days)
    assert steps() == [-3, 1, 7, 14, 21, 30, 37, 44]
    assert EmailNotification.objects.filter(kind="invoice_reminder").count() == 8


def test_after_a_gap_only_the_latest_step_is_told(invoice: Invoice) -> None:
    done = after(invoice, 22)
    assert steps() == [21]
    assert (done.reminded, done.by_step, done.overdue) == (1, {"21": 1}, 1)


def test_it_says_what_is_due_since_when_and_where_to_pay(invoice: Invoice) -> None:
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(40), reference="slip 1")
    after(invoice, 7)
    mail = EmailNotification.objects.get(kind="invoice_reminder")
    assert mail.recipient_email == "bills@institute.example"
    assert str(invoice) in mail.subject
    assert "60.00" in mail.body_text
    assert "7 days ago" in mail.body_text
    assert "not paid in full" in mail.body_text
    assert f"/invoices/{invoice.uuid}/" in mail.body_text
    assert (mail.invoice_id, mail.organisation_id) == (invoice.pk, invoice.organisation_id)


def test_it_is_written_in_the_language_of_the_one_who_pays(invoice: Invoice, make_user: Any) -> None:
    payer = make_user("payer", language="th")
    Member.objects.create(organisation=invoice.organisation, user=payer, role="owner")
    after(invoice, 1)
    mail = EmailNotification.objects.get(kind="invoice_reminder")
    assert mail.language == "th"
    assert "เกินกำหนด" in mail.subject
    assert "ยังไม่ได้ชำระ" in mail.body_text


@pytest.mark.parametrize("how", ["paid", "credited", "canceled", "disputed", "draft"])
def test_what_is_settled_taken_back_or_disputed_gets_none(invoice: Invoice, alice: Any, how: str) -> None:
    if how == "paid":
        record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    elif how in ("credited", "canceled"):
        write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=how == "canceled")
    elif how == "disputed":
        payment = Payment.objects.create(
            invoice=invoice, user=alice, provider="stripe", currency="THB", amount_cents=4000, captured_cents=4000,
            status="needs_review", idempotency_key="k",
        )  # fmt: skip
        Dispute.objects.create(payment=payment, external_dispute_id="dp_1", amount_cents=4000)
    else:
        other = make_customer(name="Other", account="other", billing_email="o@other.example")
        fee(other, "5")
        draft(other)
        record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    done = after(invoice, 7)
    assert (done.unpaid, done.reminded, done.overdue) == (0, 0, 0)
    assert not EmailNotification.objects.exists()


def test_an_organisation_that_wants_none_gets_none_and_is_overdue_all_the_same(invoice: Invoice) -> None:
    Organisation.objects.update(bill_reminders=False)
    done = after(invoice, 7)
    assert (done.off, done.reminded, done.overdue) == (1, 0, 1)
    assert not EmailNotification.objects.filter(kind="invoice_reminder").exists()


def test_without_an_address_it_is_told_as_soon_as_there_is_one(invoice: Invoice) -> None:
    Organisation.objects.update(billing_email="")
    done = after(invoice, 7)
    assert (done.no_address, done.is_clean) == (1, False)
    assert "Institute has no address" in done.notes[0]
    Organisation.objects.update(billing_email="late@institute.example")
    assert after(invoice, 8).reminded == 1
    assert steps() == [7]


def test_a_dry_run_counts_and_writes_nothing(invoice: Invoice) -> None:
    assert invoice.due_date is not None
    done = send_reminders(actor=SYSTEM, day=invoice.due_date + timedelta(days=7), dry_run=True)
    assert done.reminded == 1
    assert not InvoiceNotice.objects.exists()
    assert not EmailNotification.objects.exists()


def test_the_statements_do_not_grow_with_the_invoices(db: None) -> None:
    def took(number: int, name: str) -> int:
        for index in range(number):
            project = make_customer(name=f"{name}{index}", account="", billing_email=f"{name}{index}@x.example")
            fee(project, "1")
            last = finalized(project)
        with CaptureQueriesContext(connection) as queries:
            assert after(last, -1).reminded == number
        return len(queries)

    assert took(1, "a") == took(7, "b")


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_the_same_moment_send_one_e_mail(invoice: Invoice) -> None:
    """Without the lock that keeps the commands apart: the row is the claim."""
    assert sum(done.reminded for done in at_once(4, lambda _n: after(invoice, 7))) == 1
    assert EmailNotification.objects.filter(kind="invoice_reminder").count() == 1
