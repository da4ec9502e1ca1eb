"""Texts that are kept: written in one language, read in another."""

from __future__ import annotations

import json

from django.utils import translation

from core.errors import AppError
from core.words.said import heard, say, to_store
from core.words.said import told as _


def test_a_kept_text_is_read_in_the_language_of_its_reader() -> None:
    with translation.override("th"):
        note = say("%(n)d rows of other clusters were left out.", n=3)
        assert "3" in note
        assert "rows" not in note
    stored = json.loads(json.dumps(to_store([note, "as it stands"])))
    assert [heard(each) for each in stored] == ["3 rows of other clusters were left out.", "as it stands"]


def test_a_text_may_stand_in_another() -> None:
    stored = to_store(say("%(why)s: %(n)s", why=say("the line is too long"), n=2))
    assert heard(stored) == "the line is too long: 2"
    with translation.override("th"):
        assert not heard(stored).startswith("the line")


def test_a_text_of_another_release_never_breaks_a_page() -> None:
    assert heard(["%(gone)s rows", {}]) == "%(gone)s rows"
    assert heard([1, 2]) == "[1, 2]"


def test_a_text_that_is_told_remembers_itself_filled_in_or_not() -> None:
    with translation.override("th"):
        whole, filled = _("the line is too long"), _("%(n)d rows of other clusters were left out.") % {"n": 2}
    assert heard(to_store(whole)) == "the line is too long"
    assert heard(to_store(filled)) == "2 rows of other clusters were left out."
    assert "rows" not in filled, "it is a text of the language that it was told in"


def test_an_error_carries_what_was_said_into_what_is_kept() -> None:
    with translation.override("th"):
        error = AppError(_("the line is too long"))
        note = say("%(why)s: %(n)s", why=error.message, n=1)
    assert heard(to_store(note)) == "the line is too long: 1"


def test_a_full_text_is_not_filled_again() -> None:
    assert _("the line is too long") % {} == "the line is too long"
    assert say("%(why)s: %(n)s", why="100 %", n=1) == "100 %: 1"
