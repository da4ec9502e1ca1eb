"""The periodic tasks in the console, in the reader's language."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import translation

from hpcbilling.models import PeriodicTask
from hpcbilling.periodic import Task, run_due
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
LIST = "/admin/hpcbilling/periodictask/"


@pytest.fixture
def failed(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> PeriodicTask:
    """An import for which no source answers: no slurmrestd, no sacct, no file."""
    monkeypatch.setenv("PATH", str(tmp_path))
    settings.FALLBACK_CSV = str(tmp_path / "gone.csv")
    task = Task("import_usage", ("--source", "auto"), timedelta(hours=1))
    with translation.override("en"):
        assert [outcome.status for outcome in run_due((task,))] == ["failed"]
    return PeriodicTask.objects.get()


@pytest.mark.parametrize(
    ("language", "result", "error"),
    [
        ("en", "failed", "No usage source answered."),
        ("th", "ไม่สำเร็จ", "ไม่มีแหล่งข้อมูลการใช้งานใดตอบกลับ"),
    ],
)
def test_what_failed_says_so_and_why(
    client: Any, auditor: Any, failed: PeriodicTask, language: str, result: str, error: str
) -> None:
    client.force_login(auditor)
    client.cookies[project.LANGUAGE_COOKIE_NAME] = language
    for address in (LIST, f"{LIST}{failed.pk}/change/", f"{LIST}?last_status=failed"):
        page = text(client.get(address))
        assert result in page
        assert error in page
        assert "gone.csv" in page
        assert '["' not in page, "what is kept for readers of any language is not what they read"
    assert error not in text(client.get(f"{LIST}?last_status=done"))


def test_a_text_that_is_cut_or_was_not_said_stays_as_it_stands(client: Any, auditor: Any) -> None:
    PeriodicTask.objects.create(name="x", last_status="failed", last_error="[Errno 2] No such file")
    client.force_login(auditor)
    assert "[Errno 2] No such file" in text(client.get(LIST))
