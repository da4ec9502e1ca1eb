"""What can be billed now: the unbilled jobs of a window, gathered by tier and priced. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import BillingMode, ProjectAccount, Tier, User
from accounts.tiers import TierResolver, describe_reason
from billing import sql
from billing.models import CpuBasis, RateVersion
from billing.selectors import rates
from core.errors import BadInput
from core.periods import days_window, today
from usage.models import Hold, Job
from usage.models.jobs import JobQuerySet


@dataclass(frozen=True, slots=True)
class TierQuote:
    """What one receipt will hold: hours with 4 places, money with 2."""

    tier: Tier
    reason: str
    version: RateVersion
    accounts: tuple[str, ...]
    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    total: Decimal

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


@dataclass(slots=True)
class Group:
    """Accounts of one user that resolve to one tier, with the rates in force."""

    tier: Tier
    reason: str
    version: RateVersion
    accounts: list[str] = field(default_factory=list)

    @property
    def cpu_column(self) -> str:
        return "used_cpu_seconds" if self.version.cpu_basis == CpuBasis.USED else "cpu_core_seconds"

    def jobs(self, candidates: JobQuerySet) -> JobQuerySet:
        mine = candidates.filter(account__in=self.accounts)
        return mine.filter(used_cpu_seconds__isnull=False) if self.version.cpu_basis == CpuBasis.USED else mine

    def without_cpu_time(self, candidates: JobQuerySet) -> int:
        """Jobs that cannot be priced because their source did not say what CPU time they used."""
        if self.version.cpu_basis != CpuBasis.USED:
            return 0
        return candidates.filter(account__in=self.accounts, used_cpu_seconds__isnull=True).count()


def preview_receipts(*, username: str, start: date | None, end: date | None) -> Preview:
    """What ``create_receipts`` would make now. Days are the site's, both included; None means open."""
    check_window(start, end)
    first, last = bill_days(username, start, end)
    candidates = candidates_of(username, first, last)
    groups = groups_of(username, candidates, timezone.now())
    quotes = [quote for group in groups if (quote := quote_of(group, candidates))]
    skipped = skipped_jobs(start, end, username)  # as asked: what is older than the first candidate counts too
    if unknown := sum(group.without_cpu_time(candidates) for group in groups):
        skipped["no_cpu_time"] = unknown
    return Preview(
        quotes=quotes,
        start=first,
        end=last,
        currency=settings.PAYMENT_CURRENCY,
        total=sum((quote.total for quote in quotes), Decimal(0)),
        token=token_of(quotes),
        skipped=skipped,
    )


def skipped_jobs(start: date | None, end: date | None, username: str | None = None) -> dict[str, int]:
    """Jobs of the window that no receipt can take now, counted by reason (see docs/pricing.md)."""
    window = _in_window(Job.objects.unbilled(), start, end)
    jobs = window if username is None else window.filter(username=username)
    free, invoiced = Q(state__in=settings.BILLING_FREE_STATES), Q(account__in=invoiced_accounts())
    zero = Q(elapsed_seconds=0) & ~free
    held = Q(hold=Hold.RUNAWAY) & ~free & ~zero
    known = Q(username__in=User.objects.values("username"))
    counts = jobs.aggregate(
        free_state=Count("id", filter=free),
        zero_time=Count("id", filter=zero),
        runaway=Count("id", filter=held),
        billed_by_invoice=Count("id", filter=invoiced & ~free & ~zero & ~held),
        no_user=Count("id", filter=~free & ~zero & ~held & ~invoiced & ~known),
    )
    open_jobs = Job.objects.filter(end_at__isnull=True)
    counts["not_ended"] = (open_jobs if username is None else open_jobs.filter(username=username)).count()
    return {reason: number for reason, number in counts.items() if number}


def check_window(start: date | None, end: date | None) -> None:
    if start and end and end < start:
        raise BadInput(
            _("The window ends (%(end)s) before it begins (%(start)s).") % {"start": start, "end": end}, field="end"
        )


def _in_window(jobs: JobQuerySet, start: date | None, end: date | None) -> JobQuerySet:
    window = days_window(start, end)
    jobs = jobs.ended()
    if window.start:
        jobs = jobs.filter(end_at__gte=window.start)
    if window.end:
        jobs = jobs.filter(end_at__lt=window.end)
    return jobs


