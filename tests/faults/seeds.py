"""Chance that can be repeated, and how often things are tried: few times in the suite, in full by ``make faults``."""

from __future__ import annotations

import os
import random

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
FULL = os.environ.get("FAULTS") == "full"  # figures of speed and time are held to then, and only then


def dice(what: object = "") -> random.Random:
    """Its own for each use. What is printed is shown with a failure: ``SEED=…`` in the environment repeats it."""
    print(f"SEED={SEED} ({what})")  # noqa: T201
    return random.Random(f"{SEED}:{what}")


def times(name: str, few: int) -> int:
    """How often: the variable ``name``, which ``make faults`` sets, or ``few``."""
    return int(os.environ.get(name) or few)
