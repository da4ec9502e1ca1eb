"""What a past period would cost under a draft rate table. Reads only; one statement whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from accounts.models import ProjectAccount, Tier
from billing import sql
from billing.drafts import DraftRates
from billing.models import CpuBasis
from billing.selectors.jobs.billable import check_window
from billing.selectors.pricing.priced import PRICED_BY, free_states, hours_of_job, price_table
from billing.selectors.pricing.prices import PriceBook
from core.database.tables import json_table
from core.periods import days_window
from usage.models import Hold, Job
from usage.models.jobs import JobQuerySet


@dataclass(frozen=True, slots=True)
class Change:
    """``current`` at the site's rates, ``candidate`` at the draft's; before tax.

    ``unpriced`` and ``unpriced_candidate``: jobs that are in neither sum, for there are no rates for them, or
    they count a CPU time that is not known.
    """

    name: str
    jobs: int
    current: Decimal
    candidate: Decimal
    unpriced: int = 0
    unpriced_candidate: int = 0

    @property
    def delta(self) -> Decimal:
        return self.candidate - self.current

    @property
    def percent(self) -> Decimal | None:
        """Of the current cost; None where that is nothing."""
        return self.delta * 100 / self.current if self.current else None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``users`` are ordered by how much they would gain or lose, the largest first."""

    start: date | None
    end: date | None
    currency: str
    total: Change
    tiers: list[Change]
    organisations: list[Change]
    users: list[Change]
    gainers: int
    losers: int


def simulate(drafts: Mapping[str, DraftRates], start: date | None, end: date | None) -> WhatIf:
    """Every chargeable job that ended in the window, billed or not, by tier, organisation and user.

    Tiers and the moment whose rates count are those of the site's policy; tiers that the
    draft does not name keep their rates. Raises ``BadInput`` for a reversed window.
    """
    check_window(start, end)
    rows = _priced_twice(_jobs(start, end), PriceBook.load(), drafts)
    organisations = {
        account.casefold(): name
        for account, name in ProjectAccount.objects.values_list("account", "project__organisation__name")
    }
    labels = {tier.pk: tier.label for tier in Tier.objects.all()}
    by_tier: dict[str, Change] = {}
    by_organisation: dict[str, Change] = {}
    by_user: dict[str, Change] = {}
    total = Change("", 0, Decimal(0), Decimal(0))
    for username, account, tier, *figures in rows:
        change = Change("", *figures)
        total = _add(total, change)
        _gather(by_tier, labels.get(tier, tier), change)
        _gather(by_organisation, organisations.get(account.casefold(), _("no organisation")), change)
        _gather(by_user, username, change)
    users = sorted(by_user.values(), key=lambda change: (-abs(change.delta), change.name))
    return WhatIf(
        start, end, settings.PAYMENT_CURRENCY, total,
        tiers=sorted(by_tier.values(), key=lambda change: -change.current),
        organisations=sorted(by_organisation.values(), key=lambda change: -change.current),
        users=users,
        gainers=sum(change.delta < 0 for change in users),
        losers=sum(change.delta > 0 for change in users),
    )  # fmt: skip


def _jobs(start: date | None, end: date | None) -> JobQuerySet:
    window = days_window(start, end)
    jobs = Job.objects.real().filter(end_at__isnull=False)
    jobs = jobs.filter(end_at__gte=window.start) if window.start else jobs
    return jobs.filter(end_at__lt=window.end) if window.end else jobs


def _gather(into: dict[str, Change], name: str, change: Change) -> None:
    into[name] = _add(into.get(name, Change(name, 0, Decimal(0), Decimal(0))), change)


def _add(one: Change, other: Change) -> Change:
    return replace(
        one,
        jobs=one.jobs + other.jobs,
        current=one.current + other.current,
        candidate=one.candidate + other.candidate,
        unpriced=one.unpriced + other.unpriced,
        unpriced_candidate=one.unpriced_candidate + other.unpriced_candidate,
    )


def _priced_twice(jobs: JobQuerySet, book: PriceBook, drafts: Mapping[str, DraftRates]) -> list[tuple[Any, ...]]:
    """(user, account, tier, jobs, current, candidate, jobs without a price now, and by the draft), in one statement."""
    table, prices = price_table(set(jobs.order_by().values_list("username", "account").distinct()), book)
    draft_table, draft_rates = _draft_table(drafts)
    now, then = _unpriced("p.basis", "p.version"), _unpriced("COALESCE(d.basis, p.basis)", "COALESCE(d.cpu, p.version)")
    current = _cost(now, "p.basis", ("p.cpu", "p.gpu", "p.mem"))
    candidate = _cost(
        then,
        "COALESCE(d.basis, p.basis)",
        ("COALESCE(d.cpu, p.cpu)", "COALESCE(d.gpu, p.gpu)", "COALESCE(d.mem, p.mem)"),
    )
    states, state_values = free_states()
    window, parameters = jobs.order_by().values("id").query.sql_with_params()
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH {table}, {draft_table} SELECT j.username, j.account, p.tier, COUNT(*),
            {sql.money_sum_sql(current)}, {sql.money_sum_sql(candidate)},
            COUNT(*) FILTER (WHERE {now}), COUNT(*) FILTER (WHERE {then})
            FROM jobs j JOIN p ON {PRICED_BY} LEFT JOIN d ON d.tier = p.tier
            WHERE j.elapsed_seconds > 0 AND j.hold <> '{Hold.RUNAWAY.value}' AND j.state NOT IN {states}
            AND j.id IN ({window}) GROUP BY j.username, j.account, p.tier""",
            [prices, draft_rates, *state_values, *parameters],
        )
        rows = cursor.fetchall()
    return [(*row[:4], sql.money_from_sql(row[4]), sql.money_from_sql(row[5]), *row[6:]) for row in rows]


def _unpriced(basis: str, version: str) -> str:
    """Whether billing would refuse the job ``j``."""
    return f"({version} IS NULL OR ({basis} = '{CpuBasis.USED.value}' AND j.used_cpu_seconds IS NULL))"


def _cost(unpriced: str, basis: str, rates: tuple[str, str, str]) -> str:
    """What the job ``j`` costs; in no sum where it has no price."""
    return f"CASE WHEN {unpriced} THEN 0 ELSE {sql.cost_sql(*hours_of_job(basis), rates)} END"


def _draft_table(drafts: Mapping[str, DraftRates]) -> tuple[str, str]:
    """A CTE ``d(tier, basis, cpu, gpu, mem)`` and its one parameter."""
    rows = [[tier, each.cpu_basis, str(each.cpu), str(each.gpu), str(each.mem)] for tier, each in drafts.items()]
    return json_table(
        "d", {"tier": "text", "basis": "text", "cpu": "numeric", "gpu": "numeric", "mem": "numeric"}, rows
    )
