"""A form of the console that is shown again because something is wrong answers 400, as every page of ours does.

Empty forms are in tests/access/console.txt: there a POST with nothing is 400 on each of these pages.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.models import CreditNote, Invoice, InvoicePayment
from tests.billing.invoicing import fee, finalized, make_customer
from tests.factories import make_jobs
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
LIST = "/admin/billing/invoice/"


@pytest.fixture
def console(superuser: Any) -> Client:
    client = Client()
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def invoice() -> Invoice:
    project = make_customer(account="inst")
    make_jobs(2, account="inst")
    fee(project)
    return finalized(project)


@pytest.mark.parametrize(
    ("name", "sent", "words"),
    [
        ("pay", {"amount": "0", "reference": "slip", "received_on": "2026-11-01"}, "greater than or equal to 0.01"),
        ("pay", {"amount": "1_0", "reference": "slip", "received_on": "2026-11-01"}, "Enter a number"),
        ("pay", {"amount": "9999", "reference": "slip", "received_on": "2026-11-01"}, "more than is due"),
        ("credit", {"reason": "x", "seen": "0", "line_1": "9999"}, "less than or equal to"),
        ("credit", {"whole": "on", "seen": "0"}, "This field is required"),
        ("credit", {"whole": "on", "reason": "x", "seen": "5", "confirm": "1"}, "meanwhile"),
        ("reverse", {"payment": "0", "reason": "x"}, "not possible in its present state"),
    ],
)
def test_what_cannot_be_done_with_an_invoice_is_said_on_its_form_with_a_400(
    console: Client, invoice: Invoice, name: str, sent: dict[str, str], words: str
) -> None:
    answer = console.post(f"{LIST}{invoice.pk}/{name}/", sent)
    assert answer.status_code == 400
    assert words in text(answer)
    assert not CreditNote.objects.exists()
    assert not InvoicePayment.objects.exists()


def test_a_form_that_fits_shows_its_effect_with_a_200(console: Client, invoice: Invoice) -> None:
    answer = console.post(f"{LIST}{invoice.pk}/credit/", {"whole": "on", "reason": "x", "seen": "0", "seen_notes": "0"})
    assert answer.status_code == 200
    assert "cannot be undone" in text(answer)
    edited = console.post(f"{LIST}{invoice.pk}/credit/", {"edit": "1", "reason": ""})
    assert edited.status_code == 200, "nothing was asked for yet"


def test_a_draft_that_cannot_be_made_says_why_on_its_form_with_a_400(console: Client, invoice: Invoice) -> None:
    sent = {"organisation": str(invoice.organisation_id), "month": "2198-10"}
    answer = console.post(f"{LIST}draft/", sent)
    assert answer.status_code == 400
    assert "has not begun" in text(answer)
    assert Invoice.objects.count() == 1


def test_an_action_without_the_reason_that_it_asks_for_answers_400(console: Client, invoice: Invoice) -> None:
    sent = {"action": "write_off_action", "_selected_action": [invoice.pk]}
    assert console.post(LIST, sent).status_code == 200
    assert console.post(LIST, {**sent, "confirm": "1", "text": " "}).status_code == 400


def test_looking_as_a_user_without_a_reason_answers_400(console: Client, alice: Any) -> None:
    where = f"/admin/accounts/user/{alice.pk}/view-as/"
    assert console.get(where).status_code == 200
    answer = console.post(where, {"reason": " "})
    assert answer.status_code == 400
    assert "Please fill in" in text(answer)


def test_a_question_about_tiers_that_makes_no_sense_answers_400(console: Client) -> None:
    assert console.get("/admin/accounts/tierrule/try/", {"pattern": "x" * 1000, "kind": "odd"}).status_code == 400
