"""In Thai people read the Buddhist year, everywhere; machines never do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone, translation
from django.utils.formats import date_format, localize, localize_input

from core.console.admin import console_day
from core.words.wording import moment_text, month_text
from tests.pages.conftest import text

DAY = date(2026, 10, 31)


@pytest.mark.parametrize(("language", "year"), [("th", "2569"), ("en", "2026")])
def test_dates_of_the_console_have_the_year_of_the_reader(language: str, year: str) -> None:
    with translation.override(language):
        assert console_day(DAY).endswith(year)
        assert date_format(DAY, "YEAR_MONTH_FORMAT").endswith(year)
        assert month_text(DAY).endswith(year)


@pytest.mark.parametrize("language", ["th", "en"])
@pytest.mark.parametrize("month", range(1, 13))
def test_a_moment_of_the_console_is_written_as_on_the_pages(language: str, month: int) -> None:
    moment = datetime(2026, month, 9, 23, 5, tzinfo=UTC)
    with translation.override(language):
        assert localize(timezone.localtime(moment)) == moment_text(moment)


def test_what_machines_read_keeps_the_common_year() -> None:
    with translation.override("th"):
        assert "2026" in localize_input(DAY)
        assert date_format(DAY, "c") == "2026-10-31"


@pytest.mark.django_db
def test_a_list_of_the_console_in_thai(client: Any, superuser: Any) -> None:
    client.force_login(superuser)
    client.cookies["django_language"] = "th"
    year = timezone.localdate().year
    page = text(client.get("/admin/accounts/user/"))
    assert str(year + 543) in page
    assert str(year) not in page
