"""What can be billed now: the unbilled jobs of a window, gathered by tier and rates, and priced. Reads only."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, Min, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import BillingMode, ProjectAccount, Tier, User
from accounts.projects import LedProject
from billing import sql
from billing.models import CpuBasis, PriceAt, RateVersion
from billing.selectors.jobs.months import in_closed_month
from billing.selectors.jobs.previews import MemberShare, Preview, TierQuote
from billing.selectors.pricing import rates
from billing.selectors.pricing.prices import Price, PriceBook
from billing.tax import Tax, apply
from core.errors import AppError, BadInput
from core.periods import days_window, month_end, month_window, today
from usage.models import Hold, Job
from usage.models.jobs import JobQuerySet

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
    def is_shared(self) -> bool:
        """Jobs of several users may be among them."""
        return any(users for accounts in self.parts.values() for users in accounts.values())

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

    def condition(self) -> Q:
        """Jobs that are in it, by whom, under what and when; among them those that lack their CPU time."""
        condition = Q(pk__in=[])
        for (since, until), accounts in self.parts.items():
            part = _of_accounts(accounts)
            part &= Q(end_at__gte=since) if since else Q()
            condition |= part & (Q(end_at__lt=until) if until else Q())
        return condition

    def _all_jobs(self, candidates: JobQuerySet) -> JobQuerySet:
        return candidates.filter(self.condition())


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
    book = PriceBook.load()
    off = OffLimits.load(book)
    first, last = bill_days(username, start, end, adjusts, project, off)
    candidates = candidates_of(username, first, last, adjusts, project, off)
    groups = groups_of("" if project else username, candidates, book)
    quotes = quotes_of(groups, candidates)
    # as asked: what is older than the first candidate counts too
    skipped = skipped_jobs(start, end, None if project else username, project.accounts if project else None, off)
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
    start: date | None, end: date | None, username: str | None = None, accounts: Sequence[str] | None = None,
    off: OffLimits | None = None,
) -> dict[str, int]:  # fmt: skip
    """Jobs of the window that no receipt can take now, counted by reason (see docs/pricing.md)."""
    off = off or OffLimits.load()
    jobs = _whose(_in_window(Job.objects.unbilled(), start, end), username, accounts)
    reasons = {
        "free_state": Q(state__in=settings.BILLING_FREE_STATES),
        "zero_time": Q(elapsed_seconds=0),
        "runaway": Q(hold=Hold.RUNAWAY),
        "billed_by_invoice": Q(account__in=off.invoiced),
        "no_user": ~Q(username__in=User.objects.values("username")),
        "closed_month": off.closed,
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


@dataclass(frozen=True, slots=True)
class OffLimits:
    """Jobs that no ordinary receipt takes, read once for all questions of a page or an order."""

    invoiced: Sequence[str]
    closed: Q

    @classmethod
    def load(cls, book: PriceBook | None = None) -> OffLimits:
        """One query less where a price book has been read already."""
        return cls(book.resolver.invoiced if book else invoiced_accounts(), in_closed_month())


def candidates_of(
    username: str, start: date | None, end: date | None, adjusts: date | None = None,
    project: LedProject | None = None, off: OffLimits | None = None,
) -> JobQuerySet:  # fmt: skip
    """What can go on a receipt of the user. Closed months are left out; ``adjusts`` names the one to bill late.

    With a ``project``: the jobs of everybody under its Slurm accounts, as far as their users are known here.
    """
    jobs = _billable(start, end, adjusts, off or OffLimits.load())
    if project is None:
        return jobs.filter(username=username)
    return jobs.filter(account__in=project.accounts, username__in=User.objects.values("username"))


def usernames_to_bill(
    start: date | None, end: date | None, adjusts: date | None = None, off: OffLimits | None = None,
    *, known: bool = False,
) -> list[str]:  # fmt: skip
    """Whose jobs there are to bill; ``known`` leaves out whom nobody knows here."""
    jobs = _billable(start, end, adjusts, off or OffLimits.load())
    jobs = jobs.filter(username__in=User.objects.values("username")) if known else jobs
    return list(jobs.order_by("username").values_list("username", flat=True).distinct())


def _billable(start: date | None, end: date | None, adjusts: date | None, off: OffLimits) -> JobQuerySet:
    jobs = _in_window(Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES), start, end)
    jobs = jobs.exclude(account__in=off.invoiced)
    if adjusts is None:
        return jobs.exclude(off.closed)
    window = month_window(adjusts)
    return jobs.filter(end_at__gte=window.start, end_at__lt=window.end)


def bill_days(
    username: str, start: date | None, end: date | None, adjusts: date | None = None,
    project: LedProject | None = None, off: OffLimits | None = None,
) -> tuple[date, date]:  # fmt: skip
    """The window as two days: an open start is the day of the oldest unbilled job, an open end is today."""
    if adjusts is not None:
        return adjusts, month_end(adjusts)
    last = end or today()
    if start is None:
        oldest = candidates_of(username, None, end, project=project, off=off).aggregate(oldest=Min("end_at"))["oldest"]
        start = min(timezone.localdate(oldest, timezone.get_default_timezone()), last) if oldest else last
    return start, max(start, last)


def jobs_of_many(names: Sequence[str], start: date | None, end: date | None, off: OffLimits) -> JobQuerySet:
    """The candidates of several users at once: those of each are what ``candidates_of`` finds in its ``bill_days``."""
    last = end or today()
    return _billable(start, max(start or last, last), None, off).filter(username__in=names)


def groups_of(
    username: str, candidates: JobQuerySet, book: PriceBook, missing: dict[str, AppError] | None = None
) -> list[Group]:
    """The jobs, gathered by the tier and the rate version that prices them. Raises ``MissingRate``, or, where
    ``missing`` is given, notes it there for each user whose jobs lack one.

    ``username`` says whose all the candidates are; empty when they are of several.
    """
    cuts = _cuts(book, username, candidates)
    stretch = Case(
        *(When(end_at__lt=cut, then=Value(number)) for number, cut in enumerate(cuts)), default=Value(len(cuts))
    )
    found = candidates.order_by().annotate(stretch=stretch).values_list("account", "username", "stretch")
    groups: dict[tuple[str, int], Group] = {}
    for account, name, number, first in sorted(found.annotate(first=Min("end_at"))):
        price = _price_between(book, name, account, cuts, number)
        if price.version is None:
            # missing now, or when the first job ended that needs it
            fault = rates.missing(price.tier, book.moment if book.price_at == PriceAt.RECEIPT else first)
            if missing is None:
                raise fault
            missing.setdefault(name, fault)
            continue
        key = (price.tier, price.version.pk)
        group = groups.setdefault(key, Group(price.version.tier, price.version))
        users = group.parts.setdefault((price.since, price.until), {}).setdefault(account, set())
        users.update(() if username else (name,))
        group.reason = _with_line(group.reason, price.reason)
        group.reasons[account] = _with_line(group.reasons.get(account, ""), price.reason)
    return sorted(groups.values(), key=lambda group: (group.tier.position, group.version.effective_at))


def _cuts(book: PriceBook, username: str, candidates: JobQuerySet) -> list[datetime]:
    if username or book.price_at == PriceAt.RECEIPT:
        return book.cuts(username)
    names = candidates.order_by().values_list("username", flat=True).distinct()
    return sorted({cut for name in names for cut in book.cuts(name)})


def _price_between(book: PriceBook, name: str, account: str, cuts: Sequence[datetime], number: int) -> Price:
    """The user's price in the stretch between two cuts, which may be those of others, too."""
    since = cuts[number - 1] if number else None
    until = cuts[number] if number < len(cuts) else None
    own = bisect_right(book.cuts(name), since) if since else 0
    return replace(book.price_in(name, account, own), since=since, until=until)


