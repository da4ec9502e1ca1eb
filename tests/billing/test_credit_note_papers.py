"""Credit notes on paper: set by templates of their own kind, kept by their content, sent once, proven genuine."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import EmailNotification
from billing.documents.template_sample import sample_note
from billing.documents.templated import template_pdf
from billing.models import CreditNote, CreditNoteDocument, Invoice, InvoiceTemplate
from billing.selectors.documents.genuine import Verdict, verdict
from billing.selectors.documents.templates import Look, standard_look, template_for
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.note_documents import note_document_of, send_note
from billing.services.invoices.templates import save_template
from billing.words.templates import TemplateRefused
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.billing.templating import LEAST
from tests.billing.test_receipt_pdf import both, pages, squeezed

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
LEAST_NOTE = (
    "<p>{{title}} {{number}} {{invoice_number}} {{invoice_issued_on}} {{issued_on}} {{reason}} {{seller_name}}"
    " {{buyer_name}} {{total}}</p>\n"
    "<table>{{#lines}}<tr><td>{{line_description}}</td><td>{{line_amount}}</td></tr>{{/lines}}"
    "{{#taxes}}<tr><td>{{tax_rate}}</td><td>{{tax_amount}}</td></tr>{{/taxes}}</table>\n"
)


@pytest.fixture
def invoice(db: None) -> Invoice:
    project = make_customer(account="", billing_email="bills@institute.example", language="en")
    fee(project)
    return finalized(project)


@pytest.fixture
def fin(client: Client, make_user: Any) -> Client:
    client.force_login(make_user("fin", role="admin", groups=["Finance"]), backend=BACKEND)
    return client


def save(look: Look, **more: Any) -> InvoiceTemplate:
    values = {"name": "House style", "use": True, "kind": "credit_note", **more}
    return save_template(actor=FIN, look=look, **values)


def credit(invoice: Invoice, **more: Any) -> CreditNote:
    return write_credit_note(actor=FIN, invoice=invoice, reason="The nodes were down", **more)


def text(note: CreditNote, language: str = "en") -> str:
    return "".join(pages(note_document_of(note=note, language=language).content))


@both
def test_the_built_in_document_says_what_it_corrects_and_what_it_gives_back(invoice: Invoice, language: str) -> None:
    note = credit(invoice, lines={1: Decimal(40)})
    page = text(note, language)
    title = "ใบลดหนี้" if language == "th" else "Credit note"
    for words in (
        title,
        note.number,
        str(invoice),
        "The nodes were down",
        "40.00",
        "60.00",
        "100.00",
        note.digest[:20],
    ):
        assert squeezed(words) in page, words


@both
def test_the_standard_look_of_credit_notes_says_the_same(language: str) -> None:
    from django.utils import translation

    with translation.override(language):
        paper = sample_note()
    html, css = standard_look("credit_note")
    (page,) = pages(template_pdf(bill=paper, html=html, css=css, language=language).content)
    for words in (
        paper.number,
        paper.invoice_number,
        paper.reason,
        "412.76",
        "40.71",
        "622.22",
        "2,138.29",
        "2,719.80",
    ):
        assert squeezed(words) in page, words


def test_a_quantity_is_given_back_where_it_comes_out_even(invoice: Invoice) -> None:
    from billing.documents.note_paper import note_paper_of

    part, rest = credit(invoice, lines={1: Decimal("33.33")}), credit(invoice)
    assert note_paper_of(part).lines[0].quantity == Decimal("0.3333")
    assert (note_paper_of(part).whole, note_paper_of(rest).whole) == (False, True)
    assert note_paper_of(rest).corrected_value == 0
    assert note_paper_of(part).corrected_value == Decimal("66.67")  # later notes change nothing on it


def test_a_template_of_invoices_is_none_of_credit_notes(invoice: Invoice) -> None:
    of_invoices = save_template(actor=FIN, name="House style", look=Look(LEAST, ""), use=True)
    of_notes = save(Look(LEAST_NOTE, ""))
    assert (of_invoices.version, of_notes.version) == (1, 1)
    of_invoices.refresh_from_db()
    assert of_invoices.is_default
    assert template_for(invoice.organisation) == of_invoices
    assert template_for(invoice.organisation, "credit_note") == of_notes
    with pytest.raises(TemplateRefused, match="invoice_number"):
        save(Look(LEAST_NOTE.replace("{{invoice_number}}", ""), ""))
    with pytest.raises(TemplateRefused, match="due_on"):
        save(Look(LEAST_NOTE + "{{due_on}}", ""))


def test_a_note_keeps_the_version_that_it_was_written_by(invoice: Invoice) -> None:
    first = save(Look(LEAST_NOTE + "<p>Version one</p>", ""))
    note = credit(invoice)
    save(Look(LEAST_NOTE + "<p>Version two</p>", ""))
    assert note.template == first
    assert "Versionone" in text(note)
    with pytest.raises(DatabaseError), transaction.atomic():
        CreditNote.objects.filter(pk=note.pk).update(template=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        InvoiceTemplate.objects.filter(pk=first.pk).update(kind="invoice")


def test_an_organisations_own_template_counts_before_the_one_for_all(invoice: Invoice) -> None:
    save(Look(LEAST_NOTE, ""))
    own = save(Look(LEAST_NOTE + "<p>Own</p>", ""), organisation=invoice.organisation)
    assert credit(invoice).template == own


def test_the_same_bytes_come_back_and_the_books_know_them(invoice: Invoice) -> None:
    note = credit(invoice)
    made = note_document_of(note=note, language="en")
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()
    assert note_document_of(note=note, language="en") == made
    assert CreditNoteDocument.objects.count() == 1
    assert not INVARIANTS["invoice_documents"]()
    with pytest.raises(DatabaseError), transaction.atomic():
        CreditNoteDocument.objects.update(fallback="x")


def test_where_a_template_cannot_be_set_the_built_in_document_stands_in(invoice: Invoice, monkeypatch: Any) -> None:
    from billing.templating import sandbox

    save(Look(LEAST_NOTE, ""))
    note = credit(invoice)
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    made = note_document_of(note=note, language="en")
    assert made.fallback == "Setting it took too much time or memory."
    assert note.number in pages(made.content)[0]
    assert not INVARIANTS["invoice_documents"]()


def test_it_is_sent_once_with_its_pdf_and_again_when_asked(invoice: Invoice) -> None:
    note = credit(invoice)
    for _time in range(2):
        call_command("deliver_invoices", format="json")
    mine = EmailNotification.objects.filter(kind="credit_note")
    sent = mine.get()
    assert sent.recipient_email == "bills@institute.example"
    assert note.number in sent.subject
    assert "The nodes were down" in sent.body_text
    assert sent.attachments[0]["sha256"] == CreditNoteDocument.objects.get(note=note).file_id
    send_note(actor=FIN, note=note)
    assert mine.count() == 2


def test_its_number_and_hash_are_genuine(invoice: Invoice) -> None:
    note = credit(invoice)
    assert verdict(number=note.number, digest=note.digest) == Verdict.GENUINE
    assert verdict(number=note.number.lower(), digest=note.digest) == Verdict.GENUINE
    assert verdict(number=note.number, digest="0" * 64) == Verdict.UNKNOWN


def test_finance_writes_previews_and_sends_by_the_api(invoice: Invoice, fin: Client) -> None:
    note = credit(invoice)
    body = {"name": "House style", "kind": "credit_note", "html": LEAST_NOTE, "use": True}
    made = fin.post("/api/v1/invoice-templates", body, content_type="application/json")
    assert (made.status_code, made.json()["kind"]) == (201, "credit_note")
    shown = fin.post(
        "/api/v1/invoice-templates/preview",
        {"kind": "credit_note", "html": LEAST_NOTE, "credit_note": note.number}, content_type="application/json",
    )  # fmt: skip
    assert [each["pages"] for each in shown.json()["previews"]] == [1, 1]
    wrong = fin.post(
        "/api/v1/invoice-templates/preview", {"kind": "credit_note", "html": LEAST_NOTE, "credit_note": str(invoice)},
        content_type="application/json",
    )  # fmt: skip
    assert wrong.status_code == 400
    found = fin.get("/api/v1/invoice-templates/variables?kind=credit_note").json()["variables"]
    assert {"invoice_number", "reason", "corrected_value"} <= {each["name"] for each in found}
    pdf = fin.get(f"/api/v1/credit-notes/{note.uuid}/pdf")
    assert pdf["ETag"] == f'"{hashlib.sha256(pdf.content).hexdigest()}"'
    assert fin.post(f"/api/v1/credit-notes/{note.uuid}/send").status_code == 202


def test_finance_writes_one_in_the_console(invoice: Invoice, fin: Client) -> None:
    note = credit(invoice)
    add = "/admin/billing/invoicetemplate/add/?kind=credit_note"
    assert "{{corrected_value}}" in fin.get(add).content.decode()
    typed = {"name": "House style", "html": LEAST_NOTE, "css": "", "organisation": "", "description": "first"}
    shown = fin.post(add, {**typed, "preview": "1", "credit_note": note.number})
    assert (shown.status_code, shown.content.count(b"data:image/svg+xml")) == (200, 2)
    saved = fin.post(add, {**typed, "save": "1", "use": "on"}, follow=True)
    assert "Credit notes are set by this version now." in saved.content.decode()
    page = fin.get(reverse("admin:billing_creditnote_change", args=[note.pk])).content.decode()
    assert reverse("billing:credit_note_pdf_th", args=[note.uuid]) in page


def test_a_stranger_gets_no_pdf_and_a_customer_that_of_their_own(
    invoice: Invoice, client: Client, make_user: Any
) -> None:
    note = credit(invoice)
    client.force_login(make_user("somebody"), backend=BACKEND)
    assert client.get(reverse("billing:credit_note_pdf", args=[note.uuid])).status_code == 404
