"""What a changed record means in money, and deciding about it in the console."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Tier
from audit.models import AuditLog
from billing.models import Receipt
from billing.selectors.jobs.adjustments import difference_of, differences
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts, void_receipt
from core.context import SYSTEM, Actor
from tests.factories import account_tier
from tests.usage.helpers import row, run_import, write
from usage.models import Adjustment, Job

pytestmark = pytest.mark.django_db
LIST = "/admin/usage/adjustment/"
HOUR = {"ElapsedRaw": 3600, "AllocTRES": "cpu=4,mem=8G,node=1"}


@pytest.fixture
def receipt(tmp_path: Path, alice: Any) -> Receipt:
    """4 core-hours and 8 GB-hours at University: 8.00."""
    account_tier("physics", "mu")
    run_import(write(tmp_path / "a.psv", row(1, **HOUR)))
    (made,) = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)
    return made


def change(folder: Path, **cells: Any) -> Adjustment:
    run_import(write(folder / "b.psv", row(1, **{**HOUR, **cells})))
    return Adjustment.objects.latest("id")


@pytest.mark.parametrize(
    ("cells", "changed", "difference"),
    [
        ({"ElapsedRaw": 1800}, "4.00", "-4.00"),
        ({"ElapsedRaw": 7200, "End": 1790007200}, "16.00", "8.00"),
        ({"AllocTRES": "cpu=4,mem=8G,node=1,gres/gpu=1"}, "13.00", "5.00"),
        ({"State": "NODE_FAIL"}, "0.00", "-8.00"),
        ({"ElapsedRaw": 0}, "0.00", "-8.00"),
        ({"User": "bob"}, "0.00", "-8.00"),
        ({"State": "FAILED"}, "8.00", "0.00"),
    ],
)
def test_the_difference_is_at_the_receipts_own_rates(
    receipt: Receipt, tmp_path: Path, cells: dict[str, Any], changed: str, difference: str
) -> None:
    mu = Tier.objects.get(pk="mu")
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(99), Decimal(99), Decimal(99)))
    found = difference_of(change(tmp_path, **cells))
    assert found is not None
    assert (found.billed, found.changed, found.difference) == (Decimal("8.00"), Decimal(changed), Decimal(difference))


def test_cpu_time_that_is_not_known_gives_no_difference(receipt: Receipt, tmp_path: Path) -> None:
    Receipt.objects.update(cpu_basis="used")
    found = difference_of(change(tmp_path, ElapsedRaw=1800, TotalCPU=""))
    assert found is not None
    assert (found.changed, found.difference, "CPU time" in found.why) == (None, None, True)


def test_a_document_that_is_no_receipt_has_no_difference(receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800)
    for document in ("invoice:1", "receipt:999999", "receipt:x"):
        mine.document = document
        assert difference_of(mine) is None


def test_the_void_line_is_still_what_was_billed(receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800)
    void_receipt(actor=SYSTEM, receipt=receipt, reason="changed")
    found = difference_of(mine)
    assert found is not None
    assert found.difference == Decimal("-4.00")


def test_the_queries_do_not_grow(receipt: Receipt, tmp_path: Path, django_assert_num_queries: Any) -> None:
    for seconds in (10, 20, 30, 40):
        change(tmp_path, ElapsedRaw=seconds)
    mine = list(Adjustment.objects.select_related("job"))
    with django_assert_num_queries(2):
        assert len(differences(mine)) == 4


# --- the console ---------------------------------------------------------------
@pytest.fixture
def console(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


def act(console: Any, action: str, **extra: str) -> str:
    chosen = [str(each.pk) for each in Adjustment.objects.all()]
    answer = console.post(LIST, {"action": action, "_selected_action": chosen, **extra}, follow=True)
    text: str = answer.content.decode().replace("\u00a0", " ")
    return text


def test_list_and_page_say_what_changed_and_by_how_much(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800, End=1790001800, State="FAILED", AllocTRES="cpu=4,mem=8G,gres/gpu:a100=1")
    listed = console.get(LIST).content.decode().replace("\u00a0", " ")
    assert f"/admin/billing/receipt/{receipt.pk}/change/" in listed
    assert "state, ended, elapsed seconds …" in listed
    page = console.get(f"{LIST}{mine.pk}/change/").content.decode().replace("\u00a0", " ")
    for words in ("3,600", "1,800", "COMPLETED", "FAILED", "a100: 1", "billed THB 8.00", "Void the receipt and accept"):
        assert words in page, words


def test_accepting_while_billed_is_refused_in_words(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    change(tmp_path, ElapsedRaw=1800)
    assert "THB −4.00" in act(console, "accept_action")
    assert "Void that receipt first" in act(console, "accept_action", confirm="1", text="ok")
    assert Adjustment.objects.get().status == "open"
    assert Job.objects.get().elapsed_seconds == 3600


def test_the_page_offers_what_can_be_done_now(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800)

    def offers() -> list[bool]:
        page = console.get(f"{LIST}{mine.pk}/change/").content.decode()
        return [f'value="{name}_action"' in page for name in ("accept", "dismiss")]

    assert offers() == [False, True]
    void_receipt(actor=SYSTEM, receipt=receipt, reason="changed")
    assert offers() == [True, True]
    act(console, "dismiss_action", confirm="1", text="no")
    assert offers() == [False, False]


def test_after_a_void_it_is_accepted(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800)
    void_receipt(actor=SYSTEM, receipt=receipt, reason="changed")
    assert "No document bills the job now" in console.get(f"{LIST}{mine.pk}/change/").content.decode()
    assert "1 change accepted." in act(console, "accept_action", confirm="1", text="as the cluster says")
    assert Job.objects.get().elapsed_seconds == 1800
    (again,) = create_receipts(actor=SYSTEM, username="alice", start=date(2026, 1, 1), end=date(2026, 12, 31))
    assert again.total == Decimal("4.00")
    assert "This is decided" in console.get(f"{LIST}{mine.pk}/change/").content.decode()


def test_it_is_dismissed_with_a_note(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    change(tmp_path, ElapsedRaw=1800)
    assert "1 change dismissed." in act(console, "dismiss_action", confirm="1", text="credited by hand")
    assert AuditLog.objects.get(action="usage_change_dismiss").actor == "fin"
    assert "stays as it is" in act(console, "dismiss_action", confirm="1", text="again")


def test_a_change_that_a_newer_one_replaced_says_so(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    first = change(tmp_path, ElapsedRaw=1800)
    change(tmp_path, ElapsedRaw=1700)
    page = console.get(f"{LIST}{first.pk}/change/").content.decode()
    assert "at the source then" in page
    assert "at the source now" not in page
    assert "A newer record of the job took its place." in page
    assert "closed by import run" in page.lower()
    assert "1 adjustment" in console.get(f"{LIST}?status__exact=open").content.decode()
    assert "stays as it is" in act(console, "accept_action", confirm="1", text="ok")


def test_who_may_only_look_decides_nothing(client: Any, auditor: Any, receipt: Receipt, tmp_path: Path) -> None:
    mine = change(tmp_path, ElapsedRaw=1800)
    client.force_login(auditor)
    assert client.get(f"{LIST}{mine.pk}/change/").status_code == 200
    act(client, "dismiss_action", confirm="1", text="x")
    mine.refresh_from_db()
    assert mine.status == "open"
    for path in (f"{LIST}add/", f"{LIST}{mine.pk}/delete/"):
        assert client.post(path, {"post": "yes"}).status_code == 403


def test_the_front_page_counts_what_is_open(console: Any, receipt: Receipt, tmp_path: Path) -> None:
    assert "changed at their source" not in console.get("/admin/").content.decode()
    change(tmp_path, ElapsedRaw=1800)
    front = console.get("/admin/").content.decode()
    assert "Jobs changed at their source" in front
    assert "/admin/usage/adjustment/?status__exact=open" in front
    assert "1 adjustment" in console.get(f"{LIST}?status__exact=open").content.decode()
