"""The console: rates are appended, receipts move by confirmed buttons only, nobody edits or deletes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Tier
from accounts.services.work import run_next
from audit.models import AuditLog
from billing.models import RateVersion, Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from tests.factories import account_tier, make_job

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