def invoiced_accounts() -> list[str]:
    """Slurm accounts of organisations that get monthly invoices: their jobs never go on receipts."""
    mapped = ProjectAccount.objects.filter(project__organisation__billing_mode=BillingMode.INVOICES)
    return list(mapped.values_list("account", flat=True))


def candidates_of(username: str, start: date | None, end: date | None) -> JobQuerySet:
    jobs = Job.objects.filter(username=username).unbilled().chargeable(settings.BILLING_FREE_STATES)
    return _in_window(jobs, start, end).exclude(account__in=invoiced_accounts())


def usernames_to_bill(start: date | None, end: date | None) -> list[str]:
    jobs = Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES)
    names = _in_window(jobs, start, end).order_by("username").values_list("username", flat=True).distinct()
    return list(names)


def bill_days(username: str, start: date | None, end: date | None) -> tuple[date, date]:
    """The window as two days: an open start is the day of the oldest unbilled job, an open end is today."""
    last = end or today()
    if start is None:
        oldest = candidates_of(username, None, end).aggregate(oldest=Min("end_at"))["oldest"]
        start = min(timezone.localdate(oldest, timezone.get_default_timezone()), last) if oldest else last
    return start, max(start, last)


def groups_of(username: str, candidates: JobQuerySet, now: datetime) -> list[Group]:
    """The accounts of the jobs, gathered by the tier that each of them resolves to."""
    resolver = TierResolver.load(on=today())
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    groups: dict[str, Group] = {}
    reasons: dict[str, Counter[str]] = {}
    for account in candidates.order_by("account").values_list("account", flat=True).distinct():
        found = resolver.resolve(username, account)
        if found.tier not in groups:
            groups[found.tier] = Group(tiers[found.tier], "", rates.version_at(found.tier, now))
        groups[found.tier].accounts.append(account)
        reasons.setdefault(found.tier, Counter())[found.reason] += 1
    for code, group in groups.items():
        group.reason = "\n".join(reasons[code])
    return sorted(groups.values(), key=lambda group: group.tier.position)


def hour_columns(group: Group) -> tuple[str, str, str]:
    return sql.hours_sql(group.cpu_column), sql.hours_sql("gpu_seconds"), sql.mem_hours_sql("mem_mib_seconds")


def rate_parameters(version: RateVersion) -> list[str]:
    return [str(version.cpu), str(version.gpu), str(version.mem)]


def price_sql() -> str:
    """Cost of a row with columns cpu, gpu, mem; three rate parameters go before the row's own."""
    rate = "CAST(%s AS numeric)" if connection.vendor == "postgresql" else "%s"
    return sql.cost_sql("cpu", "gpu", "mem", (rate, rate, rate))


def quote_of(group: Group, candidates: JobQuerySet) -> TierQuote | None:
    """One SELECT: the sums of the lines that creating would write."""
    inner, parameters = group.jobs(candidates).order_by().values(
        "used_cpu_seconds", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds"
    ).query.sql_with_params()  # fmt: skip
    cpu, gpu, mem = hour_columns(group)
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*), {sql.hour_sum_sql('cpu')}, {sql.hour_sum_sql('gpu')}, {sql.hour_sum_sql('mem')},"
            f" {sql.money_sum_sql('cost')} FROM (SELECT cpu, gpu, mem, {price_sql()} AS cost FROM"
            f" (SELECT {cpu} AS cpu, {gpu} AS gpu, {mem} AS mem FROM ({inner}) jobs) h) p",
            [*rate_parameters(group.version), *parameters],
        )
        jobs, cpu_hours, gpu_hours, mem_hours, total = cursor.fetchone()
    if not jobs:
        return None
    return TierQuote(
        tier=group.tier, reason=group.reason, version=group.version, accounts=tuple(group.accounts), jobs=jobs,
        cpu_core_hours=sql.hours_from_sql(cpu_hours), gpu_hours=sql.hours_from_sql(gpu_hours),
        mem_gb_hours=sql.hours_from_sql(mem_hours), total=sql.money_from_sql(total),
    )  # fmt: skip


def token_of(quotes: list[TierQuote]) -> str:
    shown = [(quote.tier.pk, quote.version.pk, quote.jobs, str(quote.total)) for quote in quotes]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:24]
