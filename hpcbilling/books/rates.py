"""What prices: the versions of rates, and which of them a receipt uses."""

from __future__ import annotations

from django.utils import timezone

from billing.models import Rate
from billing.selectors.rates import MissingRate, version_at
from hpcbilling.books.rows import rows


def receipt_rates() -> list[str]:
    """The rates on a receipt are those of the version that it names, which was in force by then."""
    found = rows(
        """SELECT r.id, v.id FROM receipts r JOIN rates_versioned v ON v.id = r.rate_version_id
        WHERE r.rate_cpu <> v.cpu OR r.rate_gpu <> v.gpu OR r.rate_mem <> v.mem OR r.cpu_basis <> v.cpu_basis
        OR r.pricing_tier <> v.tier OR v.effective_at > r.rates_locked_at"""
    )
    return [f"receipt {row[0]}: its rates are not those of version {row[1]}" for row in found]


def current_rates() -> list[str]:
    """The table ``rates`` shows the newest version in force."""
    wrong, now = [], timezone.now()
    for rate in Rate.objects.all():
        try:
            version = version_at(rate.tier_id, now)
        except MissingRate as error:
            wrong.append(error.message)
            continue
        if (rate.cpu, rate.gpu, rate.mem) != (version.cpu, version.gpu, version.mem):
            wrong.append(f"rates of {rate.tier_id} differ from the version of {version.effective_at:%Y-%m-%d %H:%M}")
    return wrong
