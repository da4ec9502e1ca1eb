"""What prices: the versions of rates, and which of them a receipt uses."""

from __future__ import annotations

from django.utils import timezone

from billing.models import Rate
from billing.selectors.pricing.rates import in_force, missing
from hpcbilling.books.rows import rows


def receipt_rates() -> list[str]:
    """The rates on a receipt are those of its version: the newest in force at its moment, or when its jobs ended."""
    copied = rows(
        """SELECT r.id, v.id FROM receipts r JOIN rates_versioned v ON v.id = r.rate_version_id
        WHERE r.rate_cpu <> v.cpu OR r.rate_gpu <> v.gpu OR r.rate_mem <> v.mem OR r.cpu_basis <> v.cpu_basis
        OR r.pricing_tier <> v.tier OR v.effective_at > r.rates_locked_at"""
    )
    newer = "SELECT 1 FROM rates_versioned n WHERE n.tier = v.tier AND n.effective_at > v.effective_at"
    of_receipt = rows(
        f"""SELECT r.id, v.id FROM receipts r JOIN rates_versioned v ON v.id = r.rate_version_id
        WHERE r.price_at = 'receipt' AND EXISTS ({newer} AND n.effective_at <= r.rates_locked_at)"""
    )
    of_jobs = rows(
        f"""SELECT DISTINCT r.id, v.id FROM receipts r JOIN rates_versioned v ON v.id = r.rate_version_id
        JOIN receipt_items i ON i.receipt_id = r.id AND i.is_live JOIN jobs j ON j.job_key = i.job_key
        WHERE r.price_at = 'job_end'
        AND (v.effective_at > j.end_at OR EXISTS ({newer} AND n.effective_at <= j.end_at))"""
    )
    return (
        [f"receipt {row[0]}: its rates are not those of version {row[1]}" for row in copied]
        + [f"receipt {row[0]}: version {row[1]} was not the newest at its moment" for row in of_receipt]
        + [f"receipt {row[0]}: version {row[1]} was not in force when its jobs ended" for row in of_jobs]
    )


def current_rates() -> list[str]:
    """The table ``rates`` shows the newest version in force."""
    wrong, now = [], timezone.now()
    versions = in_force(now)
    for rate in Rate.objects.all():
        version = versions.get(rate.tier_id)
        if version is None:
            wrong.append(missing(rate.tier_id, now).message)
            continue
        if (rate.cpu, rate.gpu, rate.mem) != (version.cpu, version.gpu, version.mem):
            wrong.append(f"rates of {rate.tier_id} differ from the version of {version.effective_at:%Y-%m-%d %H:%M}")
    return wrong
