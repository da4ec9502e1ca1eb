"""Passwords that came out in breaches: found in the site's file, however long it is, and nothing else refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.sign_in.breaches import is_breached, trouble
from tests.conftest import PASSWORD

LEAKED = "tamarind-rollercoaster-9"


def listed(folder: Path, passwords: Any, *, count: str = ":3", end: str = "\r\n", lower: bool = False) -> Path:
    hashes = sorted(hashlib.sha1(each.encode()).hexdigest().upper() for each in passwords)
    text = "".join(f"{each}{count}{end}" for each in hashes)
    path = folder / "breached.txt"
    path.write_bytes((text.lower() if lower else text).encode())
    return path


@given(
    st.sets(st.text(max_size=12), max_size=60), st.text(max_size=12), st.sampled_from(["", ":1", ":1234567"]),
    st.sampled_from(["\n", "\r\n"]), st.booleans(),
)  # fmt: skip
def test_what_is_in_the_file_is_found_and_nothing_else(
    inside: set[str], other: str, count: str, end: str, lower: bool
) -> None:
    with TemporaryDirectory() as name:
        path = listed(Path(name), inside, count=count, end=end, lower=lower)
        assert all(is_breached(each, path) for each in inside)
        assert is_breached(other, path) == (other in inside)


def test_such_a_password_is_refused_with_its_reason(tmp_path: Path, settings: Any) -> None:
    settings.BREACHED_PASSWORDS_FILE = str(listed(tmp_path, [LEAKED, "another"]))
    with pytest.raises(ValidationError, match="came out in a breach"):
        validate_password(LEAKED)
    validate_password(f"{LEAKED}-and-more")
    assert any("breach" in each for each in password_validators_help_texts())


def test_without_a_file_nobody_asks(settings: Any) -> None:
    settings.BREACHED_PASSWORDS_FILE = ""
    validate_password(LEAKED)


def test_while_the_file_cannot_be_read_no_password_is_set(tmp_path: Path, settings: Any) -> None:
    settings.BREACHED_PASSWORDS_FILE = str(tmp_path / "gone.txt")
    with pytest.raises(ValidationError, match="tell those who run this site"):
        validate_password(LEAKED)


@pytest.mark.django_db
def test_the_page_that_changes_a_password_says_so(tmp_path: Path, settings: Any, client: Client, alice: Any) -> None:
    settings.BREACHED_PASSWORDS_FILE = str(listed(tmp_path, [LEAKED]))
    client.force_login(alice)
    data = {"old_password": PASSWORD, "new_password1": LEAKED, "new_password2": LEAKED}
    answer = client.post("/accounts/password/", data)
    assert "came out in a breach" in answer.text
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no list"), (b"letmein\n123456\n", "is no list"),
        (b"B" * 40 + b"\n" + b"A" * 40 + b"\n", "not in the order"), (None, "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_an_error_that_names_the_variable(
    tmp_path: Path, settings: Any, content: bytes | None, words: str
) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    settings.BREACHED_PASSWORDS_FILE = str(path)
    (error,) = [each for each in run_checks() if each.id == "hpcbilling.E020"]
    assert words in error.msg
    assert "BREACHED_PASSWORDS_FILE" in error.msg


def test_a_good_file_is_none(tmp_path: Path) -> None:
    assert trouble(listed(tmp_path, map(str, range(100)))) == ""
    assert trouble(listed(tmp_path, ["one"])) == ""
