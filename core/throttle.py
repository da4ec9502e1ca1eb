"""So many a minute from one place, counted in the cache of this process: for open pages, not for passwords."""

from __future__ import annotations

import math
import time

from django.core.cache import cache

WINDOW = 60


def seconds_to_wait(what: str, who: str, *, most: int) -> int:
    """Count one request. 0: it may pass; else the whole seconds until the minute in which ``who`` did too much ends."""
    now = time.time()
    minute = int(now // WINDOW)
    key = f"throttle:{what}:{who}:{minute}"
    cache.add(key, 0, timeout=2 * WINDOW)
    try:
        number = cache.incr(key)
    except ValueError:  # thrown out between the two lines, by a cache that is full
        return 0
    return 0 if number <= most else max(1, math.ceil((minute + 1) * WINDOW - now))
