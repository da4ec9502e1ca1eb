"""What the proof of a month says of itself."""

from __future__ import annotations

from typing import Any

from tests.factories import make_job
from tests.pages.conftest import text

MONTHS = "/admin/billing/closedmonth/"


def test_a_month_that_holds_nothing_is_not_called_proven(as_finance: Any) -> None:
    page = text(as_finance.get(f"{MONTHS}2030-01/"))
    assert "nothing to prove" in page
    assert "proven" not in page


def test_a_month_with_usage_is_proven_and_says_how_its_hours_are_rounded(as_finance: Any, alice: Any) -> None:
    make_job()
    page = text(as_finance.get(f"{MONTHS}2026-10/"))
    assert "proven Every record" in page
    assert "rounded once" in page
