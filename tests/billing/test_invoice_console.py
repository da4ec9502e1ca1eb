"""Invoices in the console: buttons that say what they will do, and then do it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import CreditNote, Invoice
from billing.services.invoices.credit_notes import write_credit_note
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, price, use
from tests.factories import make_jobs
from tests.pages.conftest import text
from usage.models import Job

pytestmark = pytest.mark.django_db
LIST = "/admin/billing/invoice/"


@pytest.fixture
def console(finance: Any) -> Client:
    client = Client()
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def project() -> Any:
    found = make_customer(account="inst")
    make_jobs(2, account="inst")
    fee(found)
    return found


def act(client: Client, invoice: Invoice, action: str, **extra: str) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [invoice.pk], **extra}, follow=True)


def page(invoice: Invoice, name: str = "change") -> str:
    return f"{LIST}{invoice.pk}/{name}/"


def test_a_draft_is_made_for_an_organisation_and_a_month(console: Client, project: Any) -> None:
    assert "Draft an invoice" in text(console.get(LIST))
    answer = console.post(f"{LIST}draft/", {"organisation": project.organisation.pk, "month": "2026-10"}, follow=True)
    assert Invoice.objects.get().lines.count() == 2
    assert "Slurm jobs, tier" in text(answer)
    answer = console.post(f"{LIST}draft/", {"organisation": project.organisation.pk, "month": "2025-10"}, follow=True)
    assert "nothing to bill" in text(answer)
    answer = console.post(f"{LIST}draft/", {"organisation": project.organisation.pk, "month": "October"})
    assert "such as 2026-10" in text(answer)


def test_problems_are_told_with_what_to_do_and_finalizing_is_not_offered(console: Client, project: Any) -> None:
    use(project, metric_name="storage", unit="GB")
    invoice = draft(project)
    words = text(console.get(page(invoice)))
    assert "storage was used (1 GB) and has no price. Set one for this month" in words
    assert "Finalize" not in words
    act(console, invoice, "finalize_action", confirm="1")
    assert Invoice.objects.get().status == "draft"
    price("storage", "1")
    act(console, invoice, "refresh_action")
    assert Invoice.objects.get().problems
    act(console, invoice, "refresh_action", confirm="1")
    assert Invoice.objects.get().problems == []
    assert "Finalize" in text(console.get(page(invoice)))


def test_finalizing_asks_first(console: Client, project: Any) -> None:
    invoice = draft(project)
    assert "never changes again" in text(act(console, invoice, "finalize_action"))
    assert Invoice.objects.get().status == "draft"
    act(console, invoice, "finalize_action", confirm="1")
    assert Invoice.objects.get().status == "finalized"


def test_canceling_a_draft_needs_a_reason(console: Client, project: Any) -> None:
    invoice = draft(project)
    act(console, invoice, "cancel_action", confirm="1")
    assert Invoice.objects.get().status == "draft"
    act(console, invoice, "cancel_action", confirm="1", text="wrong price")
    assert (Invoice.objects.get().status, Invoice.objects.get().cancel_reason) == ("canceled", "wrong price")
    assert not Job.objects.exclude(claimed_by="").exists()


def test_a_payment_is_shown_before_it_is_written_down(console: Client, project: Any) -> None:
    invoice = finalized(project)
    sent = {
        "amount": f"{invoice.total + 10}".rstrip("0").rstrip("."),
        "reference": "slip 7",
        "received_on": "2026-11-02",
    }
    assert "name it as overpayment" in text(console.post(page(invoice, "pay"), sent))
    sent["overpayment"] = "10"
    words = text(console.post(page(invoice, "pay"), sent))
    assert "The invoice is paid." in words
    assert "THB 10.00 stay in favour of Institute" in words
    assert not invoice.payments.exists()
    console.post(page(invoice, "pay"), {**sent, "confirm": "1"})
    console.post(page(invoice, "pay"), {**sent, "confirm": "1"})
    assert invoice.payments.count() == 1
    assert Invoice.objects.get().status == "paid"


def test_a_credit_note_is_shown_before_it_is_written_and_written_once(console: Client, project: Any) -> None:
    invoice = finalized(project)
    number = invoice.lines.get(kind="fee").line_number
    assert "Pro, 1 Oct 2026" in text(console.get(page(invoice, "credit")))
    sent = {f"line_{number}": "25.5", "reason": "outage", "seen": "0"}
    assert "THB 25.50 is taken back" in text(console.post(page(invoice, "credit"), sent))
    assert not CreditNote.objects.exists()
    console.post(page(invoice, "credit"), {**sent, "confirm": "1"})
    assert "taken back meanwhile" in text(console.post(page(invoice, "credit"), {**sent, "confirm": "1"}))
    note = CreditNote.objects.get()
    assert (note.total, note.reason, note.lines.get().line.line_number) == (Decimal("25.5"), "outage", number)


def test_an_invoice_is_taken_back_in_full_and_its_jobs_are_free(console: Client, project: Any) -> None:
    invoice = finalized(project)
    sent = {"cancel": "on", "reason": "wrong month", "seen": "0"}
    assert "can be billed anew" in text(console.post(page(invoice, "credit"), sent))
    console.post(page(invoice, "credit"), {**sent, "confirm": "1"})
    assert Invoice.objects.get().status == "canceled"
    assert not Job.objects.exclude(claimed_by="").exists()


def test_no_more_can_be_credited_than_is_left(console: Client, project: Any) -> None:
    invoice = finalized(project)
    number = invoice.lines.get(kind="fee").line_number
    words = text(console.post(page(invoice, "credit"), {f"line_{number}": "100.01", "reason": "x", "seen": "0"}))
    assert "less than or equal to 100" in words


@pytest.mark.parametrize("seen", ["", "x", "1e999999999", "NaN"])
def test_what_a_page_carries_unseen_is_told_when_it_is_broken(console: Client, project: Any, seen: str) -> None:
    sent = {"whole": "on", "reason": "x", "seen": seen}
    assert "This page is incomplete. Open it anew." in text(console.post(page(finalized(project), "credit"), sent))
    assert not CreditNote.objects.exists()


@pytest.mark.parametrize("field", ["invoice", "data", "self", "initial", "typed", "words"])
@pytest.mark.parametrize("name", ["pay", "credit"])
def test_fields_of_no_form_change_nothing(console: Client, project: Any, name: str, field: str) -> None:
    answer = console.post(
        page(finalized(project), name), {"edit": "1", "reason": "Kept", "reference": "Kept", field: "1"}
    )
    assert answer.status_code == 200
    assert 'value="Kept"' in answer.content.decode()


@pytest.mark.parametrize("name", ["pay", "credit"])
def test_an_auditor_sees_and_cannot_act(auditor: Any, project: Any, name: str) -> None:
    client = Client()
    client.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")
    invoice = finalized(project)
    assert client.get(page(invoice)).status_code == 200
    assert client.get(page(invoice, name)).status_code == 403
    assert client.get(f"{LIST}draft/").status_code == 403
    assert "Credit …" not in text(client.get(page(invoice)))


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_not_even_an_administrator_edits_or_deletes(client: Any, superuser: Any, project: Any, verb: str) -> None:
    client.force_login(superuser)
    invoice = finalized(project)
    client.post(page(invoice, verb), {"total": "1", "post": "yes"})
    assert Invoice.objects.get().total == invoice.total


def test_lists_and_pages_cost_no_more_as_they_grow(
    console: Client, project: Any, django_assert_max_num_queries: Any
) -> None:
    for place in range(4):
        fee(make_customer(f"o{place}", account=""))
        finalized(make_customer(f"o{place}", account=""))
    invoice = finalized(project)
    note = write_credit_note(actor=FIN, invoice=invoice, reason="x", lines={1: Decimal(1)})
    for address in (LIST, f"{LIST}?overdue=yes", page(invoice), "/admin/billing/creditnote/",
                    f"/admin/billing/creditnote/{note.pk}/change/", "/admin/billing/creditentry/",
                    page(invoice, "credit")):  # fmt: skip
        with django_assert_max_num_queries(16):
            assert console.get(address).status_code == 200, address
