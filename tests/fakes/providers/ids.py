"""Names of things, random from a seed, in each provider's own alphabet."""

from __future__ import annotations

import random
import string

MIXED = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits


class Ids:
    """``make("pi_3", 23)`` -> "pi_3" and 23 characters; the same seed gives the same row of names."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def make(self, prefix: str, length: int, alphabet: str = MIXED) -> str:
        return prefix + "".join(self._random.choices(alphabet, k=length))
