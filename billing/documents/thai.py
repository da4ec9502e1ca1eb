"""Where a line may end. Thai writes no spaces between words; without a dictionary, syllables decide. Pure.

A break never parts a consonant from its vowels and marks. Breaks after a space are best; else before a vowel that
is written first (เ แ โ ใ ไ), after ะ, ำ, ๆ or ฯ, and between Thai and another script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

LEADING = "เแโใไ"
ENDING = "ะำๆฯ"
# What clings to the consonant before it: vowels at its side, and every mark above or below.
FOLLOWING = frozenset("ะาำๅๆฯ")
OPENING, CLOSING = frozenset("([{“‘«"), frozenset(")]}”’».,;:!?%/-")
_SCRIPT = re.compile(r"[\u0E00-\u0E7F]")


def pieces(text: str) -> list[str]:
    """The parts between which a line may end; joined they are the text again."""
    return _cut(text, _may_break)


def clusters(text: str) -> list[str]:
    """The smallest parts that can stand on a line of their own: for words longer than a line."""
    return _cut(text, lambda before, after: not _clings(before, after))


def _cut(text: str, may_break: Callable[[str, str], bool]) -> list[str]:
    found, start = [], 0
    for at in range(1, len(text)):
        if may_break(text[at - 1], text[at]):
            found.append(text[start:at])
            start = at
    return [*found, text[start:]] if text else []


def _clings(before: str, after: str) -> bool:
    return unicodedata.category(after)[0] == "M" or after in FOLLOWING or before in LEADING or after == "\u200d"


def _may_break(before: str, after: str) -> bool:
    if _clings(before, after) or after == " ":
        return False
    if before in " -":
        return True
    if after in CLOSING or before in OPENING:
        return False
    thai_before, thai_after = bool(_SCRIPT.match(before)), bool(_SCRIPT.match(after))
    if thai_before != thai_after:
        return "\u00a0" not in (before, after)
    return thai_before and (after in LEADING or before in ENDING)
