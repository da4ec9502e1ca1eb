"""Guesses at one name from many addresses, and at many names from one network: slowed down, never locked out.

Up to a number of attempts in a window pass at once; after that one passes every ``AUTH_THROTTLE_DELAY_SEC`` seconds,
and the pause doubles each time up to the window's length. Counted before any password is looked at, in one statement.
Attempts that are told to wait do not count, so that a flood does not move the moment at which it is over. Who signed in
from this network before does not wait for what others do to their name.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts.models import KnownNetwork, SignInPressure

KNOWN_FOR = timedelta(days=90)
MOST_DOUBLINGS = 12

# An attempt passes when its window is new, when fewer than %(limit)s were in it, or when the pause is over. In a SET
# list the old row is meant everywhere, on both databases.
_OVER = "sign_in_pressure.window_start <= %(fresh)s"
_PASSES = "(sign_in_pressure.attempts < %(limit)s OR sign_in_pressure.next_at <= %(now)s)"
_COUNT = f"""
INSERT INTO sign_in_pressure (key, window_start, attempts, next_at, passed) VALUES (%(key)s, %(now)s, 1, %(now)s, 1)
ON CONFLICT (key) DO UPDATE SET
  attempts = CASE WHEN {_OVER} THEN 1 WHEN {_PASSES} THEN sign_in_pressure.attempts + 1
                  ELSE sign_in_pressure.attempts END,
  window_start = CASE WHEN {_OVER} THEN %(now)s ELSE sign_in_pressure.window_start END,
  next_at = CASE WHEN {_OVER} OR sign_in_pressure.attempts < %(limit)s - 1 THEN %(now)s
                 WHEN {_PASSES} THEN %(now)s + CASE {{pauses}} ELSE %(longest)s END
                 ELSE sign_in_pressure.next_at END,
  passed = CASE WHEN {_OVER} OR {_PASSES} THEN 1 ELSE 0 END
RETURNING passed, next_at
"""


def network_of(address: str) -> str:
    """The /24 of an IPv4 address, the /64 of an IPv6 one."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 64 if isinstance(parsed, IPv6Address) else 24), strict=False))


def keys_of(name: str, ip: str) -> dict[str, int]:
    """What an attempt counts against, with the number that passes at once. Nothing for a known network of a name."""
    network = network_of(ip)
    since = timezone.now() - KNOWN_FOR
    if KnownNetwork.objects.filter(username=name, network=network, last_seen__gt=since).exists():
        return {}
    return {
        f"name:{name}": settings.AUTH_THROTTLE_NAME_ATTEMPTS, f"net:{network}": settings.AUTH_THROTTLE_NETWORK_ATTEMPTS
    }  # fmt: skip


def count(keys: dict[str, int]) -> tuple[int, str]:
    """Count one attempt against each. 0: it may go on; else the seconds to wait and for what; nothing was counted."""
    counted: list[str] = []
    for key, limit in keys.items():
        wait = _count(key, limit)
        if wait:
            give_back(counted)
            return wait, key
        counted.append(key)
    return 0, ""


def _count(key: str, limit: int) -> int:
    now, window = int(time.time() * 1000), settings.AUTH_THROTTLE_WINDOW_SEC * 1000
    values: dict[str, str | int] = {
        "key": key[:120],
        "now": now,
        "fresh": now - window,
        "limit": limit,
        "longest": window,
    }
    pauses = [min(settings.AUTH_THROTTLE_DELAY_SEC * 1000 << step, window) for step in range(MOST_DOUBLINGS)]
    cases = " ".join(
        f"WHEN sign_in_pressure.attempts <= {limit - 1 + step} THEN {pause}" for step, pause in enumerate(pauses)
    )
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(pauses=cases), values)
        passed, next_at = cursor.fetchone()
    return 0 if passed else max(1, -(-(next_at - now) // 1000))


def give_back(keys: Iterable[str]) -> None:
    """An attempt that was no guess: the right password, or one that another counter refused."""
    SignInPressure.objects.filter(pk__in=list(keys), attempts__gt=0).update(attempts=F("attempts") - 1)


def remember(name: str, ip: str) -> None:
    KnownNetwork.objects.update_or_create(username=name, network=network_of(ip), defaults={"last_seen": timezone.now()})