def _with_line(text: str, line: str) -> str:
    lines = text.splitlines()
    return text if line in lines else "\n".join([*lines, line])


def hour_columns(group: Group) -> tuple[str, str, str]:
    return sql.hours_sql(group.cpu_column), sql.hours_sql("gpu_seconds"), sql.mem_hours_sql("mem_mib_seconds")


def rate_parameters(version: RateVersion) -> list[str]:
    return [str(version.cpu), str(version.gpu), str(version.mem)]


def price_sql() -> str:
    """Cost of a row with columns cpu, gpu, mem; three rate parameters go before the row's own."""
    rate = "CAST(%s AS numeric)" if connection.vendor == "postgresql" else "%s"
    return sql.cost_sql("cpu", "gpu", "mem", (rate, rate, rate))


def quotes_of(groups: Sequence[Group], candidates: JobQuerySet) -> list[TierQuote]:
    """The sums of the lines that creating would write, for a project by member. Groups without any are left out."""
    found = sums_of([(group, candidates) for group in groups])
    return [quote for number, rows in found.items() if (quote := _quote(groups[number], rows))]


def quotes_by_user(groups: Sequence[Group], candidates: JobQuerySet) -> dict[str, list[TierQuote]]:
    """The same for groups of jobs of several users, to be billed each by themselves."""
    found: dict[str, list[TierQuote]] = {}
    for number, rows in sums_of([(group, candidates) for group in groups]).items():
        for row in rows:
            if quote := _quote(groups[number], [row]):
                found.setdefault(row[0], []).append(quote)
    return found


