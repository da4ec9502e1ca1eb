"""One month through commands and HTTP only: import, look, bill, pay, refuse, prove."""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from billing.models import Receipt, ReceiptItem
from payments.models import Payment
from payments.providers.dummy.provider import signed_event
from tests.conftest import PASSWORD
from tests.factories import account_tier, make_jobs
from tests.races import at_once
from usage.models import Job

SACCT = """\
JobIDRaw|JobID|Cluster|User|Account|Partition|Submit|Start|End|ElapsedRaw|TotalCPU|AllocCPUS|ReqTRES|AllocTRES|NNodes|State
101|101|tara|alice|physics|cpu|2026-10-02T08:00:00|2026-10-02T08:00:05|2026-10-02T10:00:05|7200|03:00:00|4|billing=4,cpu=1,mem=1G,node=1|billing=4,cpu=4,mem=8G,node=1|1|COMPLETED
102|102|tara|alice|gov-lab|gpu|2026-10-03T08:00:00|2026-10-03T08:00:00|2026-10-03T09:00:00|3600|00:30:00|8|billing=8,cpu=8,mem=16G,node=1|billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=16G,node=1|1|TIMEOUT
103_1|103_1|tara|alice|physics|cpu|2026-10-04T08:00:00|2026-10-04T08:00:00|2026-10-04T08:30:00|1800|00:30:00|1|cpu=1,mem=512M,node=1|cpu=1,mem=512M,node=1|1|COMPLETED
104|104|tara|alice|physics|cpu|2026-10-05T08:00:00|2026-10-05T08:00:00|2026-10-05T09:00:00|3600|00:00:00|4|cpu=4,mem=4G,node=1|cpu=4,mem=4G,node=1|1|NODE_FAIL
105|105|tara|alice|physics|cpu|2026-10-06T08:00:00|2026-10-06T08:00:00|Unknown|900|00:00:00|4|cpu=4,mem=4G,node=1|cpu=4,mem=4G,node=1|1|RUNNING
106|106|tara|bob|physics|cpu|2026-10-07T08:00:00|2026-10-07T08:00:00|2026-10-07T09:00:00|3600|00:59:00|2|cpu=2,mem=2G,node=1|cpu=2,mem=2G,node=1|1|COMPLETED
107|107|tara|bob|a|b|cpu|broken
""".replace("103_1|103_1", "1031|103_1")


def command(name: str, *arguments: str, expect: int = 0) -> dict[str, Any]:
    out = StringIO()
    try:
        call_command(name, *arguments, "--format", "json", stdout=out, stderr=StringIO())
        code = 0
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == expect, f"{name} ended with {code}"
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def signed_in(username: str) -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"username": username, "password": PASSWORD})
    assert answer.status_code == 302, "the login works"
    return client


def order(client: Client, start: str, end: str) -> Any:
    """What a person does: look at the preview, press the button on it."""
    page = client.get("/receipts/new/", {"start": start, "end": end}).content.decode()
    token = re.search(r'name="expected" value="([0-9a-f]+)"', page)
    data = {"start": start, "end": end, "expected": token[1] if token else ""}
    return client.post("/receipts/new/", data, follow=True)


