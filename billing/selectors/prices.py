"""Today's price for any (user, Slurm account): read once, asked often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from accounts.tiers import TierResolver
from billing.models import CpuBasis, RateVersion
from core.periods import today


@dataclass(frozen=True, slots=True)
class Price:
    """Rates per core-hour, GPU-hour and GB-hour as exact decimal text, for SQL parameters."""

    username: str
    account: str
    tier: str
    cpu: str
    gpu: str
    mem: str
    basis: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Tiers and the rates in force at one moment. For showing; what is billed is priced by ``selectors.billable``."""

    resolver: TierResolver
    versions: dict[str, RateVersion]

    @classmethod
    def load(cls, moment: datetime | None = None) -> PriceBook:
        """Four queries, whatever is asked of it later."""
        in_force = RateVersion.objects.filter(effective_at__lte=moment or timezone.now()).order_by("effective_at")
        return cls(TierResolver.load(on=today()), {version.tier_id: version for version in in_force})

    def price(self, username: str, account: str) -> Price:
        """A tier without a rate shows no price rather than a wrong one (billing it is an error)."""
        tier = self.resolver.resolve(username, account).tier
        version = self.versions.get(tier)
        if version is None:
            return Price(username, account, tier, "0", "0", "0", CpuBasis.ALLOCATED)
        rates = (str(version.cpu), str(version.gpu), str(version.mem))
        return Price(username, account, tier, *rates, version.cpu_basis)
