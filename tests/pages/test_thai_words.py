"""Words that stayed English on Thai pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as project
from django.utils import translation

from accounts.roles import GROUPS, group_text
from core.words.wording import unit_text
from hpcbilling.templatetags.cards import column_name
from tests.pages.conftest import text
from tests.usage.helpers import HEADER, row, run_import, write
from usage.models import QuarantinedRow


@pytest.fixture
def thai(client: Any, superuser: Any) -> Any:
    client.force_login(superuser)
    client.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    return client


def test_a_new_organisation_has_no_id_to_show(thai: Any) -> None:
    page = thai.get("/admin/accounts/organisation/add/")
    assert "uuid" not in page.content.decode().lower()


def test_ticks_are_named_in_the_language_of_the_page(thai: Any) -> None:
    page = thai.get("/admin/accounts/user/").content.decode()
    assert 'alt="ใช่"' in page
    for english in ('alt="True"', 'alt="False"', 'alt="None"'):
        assert english not in page


def test_groups_are_named_in_the_language_of_the_page(thai: Any, finance: Any) -> None:
    page = text(thai.get("/admin/accounts/user/"))
    form = text(thai.get(f"/admin/accounts/user/{finance.pk}/change/"))
    thai.force_login(finance)
    account = text(thai.get("/account/"))
    with translation.override("th"):
        words = {name: group_text(name) for name in GROUPS}
    assert not set(words.values()) & set(GROUPS)
    assert all(word in page and word in form for word in words.values())
    assert words["Finance"] in account
    assert "Finance" not in account


def test_units_that_come_with_the_product_have_words_and_others_stay(db: None) -> None:
    with translation.override("th"):
        assert [unit_text(each) for each in ("tokens", "requests", "page", "furlong")] == [
            "โทเค็น", "คำขอ", "หน้า", "furlong",
        ]  # fmt: skip
        assert [unit_text(each) for each in ("cpu_second", "gpu-hours", "gib_month", "own_unit", "GB")] == [
            "CPU-วินาที", "GPU-ชั่วโมง", "GiB-เดือน", "own unit", "GB",
        ]  # fmt: skip
    with translation.override("en"):
        assert [unit_text(each) for each in ("cpu_second", "core_hours", "own_unit", "")] == [
            "CPU-second", "core-hours", "own unit", "",
        ]  # fmt: skip


def test_why_a_row_was_refused_is_thai_to_its_end(thai: Any, tmp_path: Any) -> None:
    run_import(write(tmp_path / "u.psv", row(1) + "|too|many", row(2, Start="soon")))
    width = len(HEADER.split("|"))
    details = {each.reason: each for each in QuarantinedRow.objects.all()}
    assert details["field_count"].detail == f"{width + 2} fields, the header has {width}", "kept for programs"
    shown = text(thai.get(f"/admin/usage/quarantinedrow/{details['field_count'].pk}/change/"))
    assert "the header has" not in shown
    assert f"{width + 2} ช่อง" in shown
    assert "is not a time" not in text(thai.get(f"/admin/usage/quarantinedrow/{details['bad_time'].pk}/decide/"))


def test_lists_write_the_number_of_a_row_alike() -> None:
    """Some tables name it themselves, others leave that to Django."""
    assert [column_name(text) for text in ("id", "ID", "job id")] == ["ID", "ID", "Job id"]