@pytest.mark.django_db
def test_a_month_of_october(alice: Any, bob: Any, finance: Any, tmp_path: Path) -> None:
    account_tier("physics", "mu")
    account_tier("gov-*", "gov")
    source = tmp_path / "october.psv"
    source.write_text(SACCT)

    # ops import, twice
    first = command("import_usage", "--source", "csv", "--file", str(source), "--timezone", "Asia/Bangkok", expect=3)
    assert (first["rows_read"], first["imported"], first["pending"], first["quarantined"]) == (7, 5, 1, 1)
    again = command("import_usage", "--source", "csv", "--file", str(source), "--timezone", "Asia/Bangkok", expect=3)
    assert (again["imported"], again["updated"], again["duplicate"]) == (0, 0, 5)

    # Alice looks and orders: one receipt for each tier
    browser = signed_in("alice")
    order(browser, "2026-10-01", "2026-10-31")
    mu, gov = Receipt.objects.filter(user=alice).order_by("pk")
    # mu: job 101 = 8 core-h x 1 + 16 GB-h x 0.5; task 103_1 = 0.5 x 1 + 0.25 x 0.5
    assert (mu.pricing_tier_id, mu.total) == ("mu", Decimal("16.63"))  # 16.00 + 0.63 (0.625 goes up)
    # gov: 8 core-h x 3 + 2 GPU-h x 10 + 16 GB-h x 1
    assert (gov.pricing_tier_id, gov.total) == ("gov", Decimal("60.00"))

    # a second order finds nothing and is no error
    assert order(browser, "2026-10-01", "2026-10-31").status_code == 200
    assert Receipt.objects.filter(user=alice).count() == 2

    # she pays the first online; the provider repeats its call
    checkout = browser.post(f"/payments/receipt/{mu.pk}/start")
    assert checkout.status_code == 302
    payment = Payment.objects.get(receipt=mu)
    body, headers = signed_event(payment, "payment.succeeded", event_id="evt_1", timestamp=int(time.time()))
    for _ in range(3):
        answer = Client().post("/payments/webhook", body, content_type="application/json", headers=headers)
        assert answer.status_code == 200
    mu.refresh_from_db()
    assert (mu.status, mu.method) == ("paid", "dummy")
    assert "16.63" in browser.get(f"/payments/thanks?rid={mu.pk}").content.decode()

    # Bob sees none of it
    stranger = signed_in("bob")
    assert stranger.get(f"/receipts/{mu.pk}/").status_code == 404

    # finance bills the rest of the month, and voids Alice's second receipt
    made = command("create_receipts", "--all", "--start", "2026-10-01", "--end", "2026-10-31")
    assert [(row["username"], row["total"]) for row in made["receipts"]] == [("bob", "3.00")]
    assert made["skipped"] == {"free_state": 1, "not_ended": 1}
    console = signed_in("fin")
    chosen = {"action": "void_action", "_selected_action": [gov.pk], "confirm": "1", "text": "wrong account"}
    console.post("/admin/billing/receipt/", chosen)
    gov.refresh_from_db()
    assert gov.status == "void"

    # the running job ends, is updated in place, and is billed with the freed one
    source.write_text(SACCT.replace("Unknown|900|", "2026-10-06T09:00:00|3600|").replace("|RUNNING", "|COMPLETED"))
    last = command("import_usage", "--source", "csv", "--file", str(source), "--timezone", "Asia/Bangkok", expect=3)
    assert (last["updated"], last["pending"]) == (1, 0)
    order(browser, "2026-10-01", "2026-10-31")
    assert set(Receipt.objects.filter(user=alice, status="pending").values_list("total", flat=True)) == {
        Decimal("60.00"), Decimal("6.00"),
    }  # fmt: skip

    # the auditor proves it
    assert command("check_books")["ok"] is True
    assert command("verify_audit")["ok"] is True


@pytest.mark.django_db(transaction=True)
def test_fifty_browsers_order_the_same_ten_thousand_jobs(alice: Any) -> None:
    account_tier("physics", "mu")
    make_jobs(10_000)
    browsers = [Client() for _ in range(50)]
    for browser in browsers:
        browser.force_login(alice)
    days = {"start": "2026-10-01", "end": "2026-10-31"}
    page = browsers[0].get("/receipts/new/", days).content.decode()
    token = re.search(r'name="expected" value="([0-9a-f]+)"', page)
    assert token
    form = {**days, "expected": token[1]}

    answers = at_once(50, lambda index: browsers[index].post("/receipts/new/", form, follow=True))

    assert [answer.status_code for answer in answers] == [200] * 50
    assert not any('class="message error' in answer.content.decode() for answer in answers)
    receipt = Receipt.objects.get()
    assert receipt.total == Decimal(80_000)
    assert ReceiptItem.objects.count() == 10_000
    assert Job.objects.filter(claimed_by=receipt.claim).count() == 10_000
    assert command("check_books")["ok"] is True
