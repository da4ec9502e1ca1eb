"""Login lockout per (user name, address): the counters in ``auth_throttle``. ``pressure`` sees what one pair cannot.

An attempt is counted before its password is checked, in one statement, so that
parallel guesses cannot outrun the counter. A row's life: attempts are counted in
a window; the failure that reaches the limit locks the pair; when lock or window
is over the next attempt starts anew; a success deletes the row.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.metrics import LOCKOUTS, LOGINS
from accounts.models import AuthThrottle, User
from accounts.services import pressure
from audit.services import record
from core.context import SYSTEM, Actor

WIDTH = 64
LONGEST = 1000  # of a name as it was sent, the rest is not looked at
REPORT_EVERY = 10
ANONYMOUS = Actor("anonymous")

# %(fresh)s: the oldest window start that still counts. A lock outlives its window. The lock is returned as it is:
# SQLite 3.40 answers ``IS NOT NULL`` wrongly in RETURNING for a column that the INSERT leaves out.
_RESERVE = """
INSERT INTO auth_throttle (username, ip, window_start, fail_count) VALUES (%(username)s, %(ip)s, %(now)s, 1)
ON CONFLICT (username, ip) DO UPDATE SET
  fail_count = CASE WHEN auth_throttle.locked_until IS NULL AND auth_throttle.window_start <= %(fresh)s
                    THEN 1 ELSE auth_throttle.fail_count + 1 END,
  window_start = CASE WHEN auth_throttle.locked_until IS NULL AND auth_throttle.window_start <= %(fresh)s
                      THEN %(now)s ELSE auth_throttle.window_start END
RETURNING fail_count, locked_until
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One counted sign-in attempt. ``number`` counts within the window or lock, from 1.

    ``wait``: seconds, where not this pair but the name or the network is asked for too often. ``keys``: what it counted
    against there, or the one that makes it wait.
    """

    username: str
    ip: str
    number: int
    allowed: bool
    wait: int = 0
    keys: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return _subject(self.username, self.ip)


def fold(text: object) -> str:
    """The one spelling under which attempts are counted: NFKC, case-folded, no NUL, at most 64 characters."""
    # cut first: a letter may be eighteen in NFKC, and no name is as long as this
    plain = unicodedata.normalize("NFKC", str(text or "").strip()[:LONGEST]).replace("\0", "").strip()
    return unicodedata.normalize("NFKC", plain.casefold())[:WIDTH]


def network_of(address: str) -> str:
    """IPv4 as it is, IPv6 by its /64: one household or attacker owns all addresses of that."""
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))


def audited_name(name: str) -> str:
    """A user's name as it is; of any other text a keyed hash: people type passwords there, and the log is for ever."""
    if User.objects.filter(pk=name).exists():
        return name
    return f"unknown:{salted_hmac('accounts.unknown-name', name, algorithm='sha256').hexdigest()[:12]}"


def _subject(name: str, network: str) -> str:
    return f"{audited_name(name)} @ {network}"


def reserve(*, username: object, ip: str) -> Attempt:
    """Count one attempt and say whether its password may be checked. Safe in parallel, on both databases."""
    now, name, network = timezone.now(), fold(username), network_of(ip)
    _end_expired_lock(name, network, now)
    adapt = connection.ops.adapt_datetimefield_value
    fresh = now - timedelta(seconds=settings.AUTH_THROTTLE_WINDOW_SEC)
    values = {"username": name, "ip": network, "now": adapt(now), "fresh": adapt(fresh)}
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, values)
        number, locked_until = cursor.fetchone()
    if locked_until is not None or number > settings.AUTH_THROTTLE_MAX_FAILS:
        return Attempt(name, network, number, allowed=False)
    keys = pressure.keys_of(name, ip)
    wait, slowed_by = pressure.count(keys)
    if wait:  # says nothing about this pair: it does not count there
        _rows(name, network).filter(fail_count__gt=0).update(fail_count=F("fail_count") - 1)
        return Attempt(name, network, number, allowed=False, wait=wait, keys=(slowed_by,))
    return Attempt(name, network, number, allowed=True, keys=tuple(keys))


@transaction.atomic
def _end_expired_lock(name: str, network: str, now: datetime) -> None:
    # Conditional, so of two attempts that notice the end only one reports it.
    over = _rows(name, network).filter(locked_until__lte=now)
    if over.update(locked_until=None, fail_count=0, window_start=now):
        LOCKOUTS.labels(event="end").inc()
        record(actor=SYSTEM, action="lockout_end", target=_subject(name, network), extra={"reason": "expired"})


