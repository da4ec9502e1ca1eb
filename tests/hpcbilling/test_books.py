"""check_books: silent on a lived-in database, and every kind of damage is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import StoredFile
from accounts.services.files import keep_file
from audit import triggers
from billing import triggers as rate_triggers
from billing.models import (
    AccountingPeriod,
    ClosedMonth,
    CreditNoteLine,
    DocumentCounter,
    Invoice,
    InvoicePayment,
    JournalEntry,
    JournalPosting,
    Rate,
    RateVersion,
    Receipt,
    ReceiptItem,
)
from billing.selectors.documents.genuine import digest_of
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.ledger.journal import post_journal
from core.context import Actor
from hpcbilling import books, seeding
from payments.models import BankTransfer, Payment, Refund
from tests.billing.invoicing import fee, finalized, make_customer
from tests.factories import NOON, change_versions, make_job
from tests.shared import shared_world
from usage.models import ImportRun, Job, QuarantinedRow

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[seeding.Seeded]:
    def make() -> seeding.Seeded:
        seeded = seeding.seed()
        project = make_customer("Books", account="books")
        make_job(account="books", end_at=NOON)
        fee(project)
        write_credit_note(actor=Actor("fin"), invoice=finalized(project), reason="late", lines={1: Decimal(1)})
        return seeded

    with shared_world(django_db_blocker, DEBUG=True) as once:  # the demo cast exists only then
        yield once(make)


@pytest.fixture(autouse=True)
def _debug(settings: Any) -> None:
    settings.DEBUG = True


def first_live_item() -> ReceiptItem:
    return ReceiptItem.objects.filter(is_live=True, cost__gt=0).select_related("receipt").first()  # type: ignore[return-value]


def alter_audit(sql: str) -> None:
    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute(sql)


def close_before_billing() -> None:
    """The month of a billed job was closed before its receipt was made, says the database."""
    job = Job.objects.get(job_key=first_live_item().job_key)
    month = timezone.localdate(job.end_at).replace(day=1)
    ClosedMonth.objects.create(month=month, closed_by="fin", closed_at=timezone.now() - timedelta(days=900))


def unguarded(**values: Any) -> Callable[[], object]:
    """Change invoices as only somebody who takes the triggers off can."""

    def change() -> None:
        connection.check_constraints()
        rate_triggers.remove(connection)
        Invoice.objects.update(**values)

    return change


def swap_a_file() -> None:
    name = keep_file(content=b"as it was made", media_type="text/plain")
    connection.check_constraints()
    rate_triggers.remove(connection)
    StoredFile.objects.filter(pk=name).update(content=b"as it was not")


def take_back_more() -> None:
    connection.check_constraints()
    rate_triggers.remove(connection)
    CreditNoteLine.objects.update(net=F("net") + 1)


def open_a_second_attempt() -> None:
    """Without the index that forbids it."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX payments_one_open_attempt")
    first, second = Payment.objects.order_by("pk")[:2]
    Payment.objects.filter(pk=first.pk).update(status="pending")
    Payment.objects.filter(pk=second.pk).update(status="pending", receipt=first.receipt)


def alter_journal(model: Any, **values: Any) -> None:
    post_journal(actor=Actor("fin"))
    connection.check_constraints()
    rate_triggers.remove(connection)
    model.objects.update(**values)


def close_the_books_before_posting() -> None:
    """The period of an entry was closed before it was posted, says the database."""
    post_journal(actor=Actor("fin"))
    month = JournalEntry.objects.earliest("date").date.replace(day=1)
    AccountingPeriod.objects.create(month=month, closed_by="fin", closed_at=timezone.now() - timedelta(days=900))


