"""Usage in many windows at once: three statements, however many rules and customers ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from django.db import connection

from accounts.models import ProjectAccount
from core.database.decimals import PLACES
from core.database.tables import json_table, moment_cell
from usage.alerts.windows import DAY, WEEK, Stretch
from usage.models import AlertRule

# What jobs of Slurm are measured in: a column of sums over ``jobs``, and how much of it makes one.
SLURM_METRICS = {
    "cpu_hours": ("SUM(j.cpu_core_seconds)", 3600),
    "gpu_hours": ("SUM(j.gpu_seconds)", 3600),
    "mem_gb_hours": ("SUM(j.mem_mib_seconds)", 1024 * 3600),
    "jobs": ("COUNT(j.id)", 1),
}
DIGITS = 100  # of arithmetic on figures that may have forty
_W_EVENTS = {
    "ask": "integer", "organisation": "bigint", "project": "bigint", "metric": "text", "unit": "text",
    "period_type": "text", "since": "timestamptz", "until": "timestamptz",
}  # fmt: skip
_W_JOBS = {
    "ask": "integer", "username": "text", "account": "text", "since": "timestamptz", "until": "timestamptz",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """How much of the rule's metric fell into a window."""

    rule: AlertRule
    window: Stretch


def measure(asks: Sequence[Ask]) -> list[Decimal]:
    """One figure for each, in their order; without usage, or of a metric that nobody knows, 0."""
    found: dict[int, Decimal] = {}
    slurm = [number for number, ask in enumerate(asks) if ask.rule.metric_name in SLURM_METRICS]
    if slurm:
        found |= _slurm(asks, slurm)
    events = sorted(set(range(len(asks))) - set(slurm))
    if events:
        found |= _events(asks, events)
    return [found.get(number, Decimal(0)) for number in range(len(asks))]


def _events(asks: Sequence[Ask], numbers: Iterable[int]) -> dict[int, Decimal]:
    """From the sums by hour, day and month; a week is its days."""
    rows = [_event_row(number, asks[number]) for number in numbers]
    table, parameter = json_table("w", _W_EVENTS, rows)
    total = "exact_sum" if connection.vendor == "sqlite" else "SUM"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {table} SELECT w.ask, {total}(a.total_value) FROM w JOIN usage_aggregates a"
            " ON a.organisation_id = w.organisation AND a.period_type = w.period_type AND a.period_start >= w.since"
            " AND a.period_start < w.until AND a.metric_name = w.metric AND a.meter_id IS NULL"
            " AND (w.project IS NULL OR a.project_id = w.project) AND (w.unit = '' OR a.unit = w.unit)"
            " GROUP BY w.ask",
            [parameter],
        )
        return {ask: Decimal(str(value)) for ask, value in cursor.fetchall()}


def _event_row(number: int, ask: Ask) -> list[Any]:
    rule, window = ask.rule, ask.window
    kind = DAY.value if window.period == WEEK else window.period
    return [
        number, rule.organisation_id, rule.project_id, rule.metric_name, rule.unit, kind, moment_cell(window.start),
        moment_cell(window.end),
    ]  # fmt: skip


def _slurm(asks: Sequence[Ask], numbers: Sequence[int]) -> dict[int, Decimal]:
    table, parameter = matched_jobs({number: asks[number] for number in numbers})
    names = list(SLURM_METRICS)
    columns = ", ".join(column for column, _size in SLURM_METRICS.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {table} SELECT m.ask, {columns} FROM matched m JOIN jobs j ON j.id = m.job GROUP BY m.ask",
            [parameter],
        )
        rows = cursor.fetchall()
    found = {}
    for ask, *sums in rows:
        name = asks[ask].rule.metric_name
        amount, size = Decimal(int(sums[names.index(name)] or 0)), SLURM_METRICS[name][1]
        with localcontext(prec=DIGITS):
            found[ask] = round(amount / size, PLACES) if size > 1 else amount
    return found


def matched_jobs(asks: dict[int, Ask]) -> tuple[str, str]:
    """CTEs ``w`` and ``matched(ask, job)``: the jobs that ended in each window, and their one parameter.

    A rule without a user means the Slurm accounts of its project, or of all projects of its organisation.
    """
    accounts = _accounts(ask.rule for ask in asks.values())
    rows = [
        [number, username, account, moment_cell(ask.window.start), moment_cell(ask.window.end)]
        for number, ask in asks.items()
        for username, account in _subjects(ask.rule, accounts)
    ]
    table, parameter = json_table("w", _W_JOBS, rows)
    one = "SELECT w.ask, j.id FROM w JOIN jobs j ON j.end_at >= w.since AND j.end_at < w.until"
    by_user = f"{one} AND j.username = w.username WHERE w.username <> ''"
    by_account = f"{one} AND j.account = w.account WHERE w.username = ''"
    return f"{table}, matched(ask, job) AS ({by_user} UNION ALL {by_account})", parameter


def _subjects(rule: AlertRule, accounts: dict[tuple[str, int], list[str]]) -> Iterator[tuple[str, str]]:
    if rule.username:
        yield rule.username, ""
        return
    key = ("project", rule.project_id) if rule.project_id else ("organisation", rule.organisation_id or 0)
    for account in accounts.get(key, ()):
        yield "", account


def _accounts(rules: Iterable[AlertRule]) -> dict[tuple[str, int], list[str]]:
    """Slurm accounts by project and by organisation: one statement, or none where only users are watched."""
    if not any(rule.organisation_id for rule in rules):
        return {}
    found: dict[tuple[str, int], list[str]] = {}
    rows = ProjectAccount.objects.values_list("account", "project", "project__organisation")
    for account, project, organisation in rows:
        found.setdefault(("project", project), []).append(account)
        found.setdefault(("organisation", organisation), []).append(account)
    return found
