"""A holder proves that a document stands in the signed log: on /verify/, and with the stand-alone tool."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import Member, MemberRole
from audit.models import AuditLog, AuditVerification
from billing.models import CreditNote, Receipt
from billing.selectors.documents.position import position_of
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.receipts import create_receipts
from core.context import Actor, RequestContext, bound
from tests.audit.test_heads import sign, tool
from tests.audit.worlds import Signed, tamper, write
from tests.billing.invoicing import finalized, make_customer
from tests.factories import account_tier, make_job
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    account_tier("physics", "mu")
    make_job()
    write(3)
    with bound(RequestContext("id-of-request", "192.0.2.9", "Browser/1")):
        found = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)[0]
    write(4)
    return found


def proof(user: Any, receipt: Receipt, folder: Path) -> Path:
    client = Client()
    client.force_login(user, backend=LOGIN)
    response = client.get(f"/receipts/{receipt.pk}/proof.json")
    assert (response.status_code, "no-store" in response["Cache-Control"]) == (200, True)
    assert response["Content-Disposition"] == f'attachment; filename="{receipt.document_number}.proof.json"'
    (folder / "proof.json").write_bytes(response.content)
    return folder / "proof.json"


def test_the_owner_takes_a_proof_that_a_bare_python_believes(
    signed: Signed, receipt: Receipt, alice: Any, tmp_path: Path
) -> None:
    sign()
    file = proof(alice, receipt, tmp_path)
    code, words = tool("--proof", file, "--key", signed.public)
    assert code == 0, words
    assert f"document {receipt.document_number}" in words
    assert receipt.digest in words
    found = json.loads(file.read_text())
    assert found["row"]["extra"]["digest"] == receipt.digest
    assert len(found["path"]) <= 12, "a few hashes, and nobody else's entry"
    assert "user3" not in file.read_text()


@pytest.mark.parametrize("change", [
    ("digest", "0" * 64), ("number", "RC1999-000001"), ("path", []), ("id", 1), ("total", "0.01"), ("root", "0" * 64),
    ("hash", "0" * 64), ("signature", "00" * 64),
])  # fmt: skip
def test_a_proof_in_which_anything_was_changed_is_none(
    signed: Signed, receipt: Receipt, alice: Any, tmp_path: Path, change: tuple[str, Any]
) -> None:
    sign()
    file = proof(alice, receipt, tmp_path)
    found, (name, value) = json.loads(file.read_text()), change
    for part in (found, found["document"], found["head"], found["row"]["extra"]):
        if name in part:
            part[name] = value
            break
    file.write_text(json.dumps(found))
    assert tool("--proof", file, "--key", signed.public)[0] == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"row": ', "[" * 100_000, "9" * 5000])
def test_what_is_no_proof_is_said_to_be_none(signed: Signed, tmp_path: Path, text: str) -> None:
    (tmp_path / "no.json").write_text(text)
    code, words = tool("--proof", tmp_path / "no.json", "--key", signed.public)
    assert (code, words.startswith("BROKEN: it is no proof")) == (1, True)


def test_a_proof_by_another_key_is_not_believed(signed: Signed, receipt: Receipt, alice: Any, tmp_path: Path) -> None:
    sign()
    assert tool("--proof", proof(alice, receipt, tmp_path), "--key", "ab" * 32)[0] in (1, 2)


def test_before_it_is_signed_there_is_no_proof_and_others_get_the_same_404(
    signed: Signed, receipt: Receipt, alice: Any, bob: Any
) -> None:
    for user in (alice, bob):
        client = Client()
        client.force_login(user, backend=LOGIN)
        assert client.get(f"/receipts/{receipt.pk}/proof.json").status_code == 404
    sign()
    client = Client()
    client.force_login(bob, backend=LOGIN)
    others, nobodys = (client.get(f"/receipts/{pk}/proof.json") for pk in (receipt.pk, 999999))
    assert (others.status_code, text(others)) == (404, text(nobodys))
    assert Client().get(f"/receipts/{receipt.pk}/proof.json").status_code == 302


def test_the_address_of_somebody_else_who_made_it_is_not_given_away(
    signed: Signed, receipt: Receipt, alice: Any, make_user: Any, tmp_path: Path, settings: Any
) -> None:
    sign()
    fin, aud = (
        make_user("fin", role="admin", groups=["Finance"]),
        make_user("aud", role="admin", groups=["Auditor", "Finance"]),
    )
    file = proof(fin, receipt, tmp_path)
    if not fin.has_perm("audit.view_auditlog"):
        assert json.loads(file.read_text())["row"] is None
        assert "192.0.2.9" not in file.read_text()
        code, words = tool("--proof", file, "--key", signed.public)
        assert (code, "not in this proof" in words) == (0, True)
    assert json.loads(proof(aud, receipt, tmp_path).read_text())["row"]["ip"] == "192.0.2.9"


# --- credit notes ------------------------------------------------------------------
@pytest.fixture
def note(alice: Any) -> CreditNote:
    """Of an invoice whose bills alice looks after."""
    project = make_customer(account="inst")
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.OWNER)
    make_job(account="inst")
    write(3)
    with bound(RequestContext("id-of-request", "192.0.2.9", "Browser/1")):
        found = write_credit_note(actor=Actor("fin"), invoice=finalized(project), reason="wrong month")
    write(4)
    return found


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend=LOGIN)
    return client


def test_the_holder_of_a_credit_note_takes_its_proof_from_the_page_of_its_invoice(
    signed: Signed, note: CreditNote, alice: Any, tmp_path: Path
) -> None:
    sign()
    page = signed_in(alice).get(f"/invoices/{note.invoice.uuid}/").content.decode()
    where = f"/credit-notes/{note.uuid}/proof.json"
    assert f'href="{where}"' in page
    assert f'aria-label="{note.number}, Proof (JSON)"' in page
    answer = signed_in(alice).get(where)
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert answer["Content-Disposition"] == f'attachment; filename="{note.number}.proof.json"'
    (tmp_path / "proof.json").write_bytes(answer.content)
    code, words = tool("--proof", tmp_path / "proof.json", "--key", signed.public)
    assert (code, "not in this proof" in words) == (0, True), "somebody of finance wrote it: not their address"
    assert "192.0.2.9" not in answer.content.decode()


def test_finance_shows_with_it_what_was_written_of_the_note_itself(
    signed: Signed, note: CreditNote, make_user: Any, tmp_path: Path
) -> None:
    """Not the entry of its invoice, which has another number and hash."""
    sign()
    reader = make_user("aud", role="admin", groups=["Auditor", "Finance"])
    (tmp_path / "proof.json").write_bytes(signed_in(reader).get(f"/credit-notes/{note.uuid}/proof.json").content)
    code, words = tool("--proof", tmp_path / "proof.json", "--key", signed.public)
    assert code == 0, words
    assert f"document {note.number} with the hash {note.digest} was issued" in words
    found = json.loads((tmp_path / "proof.json").read_text())
    assert found["document"] == {"kind": "creditnote", "number": note.number, "digest": note.digest}
    found["document"]["number"] = note.invoice.invoice_number
    (tmp_path / "proof.json").write_text(json.dumps(found))
    assert tool("--proof", tmp_path / "proof.json", "--key", signed.public)[0] == 1


def test_of_a_credit_note_others_get_the_404_of_what_never_was(
    signed: Signed, note: CreditNote, alice: Any, bob: Any
) -> None:
    where = f"/credit-notes/{note.uuid}/proof.json"
    assert signed_in(alice).get(where).status_code == 404, "nothing is signed yet"
    sign()
    others, nobodys = (signed_in(bob).get(each) for each in (where, f"/credit-notes/{uuid4()}/proof.json"))
    assert (others.status_code, text(others)) == (404, text(nobodys))
    assert Client().get(where).status_code == 302


def test_where_no_heads_are_signed_no_proof_is_offered(note: CreditNote, alice: Any, settings: Any) -> None:
    settings.AUDIT_HEADS_FILE = ""
    page = signed_in(alice).get(f"/invoices/{note.invoice.uuid}/").content.decode()
    assert note.number in page
    assert "proof.json" not in page


def test_the_public_page_says_where_a_genuine_document_stands(signed: Signed, receipt: Receipt) -> None:
    where = position_of(receipt)
    assert where is not None
    asked = f"/verify/?number={receipt.document_number}&hash="
    page = text(Client().get(asked + receipt.digest))
    assert where.hash in page
    assert "not signed yet" in page
    sign()
    page = text(Client().get(asked + receipt.digest))
    assert signed.public in page
    assert f"entry {AuditLog.objects.count()}, signed" in page
    assert where.hash not in text(Client().get(asked + "0" * 64)), "to others it says nothing"


# --- the viewer ------------------------------------------------------------------
def viewer(user: Any) -> str:
    client = Client()
    client.force_login(user, backend=LOGIN)
    return text(client.get("/admin/audit/auditlog/"))


def test_the_viewer_shows_what_was_verified_and_signed(signed: Signed, auditor: Any) -> None:
    write(3)
    page = viewer(auditor)
    assert "not verified yet" in page
    assert "not signed yet" in page
    sign()
    call_command("verify_audit", stdout=StringIO())
    last = AuditLog.objects.count()
    write(2)
    page = viewer(auditor)
    assert f"1 – {last}," in page
    assert f"up to entry {last}" in page
    assert "3 entries since" in page, "two, and the sign-in"
    assert "not whole" not in page


@pytest.mark.parametrize(("sql", "words"), [
    ("DELETE FROM audit_log WHERE id = 2", "1 entry is missing"),
    ("DELETE FROM audit_log WHERE id > 4", "is not there any more"),
])  # fmt: skip
def test_the_viewer_warns_of_gaps_before_anybody_verifies(signed: Signed, auditor: Any, sql: str, words: str) -> None:
    write(6)
    sign()
    tamper(sql)
    page = viewer(auditor)
    assert "The log is not whole." in page
    assert words in page


def test_the_viewer_repeats_that_a_verification_failed(signed: Signed, auditor: Any) -> None:
    write(6)
    tamper("UPDATE audit_log SET actor = 'mallory' WHERE id = 3")
    with pytest.raises(SystemExit):
        call_command("verify_audit", stdout=StringIO())
    assert "broke at entry 3" in viewer(auditor)


def test_the_viewer_tells_heads_that_do_not_fit_from_entries_that_do_not(signed: Signed, auditor: Any) -> None:
    write(2)
    AuditVerification.objects.create(first_id=1, last_id=2, ok=False, reason="line 1 is signed by another key")
    assert "found the entries whole and their signed heads not" in viewer(auditor)


def test_the_position_is_that_of_the_moment_of_issue(receipt: Receipt) -> None:
    where = position_of(receipt)
    assert where is not None
    assert abs(where.ts - receipt.created_at) < timedelta(minutes=5)
