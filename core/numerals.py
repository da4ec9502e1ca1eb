"""Numbers as people and their programs write them: digits, a sign, a point.

Python reads more as numbers than anybody means by them: ``1_0`` is ten, ``1e2`` a hundred, and the digits of every
script are digits. Where such text would become money, a quantity or a key, it is refused. Thai digits are taken. Pure.
"""

from __future__ import annotations

import re
from typing import Any

THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_WITH_EXPONENT = re.compile(rf"{_NUMBER.pattern}(?:[eE][+-]?[0-9]+)?")


def written(value: Any, *, exponent: bool = False) -> Any:
    """``value`` in ASCII digits and without blanks around it when it is text, anything else as it is.

    ``exponent``: programs write small decimals as ``1E-7``. Raises ``ValueError`` for text that is no plain number.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().translate(THAI_DIGITS)
    if not (_WITH_EXPONENT if exponent else _NUMBER).fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no plain number")
    return text


def key_of(text: str) -> int | None:
    """A key as addresses carry it; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004 - of 63 bits
