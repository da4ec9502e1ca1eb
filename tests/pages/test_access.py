"""Who may see what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pages.conftest import text

PRIVATE = ["/", "/usage/", "/usage.csv", "/receipts/", "/receipts/new/", "/receipts/1/", "/receipts/1/lines.csv",
           "/subscriptions/", "/subscriptions/new/", "/prepared/"]  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_a_stranger_is_sent_to_sign_in_and_back(client: Any, db: None, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", ["/playground/", "/accounts/login/", "/verify/"])
def test_a_stranger_may_see_prices_the_check_of_documents_and_the_sign_in_page(
    client: Any, db: None, path: str
) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/usage/?period=all", "/usage/?view=aggregate&period=all", "/usage/?q=bobs"])
def test_usage_shows_only_own_jobs(as_alice: Any, jobs: None, path: str) -> None:
    words = text(as_alice.get(path))
    assert "601" not in words
    assert "bobs-secret" not in words


def test_usage_csv_holds_only_own_jobs(as_alice: Any, jobs: None) -> None:
    body = b"".join(as_alice.get("/usage.csv?period=all")).decode()
    assert "lattice" in body
    assert "bobs-secret" not in body


@pytest.mark.parametrize("suffix", ["", "lines.csv"])
def test_anothers_receipt_is_as_absent_as_one_that_never_was(as_bob: Any, receipt: Any, suffix: str) -> None:
    others = as_bob.get(f"/receipts/{receipt.pk}/{suffix}")
    nobodys = as_bob.get(f"/receipts/999999/{suffix}")
    assert others.status_code == nobodys.status_code == 404
    assert text(others) == text(nobodys)


def test_finance_may_open_any_receipt_but_is_offered_no_pay_button(as_finance: Any, receipt: Any) -> None:
    response = as_finance.get(f"/receipts/{receipt.pk}/")
    assert response.status_code == 200
    assert f"/payments/receipt/{receipt.pk}/start" not in response.content.decode()


def test_staff_without_the_right_to_see_receipts_get_404(client: Any, make_user: Any, receipt: Any) -> None:
    operator = make_user("op", role="admin", groups=["Rates editor"])
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/receipts/{receipt.pk}/").status_code == 404


def test_nobody_creates_receipts_for_somebody_else(as_alice: Any, jobs: None, bob: Any) -> None:
    from billing.models import Receipt

    preview = as_alice.get("/receipts/new/?start=&end=&username=bob").context["preview"]
    fields = {"start": str(preview.start), "end": str(preview.end), "expected": preview.token, "username": "bob"}
    as_alice.post("/receipts/new/", fields)
    assert set(Receipt.objects.values_list("user_id", flat=True)) == {"alice"}


def test_the_console_is_offered_to_staff_only(as_alice: Any, as_finance: Any) -> None:
    assert "/admin/" not in as_alice.get("/").content.decode()
    assert "/admin/" in as_finance.get("/").content.decode()
