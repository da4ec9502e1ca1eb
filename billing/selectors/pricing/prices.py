"""The price of any (user, Slurm account) and job end: read once, asked often."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.conf import settings
from django.utils import timezone

from accounts.tiers import TierResolver
from billing.models import CpuBasis, PriceAt, RateVersion
from core.periods import day_start, today


@dataclass(frozen=True, slots=True)
class Price:
    """What jobs that end in ``since <= end < until`` (None: open) pay.

    ``version`` is None where the tier has no rates then: a page shows no price, billing refuses.
    """

    since: datetime | None
    until: datetime | None
    tier: str
    reason: str
    version: RateVersion | None

    @property
    def rates(self) -> tuple[str, str, str]:
        """Per core-hour, GPU-hour and GB-hour as exact decimal text, for SQL parameters."""
        if self.version is None:
            return "0", "0", "0"
        return str(self.version.cpu), str(self.version.gpu), str(self.version.mem)

    def can_bill(self, used_cpu_seconds: int | None) -> bool:
        """There are rates, and a job with this CPU time has what they count."""
        known = used_cpu_seconds is not None or self.basis != CpuBasis.USED
        return self.version is not None and known

    @property
    def basis(self) -> str:
        return str(self.version.cpu_basis) if self.version else CpuBasis.ALLOCATED.value


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Tiers and rates as the site's policy reads them: those of ``moment``, or those of each job's end.

    ``versions`` holds every version that has come into force by ``moment``, by tier, oldest first.
    """

    resolver: TierResolver
    versions: Mapping[str, Sequence[RateVersion]]
    moment: datetime
    price_at: str = PriceAt.RECEIPT
    _cuts: dict[str, list[datetime]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, moment: datetime | None = None) -> PriceBook:
        """Four queries, whatever is asked of it later."""
        now = moment or timezone.now()
        versions: dict[str, list[RateVersion]] = {}
        for version in (
            RateVersion.objects.filter(effective_at__lte=now).select_related("tier").order_by("effective_at")
        ):
            versions.setdefault(version.tier_id, []).append(version)
        return cls(TierResolver.load(on=today()), versions, now, settings.BILLING_PRICE_AT)

    def cuts(self, username: str) -> list[datetime]:
        """Moments at which the price of this user's jobs may change; none when the receipt's moment decides."""
        if self.price_at == PriceAt.RECEIPT:
            return []
        if username not in self._cuts:
            days = [day_start(day) for day in self.resolver.changes_of(username)]
            begins = [version.effective_at for versions in self.versions.values() for version in versions]
            self._cuts[username] = sorted({*days, *begins})
        return self._cuts[username]

    def price_in(self, username: str, account: str, stretch: int) -> Price:
        """The price between two cuts: stretch 0 lies before the first, the last one is open."""
        cuts = self.cuts(username)
        since = cuts[stretch - 1] if stretch else None
        until = cuts[stretch] if stretch < len(cuts) else None
        if self.price_at == PriceAt.RECEIPT:
            found = self.resolver.resolve(username, account)
            return Price(None, None, found.tier, found.reason, self._version(found.tier, self.moment))
        on = timezone.localdate(since, timezone.get_default_timezone()) if since else date.min
        found = self.resolver.resolve(username, account, on)
        version = self._version(found.tier, since) if since else None
        return Price(since, until, found.tier, found.reason, version)

    def prices(self, username: str, account: str) -> list[Price]:
        """One after the other, without a gap, from the beginning of time to its end."""
        found: list[Price] = []
        for stretch in range(len(self.cuts(username)) + 1):
            price = self.price_in(username, account, stretch)
            last = found[-1] if found else None
            if last and (last.tier, last.version, last.reason) == (price.tier, price.version, price.reason):
                found[-1] = Price(last.since, price.until, price.tier, price.reason, price.version)
            else:
                found.append(price)
        return found

    def price(self, username: str, account: str, end_at: datetime | None = None) -> Price:
        """The price of one job; of one that has not ended, as if it ended now."""
        stretch = bisect_right(self.cuts(username), end_at or self.moment)
        return self.price_in(username, account, stretch)

    def version_now(self, tier: str) -> RateVersion | None:
        return self._version(tier, self.moment)

    def _version(self, tier: str, moment: datetime) -> RateVersion | None:
        versions = self.versions.get(tier, ())
        place = bisect_right(versions, moment, key=lambda version: version.effective_at)
        return versions[place - 1] if place else None
