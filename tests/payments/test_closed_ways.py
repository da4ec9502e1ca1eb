"""Ways that do not take a small sum: one line, each with its provider."""

from __future__ import annotations

from typing import Any

from tests.pages.conftest import text


def test_ways_that_do_not_take_the_sum_are_one_line_with_their_providers(
    client: Any, receipt: Any, fakes: Any, settings: Any
) -> None:
    """Five lines, two of them of a "Card" without a provider, said nothing of what to do."""
    settings.PAYMENT_PROVIDER_NAMES = ["stripe", "omise", "manual"]
    client.force_login(receipt.user)
    page = text(client.get(receipt.get_absolute_url()))
    assert page.count("Not for this sum") == 1
    line = page[page.index("Not for this sum") :][:300]
    assert line.count("Card (") == 2, line
    for words in ("Card (Stripe)", "Omise", "THB 20.00 to "):
        assert words in line
    assert "please choose another way" not in page
    assert "Pay THB 8.00" in page, "the bank transfer takes it"