DAMAGE: dict[str, Any] = {
    "receipt_totals": lambda: Receipt.objects.filter(pk=first_live_item().receipt_id).update(total=1),
    "receipt_taxes": lambda: Receipt.objects.filter(pk=first_live_item().receipt_id).update(tax_rate=7),
    "receipt_rates": lambda: Receipt.objects.filter(pk=first_live_item().receipt_id).update(rate_cpu=9),
    "receipt_numbers": lambda: Receipt.objects.filter(serial=2).update(serial=1000),
    "receipt_digests": lambda: Receipt.objects.filter(pk=first_live_item().receipt_id).update(note="paid in cash"),
    "one_currency": lambda: Payment.objects.filter(
        pk=Payment.objects.filter(status="succeeded").values("pk")[:1]).update(currency="USD"),
    "closed_months": close_before_billing,
    "receipt_prices": lambda: Job.objects.filter(job_key=first_live_item().job_key).update(mem_mib_seconds=10**12),
    "job_claims": lambda: Job.objects.filter(job_key=first_live_item().job_key).update(claimed_by=""),
    "receipt_states": lambda: ReceiptItem.objects.filter(pk=first_live_item().pk).update(is_live=False),
    "payments": lambda: Payment.objects.filter(
        pk=Payment.objects.filter(status="succeeded").values("pk")[:1]).update(amount_cents=1),
    "refunds": lambda: Refund.objects.filter(
        pk=Refund.objects.filter(status="succeeded").values("pk")[:1]).update(amount_cents=1),
    "open_attempts": open_a_second_attempt,
    "transfers": lambda: BankTransfer.objects.create(
        payment=Payment.objects.filter(status="succeeded").first(), bank="SCB", reference="1", claimed_cents=1,
        received_cents=10**9, transferred_on=date(2026, 10, 1), status="accepted", submitted_by="x"),
    "audit_trail": lambda: alter_audit("DELETE FROM audit_log WHERE action = 'mark_paid'"),
    "current_rates": lambda: Rate.objects.filter(pk="mu").update(cpu=99),
    "held_jobs": lambda: Job.objects.filter(job_key=first_live_item().job_key).update(hold="runaway"),
    "job_products": lambda: Job.objects.filter(pk=Job.objects.latest("pk").pk).update(gpu_seconds=7),
    "reviews": lambda: QuarantinedRow.objects.create(
        run=ImportRun.objects.latest("pk"), source="csv", reason="no_user", raw="x", raw_sha256="0", status="accepted",
        job_key="gone", decided_by="fin", decided_at=timezone.now()),
    "audit_chain": lambda: alter_audit("UPDATE audit_log SET actor = 'mallory' WHERE id = 3"),
    "billed_jobs": lambda: Job.objects.filter(job_key=first_live_item().job_key).update(username="bob"),
    "audit_receipts": lambda: Receipt.objects.filter(pk=one("paid").pk).update(tx_ref="forged"),
    "audit_rates": lambda: change_versions(RateVersion.objects.filter(tier="mu"), set_by="mallory"),
    "audit_payments": lambda: Refund.objects.filter(pk=Refund.objects.latest("pk").pk).update(
        amount_cents=F("amount_cents") + 1),
    "journal": lambda: alter_journal(JournalPosting, amount=F("amount") + 1),
    "journal_balance": lambda: alter_journal(JournalEntry, postings_count=F("postings_count") + 1),
    "journal_receivable": lambda: Invoice.objects.update(amount_due=F("amount_due") + 1),
    "journal_periods": close_the_books_before_posting,
    "invoice_totals": unguarded(total=F("total") + 1, amount_due=F("amount_due") + 1),
    "invoice_dues": lambda: Invoice.objects.update(amount_due=F("amount_due") + 1),
    "invoice_numbers": unguarded(serial=F("serial") + 1000),
    "invoice_digests": unguarded(notes="paid in cash"),
    "invoice_claims": lambda: Job.objects.filter(account="books").update(claimed_by="invoice:999"),
    "credit_notes": take_back_more,
    "stored_files": swap_a_file,
    "invoice_documents": unguarded(pdf_hash="0" * 64),
    "invoice_money": lambda: InvoicePayment.objects.create(
        invoice=Invoice.objects.exclude(invoice_number=None).first(), amount=1, currency="THB", method="stripe",
        reference="ch_1", received_on=date(2026, 11, 1), created_by="x", source="payment:999999"),
}  # fmt: skip


def one(status: str) -> Receipt:
    return Receipt.objects.filter(status=status).order_by("pk").first()  # type: ignore[return-value]


def billed_job() -> QuerySet[Job]:
    return Job.objects.filter(job_key=first_live_item().job_key)


def void_by_hand() -> None:
    """As void_receipt does it, without a word in the log."""
    receipt = one("pending")
    now = timezone.now()
    Receipt.objects.filter(pk=receipt.pk).update(
        status="void", voided_at=now, voided_by="fin", void_reason="wrong", created_at=now
    )
    ReceiptItem.objects.filter(receipt=receipt).update(is_live=False)
    Job.objects.filter(claimed_by=receipt.claim).update(claimed_by="")


def forget_the_newest() -> None:
    receipt = Receipt.objects.latest("serial")
    Job.objects.filter(claimed_by=receipt.claim).update(claimed_by="")
    Payment.objects.filter(receipt=receipt).delete()
    receipt.items.all().delete()
    receipt.delete()
    counter = DocumentCounter.objects.get(series="receipt", fiscal_year=receipt.fiscal_year)
    DocumentCounter.objects.filter(pk=counter.pk).update(last=counter.last - 1)


def reissue() -> None:
    """Dearer, with a hash that fits: only the log knows better."""
    receipt = one("pending")
    Receipt.objects.filter(pk=receipt.pk).update(note="as agreed")
    Receipt.objects.filter(pk=receipt.pk).update(digest=digest_of(Receipt.objects.get(pk=receipt.pk)))


def paid_one() -> QuerySet[Receipt]:
    return Receipt.objects.filter(pk=one("paid").pk)


def manual_one() -> QuerySet[Receipt]:
    return Receipt.objects.filter(pk=Receipt.objects.filter(method="manual").values("pk")[:1])


def mu(**values: Any) -> Callable[[], object]:
    return lambda: change_versions(RateVersion.objects.filter(tier="mu"), **values)


def settled() -> QuerySet[Payment]:
    return Payment.objects.filter(pk=Payment.objects.filter(status="succeeded").order_by("pk").values("pk")[:1])


