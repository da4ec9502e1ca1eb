"""Lines of Slurm jobs: one a project, tier and version of its rates, priced as receipts price them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import BillingMode, ProjectAccount
from billing import sql
from billing.invoicing.exchange import Books, price_line
from billing.invoicing.months import Month, in_both
from billing.invoicing.problems import Problem, no_exchange_rate, problem
from billing.models import CpuBasis, InvoiceLine, LineKind, RateVersion
from billing.selectors.jobs import billable
from billing.selectors.jobs.billable import Group
from billing.selectors.pricing.exchange import MissingExchangeRate
from billing.selectors.pricing.prices import PriceBook
from core.database.decimals import plain
from core.errors import AppError
from usage.models import Job
from usage.models.jobs import JobQuerySet

TOGETHER = 100


@dataclass(slots=True)
class Work:
    """The jobs of one or many organisations' months that are on no document yet."""

    months: dict[int, Month]
    projects: dict[str, tuple[int, int]]  # account -> organisation, project
    names: dict[int, str]
    candidates: JobQuerySet
    groups: list[tuple[int, int, Group]] = field(default_factory=list)  # organisation, project
    problems: dict[int, list[Problem]] = field(default_factory=lambda: defaultdict(list))

    @property
    def organisations(self) -> set[int]:
        return {organisation for organisation, _project, _group in self.groups}

    def claimable(self) -> Iterator[tuple[JobQuerySet, dict[str, int]]]:
        """The jobs of a handful of groups at a time, with the organisation by account."""
        for groups in batched(self.groups):
            condition = Q(pk__in=[])
            for _organisation, _project, group in groups:
                known = Q(used_cpu_seconds__isnull=False) if group.version.cpu_basis == CpuBasis.USED else Q()
                condition |= group.condition() & known
            accounts = {account: organisation for organisation, _project, group in groups for account in group.accounts}
            yield self.candidates.filter(condition), accounts


def batched(groups: Sequence[tuple[int, int, Group]]) -> Iterator[Sequence[tuple[int, int, Group]]]:
    """SQLite reads neither statements of more than 500 SELECTs nor conditions that nest deeper than 1,000."""
    for start in range(0, len(groups), TOGETHER):
        yield groups[start : start + TOGETHER]


def find_work(months: Sequence[Month], book: PriceBook) -> Work:
    """What there is to bill, gathered by project and price. The number of statements does not depend on the jobs.

    A closed month keeps nothing off: its proof names these jobs as waiting for the invoice of their organisation.
    """
    paying = {each.organisation.pk: each for each in months
              if each.organisation.billing_mode == BillingMode.INVOICES}  # fmt: skip
    rows = ProjectAccount.objects.filter(project__organisation__in=paying).values_list(
        "account", "project__organisation", "project", "project__name"
    )
    mapped = list(rows) if paying else []
    projects = {account: (organisation, project) for account, organisation, project, _name in mapped}
    names = {project: name for _account, _organisation, project, name in mapped}
    chargeable = Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES).filter(_whose(paying, projects))
    work = Work(paying, projects, names, chargeable)
    if not projects:
        return work
    missing: dict[str, AppError] = {}
    groups = billable.groups_of("", work.candidates, book, missing)
    if missing:
        _without_rates(work, missing)
    for group in groups:
        work.groups += _by_project(group, work)
    _left_out(work)
    return work


def _whose(months: Mapping[int, Month], projects: Mapping[str, tuple[int, int]]) -> Q:
    """Jobs of these accounts that belong on the invoices of these months: alike ones in one condition."""
    accounts: dict[tuple[datetime, datetime, datetime | None], list[str]] = defaultdict(list)
    for account, (organisation, _project) in projects.items():
        month = months[organisation]
        accounts[(month.start, month.end, month.billed_to)].append(account)
    condition = Q(pk__in=[])
    for (start, end, billed_to), names in accounts.items():
        when = Q(end_at__gte=start, end_at__lt=end)
        when |= Q(end_at__lt=billed_to) if billed_to else Q(pk__in=[])
        condition |= Q(account__in=names) & when
    return condition


def _by_project(group: Group, work: Work) -> list[tuple[int, int, Group]]:
    found: dict[tuple[int, int], Group] = {}
    for stretch, accounts in group.parts.items():
        for account, users in accounts.items():
            key = work.projects[account]
            own = found.setdefault(key, Group(group.tier, group.version))
            own.parts.setdefault(stretch, {})[account] = users
            reason = group.reasons.get(account, "")
            own.reasons[account] = reason
            own.reason = "\n".join(dict.fromkeys([*own.reason.splitlines(), *reason.splitlines()]))
    return [(organisation, project, own) for (organisation, project), own in sorted(found.items())]


