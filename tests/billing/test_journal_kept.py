"""The journal is kept: no entry changes, none comes into a closed period, and the books notice whatever is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from billing import triggers
from billing.models import AccountingPeriod, CreditEntry, Invoice, JournalEntry, JournalPosting, JournalState
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.ledger.journal import post_journal
from billing.services.ledger.periods import close_period, open_period
from billing.services.months import close_month
from core.errors import BadInput, Conflict
from hpcbilling import books
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.billing.test_journal import balances, pay, post, yearly


@pytest.fixture
def project(db: None) -> Any:
    return make_customer()


@pytest.fixture
def taxed(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True


ADD = "INSERT INTO journal_postings (entry_id, position, debit, credit, amount) SELECT id, "


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal_entries SET date = '2020-01-01'",
        "DELETE FROM journal_entries",
        "UPDATE journal_postings SET amount = 1",
        "DELETE FROM journal_postings",
        f"{ADD} 2, 'receivable', 'revenue.jobs', 5 FROM journal_entries",
        f"{ADD} 1, 'receivable', 'receivable', 5 FROM journal_entries",
        f"{ADD} 1, 'receivable', 'revenue.jobs', -5 FROM journal_entries",
    ],
)
def test_the_database_itself_keeps_entries_as_they_are(project: Any, sql: str) -> None:
    fee(project)
    finalized(project)
    post()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert JournalPosting.objects.count() == 1


def test_a_source_makes_one_entry_however_often_somebody_tries(project: Any) -> None:
    fee(project)
    finalized(project)
    post()
    entry = JournalEntry.objects.get()
    entry.pk = None
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.save(force_insert=True)


def test_a_closed_period_takes_no_entry_and_later_facts_stand_in_the_next(project: Any) -> None:
    fee(project, "100")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        pay(invoice, "40")
    with time_machine.travel(datetime(2026, 12, 3, tzinfo=UTC), tick=False):
        close_month(actor=FIN, month=date(2026, 11, 1), note="ok", accept_open=True)
        close_period(actor=FIN, month=date(2026, 11, 1))
        assert balances()["receivable"] == 60  # closing posts first what is there
        by_its_clock = AccountingPeriod.objects.filter(closed_at__lte=Now())
        assert by_its_clock.exists(), "the database's clock, as of entries: theirs would seem to come after the close"
        record_payment(
            actor=FIN, invoice=invoice, amount=Decimal(10), currency="THB", method="manual", reference="slip 2",
            received_on=date(2026, 11, 20),
        )  # fmt: skip
        post()
    late = JournalEntry.objects.get(kind="invoice_payment", text="slip 2")
    assert (late.fact_date, late.date) == (date(2026, 11, 20), date(2026, 12, 1))
    late.pk, late.sequence, late.date = None, 2, date(2026, 11, 20)
    with pytest.raises(DatabaseError), transaction.atomic():
        late.save(force_insert=True)


def test_periods_close_in_order_when_over_and_after_the_month_itself(project: Any) -> None:
    fee(project, "100")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        finalized(project)
        post()
        with pytest.raises(BadInput):
            close_period(actor=FIN, month=date(2026, 11, 1))
    with time_machine.travel(datetime(2027, 2, 3, tzinfo=UTC), tick=False):
        with pytest.raises(Conflict, match="usage"):
            close_period(actor=FIN, month=date(2026, 11, 1))
        for month in (date(2026, 11, 1), date(2026, 12, 1)):
            close_month(actor=FIN, month=month, note="ok", accept_open=True)
        with pytest.raises(Conflict, match="November"):
            close_period(actor=FIN, month=date(2026, 12, 1))
        first = close_period(actor=FIN, month=date(2026, 11, 1))
        assert close_period(actor=FIN, month=date(2026, 11, 1)) == first
        close_period(actor=FIN, month=date(2026, 12, 1))
        with pytest.raises(Conflict):
            open_period(actor=FIN, month=date(2026, 11, 1), reason="forgot")
        with pytest.raises(BadInput):
            open_period(actor=FIN, month=date(2026, 12, 1), reason="")
        assert open_period(actor=FIN, month=date(2026, 12, 1), reason="forgot")
        assert not open_period(actor=FIN, month=date(2026, 12, 1), reason="forgot")
        close_period(actor=FIN, month=date(2026, 12, 1))
    assert AccountingPeriod.objects.filter(status="closed").count() == 2
    assert first.figures == {"THB": {"receivable": "100.00", "revenue.fees": "-100.00"}}


def alter(rows: Any, **values: Any) -> None:
    connection.check_constraints()
    triggers.remove(connection)
    rows.update(**values)
    triggers.install(connection)


def test_the_books_notice_a_journal_that_does_not_say_what_documents_say(project: Any) -> None:
    fee(project, "100")
    invoice = finalized(project)
    post()
    alter(JournalPosting.objects.all(), amount=99)
    assert "says something else" in books.INVARIANTS["journal"]()[0]
    alter(JournalPosting.objects.all(), amount=100)
    assert books.INVARIANTS["journal"]() == []
    alter(JournalEntry.objects.all(), source_id=F("source_id") + 1000)
    wrong = books.INVARIANTS["journal"]()
    assert any("no row" in line for line in wrong)
    alter(JournalEntry.objects.all(), source_id=invoice.pk, postings_count=3)
    assert "1 postings of 3" in books.INVARIANTS["journal_balance"]()[0]


def test_the_books_notice_what_was_never_posted(project: Any) -> None:
    assert post() == 0
    fee(project, "100")
    finalized(project)
    assert books.INVARIANTS["journal"]() == []  # it waits for the next run
    alter(JournalState.objects.all(), posted_to=timezone.now() + timedelta(days=1))
    assert "has nothing" in books.INVARIANTS["journal"]()[0]


def test_the_books_notice_a_receivable_that_is_not_due(project: Any) -> None:
    fee(project, "100")
    invoice = finalized(project)
    post()
    assert books.INVARIANTS["journal_receivable"]() == []
    Invoice.objects.filter(pk=invoice.pk).update(amount_due=90)
    assert "10.00 THB more due" in books.INVARIANTS["journal_receivable"]()[0]


def test_a_rebuilt_journal_says_the_same(project: Any, taxed: None) -> None:
    fee(project, "100")
    yearly(project)
    invoice = finalized(project)
    pay(invoice, "1500")
    write_credit_note(actor=FIN, invoice=invoice, reason="part", lines={1: Decimal(10)})
    post()
    before = balances()
    assert CreditEntry.objects.exists()
    triggers.remove(connection)
    JournalPosting.objects.all().delete()
    JournalEntry.objects.all().delete()
    triggers.install(connection)
    post(full=True)
    assert balances() == before


def test_a_document_that_does_not_add_up_is_left_out_and_named_and_the_others_are_posted(project: Any) -> None:
    fee(project, "100")
    wrong = finalized(project)
    other = make_customer("Other", account="")
    fee(other, "50")
    right = finalized(other)
    alter(Invoice.objects.filter(pk=wrong.pk), total=101)
    done = post_journal(actor=FIN)
    assert [JournalEntry.objects.get().source_id, done.entries] == [right.pk, 1]
    assert done.refused[0].startswith(f"invoice {wrong.invoice_number}: ")
    with pytest.raises(SystemExit) as stop:
        call_command("post_journal", stdout=StringIO(), stderr=StringIO())
    assert stop.value.code == 3
