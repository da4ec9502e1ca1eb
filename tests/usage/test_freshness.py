"""How far the pages say that usage is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.usage.helpers import at, row, run_import, write
from usage.models import ImportRun
from usage.selectors.freshness import data_until, last_reads

pytestmark = pytest.mark.django_db


def test_a_file_goes_as_far_as_the_last_end_in_it(tmp_path: Path) -> None:
    """Not to the moment of reading it: an old file, or half of one, brings no news of today."""
    assert data_until() is None
    path = write(tmp_path / "u.psv", row(1, End=1790000100), row(2, End=1790000500), row(3, End=1790000300))
    run_import(path)
    assert data_until() == at(1790000500)
    run_import(path)  # the same again knows no more
    run_import(write(tmp_path / "v.psv", row(4, End=1790000200)))
    assert data_until() == at(1790000500)
    (read,) = last_reads()
    assert (read.cluster, read.until, read.failed_at) == ("c1", at(1790000500), None)
    assert read.good_at == ImportRun.objects.latest("finished_at").finished_at


def test_a_file_of_one_user_or_of_running_jobs_says_nothing(tmp_path: Path) -> None:
    run_import(write(tmp_path / "u.psv", row(1, User="bob"), row(2)), user="bob")
    run_import(write(tmp_path / "u.psv", row(3, End="Unknown", State="RUNNING")))
    assert ImportRun.objects.filter(status="done").count() == 2
    assert data_until() is None
    assert [read.good_at for read in last_reads()] == [None], "nor that the cluster can be read again"
