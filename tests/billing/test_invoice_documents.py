"""Finalized invoices: numbered without a gap, frozen, paid, and taken back to the minor unit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Approval
from accounts.services.approvals import WaitsForSecond, approve
from audit.models import AuditLog
from billing.invoicing.crediting import Left, TaxOf, take_back
from billing.invoicing.problems import HasProblems
from billing.invoicing.sums import Item, Off, spread
from billing.models import CreditEntry, CreditNote, Invoice, InvoiceLine, InvoiceStatus, SubscriptionCharge
from billing.selectors.documents.invoice_digest import is_note_unchanged, is_unchanged
from billing.services.invoices.credit_notes import NotCreditable, write_credit_note
from billing.services.invoices.drafts import NotDraft, cancel_draft
from billing.services.invoices.issue import NotReady, balance, finalize_invoice
from billing.services.invoices.payments import NotPayable, OtherAmount, record_payment, record_payment_by_hand
from billing.services.receipts import TotalChanged
from core.context import Actor
from core.errors import BadInput, InvalidTransition
from core.periods import month_start, today
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, price, settle, use
from tests.factories import make_job
from tests.races import at_once
from usage.models import Job


@pytest.fixture
def project(db: None) -> Any:
    return make_customer(billing_email="bills@example.ac.th")


@pytest.fixture
def taxed(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True


def pay(invoice: Invoice, amount: str, reference: str = "slip 1", **fields: Any) -> bool:
    return record_payment(
        actor=FIN, invoice=invoice, amount=Decimal(amount), currency="THB", method="manual", reference=reference,
        **fields,
    )  # fmt: skip


def test_a_finalized_invoice_has_number_dates_parties_and_hash(project: Any, settings: Any) -> None:
    settings.BILLING_INVOICE_DAYS = 14
    fee(project)
    invoice = finalized(project)
    assert (invoice.status, invoice.invoice_number, invoice.serial) == (
        "finalized",
        f"INV{invoice.fiscal_year}-000001",
        1,
    )
    assert (invoice.issue_date, invoice.due_date) == (today(), today() + timedelta(days=14))
    assert (invoice.buyer["name"], invoice.buyer["email"]) == ("Institute", "bills@example.ac.th")
    assert invoice.seller["name"] == "HPC Billing"
    assert is_unchanged(Invoice.objects.get())
    assert AuditLog.objects.latest("id").action == "invoice_finalize"
    assert not finalize_invoice(actor=FIN, invoice=invoice)


def test_numbers_follow_each_other_whoever_finalizes(project: Any) -> None:
    other = make_customer("Other", account="")
    fee(project)
    fee(other, "5")
    assert [finalized(each).serial for each in (project, other)] == [1, 2]


def test_problems_keep_a_draft_from_being_finalized(project: Any) -> None:
    use(project)
    invoice = draft(project)
    with pytest.raises(HasProblems):
        finalize_invoice(actor=FIN, invoice=invoice)
    assert Invoice.objects.get().status == "draft"


def test_a_month_that_runs_cannot_be_finalized(project: Any) -> None:
    this_month = month_start(today())
    fee(project)
    finalized(project)
    fee(project, "7", due_at=timezone.now(), period_start=timezone.now(), period_end=timezone.now() + timedelta(9))
    with pytest.raises(NotReady):
        finalize_invoice(actor=FIN, invoice=draft(project, this_month))


def test_a_draft_of_before_the_end_of_its_month_must_be_refreshed(project: Any) -> None:
    fee(project)
    invoice = draft(project)
    Invoice.objects.update(watermark="2026-10-20T00:00:00Z")
    with pytest.raises(NotReady):
        finalize_invoice(actor=FIN, invoice=invoice)


def test_what_somebody_saw_must_still_be_what_it_asks_for(project: Any) -> None:
    fee(project)
    invoice = draft(project)
    with pytest.raises(TotalChanged):
        finalize_invoice(actor=FIN, invoice=invoice, expected=Decimal("99.99"))
    assert finalize_invoice(actor=FIN, invoice=invoice, expected=Decimal(100))


def test_a_canceled_draft_cannot_be_finalized(project: Any) -> None:
    fee(project)
    invoice = draft(project)
    cancel_draft(actor=FIN, invoice=invoice, reason="x")
    with pytest.raises(InvalidTransition):
        finalize_invoice(actor=FIN, invoice=invoice)


def test_a_finalized_invoice_is_not_canceled_but_credited(project: Any) -> None:
    fee(project)
    with pytest.raises(NotDraft):
        cancel_draft(actor=FIN, invoice=finalized(project), reason="x")


def refused(work: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        work()


def test_the_database_itself_keeps_finalized_documents_as_they_are(project: Any) -> None:
    fee(project)
    use(project)
    price()
    invoice = finalized(project)
    refused(lambda: Invoice.objects.update(total=1))
    refused(lambda: Invoice.objects.update(notes="x"))
    refused(lambda: Invoice.objects.update(status="draft"))
    refused(lambda: InvoiceLine.objects.update(net=0))
    refused(lambda: InvoiceLine.objects.all()._raw_delete("default"))
    refused(lambda: InvoiceLine.objects.create(
        invoice=invoice, line_number=9, kind="other", quantity=1, total=1, net=1, currency="THB"))  # fmt: skip
    refused(lambda: Invoice.objects.all()._raw_delete("default"))
    note = write_credit_note(actor=FIN, invoice=invoice, reason="goodwill", lines={1: Decimal("0.10")})
    refused(lambda: CreditNote.objects.update(total=1))
    refused(lambda: note.lines.all()._raw_delete("default"))
    Invoice.objects.update(amount_due=0, pdf_hash="x")  # what moves, moves
    connection.check_constraints()


def test_partial_payments_pay_an_invoice(project: Any) -> None:
    fee(project)
    invoice = finalized(project)
    assert pay(invoice, "40")
    assert (invoice.status, invoice.amount_paid, invoice.amount_due) == ("finalized", 40, 60)
    assert not pay(invoice, "40")  # the same slip again
    with pytest.raises(OtherAmount):
        pay(invoice, "41")
    assert pay(invoice, "60", "slip 2")
    assert (invoice.status, invoice.amount_due) == ("paid", 0)
    assert invoice.paid_at is not None


def test_what_is_paid_too_much_pays_the_next_invoice(project: Any) -> None:
    fee(project)
    invoice = finalized(project)
    pay(invoice, "130")
    assert (invoice.status, invoice.amount_paid) == ("paid", 100)
    assert balance(project.organisation, "THB") == 30
    soon = {"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z"}
    fee(project, "50", due_at="2026-10-20T00:00:00Z", **soon)
    fee(project, "-50", kind="proration", due_at="2026-10-20T00:00:00Z")
    fee(project, "20", kind="proration", due_at="2026-10-20T00:00:00Z")
    second = draft(project, date(2026, 11, 1))
    assert second.total == 20
    with time_machine.travel("2026-12-02T00:00:00Z"):
        assert finalize_invoice(actor=FIN, invoice=draft(project, date(2026, 11, 1)))
    second.refresh_from_db()
    assert (second.status, second.amount_paid, second.amount_due) == ("paid", 20, 0)
    assert balance(project.organisation, "THB") == 10


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": "0"}, "amount"), ({"amount": "-1"}, "amount"), ({"amount": "1.001"}, "amount"),
        ({"amount": "NaN"}, "amount"), ({"amount": "1", "reference": " "}, "reference"),
        ({"amount": "1", "received_on": date(2199, 1, 1)}, "received_on"),
    ],
)  # fmt: skip
def test_a_payment_that_cannot_be_is_refused(project: Any, fields: dict[str, Any], field: str) -> None:
    fee(project)
    with pytest.raises(BadInput) as error:
        pay(finalized(project), **fields)
    assert error.value.details["field"] == field


def test_drafts_cannot_be_paid(project: Any) -> None:
    fee(project)
    with pytest.raises(NotPayable):
        pay(draft(project), "1")


def test_a_large_payment_by_hand_needs_two_people(project: Any, settings: Any, make_user: Any) -> None:
    settings.FOUR_EYES_ABOVE = Decimal(50)
    make_user("fin", role="admin", groups=["Finance"])
    make_user("fin2", role="admin", groups=["Finance"])
    fee(project)
    invoice = finalized(project)
    with pytest.raises(WaitsForSecond):
        record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip")
    invoice.refresh_from_db()
    assert invoice.status == "finalized"
    approve(actor=Actor("fin2"), approval=Approval.objects.get())
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_overdue_is_derived_from_what_is_due_and_when(project: Any) -> None:
    fee(project)
    invoice = finalized(project)
    assert not invoice.is_overdue
    with time_machine.travel(f"{invoice.due_date + timedelta(days=1)}T05:00:00Z"):
        assert invoice.is_overdue
        pay(invoice, "100")
        assert not invoice.is_overdue


@pytest.mark.parametrize("lines", [{}, {1: Decimal(0)}, {1: Decimal("-0")}])
def test_a_credit_note_of_nothing_is_refused_for_what_it_is(project: Any, lines: dict[int, Decimal]) -> None:
    fee(project)
    with pytest.raises(BadInput, match="an amount above 0"):
        write_credit_note(actor=FIN, invoice=finalized(project), reason="wrong", lines=dict(lines))


def test_places_that_the_currency_has_not_are_refused_for_what_they_are(project: Any) -> None:
    fee(project)
    with pytest.raises(BadInput, match="Line 1: more decimal places than the currency has"):
        write_credit_note(actor=FIN, invoice=finalized(project), reason="wrong", lines={1: Decimal("0.001")})


@pytest.mark.usefixtures("taxed")
def test_a_full_credit_note_brings_an_open_invoice_to_nothing(project: Any) -> None:
    fee(project, "99.99")
    invoice = finalized(project)
    note = write_credit_note(actor=FIN, invoice=invoice, reason="wrong")
    assert (note.number, note.subtotal, note.tax, note.total) == (
        f"CN{note.fiscal_year}-000001", invoice.subtotal, invoice.tax, invoice.total,
    )  # fmt: skip
    assert (invoice.status, invoice.amount_due, invoice.amount_credited) == ("paid", 0, invoice.total)
    assert is_note_unchanged(CreditNote.objects.get())
    assert SubscriptionCharge.objects.get().claimed_by == invoice.claim  # not to be billed again
    with pytest.raises(NotCreditable):
        write_credit_note(actor=FIN, invoice=invoice, reason="again")


def test_a_full_credit_with_cancel_lets_jobs_and_fees_be_billed_anew(project: Any) -> None:
    fee(project)
    make_job(account="inst")
    invoice = finalized(project)
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong month", cancel=True)
    assert invoice.status == InvoiceStatus.CANCELED
    assert not Job.objects.exclude(claimed_by="").exists()
    again = finalized(project)
    assert (again.total, again.serial) == (invoice.total, 2)


def test_money_of_a_paid_invoice_that_is_credited_stays_the_payers(project: Any) -> None:
    fee(project)
    invoice = finalized(project)
    pay(invoice, "100")
    write_credit_note(actor=FIN, invoice=invoice, reason="half", lines={1: Decimal(50)})
    assert (invoice.status, invoice.amount_paid, invoice.amount_due) == ("paid", 50, 0)
    write_credit_note(actor=FIN, invoice=invoice, reason="the rest")
    assert (invoice.status, invoice.amount_paid, invoice.amount_credited) == ("refunded", 0, 100)
    assert balance(project.organisation, "THB") == 100


def test_a_partial_credit_with_cancel_is_refused(project: Any) -> None:
    fee(project)
    invoice = finalized(project)
    with pytest.raises(BadInput):
        write_credit_note(actor=FIN, invoice=invoice, reason="x", lines={1: Decimal(1)}, cancel=True)
    assert not CreditNote.objects.exists()
    invoice.refresh_from_db()
    assert invoice.amount_due == 100


@pytest.mark.parametrize("lines", [{1: Decimal("100.01")}, {1: Decimal(-1)}, {2: Decimal(1)}, {1: Decimal("0.001")}])
def test_no_more_is_taken_back_than_is_there(project: Any, lines: Any) -> None:
    fee(project)
    with pytest.raises(BadInput):
        write_credit_note(actor=FIN, invoice=finalized(project), reason="x", lines=lines)


def test_a_credit_note_needs_a_reason_and_a_finalized_invoice(project: Any) -> None:
    fee(project)
    invoice = draft(project)
    with pytest.raises(NotCreditable):
        write_credit_note(actor=FIN, invoice=invoice, reason="x")
    finalize_invoice(actor=FIN, invoice=invoice)
    with pytest.raises(BadInput):
        write_credit_note(actor=FIN, invoice=invoice, reason=" ")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_finalize_at_once_one_does_and_numbers_have_no_gap() -> None:
    projects = [make_customer(f"o{number}", account="") for number in range(4)]
    for each in projects:
        fee(each)
    invoices = [draft(each) for each in projects]
    done = at_once(8, lambda place: finalize_invoice(actor=FIN, invoice=Invoice.objects.get(pk=invoices[place % 4].pk)))
    assert sorted(done) == [False] * 4 + [True] * 4
    assert sorted(Invoice.objects.values_list("serial", flat=True)) == [1, 2, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_draft_at_once_there_is_one_draft_with_everything_once() -> None:
    project = make_customer()
    fee(project)
    make_job(account="inst")
    drafts = at_once(6, lambda _place: draft(project).pk)
    assert len(set(drafts)) == Invoice.objects.count() == 1
    assert Invoice.objects.get().lines.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_slip_recorded_at_once_counts_once() -> None:
    project = make_customer()
    fee(project)
    invoice = finalized(project)
    done = at_once(5, lambda _place: pay(Invoice.objects.get(pk=invoice.pk), "30"))
    assert sorted(done) == [False] * 4 + [True]
    assert Invoice.objects.get().amount_due == 70
    assert not CreditEntry.objects.exists()


# --- sums and credits, without a database -----------------------------------------------------------------------------
PLACES = st.sampled_from([0, 2, 3])


@given(st.data())
@settings(max_examples=300)
def test_nothing_is_lost_when_an_amount_is_spread(data: Any) -> None:
    decimals = data.draw(PLACES)
    weights = data.draw(st.lists(st.integers(0, 10**7), min_size=1, max_size=12).filter(any))
    amount = data.draw(st.integers(0, sum(weights)))
    unit = Decimal(1).scaleb(-decimals)
    shares = spread(amount * unit, [weight * unit for weight in weights], decimals)
    assert sum(shares) == amount * unit
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share <= weight * unit
        assert abs(share - Decimal(amount) * weight / sum(weights) * unit) < unit


@given(st.data())
@settings(max_examples=300)
def test_sums_hold_and_credits_in_any_order_bring_them_to_nothing(data: Any) -> None:
    decimals, inclusive = data.draw(PLACES), data.draw(st.booleans())
    unit = Decimal(1).scaleb(-decimals)
    rates = data.draw(st.lists(st.sampled_from([Decimal(0), Decimal(7), Decimal("19.6"), Decimal(100)]), min_size=1,
                               max_size=2, unique=True))  # fmt: skip
    items = [
        Item(data.draw(st.integers(0, 10**6)) * unit, "VAT", data.draw(st.sampled_from(rates)))
        for _ in range(data.draw(st.integers(1, 6)))
    ]
    offs = data.draw(st.lists(st.builds(Off, percent=st.sampled_from([Decimal(10), Decimal("33.33")])), max_size=2))
    sums = settle(items, offs, inclusive=inclusive, decimals=decimals)
    assert sums.total == sums.subtotal - sums.discount + sums.tax
    assert min(sums.subtotal, sums.discount, sums.tax, sums.total) >= 0
    net = sum(item.net for item in items)
    assert net == (sums.total if inclusive else sums.total - sums.tax)

    taxes = {("S", each.rate): each.amount for each in sums.taxes}
    credited, tax_credited = [Decimal(0)] * len(items), dict.fromkeys(taxes, Decimal(0))
    base = tax = Decimal(0)
    for last in (False, False, True):
        lefts = [Left(n, ("S", item.tax_rate), item.net, credited[n]) for n, item in enumerate(items)]
        wanted = {
            left.number: left.rest if last else data.draw(st.integers(0, int(left.rest / unit))) * unit
            for left in lefts
        }
        groups = {group: TaxOf(amount, tax_credited[group]) for group, amount in taxes.items()}
        for each in take_back(lefts, wanted, groups, inclusive=inclusive, decimals=decimals):
            assert each.net + (each.tax if inclusive else 0) == wanted[each.number]
            credited[each.number] += wanted[each.number]
            tax_credited["S", items[each.number].tax_rate] += each.tax
            base, tax = base + each.net, tax + each.tax
    assert (base, tax, base + tax) == (sums.subtotal - sums.discount, sums.tax, sums.total)
