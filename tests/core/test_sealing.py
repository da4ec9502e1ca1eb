"""Secrets as they lie in the database: any text comes back, under the present key or a former one, and under no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import sealing


@given(st.text(min_size=1, max_size=100).filter(lambda text: not text.startswith(sealing.MARK)))
def test_any_text_comes_back_and_is_not_seen(text: str) -> None:
    stored = sealing.seal(text)
    assert sealing.opened(stored) == text
    assert sealing.opened(text) == text, "what was kept before opens as it is"
    assert stored.startswith(sealing.MARK)
    assert len(text) < 8 or text not in stored
    assert sealing.seal(text) != stored, "alike secrets do not look alike"


def test_a_secret_of_a_hundred_characters_has_room_in_its_column() -> None:
    assert len(sealing.seal("x" * 100)) <= sealing.LENGTH


def test_nothing_stays_nothing() -> None:
    assert sealing.seal("") == sealing.opened("") == ""
    assert sealing.is_current("")


def test_a_former_key_opens_and_the_present_one_seals(settings: Any) -> None:
    settings.SECRET_KEY = "a" * 60
    stored = sealing.seal("seed")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "b" * 60, ["a" * 60]
    assert sealing.opened(stored) == "seed"
    assert not sealing.is_current(stored)
    assert not sealing.is_current("seed")
    assert sealing.is_current(sealing.seal("seed"))
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(sealing.Sealed, match="SECRET_KEY_FALLBACKS"):
        sealing.opened(stored)
    assert not sealing.is_current(stored)


@pytest.mark.parametrize("at", [len(sealing.MARK), 20, -4])
def test_what_was_changed_does_not_open(at: int) -> None:
    stored = list(sealing.seal("seed"))
    assert stored[-2:] == ["=", "="], (
        "of the character before them four bits count for nothing; the one before that is whole"
    )
    stored[at] = "A" if stored[at] != "A" else "B"
    with pytest.raises(sealing.Sealed):
        sealing.opened("".join(stored))
    with pytest.raises(sealing.Sealed):
        sealing.opened(sealing.MARK)
