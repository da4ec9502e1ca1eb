"""One organisation, one invoice a month: jobs, tokens and fees gathered, what nobody priced found, paid in parts, taken
back in part, and a year's end in a zone with summer time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from accounts.models import Member
from billing.models import CreditNote, Invoice
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import exchange, fee, make_customer, off, price, use
from tests.conftest import PASSWORD
from tests.pages.conftest import text
from usage.models import Job

pytestmark = pytest.mark.django_db
SACCT = """\
JobIDRaw|JobID|Cluster|User|Account|Partition|Submit|Start|End|ElapsedRaw|TotalCPU|AllocCPUS|ReqTRES|AllocTRES|NNodes|State
101|101|tara|alice|imaging|cpu|2026-10-02T08:00:00|2026-10-02T08:00:05|2026-10-02T10:00:05|7200|03:00:00|4|billing=4,cpu=1,mem=1G,node=1|billing=4,cpu=4,mem=8G,node=1|1|COMPLETED
102|102|tara|bob|imaging|gpu|2026-10-31T22:00:00|2026-10-31T22:00:00|2026-10-31T23:00:00|3600|00:30:00|8|billing=8,cpu=8,mem=16G,node=1|billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=16G,node=1|1|TIMEOUT
103|103|tara|bob|imaging|cpu|2026-10-31T23:30:00|2026-10-31T23:30:00|2026-11-01T00:30:00|3600|00:30:00|1|cpu=1,mem=512M,node=1|cpu=1,mem=512M,node=1|1|COMPLETED
104|104|tara|carol|elsewhere|cpu|2026-10-05T08:00:00|2026-10-05T08:00:00|2026-10-05T09:00:00|3600|00:00:00|4|cpu=4,mem=4G,node=1|cpu=4,mem=4G,node=1|1|COMPLETED
"""
LATE = SACCT.splitlines()[0] + """
105|105|tara|alice|imaging|cpu|2026-10-20T08:00:00|2026-10-20T08:00:00|2026-10-20T09:00:00|3600|00:30:00|2|cpu=2,mem=4G,node=1|cpu=2,mem=4G,node=1|1|COMPLETED
"""  # fmt: skip


def command(name: str, *arguments: str, expect: int = 0) -> dict[str, Any]:
    out = StringIO()
    try:
        call_command(name, *arguments, "--format", "json", stdout=out, stderr=StringIO())
        code = 0
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == expect, f"{name} ended with {code}: {out.getvalue()}"
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def books() -> dict[str, list[str]]:
    return {name: found for name, check in INVARIANTS.items() if (found := check())}


def signed_in(username: str) -> Client:
    client = Client()
    assert client.post("/accounts/login/", {"username": username, "password": PASSWORD}).status_code == 302
    return client


def imported(tmp_path: Path, name: str, rows: str) -> None:
    source = tmp_path / name
    source.write_text(rows)
    command("import_usage", "--source", "csv", "--file", str(source))


def test_october_of_an_institute(make_user: Any, finance: Any, settings: Any, tmp_path: Path) -> None:
    settings.BILLING_TAX_ENABLED = True
    institute = make_customer("Institute of Imaging", account="imaging", billing_email="bills@imaging.example")
    Member.objects.create(organisation=institute.organisation, user=make_user("payer"), role="billing_manager")
    imported(tmp_path, "october.psv", SACCT)
    exchange("USD", "THB", "32.5")
    price("llm", "0.002", quantity="request_tokens", currency="USD", minimum_charge=Decimal(1))
    price("llm", "0.006", quantity="response_tokens", currency="USD")
    use(institute, 4, metric_name="llm", model_id="m1", request_tokens=1000, cached_tokens=200, response_tokens=250)
    use(institute, metric_name="storage", metric_value=Decimal("12.5"), unit="GB")
    fee(institute, "1200")
    off(institute, percent=Decimal(5))

    # 1. what nobody has priced stops the invoice, and says what to do
    blocked = command("run_invoices", "--month", "2026-10", "--finalize", expect=3)["invoices"][0]
    assert (blocked["status"], blocked["number"]) == ("draft", None)
    assert "storage was used (12.5 GB) and has no price" in blocked["problems"][0]

    # 2. a price in steps settles it; the run is simply made again
    price("storage", None, charge_model="graduated", steps=[(Decimal(10), "3"), (None, "2")])
    done = command("run_invoices", "--month", "2026-10", "--finalize")["invoices"][0]
    assert (done["status"], done["finalized"]) == ("finalized", True)
    assert command("run_invoices", "--month", "2026-10", "--finalize")["finalized"] == 0
    invoice = Invoice.objects.get()
    assert invoice.total == invoice.subtotal - invoice.discount + invoice.tax
    by_kind = {line.description: line.total for line in invoice.lines.all()}
    assert by_kind["llm · m1 · request tokens"] == Decimal("260.00")  # 4,000 x 0.002 x 32.5
    assert by_kind["llm · m1 · response tokens"] == Decimal("195.00")
    assert by_kind["storage"] == 35
    assert by_kind["Pro, 1 Oct 2026 – 31 Oct 2026"] == 1200
    # the job that ended in November, and that of somebody else's account, are not on it
    assert sorted(Job.objects.filter(claimed_by=invoice.claim).values_list("job_id", flat=True)) == [101, 102]
    assert books() == {}

    # 3. who pays reads it, asks why, and is the only one who can
    payer = signed_in("payer")
    assert "To pay" in text(payer.get(f"/invoices/{invoice.uuid}/"))
    number = invoice.lines.get(kind="jobs").line_number
    found = payer.get(f"/api/v1/invoices/{invoice.uuid}/lines/{number}/explain").json()
    assert sum(Decimal(job["cost"]) for job in found["jobs"]) == Decimal(found["total"])

    # 4. paid in two parts, the second a little too much
    console = signed_in("fin")
    for amount, slip, over in (("1000", "slip 1", ""), (f"{invoice.total - 990:.2f}", "slip 2", "10")):
        sent = {"amount": amount, "reference": slip, "received_on": "2026-11-05", "overpayment": over, "confirm": "1"}
        console.post(f"/admin/billing/invoice/{invoice.pk}/pay/", sent)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due) == ("paid", 0)

    # 5. a part of the fee is given back: the money is kept for the next invoice
    line = invoice.lines.get(kind="fee").line_number
    sent = {f"line_{line}": "100", "reason": "outage", "seen": "0", "confirm": "1"}
    console.post(f"/admin/billing/invoice/{invoice.pk}/credit/", sent)
    note = CreditNote.objects.get()
    assert (note.subtotal, note.tax, note.total) == (100, 7, 107)
    assert books() == {}

    # 6. a job of October that came late goes on November's; so do 117 baht in the payer's favour
    imported(tmp_path, "late.psv", LATE)
    with time_machine.travel("2026-12-03T05:00:00Z"):
        fee(
            institute, "1200", due_at=datetime(2026, 10, 31, 17, tzinfo=UTC),
            period_start=datetime(2026, 10, 31, 17, tzinfo=UTC), period_end=datetime(2026, 11, 30, 17, tzinfo=UTC),
        )  # fmt: skip
        command("run_invoices", "--month", "2026-11", "--finalize")
        november = Invoice.objects.get(month=11)
        assert sorted(Job.objects.filter(claimed_by=november.claim).values_list("job_id", flat=True)) == [103, 105]
        assert (november.amount_paid, november.amount_due) == (117, november.total - 117)
        assert november.serial == invoice.serial + 1
    with time_machine.travel(datetime(2027, 2, 1, tzinfo=UTC)):
        assert "overdue" in text(signed_in("payer").get("/invoices/"))
    assert books() == {}


def test_the_end_of_a_year_and_a_clock_that_is_set_back(settings: Any) -> None:
    berlin = make_customer("Berlin", account="", time_zone="Europe/Berlin", currency="EUR")
    price("call", "1", currency="EUR")
    for moment in (
        datetime(2026, 9, 30, 22, tzinfo=UTC),  # midnight of 1 October, summer time
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # half past two, for the first time that night
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # and for the second
        datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC),  # the last second of October, winter time
        datetime(2026, 10, 31, 23, tzinfo=UTC),  # November
        datetime(2026, 12, 31, 22, 59, tzinfo=UTC),  # 2026
        datetime(2026, 12, 31, 23, tzinfo=UTC),  # 2027
        datetime(2028, 2, 29, 12, tzinfo=UTC),  # a leap day
    ):
        use(berlin, metric_name="call", timestamp=moment)
    with time_machine.travel("2028-03-05T00:00:00Z"):
        for month in ("2026-10", "2026-11", "2026-12", "2027-01", "2028-02"):
            command("run_invoices", "--month", month, "--finalize")
        months = {(row.year, row.month): (row.total, row.lines.count()) for row in Invoice.objects.all()}
    assert {key: total for key, (total, _lines) in months.items()} == {
        (2026, 10): 4, (2026, 11): 1, (2026, 12): 1, (2027, 1): 1, (2028, 2): 1,
    }  # fmt: skip
    assert sorted(Invoice.objects.values_list("serial", flat=True)) == [1, 2, 3, 4, 5]
    assert Invoice.objects.get(month=10).issue_date == date(2028, 3, 5)
    assert Invoice.objects.get(month=10).due_date == date(2028, 3, 5) + timedelta(days=30)
    assert books() == {}
