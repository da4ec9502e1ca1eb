"""Texts that are kept: written in one language, read in another."""

from __future__ import annotations

import json

from django.utils import translation

from core.said import heard, say, to_store


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
