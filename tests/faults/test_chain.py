"""F16 and F25: many write to the audit log at once, the clock jumps, and the chain stays one chain in order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from audit import chain, registry, services, triggers
from audit.hashing import FIELDS, chain_hash
from audit.models import AuditLog
from core.context import SYSTEM
from tests.faults.seeds import FULL, dice, times
from tests.races import at_once

registry.register({"test_action": "Test action"})
WRITERS = times("APPEND_WRITERS", 8)
EACH = times("APPENDS_EACH", 10)


def write(number: int = 1) -> None:
    for index in range(number):
        services.record(actor=SYSTEM, action="test_action", target=f"row {index}")


@pytest.mark.django_db(transaction=True)
def test_of_many_writers_at_once_every_row_follows_the_one_before() -> None:
    before = AuditLog.objects.count()
    began = time.monotonic()
    at_once(WRITERS, lambda _number: write(EACH))
    seconds = time.monotonic() - began
    verdict = chain.verify()
    assert (verdict.ok, verdict.rows) == (True, before + WRITERS * EACH)
    print(f"{WRITERS * EACH / seconds:.0f} rows a second")  # noqa: T201
    assert not FULL or connection.vendor == "sqlite" or WRITERS * EACH / seconds >= 200


@pytest.mark.django_db
@pytest.mark.forged("a row of the log is hashed anew")
def test_a_row_that_was_hashed_anew_no_longer_fits_the_next() -> None:
    """Whoever can write to the table can make one row agree with itself; the next one still knows what it was."""
    write(6)
    victim = AuditLog.objects.count() - 3
    row = AuditLog.objects.filter(pk=victim).values(*FIELDS, "prev_hash").get() | {"actor": "mallory"}
    triggers.remove(connection)
    AuditLog.objects.filter(pk=victim).update(actor="mallory", hash=chain_hash(row["prev_hash"], row))
    triggers.install(connection)
    verdict = chain.verify()
    assert (verdict.ok, verdict.first_bad) == (False, victim + 1)


JUMPS = [timedelta(days=-1), timedelta(days=1), timedelta(hours=-1), timedelta(seconds=-1), timedelta(days=-400)]
MOMENTS = {  # an hour that comes twice, an hour that is missing, the end of a year, a leap day
    "New York, clocks back": datetime(2026, 11, 1, 5, 59, 59, tzinfo=UTC),
    "New York, clocks forward": datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),
    "Bangkok, new year": datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC),
    "leap day": datetime(2028, 2, 29, 16, 59, 59, tzinfo=UTC),
}


@pytest.mark.django_db
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("zone", ["Asia/Bangkok", "America/New_York"])
def test_the_log_is_in_the_order_of_its_numbers_however_the_clock_jumps(
    moment: str, zone: str, settings: object
) -> None:
    settings.TIME_ZONE = zone  # type: ignore[attr-defined]
    chance = dice(f"clock {moment} {zone}")
    before = AuditLog.objects.count()
    with time_machine.travel(MOMENTS[moment], tick=False) as clock:
        for _each in range(10):
            write()
            clock.shift(chance.choice(JUMPS))
    verdict = chain.verify()
    assert (verdict.ok, verdict.rows) == (True, before + 10)
    stamps = list(AuditLog.objects.filter(pk__gt=before).order_by("id").values_list("ts", flat=True))
    assert stamps != sorted(stamps), "the clock did go back, or this shows nothing"