def _without_rates(work: Work, missing: Mapping[str, AppError]) -> None:
    """Who has jobs that no rates price: their organisations get no jobs at all until somebody has set them."""
    rows = work.candidates.filter(username__in=missing).order_by().values_list("account", "username").distinct()
    hit: dict[int, set[str]] = defaultdict(set)
    for account, username in rows:
        hit[work.projects[account][0]].add(username)
    for organisation, users in hit.items():
        why = missing[min(users)].message
        work.problems[organisation].append(problem("no_rates", users=", ".join(sorted(users)[:5]), why=why))
        work.projects = {account: key for account, key in work.projects.items() if key[0] != organisation}
    work.candidates = work.candidates.filter(account__in=list(work.projects))


def _left_out(work: Work) -> None:
    for organisation, project, group in work.groups:
        if unknown := group.without_cpu_time(work.candidates):
            work.problems[organisation].append(
                problem("no_cpu_time", amount=unknown, project=work.names.get(project, ""))
            )


def lines_of(work: Work, documents: Mapping[int, str], books: Books) -> dict[int, list[InvoiceLine]]:
    """Lines of the jobs that ``documents`` (by organisation) have claimed. Problems of exchange go to ``work``."""
    found: dict[int, list[InvoiceLine]] = defaultdict(list)
    for organisation, project, group, rows in _sums(work, documents):
        month = work.months[organisation]
        line = _line(month, project, group, rows)
        try:
            price_line(line, Decimal(line.source["amount"]), settings.PAYMENT_CURRENCY, books[month.last_instant])
        except MissingExchangeRate as error:
            work.problems[organisation].append(no_exchange_rate(error))
            continue
        found[organisation].append(line)
    return found


def _sums(work: Work, documents: Mapping[int, str]) -> Iterator[tuple[int, int, Group, list[list[Any]]]]:
    for groups in batched(work.groups):
        parts = [(group, Job.objects.filter(claimed_by=documents[organisation])) for organisation, _p, group in groups]
        for number, rows in billable.sums_of(parts).items():
            yield *groups[number], rows


def _line(month: Month, project: int, group: Group, rows: Sequence[Sequence[Any]]) -> InvoiceLine:
    jobs = sum(row[1] for row in rows)
    hours = [sum((sql.hours_from_sql(row[at]) for row in rows), Decimal(0)) for at in (2, 3, 4)]
    money = sum((sql.money_from_sql(row[5]) for row in rows), Decimal(0))
    tier = group.tier
    english = in_both(lambda: _("Slurm jobs, tier %(tier)s") % {"tier": tier.name})[0]
    thai = in_both(lambda: _("Slurm jobs, tier %(tier)s") % {"tier": tier.name_th or tier.name})[1]
    return InvoiceLine(
        kind=LineKind.JOBS, description=english, description_th=thai, project_id=project, unit="jobs",
        quantity=Decimal(jobs), currency=month.currency, period_start=month.start, period_end=month.end,
        source={
            "tier": tier.pk, "version": group.version.pk, "rates": _rates(group.version),
            "cpu_basis": str(group.version.cpu_basis), "price_at": settings.BILLING_PRICE_AT, "jobs": jobs,
            "hours": [plain(each) for each in hours], "amount": plain(money), "currency": settings.PAYMENT_CURRENCY,
            "reason": group.reason, "parts": parts_as_json(group),
        },
    )  # fmt: skip


def _rates(version: RateVersion) -> list[str]:
    return [plain(rate) for rate in (version.cpu, version.gpu, version.mem)]


def parts_as_json(group: Group) -> list[list[Any]]:
    """Which jobs of the document are the line's: stretches of job ends, accounts, users."""
    return [
        [_text(since), _text(until), {account: sorted(users) for account, users in names.items()}]
        for (since, until), names in group.parts.items()
    ]


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def group_of(line: InvoiceLine, version: RateVersion) -> Group:
    """The group that the line was made of, from what it keeps."""
    parts = {
        (_moment(since), _moment(until)): {account: set(users) for account, users in accounts.items()}
        for since, until, accounts in line.source["parts"]
    }
    return Group(version.tier, version, reason=str(line.source.get("reason", "")), parts=parts)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
