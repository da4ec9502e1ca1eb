"""From preview to receipt, and what a receipt says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from billing.models import RateVersion, Receipt, ReceiptItem
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from payments.models import Payment
from payments.payables import payable
from tests.factories import change_versions, make_job, make_jobs
from tests.pages.conftest import text

PREVIEW = "/receipts/new/?start=&end="


def order(response: Any) -> dict[str, str]:
    """The fields of the button that creates."""
    return dict(re.findall(r'name="(start|end|expected)" value="([^"]*)"', response.content.decode())[-3:])


def test_preview_shows_each_tier_and_the_sum(as_alice: Any, jobs: None) -> None:
    words = text(as_alice.get(PREVIEW))
    assert "University 1 job" in words
    assert "Total THB 8.00" in words
    assert "Why this tier: rule 10: account physics" in words
    assert "Total THB 20.00" in words
    assert "THB 28.00" in words
    assert "Create 2 receipts" in words


def test_looking_creates_nothing(as_alice: Any, jobs: None) -> None:
    as_alice.get(PREVIEW)
    assert not Receipt.objects.exists()


def test_the_button_creates_one_receipt_a_tier(as_alice: Any, jobs: None) -> None:
    response = as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)), follow=True)
    assert sorted(Receipt.objects.values_list("pricing_tier_id", "total")) == [("gov", 20), ("mu", 8)]
    assert "2 receipts created, one for each tier." in text(response)


def test_a_single_receipt_opens_at_once(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_job(end_at=days_ago(1))
    response = as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)))
    assert response["Location"] == Receipt.objects.get().get_absolute_url()


def test_a_changed_total_shows_the_preview_again(as_alice: Any, jobs: None, days_ago: Any) -> None:
    fields = order(as_alice.get(PREVIEW))
    make_job(account="physics", end_at=days_ago(1))
    response = as_alice.post("/receipts/new/", fields, follow=True)
    assert not Receipt.objects.exists()
    words = text(response)
    assert "Nothing was created; here is the new total." in words
    assert "THB 36.00" in words
    as_alice.post("/receipts/new/", order(response))
    assert Receipt.objects.count() == 2


def test_a_repeated_order_is_answered_with_a_message(as_alice: Any, jobs: None) -> None:
    fields = order(as_alice.get(PREVIEW))
    as_alice.post("/receipts/new/", fields)
    response = as_alice.post("/receipts/new/", fields, follow=True)
    assert response.redirect_chain == [("/receipts/", 302)]
    assert "Nothing was left to bill" in text(response)
    assert Receipt.objects.count() == 2


@pytest.mark.parametrize("days", ["start=2026-02-02&end=2026-01-01", "start=x&end=", "start=0001-01-01&end="])
def test_a_window_that_makes_no_sense_is_refused_in_words(as_alice: Any, jobs: None, days: str) -> None:
    response = as_alice.get(f"/receipts/new/?{days}")
    assert response.status_code == 400
    assert 'class="wrong"' in response.content.decode()


def test_nothing_to_bill_says_so(as_alice: Any, alice: Any) -> None:
    assert "Nothing to bill in this period" in text(as_alice.get(PREVIEW))


def test_the_list_filters_by_status_and_sums_what_is_open(as_alice: Any, receipt: Any) -> None:
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="A-1")
    words = text(as_alice.get("/receipts/"))
    assert "1 receipt waits for payment: THB 20.00" in words
    assert [row.pk for row in as_alice.get("/receipts/?status=paid").context["page"]] == [receipt.pk]


def test_a_receipt_shows_its_arithmetic_and_rates(as_alice: Any, receipt: Any) -> None:
    words = text(as_alice.get(f"/receipts/{receipt.pk}/"))
    assert "Core-hours 4.0000 × 1.00 = 4.00" in words
    assert "GB-hours of memory 8.0000 × 0.50 = 4.00" in words
    assert "Total THB 8.00" in words
    assert "University" in words
    assert "account physics" in words


def test_the_printed_column_adds_up_even_where_lines_were_rounded(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_jobs(7, elapsed_seconds=13, cpus=1, mem_mib=100, end_at=days_ago(1))
    as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)))
    receipt = Receipt.objects.get()
    context = as_alice.get(f"/receipts/{receipt.pk}/").context
    assert sum(product.cost for product in context["products"]) + context["rounding"] == receipt.total


def test_the_pay_button_is_there_while_the_receipt_is_pending(as_alice: Any, receipt: Any, settings: Any) -> None:
    url = f"/receipts/{receipt.pk}/"
    assert f"/payments/receipt/{receipt.pk}/start" in as_alice.get(url).content.decode()
    settings.PAYMENT_PROVIDER = ""
    assert f"/payments/receipt/{receipt.pk}/start" not in as_alice.get(url).content.decode()
    settings.PAYMENT_PROVIDER = "dummy"
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="A-1")
    assert f"/payments/receipt/{receipt.pk}/start" not in as_alice.get(url).content.decode()


def test_the_history_names_who_and_why(as_alice: Any, receipt: Any) -> None:
    words = text(as_alice.get(f"/receipts/{receipt.pk}/"))
    assert "Created" in words
    assert "Waiting for payment" in words
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="KB-77")
    words = text(as_alice.get(f"/receipts/{receipt.pk}/"))
    assert "transfer KB-77" in words
    assert "· fin" in words


def test_a_void_receipt_keeps_its_lines_and_says_why(as_alice: Any, receipt: Any) -> None:
    void_receipt(actor=Actor("fin"), receipt=receipt, reason="Wrong project")
    words = text(as_alice.get(f"/receipts/{receipt.pk}/"))
    assert "Wrong project" in words
    assert "501" in words


def test_long_receipts_come_in_pages_with_constant_queries(
    as_alice: Any, alice: Any, days_ago: Any, django_assert_max_num_queries: Any
) -> None:
    make_jobs(10, end_at=days_ago(1))
    as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)))
    make_jobs(250, end_at=days_ago(1))
    as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)))
    long, short = Receipt.objects.order_by("-pk")
    with django_assert_max_num_queries(15) as few:
        as_alice.get(short.get_absolute_url())
    with django_assert_max_num_queries(len(few)):
        response = as_alice.get(long.get_absolute_url())
    assert len(response.context["lines"]) == 200
    assert len(as_alice.get(f"{long.get_absolute_url()}?page=2").context["lines"]) == 50


def test_paper_says_which_lines_it_has_and_where_the_others_are(as_alice: Any, alice: Any, days_ago: Any) -> None:
    """A receipt of many jobs on one page was heavy, and came out of the printer as a pile of paper."""
    make_jobs(1322, end_at=days_ago(1), job_name="a name as long as people make them")
    as_alice.post("/receipts/new/", order(as_alice.get(PREVIEW)))
    url = Receipt.objects.get().get_absolute_url()
    page = as_alice.get(url)
    assert "Lines 1–200 of 1,322. The PDF of this receipt has every line." in text(page)
    assert "Total of all pages" in text(page), "the foot is not the sum of this page"
    assert 'href="#print"' in page.content.decode()
    for address in (url, f"{url}?lines=all", f"{url}?page=7"):
        response = as_alice.get(address)
        assert len(response.context["lines"]) <= 200
        assert len(response.content) < 150_000, address


@pytest.mark.parametrize("expected", [{}, {"expected": ""}])
def test_nothing_is_created_by_who_has_not_seen_the_total(as_alice: Any, jobs: None, expected: dict[str, str]) -> None:
    response = as_alice.post("/receipts/new/", {"start": "", "end": "", **expected}, follow=True)
    assert not Receipt.objects.exists()
    assert response.redirect_chain == [(PREVIEW, 302)]
    assert "Nothing was created: look at the total first" in text(response)


def pay(receipt: Any, status: str, **fields: Any) -> None:
    Payment.objects.create(
        receipt=receipt, user=receipt.user, provider="dummy", status=status, currency="THB", amount_cents=800,
        captured_cents=800 if status == "succeeded" else 0, idempotency_key=status, **fields,
    )  # fmt: skip


def test_nobody_is_asked_to_pay_while_finance_looks_at_money_that_came(as_alice: Any, receipt: Any) -> None:
    pay(receipt, "failed")
    assert f"/payments/receipt/{receipt.pk}/start" in as_alice.get(receipt.get_absolute_url()).content.decode()
    pay(receipt, "needs_review")
    page = as_alice.get(receipt.get_absolute_url())
    assert f"/payments/receipt/{receipt.pk}/start" not in page.content.decode()
    assert "Please do not pay again." in text(page)


def test_the_history_has_what_was_given_back_by_time(as_alice: Any, receipt: Any) -> None:
    from payments.services.refunds import refund_payment
    from tests.payments.rigs import RIGS

    rig = RIGS["dummy.page"]()
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    refund_payment(actor=Actor("fin"), payment=Payment.objects.get(), amount_minor=300, reason="cooling failed")
    words = text(as_alice.get(receipt.get_absolute_url())).partition("What happened")[2]
    order = [words.index(part) for part in ("Created", "Checkout opened", "Paid", "Refunded THB 3.00")]
    assert order == sorted(order)
    assert "cooling failed" in words


def test_the_preview_is_set_as_arithmetic_and_adds_up(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_jobs(7, elapsed_seconds=13, cpus=1, mem_mib=100, end_at=days_ago(1))
    (quote,) = as_alice.get(PREVIEW).context["preview"].quotes
    assert sum(product.cost for product in quote.products) + quote.rounding == quote.lines == quote.total


def test_the_history_says_online_money_in_words(as_alice: Any, receipt: Any) -> None:
    pay(receipt, "succeeded")
    mark_paid(actor=Actor("provider:dummy"), receipt=receipt, method="dummy", tx_ref="dummy_9b7e")
    words = text(as_alice.get(receipt.get_absolute_url()))
    assert "paid online, reference dummy_9b7e" in words
    assert "provider:dummy" not in words
    assert "dummy dummy_9b7e" not in words


def test_only_trouble_that_passes_is_worth_another_try(receipt: Any) -> None:
    context = {"message": "The receipt is paid.", "payable": payable(receipt)}
    final = render_to_string("payments/unavailable.html", context)
    assert "Try again" not in final
    assert receipt.get_absolute_url() in final
    assert "Try again in a few minutes" in render_to_string("payments/unavailable.html", {**context, "retry": True})


def test_the_lines_download_as_csv_without_formulas(as_alice: Any, receipt: Any) -> None:
    ReceiptItem.objects.filter(receipt=receipt).update(job_id_display="=1+1")
    body = b"".join(as_alice.get(f"/receipts/{receipt.pk}/lines.csv")).decode()
    assert "'=1+1" in body
    assert ",8.00,THB" in body


def test_a_tier_without_a_price_is_said_in_words_and_bills_nothing(as_alice: Any, jobs: None) -> None:
    change_versions(RateVersion.objects.filter(tier_id="gov"), effective_at=timezone.now() + timedelta(days=1))
    assert "has no price now" in text(as_alice.get(PREVIEW))
    assert "has no price now" in text(
        as_alice.post("/receipts/new/", {"start": "", "end": "", "expected": "x"}, follow=True)
    )
    assert not Receipt.objects.exists()
