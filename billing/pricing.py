"""What a job costs. Pure and exact; the SQL of ``billing.sql`` must agree with it to the last digit.

Quantities come as whole seconds (core-seconds, GPU-seconds, MiB-seconds). Hours are
rounded half-up to 4 places, the item's cost half-up to 2 places (the currency's),
and a total is the sum of item costs: what is printed adds up.
"GB" in the documents' column names is the gigabyte of Slurm, 1024 MiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from core.money import HOUR_PLACES, quantize

SECONDS_PER_HOUR = 3600
MIB_SECONDS_PER_GB_HOUR = 1024 * 3600
_UNITS = 10**HOUR_PLACES


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices per core-hour, GPU-hour and GB-hour, up to 6 decimal places."""

    cpu: Decimal
    gpu: Decimal
    mem: Decimal


@dataclass(frozen=True, slots=True)
class PricedItem:
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal


def hours(amount: int, per_hour: int = SECONDS_PER_HOUR) -> Decimal:
    """``amount / per_hour`` rounded half-up to 4 places, by integers: no intermediate rounding."""
    if amount < 0:
        raise ValueError("a quantity cannot be negative")
    whole, rest = divmod(amount, per_hour)
    units = whole * _UNITS + (rest * 2 * _UNITS + per_hour) // (2 * per_hour)
    return Decimal(units).scaleb(-HOUR_PLACES)


def cost(cpu_hours: Decimal, gpu_hours: Decimal, mem_gb_hours: Decimal, rates: Rates, decimals: int = 2) -> Decimal:
    """Rounded once, after the three exact products are added."""
    with localcontext(prec=60):
        return quantize(cpu_hours * rates.cpu + gpu_hours * rates.gpu + mem_gb_hours * rates.mem, decimals)


def price(*, cpu_seconds: int, gpu_seconds: int, mem_mib_seconds: int, rates: Rates, decimals: int = 2) -> PricedItem:
    """Price one job. ``cpu_seconds`` are core-seconds allocated, or CPU seconds used, as the rate version says."""
    cpu, gpu = hours(cpu_seconds), hours(gpu_seconds)
    mem = hours(mem_mib_seconds, MIB_SECONDS_PER_GB_HOUR)
    return PricedItem(cpu, gpu, mem, cost(cpu, gpu, mem, rates, decimals))


def total(items: Iterable[PricedItem]) -> Decimal:
    return sum((item.cost for item in items), Decimal(0))
