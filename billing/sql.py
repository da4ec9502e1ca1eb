"""The pricing formula inside the database, so that a receipt of any size is one statement.

PostgreSQL computes in ``bigint`` and ``numeric``, both exact. SQLite has neither a
decimal type nor exact division of large numbers: there the expressions call the
Python functions of ``billing.pricing`` and sums run over whole minor units.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.hashing import stamp
from billing.pricing import MIB_SECONDS_PER_GB_HOUR, SECONDS_PER_HOUR, Rates, cost, hours
from core.money import HOUR_PLACES, quantize

_UNITS = 10**HOUR_PLACES
_PREPARED = "_hpcbilling_functions_of"


def hours_sql(column: str, per_hour: int = SECONDS_PER_HOUR) -> str:
    """SQL for ``pricing.hours(column, per_hour)``."""
    if connection.vendor == "sqlite":
        return f"hb_hours({column}, {per_hour})"
    return (
        f"(({column} / {per_hour})::numeric * {_UNITS}"
        f" + (mod({column}, {per_hour}) * {2 * _UNITS} + {per_hour}) / {2 * per_hour}) * 0.{'0' * (HOUR_PLACES - 1)}1"
    )


def mem_hours_sql(column: str) -> str:
    return hours_sql(column, MIB_SECONDS_PER_GB_HOUR)


def cost_sql(cpu: str, gpu: str, mem: str, rates: tuple[str, str, str]) -> str:
    """SQL for ``pricing.cost``: hour expressions and rate expressions in, money with 2 places out."""
    if connection.vendor == "sqlite":
        return f"hb_cost({cpu}, {gpu}, {mem}, {rates[0]}, {rates[1]}, {rates[2]})"
    return f"round({cpu} * {rates[0]} + {gpu} * {rates[1]} + {mem} * {rates[2]}, 2)"


def money_sum_sql(column: str) -> str:
    """Exact sum of a money column with 2 places, as whole minor units on SQLite; 0 for no rows."""
    return _sum_sql(column, 2)


def hour_sum_sql(column: str) -> str:
    """Exact sum of an hours column with 4 places."""
    return _sum_sql(column, HOUR_PLACES)


def _sum_sql(column: str, decimals: int) -> str:
    if connection.vendor == "sqlite":
        return f"COALESCE(SUM(CAST(ROUND({column} * {10**decimals}) AS INTEGER)), 0)"
    return f"COALESCE(SUM({column}), 0)"


def minor_sql(column: str) -> str:
    """A money column with 2 places as whole minor units, to compare exactly on any database."""
    return f"CAST(ROUND({column} * 100) AS {'INTEGER' if connection.vendor == 'sqlite' else 'bigint'})"


def minor_of_sum_sql(column: str) -> str:
    """What ``money_sum_sql`` gave, as whole minor units."""
    return column if connection.vendor == "sqlite" else minor_sql(column)


def money_from_sql(value: Decimal | int) -> Decimal:
    """What ``money_sum_sql`` gave, as money with 2 places."""
    return _from_sql(value, 2)


def hours_from_sql(value: Decimal | int) -> Decimal:
    return _from_sql(value, HOUR_PLACES)


def _from_sql(value: Decimal | int, decimals: int) -> Decimal:
    if connection.vendor == "sqlite":
        return Decimal(value).scaleb(-decimals)
    return quantize(Decimal(value), decimals)


def prepare() -> None:
    """Give this SQLite connection the pricing functions; nothing to do on PostgreSQL."""
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    raw: sqlite3.Connection = connection.connection
    if getattr(connection, _PREPARED, None) is raw:  # SQLite takes no new function while a statement is open
        return
    setattr(connection, _PREPARED, raw)
    raw.create_function("hb_hours", 2, _hours, deterministic=True)
    raw.create_function("hb_cost", 6, _cost, deterministic=True)
    raw.create_function("hb_local_day", 1, _local_day)
    raw.create_function("hb_stamp", 1, _stamp)


def local_day_sql(column: str) -> str:
    """The site's local day of a timestamp column."""
    if connection.vendor == "sqlite":
        return f"hb_local_day({column})"
    return f"({column} AT TIME ZONE '{settings.TIME_ZONE}')::date"


def stamp_sql(column: str) -> str:
    """A timestamp column as the audit log writes it (``audit.hashing.stamp``)."""
    if connection.vendor == "sqlite":
        return f"hb_stamp({column})"
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _stamp(stored: str | None) -> str | None:
    return None if stored is None else stamp(datetime.fromisoformat(stored).replace(tzinfo=UTC))


def _hours(amount: int, per_hour: int) -> str:
    return str(hours(amount, per_hour))


def _cost(cpu: str, gpu: str, mem: str, rate_cpu: str, rate_gpu: str, rate_mem: str) -> str:
    rates = Rates(Decimal(str(rate_cpu)), Decimal(str(rate_gpu)), Decimal(str(rate_mem)))
    return str(cost(Decimal(str(cpu)), Decimal(str(gpu)), Decimal(str(mem)), rates))


def _local_day(stored: str | None) -> str | None:
    if stored is None:
        return None
    moment = datetime.fromisoformat(stored).replace(tzinfo=UTC)  # Django stores UTC without saying so
    return timezone.localdate(moment, timezone.get_default_timezone()).isoformat()
