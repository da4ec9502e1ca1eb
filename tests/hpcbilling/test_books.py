"""check_books: silent on a lived-in database, and every kind of damage is named."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from audit import triggers
from billing.models import ClosedMonth, Rate, Receipt, ReceiptItem
from hpcbilling import books, seeding
from payments.models import BankTransfer, Payment, Refund
from tests.factories import make_job
from usage.models import ImportRun, Job, QuarantinedRow

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None, settings: Any) -> seeding.Seeded:
    settings.DEBUG = True  # the demo cast exists only then
    return seeding.seed()


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


def open_a_second_attempt() -> None:
    """Without the index that forbids it."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX payments_one_open_attempt")
    first, second = Payment.objects.order_by("pk")[:2]
    Payment.objects.filter(pk=first.pk).update(status="pending")
    Payment.objects.filter(pk=second.pk).update(status="pending", receipt=first.receipt)


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
}  # fmt: skip


def test_the_demo_worlds_books_are_in_order_and_checking_is_silent(world: seeding.Seeded) -> None:
    out = StringIO()
    call_command("check_books", stdout=out)
    assert out.getvalue() == ""
    assert min(world.receipts.values()) >= 1, "the demo shows receipts in every state"


def test_every_invariant_has_a_damage_that_it_finds() -> None:
    assert set(DAMAGE) == set(books.INVARIANTS)


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


def test_an_unknown_invariant_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="receipt_totals") as error:
        call_command("check_books", "nothing")
    assert error.value.returncode == 2


def test_the_demo_world_is_made_once_and_never_over_real_data(world: seeding.Seeded) -> None:
    jobs = Job.objects.count()
    call_command("seed_demo", stdout=StringIO())
    assert Job.objects.count() == jobs


def test_the_demo_world_is_never_made_over_real_data(settings: Any) -> None:
    settings.DEBUG = True
    make_job()
    with pytest.raises(CommandError, match="empty"):
        call_command("seed_demo")
    call_command("seed_demo", if_empty=True, stdout=StringIO())
    assert Job.objects.count() == 1


def test_the_demo_world_cannot_be_made_in_production(settings: Any) -> None:
    settings.DUMMY_PROVIDER_ALLOWED = False
    with pytest.raises(CommandError, match="DEBUG") as error:
        call_command("seed_demo")
    assert error.value.returncode == 78
    assert not Job.objects.exists()