def sums_of(parts: Sequence[tuple[Group, JobQuerySet]]) -> dict[int, list[list[Any]]]:
    """One SELECT for all groups, each of its own jobs: rows by the place of their group. A row is of a user (or ''),
    the number of jobs, three sums of hours and one of money, as SQL gives them."""
    if not parts:
        return {}
    statements = [_sums_sql(number, group, candidates) for number, (group, candidates) in enumerate(parts)]
    sql.prepare()
    found: dict[int, list[list[Any]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(statement for statement, _parameters in statements),
            [parameter for _statement, parameters in statements for parameter in parameters],
        )
        for number, *row in cursor.fetchall():
            found.setdefault(number, []).append(row)
    return {number: found[number] for number in sorted(found)}


def _sums_sql(number: int, group: Group, candidates: JobQuerySet) -> tuple[str, list[Any]]:
    inner, parameters = group.jobs(candidates).order_by().values(
        "username", "used_cpu_seconds", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds"
    ).query.sql_with_params()  # fmt: skip
    cpu, gpu, mem = hour_columns(group)
    whose, by = ("username", "GROUP BY username") if group.is_shared else ("''", "")
    statement = (
        f"SELECT {int(number)}, {whose}, COUNT(*), {sql.hour_sum_sql('cpu')}, {sql.hour_sum_sql('gpu')},"
        f" {sql.hour_sum_sql('mem')}, {sql.money_sum_sql('cost')} FROM (SELECT username, cpu, gpu, mem,"
        f" {price_sql()} AS cost FROM (SELECT username, {cpu} AS cpu, {gpu} AS gpu, {mem} AS mem"
        f" FROM ({inner}) jobs) h) p {by}"
    )
    return statement, [*rate_parameters(group.version), *parameters]


def _quote(group: Group, rows: Sequence[Sequence[Any]]) -> TierQuote | None:
    """``rows``: user, number of jobs, three sums of hours and one of money, as SQL gave them."""
    jobs = sum(row[1] for row in rows)
    if not jobs:
        return None
    cpu, gpu, mem = (sum((sql.hours_from_sql(row[at]) for row in rows), Decimal(0)) for at in (2, 3, 4))
    members = [MemberShare(row[0], row[1], sql.money_from_sql(row[5])) for row in rows]
    lines, tax = sum((each.lines for each in members), Decimal(0)), site_tax()
    return TierQuote(
        tier=group.tier, reason=group.reason, version=group.version, accounts=group.accounts, jobs=jobs,
        cpu_core_hours=cpu, gpu_hours=gpu, mem_gb_hours=mem, lines=lines, tax=tax, sums=apply(tax, lines),
        members=tuple(sorted(members, key=lambda each: (-each.lines, each.username))) if group.is_shared else (),
    )  # fmt: skip


def token_of(quotes: list[TierQuote]) -> str:
    shown = [(quote.tier.pk, quote.version.pk, quote.jobs, str(quote.total)) for quote in quotes]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:24]
