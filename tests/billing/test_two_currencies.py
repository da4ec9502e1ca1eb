"""A site that changed its currency adds nothing of the one to the other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from tests.factories import account_tier, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(alice: Any) -> None:
    account_tier("physics", "mu")
    for currency in ("USD", "THB"):
        make_job()
        (receipt,) = create_receipts(actor=Actor("alice"), username="alice")
        Receipt.objects.filter(pk=receipt.pk).update(currency=currency)


@pytest.mark.parametrize("page", ["/", "/receipts/"])
def test_what_is_owed_is_the_sum_of_one_currency(client: Any, alice: Any, both: None, page: str) -> None:
    client.force_login(alice)
    answer = client.get(page)
    text = answer.content.decode()
    owed = answer.context["open"]["total"] if page == "/" else answer.context["counts"]["open_sum"]
    assert owed == Decimal("8.00")
    assert "1 of them is in another currency" in text


def test_the_consoles_sums_are_of_one_currency(client: Any, finance: Any, both: None) -> None:
    client.force_login(finance)
    context = client.get("/admin/").context
    assert context["open"] == {"count": 1, "total": Decimal("8.00")}
