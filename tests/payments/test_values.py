"""Numbers that providers tell: whole, and such as a column can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.providers.omise import reading as omise
from payments.providers.razorpay import reading as razorpay
from payments.providers.values import MOST_MINOR, minor_of, moment_of

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("amount", [0, -1, 800, MOST_MINOR, -MOST_MINOR])
def test_a_whole_number_of_minor_units_is_an_amount(amount: int) -> None:
    assert minor_of(amount) == amount


@pytest.mark.parametrize("amount", ["800", "1_0", 8.0, Decimal("8.5"), True, None, MOST_MINOR + 1, 10**30, -(10**30)])
def test_text_parts_and_what_no_column_holds_are_none(amount: Any) -> None:
    with pytest.raises(ValueError, match=r"^an amount is"):
        minor_of(amount)


@pytest.mark.parametrize("amount", ["1_0", 12.7, 10**30])
def test_a_dispute_about_no_whole_amount_makes_the_whole_record_none(amount: Any) -> None:
    """It would be taken for another sum than the bank's."""
    dispute = {"id": "dspt_1", "amount": amount, "currency": "thb", "status": "open"}
    charge = {
        "id": "chrg_1", "status": "successful", "amount": 800, "livemode": False, "currency": "thb", "dispute": dispute,
    }  # fmt: skip
    with pytest.raises(omise.ProviderError, match="not a charge: an amount is"):
        omise.payment_state(charge)


@pytest.mark.parametrize("seconds", [10**12, 10**30, -(10**30)])
def test_a_moment_outside_the_calendar_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match=r"calendar|year|out of range"):
        moment_of(seconds)


@pytest.mark.parametrize("created", [10**30, 10**400])
def test_a_call_from_beyond_the_calendar_is_not_fresh(created: int) -> None:
    assert not razorpay.is_fresh({"created_at": created}, NOW, timedelta(days=2))