@transaction.atomic
def record_failure(*, attempt: Attempt, actor: Actor = ANONYMOUS, action: str = "login_failure") -> bool:
    """The password of a counted attempt was wrong. True when this failure began a lockout."""
    LOGINS.labels(result="failure").inc()
    record(actor=actor, action=action, target=audited_name(attempt.username), status="refused")
    if attempt.number < settings.AUTH_THROTTLE_MAX_FAILS:
        return False
    until = timezone.now() + timedelta(seconds=settings.AUTH_THROTTLE_LOCK_SEC)
    started = _rows(attempt.username, attempt.ip).filter(locked_until__isnull=True).update(locked_until=until)
    if started:
        LOCKOUTS.labels(event="start").inc()
        record(actor=SYSTEM, action="lockout_start", target=attempt.subject, extra={"until": until})
    return bool(started)


def record_refusal(*, attempt: Attempt, actor: Actor = ANONYMOUS) -> None:
    """An attempt was refused unread. Logged for the first and every tenth: a flood must not fill the audit log."""
    LOGINS.labels(result="refused").inc()
    if attempt.wait:
        record_slowed(attempt=attempt, actor=actor)
        return
    LOCKOUTS.labels(event="active").inc()
    refused = attempt.number - settings.AUTH_THROTTLE_MAX_FAILS
    if refused <= 1 or refused % REPORT_EVERY == 0:
        extra = {"attempts_refused": max(refused, 1)}
        record(actor=actor, action="lockout_active", target=attempt.subject, status="refused", extra=extra)


def record_slowed(*, attempt: Attempt, actor: Actor) -> None:
    """Logged once a pause and name or network, by the process that sees it first."""
    seen = "slowed:" + hashlib.sha256(attempt.keys[0].encode()).hexdigest()
    if cache.add(seen, 1, timeout=attempt.wait):
        record(
            actor=actor, action="sign_in_slowed", target=attempt.subject, status="refused", extra={"wait": attempt.wait}
        )


@transaction.atomic
def record_success(*, username: str, ip: str, attempt: Attempt | None = None) -> None:
    """Somebody signed in: their counter at this address starts anew, and the network is known."""
    clear(username=username, ip=ip)
    if attempt is not None:
        pressure.give_back(attempt.keys)
    pressure.remember(fold(username), ip)
    LOGINS.labels(result="success").inc()
    record(actor=Actor(username), action="login_success", target=username)


def give_back(*, attempt: Attempt) -> None:
    """This one attempt was no guess; what came before it goes on counting."""
    _rows(attempt.username, attempt.ip).filter(fail_count__gt=0).update(fail_count=F("fail_count") - 1)
    pressure.give_back(attempt.keys)


@transaction.atomic
def clear(*, username: str, ip: str) -> None:
    """The right password was given: the counter starts anew."""
    name, network = fold(username), network_of(ip)
    rows = _rows(name, network)
    if rows.filter(locked_until__isnull=False).delete()[0]:
        # A parallel failure had locked the pair while this password was being checked.
        _report_end(SYSTEM, _subject(name, network), "right password")
    rows.delete()


@transaction.atomic
def unlock(*, actor: Actor, rows: QuerySet[AuthThrottle]) -> int:
    """Delete the counters ``rows`` and report the lockouts that end by it. Returns how many pairs were freed."""
    freed = list(rows.select_for_update())
    AuthThrottle.objects.filter(pk__in=[row.pk for row in freed]).delete()
    for row in freed:
        if row.locked_until is not None:
            _report_end(actor, _subject(row.username, row.ip), "unlocked")
    return len(freed)


def _report_end(actor: Actor, subject: str, reason: str) -> None:
    LOCKOUTS.labels(event="end").inc()
    record(actor=actor, action="lockout_end", target=subject, extra={"reason": reason})


def seconds_left(*, attempt: Attempt) -> int:
    """How long it stays refused, in seconds, at least 1."""
    if attempt.wait:
        return attempt.wait
    row = _rows(attempt.username, attempt.ip).first()
    if row is None:
        return 1
    end = row.locked_until or row.window_start + timedelta(seconds=settings.AUTH_THROTTLE_WINDOW_SEC)
    return max(1, round((end - timezone.now()).total_seconds()))


def _rows(name: str, network: str) -> QuerySet[AuthThrottle]:
    return AuthThrottle.objects.filter(username=name, ip=network)
