"""PDFs of invoices: kept by their content, handed out the same, sent once, proven by the books."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import EmailNotification, StoredFile
from accounts.services.files import FileDamaged, keep_file, read_file
from accounts.services.sending import send_due
from audit.models import AuditLog
from billing import triggers
from billing.models import Invoice, InvoiceDocument, InvoiceTemplate
from billing.selectors.documents.templates import Look
from billing.services.invoices.invoice_documents import deliver_invoices, document_of, send_invoice
from billing.services.invoices.payments import record_payment
from billing.services.invoices.templates import save_template
from billing.templating import sandbox
from core.errors import BadInput, Conflict
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer
from tests.billing.templating import LEAST
from tests.billing.test_receipt_pdf import pages

pytestmark = pytest.mark.django_db
LOOK = Look(LEAST + "<p>Version one</p>", "")
BACKEND = "django.contrib.auth.backends.ModelBackend"
NEXT = Look(LEAST + "<p>Version two</p>", "")


@pytest.fixture
def project(db: None) -> Any:
    found = make_customer(account="", billing_email="bills@institute.example", language="en")
    fee(found)
    return found


def save(look: Look = LOOK) -> None:
    save_template(actor=FIN, name="House style", look=look, use=True)


def first_page(invoice: Invoice, language: str = "en") -> str:
    return pages(document_of(invoice=invoice, language=language).content)[0]


# --- the same each time -----------------------------------------------------------------
def test_a_finalized_invoice_keeps_the_version_that_it_was_finalized_by(project: Any) -> None:
    save()
    invoice = finalized(project)
    save(NEXT)
    assert invoice.template is not None
    assert invoice.template.version == 1
    assert "Versionone" in first_page(invoice)
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(template=None)


def test_a_draft_is_set_by_what_counts_now(project: Any) -> None:
    save()
    assert "Versionone" in first_page(draft(project))
    save(NEXT)
    assert "Versiontwo" in first_page(draft(project))
    assert not InvoiceDocument.objects.exists()


def test_it_is_made_once_and_comes_back_byte_by_byte(project: Any, monkeypatch: Any) -> None:
    save()
    invoice = finalized(project)
    made = document_of(invoice=invoice, language="en")
    invoice.refresh_from_db()
    assert made.sha256 == hashlib.sha256(made.content).hexdigest() == invoice.pdf_hash
    assert invoice.pdf_generated_at is not None

    def never(**_task: Any) -> None:
        raise AssertionError("made twice")

    monkeypatch.setattr(sandbox, "pdf", never)
    assert document_of(invoice=invoice, language="en") == made


def test_a_payment_makes_another_document_and_the_first_hash_stays(project: Any) -> None:
    invoice = finalized(project)
    before = document_of(invoice=invoice, language="en")
    record_payment(
        actor=FIN, invoice=invoice, amount=invoice.total, currency="THB", method="manual", reference="slip",
    )  # fmt: skip
    invoice.refresh_from_db()
    after = document_of(invoice=invoice, language="en")
    assert "PAID" in pages(after.content)[0]
    assert before.content != after.content
    invoice.refresh_from_db()
    assert invoice.pdf_hash == before.sha256
    assert read_file(before.sha256) == before.content
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(pdf_hash="0" * 64)


def test_where_a_template_cannot_be_set_the_built_in_document_stands_in_and_says_why(
    project: Any, monkeypatch: Any
) -> None:
    save()
    invoice = finalized(project)
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    made = document_of(invoice=invoice, language="en")
    assert made.fallback == "Setting it took too much time or memory."
    assert str(invoice) in pages(made.content)[0]
    assert InvoiceDocument.objects.get().template is None
    assert not problems()


# --- the store ----------------------------------------------------------------------------
def test_the_same_content_is_stored_once_and_never_changed() -> None:
    name = keep_file(content=b"x", media_type="text/plain")
    assert keep_file(content=b"x", media_type="text/plain") == name
    for act in (StoredFile.objects.filter(pk=name).delete, lambda: StoredFile.objects.filter(pk=name).update(size=9)):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


def problems() -> list[str]:
    return [*INVARIANTS["stored_files"](), *INVARIANTS["invoice_documents"]()]


def test_the_books_notice_a_file_that_was_changed_and_nobody_is_handed_it(project: Any) -> None:
    invoice = finalized(project)
    made = document_of(invoice=invoice, language="en")
    assert not problems()
    triggers.remove(connection)
    StoredFile.objects.filter(pk=made.sha256).update(content=b"%PDF-forged")
    triggers.install(connection)
    assert problems() == [f"stored file {made.sha256} holds other bytes"]
    with pytest.raises(FileDamaged):
        document_of(invoice=invoice, language="en")


def test_the_books_notice_a_hash_that_no_document_has(project: Any) -> None:
    invoice = finalized(project)
    Invoice.objects.filter(pk=invoice.pk).update(pdf_hash="0" * 64)
    assert problems() == [f"invoice {invoice.pk}: no PDF has the hash 000000000000"]


# --- by e-mail ------------------------------------------------------------------------------
def test_a_finalized_invoice_is_sent_once_with_its_pdf(project: Any) -> None:
    invoice = finalized(project)
    assert (deliver_invoices().documents, deliver_invoices().documents) == (1, 0)
    email = EmailNotification.objects.get()
    invoice.refresh_from_db()
    assert email.attachments[0]["sha256"] == invoice.pdf_hash
    assert (email.recipient_email, email.language) == ("bills@institute.example", "en")
    send_due()
    (message,) = mail.outbox
    ((name, content, kind),) = message.attachments
    assert (name, kind) == (f"{invoice}-en.pdf", "application/pdf")
    assert hashlib.sha256(bytes(content)).hexdigest() == invoice.pdf_hash
    assert str(invoice) in message.subject


def test_a_pdf_that_was_fetched_before_does_not_keep_the_e_mail_from_going(project: Any) -> None:
    document_of(invoice=finalized(project), language="en")
    assert deliver_invoices().emails == 1


@pytest.mark.parametrize("change", [{"email_invoices": False}, {"billing_email": ""}])
def test_who_does_not_want_it_or_has_no_address_gets_none_but_the_pdf_is_made(project: Any, change: Any) -> None:
    type(project.organisation).objects.filter(pk=project.organisation.pk).update(**change)
    invoice = finalized(project)
    found = deliver_invoices()
    assert (found.documents, found.emails, found.left) == (1, 0, 0)
    invoice.refresh_from_db()
    assert invoice.pdf_hash


def test_an_invoice_of_long_ago_is_not_sent_by_itself(project: Any) -> None:
    finalized(project)
    with time_machine.travel(timezone.now() + timedelta(days=60)):
        found = deliver_invoices()
    assert (found.documents, found.emails, found.left) == (1, 0, 0)


def test_it_is_sent_again_on_request_and_the_log_says_by_whom(project: Any) -> None:
    invoice = finalized(project)
    deliver_invoices()
    send_invoice(actor=FIN, invoice=invoice)
    assert EmailNotification.objects.count() == 2
    assert AuditLog.objects.filter(action="invoice_send", actor=FIN.name).count() == 1
    assert not problems()


def test_drafts_and_organisations_without_an_address_are_refused(project: Any) -> None:
    with pytest.raises(Conflict):
        send_invoice(actor=FIN, invoice=draft(project))
    project.organisation.billing_email = ""
    project.organisation.save()
    with pytest.raises(BadInput):
        send_invoice(actor=FIN, invoice=finalized(project))


def test_the_command_counts_and_is_safe_to_repeat(project: Any, capsys: Any) -> None:
    finalized(project)
    call_command("deliver_invoices", "--dry-run", "--format", "json")
    call_command("deliver_invoices", "--format", "json")
    call_command("deliver_invoices", "--format", "json")
    lines = capsys.readouterr().out.split("\n")
    assert '"left": 1' in lines[0]
    assert '"documents": 1' in lines[1]
    assert '"documents": 0' in lines[2]


# --- by the API and the console ------------------------------------------------------------
@pytest.fixture
def fin(client: Client, make_user: Any) -> Client:
    client.force_login(make_user("fin", role="admin", groups=["Finance"]), backend=BACKEND)
    return client


def test_the_pdf_by_the_api_is_the_stored_one(project: Any, fin: Client) -> None:
    invoice = finalized(project)
    first = fin.get(f"/api/v1/invoices/{invoice.uuid}/pdf?lang=en")
    assert (first.status_code, first["Content-Type"]) == (200, "application/pdf")
    assert first["ETag"] == f'"{hashlib.sha256(first.content).hexdigest()}"'
    assert fin.get(f"/invoices/{invoice.uuid}.pdf").content == first.content
    assert fin.get(f"/api/v1/invoices/{invoice.uuid}/pdf").content == first.content
    assert fin.get(f"/api/v1/invoices/{invoice.uuid}/pdf?lang=fr").status_code == 400


def test_anothers_pdf_is_as_absent_as_one_that_never_was(project: Any, client: Client, make_user: Any) -> None:
    client.force_login(make_user("stranger"), backend=BACKEND)
    invoice = finalized(project)
    for verb, path in (("get", "pdf"), ("post", "send")):
        answers = [
            getattr(client, verb)(f"/api/v1/invoices/{uuid}/{path}")
            for uuid in (invoice.uuid, "00000000-0000-4000-8000-000000000000")
        ]
        assert {each.status_code for each in answers} == {404}
        assert answers[0].content == answers[1].content


def test_sending_by_the_api_is_staffs(project: Any, fin: Client, make_user: Any) -> None:
    from accounts.models import Member, MemberRole

    invoice = finalized(project)
    answer = fin.post(f"/api/v1/invoices/{invoice.uuid}/send")
    assert (answer.status_code, answer.json()["recipient"]) == (202, "bills@institute.example")
    owner = Client()
    user = make_user("owner")
    Member.objects.create(organisation=project.organisation, user=user, role=MemberRole.OWNER)
    owner.force_login(user, backend=BACKEND)
    assert owner.get(f"/api/v1/invoices/{invoice.uuid}/pdf?lang=en").status_code == 200
    assert owner.post(f"/api/v1/invoices/{invoice.uuid}/send").status_code == 403


def test_templates_by_the_api(project: Any, fin: Client) -> None:
    body = {"name": "By API", "html": LEAST, "css": "p { color: red }", "use": True}
    made = fin.post("/api/v1/invoice-templates", body, content_type="application/json")
    again = fin.post("/api/v1/invoice-templates", body, content_type="application/json")
    assert (made.status_code, made.json()["version"], again.json()["id"]) == (201, 1, made.json()["id"])
    assert fin.get(f"/api/v1/invoice-templates/{made.json()['id']}").json()["html"] == LEAST
    assert [row["is_default"] for row in fin.get("/api/v1/invoice-templates").json()["results"]] == [True]
    wrong = fin.post(
        "/api/v1/invoice-templates", {**body, "html": LEAST + "{{x}}", "css": "@import 'x';"},
        content_type="application/json",
    )  # fmt: skip
    assert wrong.status_code == 400
    assert wrong.json()["errors"]["html"] == ["HTML, line 3: There is no variable {{x}}."]
    assert wrong.json()["errors"]["css"][0].startswith("CSS, line 1: @import")
    off = fin.patch(
        f"/api/v1/invoice-templates/{made.json()['id']}", {"is_active": False}, content_type="application/json"
    )
    assert (off.json()["is_active"], off.json()["is_default"]) == (False, False)


def test_a_preview_by_the_api_shows_both_languages_and_saves_nothing(project: Any, fin: Client) -> None:
    invoice = finalized(project)
    body = {"html": LEAST, "invoice": str(invoice)}
    found = fin.post("/api/v1/invoice-templates/preview", body, content_type="application/json").json()["previews"]
    assert [each["language"] for each in found] == ["en", "th"]
    assert found[0]["pictures"][0].startswith("data:image/svg+xml;base64,")
    assert not InvoiceDocument.objects.exists()
    wrong = fin.post("/api/v1/invoice-templates/preview", {**body, "invoice": "no"}, content_type="application/json")
    assert wrong.status_code == 400
    names = {each["name"] for each in fin.get("/api/v1/invoice-templates/variables").json()["variables"]}
    assert {"number", "lines", "qr", "label_total"} <= names


@pytest.mark.parametrize(("verb", "path"), [
    ("get", ""), ("post", ""), ("post", "/preview"), ("get", "/variables"), ("get", "/1"), ("patch", "/1"),
])  # fmt: skip
def test_templates_are_for_staff_who_may(client: Client, make_user: Any, verb: str, path: str) -> None:
    address = f"/api/v1/invoice-templates{path}"
    assert getattr(client, verb)(address).status_code == 401
    client.force_login(make_user("somebody"), backend=BACKEND)
    assert getattr(client, verb)(address).status_code == 403
    client.force_login(make_user("aud", role="admin", groups=["Auditor"]), backend=BACKEND)
    wanted = 403 if verb != "get" else 404 if path == "/1" else 200
    assert getattr(client, verb)(address).status_code == wanted


def typed(**changed: Any) -> dict[str, Any]:
    return {"name": "House style", "html": LEAST, "css": "", "organisation": "", "description": "first", **changed}


def test_finance_previews_and_saves_in_the_console(project: Any, fin: Client) -> None:
    page = fin.get("/admin/billing/invoicetemplate/add/")
    assert page.status_code == 200
    assert page.content.count(b"data:image/svg+xml") == 2
    shown = fin.post("/admin/billing/invoicetemplate/add/", typed(preview="1", invoice=str(finalized(project))))
    assert (shown.status_code, shown.content.count(b"data:image/svg+xml")) == (200, 2)
    wrong = fin.post("/admin/billing/invoicetemplate/add/", typed(save="1", html=LEAST + "<p>{{totl}}</p>"))
    assert wrong.status_code == 400
    assert "HTML, line 3: There is no variable {{totl}}." in wrong.content.decode()
    saved = fin.post("/admin/billing/invoicetemplate/add/", typed(save="1", use="on"), follow=True)
    assert saved.status_code == 200
    assert "Invoices are set by this version now." in saved.content.decode()


def test_an_auditor_reads_templates_and_writes_none(client: Client, make_user: Any) -> None:
    save()
    client.force_login(make_user("aud", role="admin", groups=["Auditor"]), backend=BACKEND)
    assert client.get("/admin/billing/invoicetemplate/add/").status_code == 403
    row = InvoiceTemplate.objects.get()
    page = client.get(f"/admin/billing/invoicetemplate/{row.pk}/change/")
    assert page.status_code == 200
    assert b'name="save"' not in page.content
    answer = client.post(f"/admin/billing/invoicetemplate/{row.pk}/change/", typed(save="1", css="p { color: red }"))
    assert answer.status_code == 403


def test_a_customers_name_in_a_preview_is_text(project: Any, fin: Client) -> None:
    type(project.organisation).objects.filter(pk=project.organisation.pk).update(name="<svg onload=alert(1)>")
    from base64 import b64decode

    body = {"html": LEAST, "invoice": str(finalized(project))}
    found = fin.post("/api/v1/invoice-templates/preview", body, content_type="application/json").json()["previews"]
    picture = b64decode(found[0]["pictures"][0].partition(",")[2]).decode()
    assert "&lt;svg onload" in picture
    assert "<svg onload" not in picture


def test_amounts_on_paper_are_those_of_the_invoice(project: Any) -> None:
    save()
    invoice = finalized(project)
    assert invoice.total == Decimal(100)
    assert "THB100.00" in first_page(invoice)
