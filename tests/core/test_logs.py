"""A line of the log is one message, whoever wrote what is in it."""

from __future__ import annotations

import json
import logging
from logging.config import DictConfigurator
from typing import Any

import pytest
from django.test import Client

from core.logs import logging_to_console

FORGED = "/x\n2026-11-29 INFO forged\x1b[31m\r\t\x7f\x9b31m\u2028\u2029\x00"
CONTROLS = [chr(number) for number in (*range(32), *range(127, 160), 0x2028, 0x2029)]


def formatter(form: str) -> logging.Formatter:
    """As Django makes it of the settings."""
    settings = logging_to_console(form, "INFO")
    made: logging.Formatter = DictConfigurator(settings).configure_formatter(settings["formatters"][form])
    return made


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    caught: Any = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("hpcbilling.request", logging.INFO, "file.py", 1, message, args, caught)


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_in_a_message_ends_its_line_or_speaks_to_a_terminal(form: str) -> None:
    line = formatter(form).format(record("GET %s", FORGED))
    assert [each for each in CONTROLS if each in line] == []
    assert len(line.splitlines()) == 1
    assert "forged" in line, "whoever reads it sees that somebody tried"
    if form == "json":
        assert json.loads(line)["message"] == f"GET {FORGED}", "nothing is lost"
    else:
        assert r"GET /x\n2026-11-29 INFO forged\u001b[31m\r\t\u007f\u009b31m\u2028\u2029\u0000" in line


def test_thai_and_what_else_people_write_stays_as_it_is() -> None:
    assert formatter("text").format(record("ค่าบริการ é – 🙂")).endswith("ค่าบริการ é – 🙂")


def test_a_traceback_keeps_its_lines_and_none_of_them_passes_for_a_message() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        first, *lines = formatter("text").format(record("failed", error=error)).split("\n")
    assert first.endswith("failed")
    assert lines[0] == "  Traceback (most recent call last):"
    assert len(lines) > 3
    assert all(line.startswith("  ") for line in lines)
    assert [each for each in CONTROLS if each in "".join(lines)] == []


@pytest.mark.django_db
def test_the_path_of_a_request_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hpcbilling.request"):
        Client().get("/x%0A2026-11-29%20INFO%20forged%1b[31m")
    (line,) = [formatter("text").format(each) for each in caplog.records if each.name == "hpcbilling.request"]
    assert len(line.splitlines()) == 1
    assert r"/x\n2026-11-29 INFO forged\u001b[31m" in line
