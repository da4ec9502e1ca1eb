"""The console: rates are appended, receipts move by confirmed buttons only, nobody edits or deletes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Tier
from accounts.services.approvals import WaitsForSecond
from accounts.services.work import run_next
from audit.models import AuditLog
from billing.models import RateVersion, Receipt
from billing.services.months import close_month
from billing.services.receipts import create_receipts, mark_paid, mark_paid_by_hand
from core.context import Actor
from tests.factories import account_tier, make_job
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
LIST = "/admin/billing/receipt/"


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    account_tier("physics", "mu")
    make_job()
    return create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)[0]


def act(client: Any, receipt: Receipt, action: str, **extra: str) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [receipt.pk], **extra}, follow=True)


@pytest.mark.parametrize(("action", "status"), [("mark_paid_action", "paid"), ("void_action", "void")])
def test_an_action_first_says_what_it_will_do_and_then_does_it(
    client: Any, finance: Any, receipt: Receipt, action: str, status: str
) -> None:
    client.force_login(finance)
    page = act(client, receipt, action)
    assert "8.00" in page.content.decode()
    receipt.refresh_from_db()
    assert receipt.status == "pending"
    act(client, receipt, action, confirm="1")
    receipt.refresh_from_db()
    assert receipt.status == "pending", "the reference or reason is required"
    act(client, receipt, action, confirm="1", text="slip 0042")
    receipt.refresh_from_db()
    assert receipt.status == status
    entry = AuditLog.objects.order_by("-id")[0]
    assert entry.actor == "fin"
    assert "slip 0042" in (entry.extra.get("tx_ref"), entry.extra.get("reason"))


def test_an_auditor_sees_and_cannot_act(client: Any, auditor: Any, receipt: Receipt) -> None:
    client.force_login(auditor)
    assert client.get(LIST).status_code == 200
    act(client, receipt, "mark_paid_action", confirm="1", text="x")
    receipt.refresh_from_db()
    assert receipt.status == "pending"


def test_a_researcher_does_not_get_in(client: Any, receipt: Receipt) -> None:
    client.force_login(receipt.user)
    assert client.get(LIST).status_code in (302, 403)


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_not_even_an_administrator_edits_or_deletes(client: Any, superuser: Any, receipt: Receipt, verb: str) -> None:
    client.force_login(superuser)
    client.post(f"{LIST}{receipt.pk}/{verb}/", {"total": "1", "post": "yes"})
    receipt.refresh_from_db()
    assert receipt.total == Decimal("8.00")


def test_a_receipt_page_shows_its_lines(client: Any, finance: Any, receipt: Receipt) -> None:
    client.force_login(finance)
    page = client.get(f"{LIST}{receipt.pk}/change/").content.decode()
    assert receipt.items.get().job_key in page


def test_new_rates_are_appended_with_who_and_why(client: Any, make_user: Any) -> None:
    client.force_login(make_user("rita", role="admin", groups=["Rates editor"]))
    form = {"tier": "mu", "cpu": "2", "gpu": "6", "mem": "0.6", "cpu_basis": "allocated", "note": "board 4/2026",
            "effective_at_0": "", "effective_at_1": ""}  # fmt: skip
    assert client.post("/admin/billing/rateversion/add/", form).status_code == 302
    newest = RateVersion.objects.filter(tier="mu").order_by("-effective_at")[0]
    assert (newest.cpu, newest.set_by, newest.note) == (2, "rita", "board 4/2026")
    past = {**form, "effective_at_0": "2020-01-01", "effective_at_1": "00:00:00"}
    assert "past" in client.post("/admin/billing/rateversion/add/", past).content.decode()
    assert client.post("/admin/billing/rateversion/add/", {**form, "cpu": "-1"}).status_code == 200
    assert RateVersion.objects.filter(tier="mu").count() == 2


def test_lists_take_a_constant_number_of_queries(
    client: Any, finance: Any, receipt: Receipt, django_assert_max_num_queries: Any
) -> None:
    client.force_login(finance)
    client.get(LIST)
    with django_assert_max_num_queries(40) as few:
        client.get(LIST)
    for _ in range(5):
        make_job()
        create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(LIST)


def test_the_csv_of_receipts_cannot_carry_a_formula(client: Any, finance: Any, receipt: Receipt) -> None:
    act_reason = "=HYPERLINK(1)"
    client.force_login(finance)
    act(client, receipt, "void_action", confirm="1", text=act_reason)
    answer = client.post(LIST, {"action": "export_csv", "_selected_action": [receipt.pk]})
    text = b"".join(answer.streaming_content).decode()
    assert "'=HYPERLINK(1)" in text


def buttons(client: Client, receipt: Receipt) -> set[str]:
    page = client.get(f"/admin/billing/receipt/{receipt.pk}/change/").content.decode()
    return set(re.findall(r'name="action" value="([a-z_]+)"', page))


def test_the_page_of_a_receipt_offers_what_its_state_allows(client: Client, finance: Any, receipt: Receipt) -> None:
    client.force_login(finance)
    assert buttons(client, receipt) == {"mark_paid_action", "void_action"}
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="x")
    assert buttons(client, receipt) == set()


def test_a_receipt_of_a_closed_month_is_voided_by_adjustment_only(
    client: Client, finance: Any, receipt: Receipt
) -> None:
    close_month(actor=Actor("fin"), month=date(2026, 10, 1))
    client.force_login(finance)
    assert buttons(client, receipt) == {"mark_paid_action", "void_adjusting_action"}


def test_who_may_not_act_on_a_receipt_has_no_buttons(client: Client, auditor: Any, receipt: Receipt) -> None:
    client.force_login(auditor)
    assert buttons(client, receipt) == set()


def test_a_receipt_that_waits_for_a_second_person_says_so(
    client: Client, finance: Any, receipt: Receipt, settings: Any
) -> None:
    settings.FOUR_EYES_ABOVE = Decimal(0)
    with pytest.raises(WaitsForSecond):
        mark_paid_by_hand(actor=Actor("fin"), receipt=receipt, tx_ref="x")
    client.force_login(finance)
    page = text(client.get(f"/admin/billing/receipt/{receipt.pk}/change/"))
    assert "waits for a second person" in page
    assert buttons(client, receipt) == {"void_action"}


def test_the_page_of_a_receipt_is_in_words(client: Client, finance: Any, receipt: Receipt) -> None:
    Receipt.objects.update(tax_label="VAT", tax_rate=Decimal("7.00"), tax_amount=Decimal("0.52"), tax_inclusive=True)
    client.force_login(finance)
    response = client.get(f"/admin/billing/receipt/{receipt.pk}/change/")
    page = text(response)
    assert "VAT 7.00 %, in the prices: THB 0.52" in page
    assert '{"' not in page
    assert "rule:" not in page
    assert "Voided" not in page
    assert response.content.count(b"<h1>") == 1


# --- the receipt run -----------------------------------------------------------------
RUN = "/admin/billing/receipt/run/"
DAYS = {"start": "2026-10-01", "end": "2026-10-31", "user": ""}


def tokens_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(token:[^"]+)" value="([0-9a-f]+)"', page))


def test_finance_previews_a_months_run_and_then_makes_exactly_that(
    client: Client, finance: Any, alice: Any, bob: Any
) -> None:
    account_tier("physics", "mu")
    make_job()
    make_job(username="bob")
    make_job(username="stranger")
    client.force_login(finance)
    page = client.get(RUN, DAYS).content.decode()
    assert "2 receipts would be made" in page
    assert "1 their users have no account here" in page
    assert not Receipt.objects.exists()
    assert client.post(RUN, {**DAYS, **tokens_of(page)}).status_code == 302
    run_next()
    assert sorted(Receipt.objects.values_list("user_id", "created_by")) == [("alice", "fin"), ("bob", "fin")]


def test_a_user_whose_usage_changed_since_the_preview_is_left_out_and_named(
    client: Client, finance: Any, alice: Any, bob: Any
) -> None:
    make_job()
    make_job(username="bob")
    client.force_login(finance)
    tokens = tokens_of(client.get(RUN, DAYS).content.decode())
    make_job()
    where = client.post(RUN, {**DAYS, **tokens}).headers["Location"]
    run_next()
    assert "User alice: New usage" in client.get(where).content.decode()
    assert list(Receipt.objects.values_list("user_id", flat=True)) == ["bob"]


def test_a_user_without_a_rate_is_shown_and_the_others_are_billed(
    client: Client, finance: Any, alice: Any, bob: Any
) -> None:
    Tier.objects.create(code="partner", name="Partner")
    account_tier("partner*", "partner")
    make_job(account="partner-x")
    make_job(username="bob")
    client.force_login(finance)
    page = client.get(RUN, DAYS).content.decode()
    assert "cannot be billed" in page
    client.post(RUN, {**DAYS, **tokens_of(page)})
    assert list(Receipt.objects.values_list("user_id", flat=True)) == ["bob"]


def test_the_run_of_one_user_bills_nobody_else(client: Client, finance: Any, alice: Any, bob: Any) -> None:
    make_job()
    make_job(username="bob")
    client.force_login(finance)
    page = client.get(RUN, {**DAYS, "user": "Alice"}).content.decode()
    client.post(RUN, {**DAYS, "user": "alice", **tokens_of(page)})
    assert list(Receipt.objects.values_list("user_id", flat=True)) == ["alice"]
    assert client.get(RUN, {**DAYS, "user": "nobody"}).status_code == 400


def test_only_finance_makes_receipts_for_others(client: Client, alice: Any, auditor: Any) -> None:
    for user, status in ((alice, 302), (auditor, 403)):
        client.force_login(user)
        assert client.get(RUN).status_code == status
        assert client.post(RUN, DAYS).status_code == status
