"""What can be billed now: the unbilled jobs of a window, gathered by tier and rates, and priced. Reads only."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, Min, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import BillingMode, ProjectAccount, Tier, User
from accounts.projects import LedProject
from accounts.tiers import describe_reason
from billing import sql
from billing.models import CpuBasis, PriceAt, RateVersion
from billing.selectors import rates
from billing.selectors.months import in_closed_month
from billing.selectors.prices import Price, PriceBook
from billing.tax import Sums, Tax, apply
from core.errors import BadInput
from core.money import places, quantize
from core.periods import days_window, month_end, month_window, today
from usage.models import Hold, Job
from usage.models.jobs import JobQuerySet


@dataclass(frozen=True, slots=True)
class Product:
    """quantity x rate = cost, the cost rounded for reading."""

    label: str
    hours: Decimal
    rate: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class TierQuote:
    """What one receipt will hold: hours with 4 places, money with 2; ``lines`` is the sum of the jobs' costs."""

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


Stretch = tuple[datetime | None, datetime | None]


@dataclass(slots=True)
class Group:
    """Jobs that pay one tier by one rate version: what one receipt holds.

    ``reasons`` says why by account, ``reason`` all of that once, a line each.
    ``parts`` maps a stretch of job ends (None: open) to the accounts that belong here in it, each with
    the users whose jobs are meant; empty where the candidates are one user's alone.
    """

    tier: Tier
    version: RateVersion
    reason: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    parts: dict[Stretch, dict[str, set[str]]] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(sorted({account for accounts in self.parts.values() for account in accounts}))

    @property
    def cpu_column(self) -> str:
        return "used_cpu_seconds" if self.version.cpu_basis == CpuBasis.USED else "cpu_core_seconds"

    def jobs(self, candidates: JobQuerySet) -> JobQuerySet:
        mine = self._all_jobs(candidates)
        return mine.filter(used_cpu_seconds__isnull=False) if self.version.cpu_basis == CpuBasis.USED else mine

    def without_cpu_time(self, candidates: JobQuerySet) -> int:
        """Jobs that cannot be priced because their source did not say what CPU time they used."""
        if self.version.cpu_basis != CpuBasis.USED:
            return 0
        return self._all_jobs(candidates).filter(used_cpu_seconds__isnull=True).count()

    def _all_jobs(self, candidates: JobQuerySet) -> JobQuerySet:
        condition = Q(pk__in=[])
        for (since, until), accounts in self.parts.items():
            part = _of_accounts(accounts)
            part &= Q(end_at__gte=since) if since else Q()
            condition |= part & (Q(end_at__lt=until) if until else Q())
        return candidates.filter(condition)


def _of_accounts(accounts: Mapping[str, set[str]]) -> Q:
    """Accounts that are meant for the same users stand in one condition: usually there is but one."""
    by_users: dict[tuple[str, ...], list[str]] = {}
    for account, users in accounts.items():
        by_users.setdefault(tuple(sorted(users)), []).append(account)
    condition = Q(pk__in=[])
    for names, of_them in by_users.items():
        condition |= Q(account__in=of_them) & (Q(username__in=names) if names else Q())
    return condition


def preview_receipts(
    *, username: str, start: date | None, end: date | None, adjusts: date | None = None,
    project: LedProject | None = None,
) -> Preview:  # fmt: skip
    """What ``create_receipts`` would make now. Days are the site's, both included; None means open."""
    check_window(start, end)
    first, last = bill_days(username, start, end, adjusts, project)
    candidates = candidates_of(username, first, last, adjusts, project)
    groups = groups_of("" if project else username, candidates, timezone.now())
    quotes = [quote for group in groups if (quote := quote_of(group, candidates))]
    # as asked: what is older than the first candidate counts too
    skipped = skipped_jobs(start, end, None if project else username, project.accounts if project else None)
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


def site_tax() -> Tax:
    """The tax that documents made now carry."""
    if not settings.BILLING_TAX_ENABLED:
        return Tax()
    return Tax(settings.BILLING_TAX_LABEL, settings.BILLING_TAX_RATE, settings.BILLING_TAX_INCLUSIVE)


def skipped_jobs(
    start: date | None, end: date | None, username: str | None = None, accounts: Sequence[str] | None = None
) -> dict[str, int]:
    """Jobs of the window that no receipt can take now, counted by reason (see docs/pricing.md)."""
    jobs = _whose(_in_window(Job.objects.unbilled(), start, end), username, accounts)
    reasons = {
        "free_state": Q(state__in=settings.BILLING_FREE_STATES),
        "zero_time": Q(elapsed_seconds=0),
        "runaway": Q(hold=Hold.RUNAWAY),
        "billed_by_invoice": Q(account__in=invoiced_accounts()),
        "no_user": ~Q(username__in=User.objects.values("username")),
        "closed_month": in_closed_month(),
    }
    filters, before = {}, Q()
    for reason, condition in reasons.items():  # the first that fits is the answer
        filters[reason] = Count("id", filter=condition & before)
        before &= ~condition
    counts = jobs.aggregate(**filters)
    counts["not_ended"] = _whose(Job.objects.filter(end_at__isnull=True), username, accounts).count()
    return {reason: number for reason, number in counts.items() if number}


