"""A job's name is anybody's text: it must not become somebody else's bill."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput
from tests.usage.helpers import run_import
from usage.models import ImportRun, Job, QuarantinedRow

pytestmark = pytest.mark.django_db
HEADER = "JobIDRaw|User|Account|JobName|Submit|End|ElapsedRaw|AllocTRES|State"


def row(number: int, name: str = "fine", user: str = "alice") -> str:
    return f"{number}|{user}|physics|{name}|1792000000|1792003600|3600|cpu=1,mem=1G,node=1|COMPLETED"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.psv"


def run(file: Path, *rows: str, header: str = HEADER) -> None:
    file.write_text("\n".join([header, *rows]) + "\n")
    run_import(file)


def test_a_whole_row_inside_a_broken_one_is_refused(file: Path) -> None:
    forged = row(666, user="bob")
    run(file, row(1), row(2, name=f"x|\n{forged}\n"), row(3), row(4))
    assert not Job.objects.filter(username="bob").exists()
    assert set(Job.objects.values_list("job_id", flat=True)) == {1, 3, 4}
    assert QuarantinedRow.objects.get(reason="beside_broken_row").raw == forged


def test_an_honest_line_break_costs_only_its_own_row(file: Path) -> None:
    run(file, row(1), row(2, name="two\nlines"), row(3))
    assert set(Job.objects.values_list("job_id", flat=True)) == {1, 3}
    assert set(QuarantinedRow.objects.values_list("reason", flat=True)) == {"field_count"}


def test_many_short_rows_inside_one_name_are_all_refused(file: Path) -> None:
    forged = "\n".join(f"66{index}|bob|p|y|1792000000|1792003600|99|cpu=9|CD" for index in range(4))
    run(file, row(1), row(2, name=f"x\n{forged}\nz"), row(3), row(4))
    assert not Job.objects.filter(username="bob").exists()
    assert set(Job.objects.values_list("job_id", flat=True)) == {1, 3, 4}


def test_a_lone_damaged_row_makes_no_more_neighbours_suspect_than_fit_into_a_name(file: Path) -> None:
    run(file, row(1), "2|alice|physics|cut", *(row(number) for number in range(3, 10)))
    assert set(Job.objects.values_list("job_id", flat=True)) >= {1, 6, 7, 8, 9}
    assert QuarantinedRow.objects.filter(reason="field_count").count() == 1
    assert Job.objects.count() + QuarantinedRow.objects.count() == 9


def test_without_free_text_a_damaged_row_says_nothing_about_its_neighbours(file: Path) -> None:
    header = HEADER.replace("JobName|", "")
    rows = [row(number).replace("fine|", "") for number in (1, 3)]
    run(file, rows[0], "2|alice", rows[1], header=header)
    assert set(Job.objects.values_list("job_id", flat=True)) == {1, 3}


def test_a_file_with_free_text_is_imported_with_a_warning(file: Path) -> None:
    file.write_text("\n".join([HEADER, row(1)]))
    assert any("JobName" in note for note in run_import(file).notes)


def test_a_file_of_other_clusters_is_a_mistyped_name_not_a_cluster_without_usage(file: Path) -> None:
    header = f"Cluster|{HEADER}"
    file.write_text("\n".join([header, f"tara|{row(1)}"]))
    with pytest.raises(BadInput, match=r"typo.*1 row"):
        run_import(file, cluster="typo")
    assert ImportRun.objects.get().status == "failed"
    assert run_import(file, cluster="tara").imported == 1
