"""What a receipt would hold, before it is made: shapes alone, nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import Tier
from accounts.tiers import describe_reason
from billing.models import RateVersion
from billing.tax import Sums, Tax
from core.money import places, quantize


@dataclass(frozen=True, slots=True)
class Product:
    """quantity x rate = cost, the cost rounded for reading."""

    label: str
    hours: Decimal
    rate: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class MemberShare:
    """What one member of a project adds to its receipt."""

    username: str
    jobs: int
    lines: Decimal


@dataclass(frozen=True, slots=True)
class TierQuote:
    """What one receipt will hold: hours with 4 places, money with 2; ``lines`` is the sum of the jobs' costs.

    ``members`` says whose jobs make how much of a project's receipt, the dearest first.
    """

    tier: Tier
    reason: str
    version: RateVersion
    accounts: tuple[str, ...]
    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    lines: Decimal
    tax: Tax
    sums: Sums
    members: tuple[MemberShare, ...] = ()

    @property
    def total(self) -> Decimal:
        return self.sums.total

    @property
    def products(self) -> list[Product]:
        """quantity x rate = cost for each resource; ``rounding`` leads from their sum to the lines."""
        decimals = places(settings.PAYMENT_CURRENCY)
        parts = (
            (_("Core-hours"), self.cpu_core_hours, self.version.cpu),
            (_("GPU-hours"), self.gpu_hours, self.version.gpu),
            (_("GB-hours of memory"), self.mem_gb_hours, self.version.mem),
        )
        return [Product(label, hours, rate, quantize(hours * rate, decimals)) for label, hours, rate in parts]

    @property
    def rounding(self) -> Decimal:
        return self.lines - sum((each.cost for each in self.products), Decimal(0))

    @property
    def reasons(self) -> list[str]:
        """Why this tier, in the reader's language."""
        return [describe_reason(line) for line in self.reason.splitlines()]


@dataclass(frozen=True, slots=True)
class Preview:
    """``token`` fingerprints what is shown; ``skipped`` counts jobs that stay off, by reason."""

    quotes: list[TierQuote]
    start: date
    end: date
    currency: str
    total: Decimal
    token: str
    skipped: dict[str, int]