def _whose(jobs: JobQuerySet, username: str | None, accounts: Sequence[str] | None) -> JobQuerySet:
    jobs = jobs if username is None else jobs.filter(username=username)
    return jobs if accounts is None else jobs.filter(account__in=accounts)


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


def candidates_of(
    username: str, start: date | None, end: date | None, adjusts: date | None = None, project: LedProject | None = None
) -> JobQuerySet:
    """What can go on a receipt of the user. Closed months are left out; ``adjusts`` names the one to bill late.

    With a ``project``: the jobs of everybody under its Slurm accounts, as far as their users are known here.
    """
    jobs = _billable(start, end, adjusts)
    if project is None:
        return jobs.filter(username=username)
    return jobs.filter(account__in=project.accounts, username__in=User.objects.values("username"))


def usernames_to_bill(start: date | None, end: date | None, adjusts: date | None = None) -> list[str]:
    names = _billable(start, end, adjusts).order_by("username").values_list("username", flat=True)
    return list(names.distinct())


def _billable(start: date | None, end: date | None, adjusts: date | None) -> JobQuerySet:
    jobs = _in_window(Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES), start, end)
    jobs = jobs.exclude(account__in=invoiced_accounts())
    if adjusts is None:
        return jobs.exclude(in_closed_month())
    window = month_window(adjusts)
    return jobs.filter(end_at__gte=window.start, end_at__lt=window.end)


def bill_days(
    username: str, start: date | None, end: date | None, adjusts: date | None = None, project: LedProject | None = None
) -> tuple[date, date]:
    """The window as two days: an open start is the day of the oldest unbilled job, an open end is today."""
    if adjusts is not None:
        return adjusts, month_end(adjusts)
    last = end or today()
    if start is None:
        oldest = candidates_of(username, None, end, project=project).aggregate(oldest=Min("end_at"))["oldest"]
        start = min(timezone.localdate(oldest, timezone.get_default_timezone()), last) if oldest else last
    return start, max(start, last)


def groups_of(username: str, candidates: JobQuerySet, now: datetime) -> list[Group]:
    """The jobs, gathered by the tier and the rate version that prices them. Raises ``MissingRate``.

    ``username`` says whose all the candidates are; empty when they are of several.
    """
    book = PriceBook.load(now)
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    names = [username] if username else list(candidates.order_by().values_list("username", flat=True).distinct())
    cuts = sorted({cut for name in names for cut in book.cuts(name)})
    stretch = Case(
        *(When(end_at__lt=cut, then=Value(number)) for number, cut in enumerate(cuts)), default=Value(len(cuts))
    )
    found = candidates.order_by().annotate(stretch=stretch).values_list("account", "username", "stretch").distinct()
    groups: dict[tuple[str, int], Group] = {}
    for account, name, number in sorted(found):
        price = _price_between(book, name, account, cuts, number)
        if price.version is None:
            raise rates.missing(price.tier, _missing_at(candidates, account, price, now))
        key = (price.tier, price.version.pk)
        group = groups.setdefault(key, Group(tiers[price.tier], price.version))
        users = group.parts.setdefault((price.since, price.until), {}).setdefault(account, set())
        users.update(() if username else (name,))
        group.reason = _with_line(group.reason, price.reason)
        group.reasons[account] = _with_line(group.reasons.get(account, ""), price.reason)
    return sorted(groups.values(), key=lambda group: (group.tier.position, group.version.effective_at))


def _price_between(book: PriceBook, name: str, account: str, cuts: Sequence[datetime], number: int) -> Price:
    """The user's price in the stretch between two cuts, which may be those of others, too."""
    since = cuts[number - 1] if number else None
    until = cuts[number] if number < len(cuts) else None
    own = bisect_right(book.cuts(name), since) if since else 0
    return replace(book.price_in(name, account, own), since=since, until=until)


def _with_line(text: str, line: str) -> str:
    lines = text.splitlines()
    return text if line in lines else "\n".join([*lines, line])


def _missing_at(candidates: JobQuerySet, account: str, price: Price, now: datetime) -> datetime:
    """The moment for which a rate is missing: that of the first job which needs it, or now."""
    if settings.BILLING_PRICE_AT == PriceAt.RECEIPT:
        return now
    jobs = candidates.filter(account=account)
    jobs = jobs.filter(end_at__gte=price.since) if price.since else jobs
    first: datetime | None = jobs.aggregate(first=Min("end_at"))["first"]
    return first or now


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
    lines, tax = sql.money_from_sql(total), site_tax()
    return TierQuote(
        tier=group.tier, reason=group.reason, version=group.version, accounts=group.accounts, jobs=jobs,
        cpu_core_hours=sql.hours_from_sql(cpu_hours), gpu_hours=sql.hours_from_sql(gpu_hours),
        mem_gb_hours=sql.hours_from_sql(mem_hours), lines=lines, tax=tax, sums=apply(tax, lines),
    )  # fmt: skip


def token_of(quotes: list[TierQuote]) -> str:
    shown = [(quote.tier.pk, quote.version.pk, quote.jobs, str(quote.total)) for quote in quotes]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:24]
