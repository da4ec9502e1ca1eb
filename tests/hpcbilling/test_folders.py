"""The folder of style sheets and scripts is served whole: one that holds anything else is refused at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcbilling.folders import refusals
from tests.ops.test_configuration import GOOD
from tests.ops.test_unsafe import named
from tests.starts import manage


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for name in ("billing", ".git", "docs", "staticfiles"):
        (folder / name).mkdir(parents=True)
    (folder / "billing" / "__init__.py").touch()
    return folder


def refused(project: Path, value: object, **more: str) -> str:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(project / "data" / "site.sqlite3")}
    found: dict[str, Any] = {
        "BASE_DIR": project, "STATIC_ROOT": project / str(value), "DATABASES": {"default": database},
        "AUDIT_HEADS_FILE": "", "AUDIT_ARCHIVE_FOLDER": "", **more,
    }  # fmt: skip
    return "".join(refusals(found))


@pytest.mark.parametrize(("value", "debug"), [("", "0"), ("/", "0"), (".", "1"), ("billing", "1")])
def test_the_start_is_refused_with_a_folder_that_holds_the_program(value: str, debug: str) -> None:
    done = manage("check", **{} if debug == "1" else GOOD, DEBUG=debug, STATIC_ROOT=value)
    assert (done.returncode, named(done.stderr)) == (78, {"STATIC_ROOT"})


@pytest.mark.parametrize(
    "value", [".git", ".venv/lib", "", "billing", "billing/views", "docs", "static", "locale/th", "x/../."]
)
def test_no_folder_of_the_programs_files_is_taken(project: Path, value: str) -> None:
    assert refused(project, value).startswith("STATIC_ROOT: ")


@pytest.mark.parametrize(
    "value", ["/", "/etc", "/etc/ssl", "/tmp", "/home", "/home/alice", "/var", "/var/lib", "/usr", "/usr/bin", "/srv"]
)  # fmt: skip
def test_no_folder_of_the_system_is_taken(project: Path, value: str) -> None:
    assert refused(project, value)


def test_no_folder_around_the_project_is_taken_and_none_by_another_name(project: Path) -> None:
    (project.parent / "other").symlink_to(project)
    for value in (project, project.parent, project.parent.parent, project.parent / "other", Path.home()):
        assert refused(project, value), value


@pytest.mark.parametrize("name", [".env", ".git", "manage.py"])
def test_no_folder_of_another_program_is_taken(project: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    assert not refused(project, tmp_path / "other")
    (tmp_path / "other" / name).touch()
    assert "the files of a program" in refused(project, tmp_path / "other")


def test_no_folder_of_what_nobody_outside_may_read_is_taken(project: Path, tmp_path: Path) -> None:
    assert "the database is in this folder" in refused(project, "data")
    for name in ("AUDIT_HEADS_FILE", "AUDIT_ARCHIVE_FOLDER"):
        assert name in refused(project, tmp_path / "kept", **{name: str(tmp_path / "kept" / "audit")})


@pytest.mark.parametrize(
    "value", ["staticfiles", "public/assets", "/srv/static", "/var/www/billing", "/opt/billing-static"]
)
def test_a_folder_of_its_own_is_taken(project: Path, value: str) -> None:
    assert not refused(project, value)
    assert not refused(Path("/root/site"), "staticfiles"), "wherever the project is"
