"""What a subscription gave back itself, when it ended or changed, no credit note gives back once more."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Project
from billing.models import Invoice, SubscriptionCharge
from billing.services.invoices.credit_notes import NotCreditable, write_credit_note
from billing.services.subscriptions.plan_changes import cancel, change_plan
from core.errors import BadInput
from subscriptions.models import Subscription
from tests.billing.invoicing import FIN, finalized, make_customer, off, price, use
from tests.billing.subscribers import on, plan, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_kept_credits import MONTHS, all_proofs, bill, pay


@pytest.fixture
def project(db: None) -> Project:
    return make_customer()


@pytest.fixture
def yearly(project: Project) -> Subscription:
    """3,650 a year from 1 September 2026."""
    row = plan("year", None)
    plan_price(row, "3650", cycle="yearly")
    return subscribe(row, "2026-09-01", organisation=project.organisation, billing_cycle="yearly")


@pytest.fixture
def of_the_year(project: Project, yearly: Subscription) -> Invoice:
    with on("2026-10-01T08:00"):
        invoice = finalized(project, date(2026, 9, 1))
        pay(invoice)
    return invoice


@pytest.fixture
def ended(of_the_year: Invoice, yearly: Subscription) -> Invoice:
    """34 of 365 days were had: 3,310 came back, on no invoice yet."""
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    return of_the_year


def test_all_that_is_left_is_without_what_came_back(ended: Invoice) -> None:
    with on("2026-10-06"):
        note = write_credit_note(actor=FIN, invoice=ended, reason="never wanted")
        assert (note.total, ended.status) == (340, "paid")
        with pytest.raises(NotCreditable):
            write_credit_note(actor=FIN, invoice=ended, reason="more")
        with pytest.raises(BadInput, match="credit of the subscription itself"):
            write_credit_note(actor=FIN, invoice=ended, reason="more", lines={1: Decimal(1)})


def test_nor_is_more_of_a_line(ended: Invoice) -> None:
    with on("2026-10-06"):
        with pytest.raises(BadInput, match=r"between 0 and 340\.00;"):
            write_credit_note(actor=FIN, invoice=ended, reason="x", lines={1: Decimal("340.01")})
        assert write_credit_note(actor=FIN, invoice=ended, reason="x", lines={1: None}).total == 340


def test_an_invoice_of_which_a_part_came_back_is_not_canceled(ended: Invoice) -> None:
    with on("2026-10-06"), pytest.raises(BadInput):
        write_credit_note(actor=FIN, invoice=ended, reason="x", cancel=True)


def test_it_counts_on_another_invoice_and_no_more_once_that_is_taken_back(project: Project, ended: Invoice) -> None:
    """In the order in which it came about, everything can be taken back to nothing."""
    price("api.call", "100")
    use(project, 1)
    other = bill(project, *MONTHS[0])
    assert other is not None
    with on("2026-11-03"):
        with pytest.raises(BadInput):
            write_credit_note(actor=FIN, invoice=ended, reason="x", lines={1: Decimal(341)})
        write_credit_note(actor=FIN, invoice=other, reason="wrong")
        assert write_credit_note(actor=FIN, invoice=ended, reason="wrong").total == 3650
        assert (ended.status, all_proofs()) == ("refunded", [])


def test_taken_back_where_the_rest_of_it_was_used_it_counts_no_more(project: Project, ended: Invoice) -> None:
    """100 of the credit paid October, 3,210 were kept and paid November; November is taken back."""
    price("api.call", "100")
    use(project, 1)
    bill(project, *MONTHS[0])
    use(project, 40, timestamp=datetime.fromisoformat("2026-11-15T05:00+00:00"))
    november = bill(project, *MONTHS[1])
    assert november is not None
    assert november.total == 4000 - 3210
    with on("2026-12-03"):
        write_credit_note(actor=FIN, invoice=november, reason="wrong")
        assert write_credit_note(actor=FIN, invoice=ended, reason="wrong").total == 3550


def test_a_fee_and_its_credit_on_one_invoice_are_taken_back_together(project: Project) -> None:
    """The monthly 310 were invoiced after the plan had changed in mid-month."""
    row = subscribe(plan("small"), "2026-10-01", organisation=project.organisation)
    with on("2026-10-17"):
        change_plan(actor=FIN, subscription=row, plan=plan("big", "620"))
    with on("2026-11-02"):
        invoice = finalized(project)
        amounts = {line.line_number: line.net for line in invoice.lines.all()}
        assert amounts == {1: 310, 2: -150, 3: 300}
        with pytest.raises(BadInput, match=r"between 0 and 160\.00;"):
            write_credit_note(actor=FIN, invoice=invoice, reason="x", lines={1: Decimal(161)})
        write_credit_note(actor=FIN, invoice=invoice, reason="x", lines={1: Decimal(170), 2: Decimal(-10)})
        assert write_credit_note(actor=FIN, invoice=invoice, reason="wrong").total == 300
        assert (invoice.amount_credited, all_proofs()) == (invoice.total, [])


def test_of_a_fee_with_discount_the_same_part_came_back(project: Project, yearly: Subscription) -> None:
    off(project, percent=Decimal(10))
    with on("2026-10-01T08:00"):
        invoice = finalized(project, date(2026, 9, 1))
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
        assert write_credit_note(actor=FIN, invoice=invoice, reason="x").total == 306


@pytest.mark.parametrize("inclusive", [False, True])
def test_tax_goes_with_it(project: Project, yearly: Subscription, settings: Any, inclusive: bool) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive
    with on("2026-10-01T08:00"):
        invoice = finalized(project, date(2026, 9, 1))
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
        note = write_credit_note(actor=FIN, invoice=invoice, reason="x")
    wanted = (Decimal("317.76"), Decimal("22.24")) if inclusive else (Decimal(340), Decimal("23.80"))
    assert (note.subtotal, note.tax) == wanted


def test_a_fee_that_is_billed_anew_comes_back_when_its_subscription_ends(
    project: Project, of_the_year: Invoice, yearly: Subscription
) -> None:
    """The canceled invoice took nothing from the fee: it is on the new one."""
    with on("2026-10-02"):
        write_credit_note(actor=FIN, invoice=of_the_year, reason="wrong buyer", cancel=True)
        assert finalized(project, date(2026, 9, 1)).total == 3650
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    assert SubscriptionCharge.objects.get(kind="credit").amount == -3310


def test_the_console_offers_no_more_than_is_left(ended: Invoice, superuser: Any, client: Any) -> None:
    client.force_login(superuser)
    at = f"/admin/billing/invoice/{ended.pk}/credit/"
    with on("2026-10-06"):
        assert "(340.00)" in client.get(at).content.decode()