FORGED: list[tuple[str, str, Callable[[], object]]] = [
    ("audit_trail", "voided by hand", void_by_hand),
    ("audit_trail", "refund forgotten", lambda: Receipt.objects.filter(status="refunded").update(status="paid")),
    ("audit_trail", "refund invented", lambda: paid_one().update(status="refunded")),
    ("audit_trail", "void undone", lambda: Receipt.objects.filter(status="void").update(status="pending")),
    ("audit_receipts", "newest receipt gone", forget_the_newest),
    ("audit_receipts", "issued anew", reissue),
    ("audit_receipts", "number", lambda: paid_one().update(document_number="RC-1")),
    ("audit_receipts", "total", lambda: paid_one().update(total=F("total") + 1, subtotal=F("subtotal") + 1)),
    ("audit_receipts", "issuer", lambda: paid_one().update(created_by="mallory")),
    ("audit_receipts", "method", lambda: paid_one().update(method="manual" if one("paid").method != "manual" else "x")),
    ("audit_receipts", "reference", lambda: manual_one().update(tx_ref="bank transfer 0")),
    ("audit_receipts", "moment", lambda: manual_one().update(paid_at=F("paid_at") - timedelta(days=1))),
    ("audit_receipts", "void reason", lambda: Receipt.objects.filter(status="void").update(void_reason="another")),
    ("audit_receipts", "voided by", lambda: Receipt.objects.filter(status="void").update(voided_by="mallory")),
    ("billed_jobs", "user", lambda: billed_job().update(username="bob")),
    ("billed_jobs", "account", lambda: billed_job().update(account="other")),
    ("billed_jobs", "no account", lambda: billed_job().update(account="")),
    ("billed_jobs", "later", lambda: billed_job().update(end_at=F("end_at") + timedelta(days=62))),
    ("billed_jobs", "earlier", lambda: billed_job().update(end_at=F("end_at") - timedelta(days=62))),
    ("billed_jobs", "free state", lambda: billed_job().update(state="NODE_FAIL")),
    ("audit_rates", "author", mu(set_by="mallory")),
    ("audit_rates", "reason", mu(note="as agreed")),
    ("audit_rates", "cpu", mu(cpu=9)),
    ("audit_rates", "gpu", mu(gpu=9)),
    ("audit_rates", "mem", mu(mem=9)),
    ("audit_rates", "basis", mu(cpu_basis="used")),
    ("audit_rates", "beginning", mu(effective_at=timezone.now() - timedelta(days=900))),
    ("audit_payments", "amount", lambda: settled().update(amount_cents=F("amount_cents") - 1)),
    ("audit_payments", "reference", lambda: settled().update(external_payment_id="x", external_charge_id="y")),
    ("audit_payments", "moment", lambda: settled().update(paid_at=timezone.now() - timedelta(days=9))),
    ("audit_payments", "success invented", lambda: settled().update(id=10**6)),
    ("audit_payments", "refund invented", lambda: Refund.objects.create(
        payment=settled().get(), amount_cents=1, status="failed", idempotency_key="x")),
    ("audit_payments", "refund forgotten", lambda: Refund.objects.filter(pk=Refund.objects.latest("pk").pk).delete()),
]  # fmt: skip


def test_the_demo_worlds_books_are_in_order_and_checking_is_silent(world: seeding.Seeded) -> None:
    out = StringIO()
    call_command("check_books", stdout=out)
    assert out.getvalue() == ""
    assert min(world.receipts.values()) >= 1, "the demo shows receipts in every state"


def test_every_invariant_has_a_damage_that_it_finds() -> None:
    assert set(DAMAGE) == set(books.INVARIANTS)


def test_what_only_the_log_or_the_record_knows_is_named(world: seeding.Seeded) -> None:
    """Each forgery in the same world, undone before the next."""
    missed = []
    for name, what, forge in FORGED:
        with transaction.atomic():
            forge()
            if not books.INVARIANTS[name]():
                missed.append((name, what))
            transaction.set_rollback(True)
    assert missed == []
    assert not any(check() for check in books.INVARIANTS.values())


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damage_is_named(name: str, world: seeding.Seeded) -> None:
    DAMAGE[name]()
    out = StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command("check_books", name, stdout=out)
    assert stop.value.code == 1
    assert out.getvalue().startswith(f"{name}: ")


def test_a_decision_by_nobody_or_without_a_note_is_named(world: seeding.Seeded) -> None:
    row = {"run": ImportRun.objects.latest("pk"), "source": "csv", "reason": "no_user", "raw": "x"}
    QuarantinedRow.objects.create(
        **row, raw_sha256="0", status="dismissed", decided_by="", note="", decided_at=timezone.now()
    )
    by_nobody, without_note = books.reviews()
    assert by_nobody.endswith("is dismissed by nobody")
    assert without_note.endswith("is dismissed without a note")


def test_the_demo_world_is_made_once_and_never_over_real_data(world: seeding.Seeded) -> None:
    jobs = Job.objects.count()
    call_command("seed_demo", stdout=StringIO())
    assert Job.objects.count() == jobs
