"""Why a line of an invoice comes to what it says: down to its jobs or daily sums, its price, each step and rounding."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from billing import pricing, sql
from billing.invoicing.jobs import group_of
from billing.models import CpuBasis, InvoiceLine, LineKind, PricingPlan, RateVersion
from billing.selectors.jobs import billable
from core.api.paging import Page, page
from core.database.decimals import ExactMax, ExactSum, plain
from usage.models import Job, Meter, Period, UsageAggregate

JOBS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Product:
    """``quantity`` x ``unit_price`` + ``fee`` = ``amount``, exactly."""

    label: str
    quantity: Decimal
    unit_price: Decimal
    fee: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PriceRow:
    """Where the price comes from; ``own``: of this organisation alone."""

    id: int
    kind: str
    name: str
    since: date | datetime | None
    until: date | None
    set_by: str
    charge_model: str = ""
    package_size: Decimal | None = None
    currency: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    amount: Decimal
    currency: str
    rate: Decimal
    rate_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class DaySum:
    """What a day of the organisation came to, as it is counted now."""

    day: date
    total: Decimal
    events: int
    request_tokens: int
    response_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    largest: Decimal


@dataclass(frozen=True, slots=True)
class JobShare:
    """One job of the line, priced as the line prices it."""

    id: int
    job: str
    user: str
    account: str
    ended: datetime
    core_hours: Decimal
    gpu_hours: Decimal
    gb_hours: Decimal
    cost: Decimal


@dataclass(slots=True)
class LineExplanation:
    """``exact`` is what the products come to before ``rounding``; both in ``currency`` of the price. ``counted_now`` is
    what the days (or jobs) below come to today: another figure than the line's ``quantity`` tells of late usage."""

    invoice: str
    number: int
    kind: str
    description: str
    description_th: str
    quantity: Decimal
    unit: str
    products: list[Product] = field(default_factory=list)
    currency: str = ""
    exact: Decimal = Decimal(0)
    rounding: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    conversion: Conversion | None = None
    total: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    net: Decimal = Decimal(0)
    total_currency: str = ""
    price: PriceRow | None = None
    tier: str = ""
    tier_reason: str = ""
    meter: str = ""
    model: str = ""
    priced_by: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    days: list[DaySum] = field(default_factory=list)
    jobs: list[JobShare] = field(default_factory=list)
    jobs_total: int = 0
    jobs_next: str = ""
    counted_now: Decimal | None = None


def explain_line(line: InvoiceLine, *, cursor: str = "", limit: int = JOBS_SHOWN) -> LineExplanation:
    """``cursor`` leads to the next jobs of a line of jobs. A constant number of statements."""
    own_amount = line.original_amount if line.original_amount is not None else line.total
    found = LineExplanation(
        invoice=str(line.invoice), number=line.line_number, kind=line.kind, description=line.description,
        description_th=line.description_th, quantity=Decimal(plain(line.quantity)), unit=line.unit,
        currency=line.original_currency or line.currency, exact=own_amount, amount=own_amount,
        conversion=_conversion(line), total=line.total, discount=line.discount, net=line.net,
        total_currency=line.currency,
    )  # fmt: skip
    if line.kind == LineKind.JOBS:
        _jobs(line, found, cursor, limit)
    elif line.kind == LineKind.USAGE:
        _usage(line, found)
    elif line.kind == LineKind.MINIMUM:
        _minimum(line, found)
    else:
        _fee(line, found)
    found.rounding = found.amount - found.exact
    return found


def _conversion(line: InvoiceLine) -> Conversion | None:
    if line.original_amount is None or line.exchange_rate is None or line.exchange_rate_at is None:
        return None
    return Conversion(
        line.original_amount, line.original_currency, line.exchange_rate, line.exchange_rate_at, line.exchange_source
    )


def _usage(line: InvoiceLine, found: LineExplanation) -> None:
    source, plan = line.source, line.pricing_plan
    found.products = [Product("", *(Decimal(value) for value in part)) for part in source.get("parts", [])]
    found.exact = Decimal(source["amount"])
    found.price = _plan_row(plan) if plan else None
    found.meter, found.model, found.priced_by = source["meter"], source["model_id"], source["priced_by"]
    found.facts = {"sums": source["sums"]}
    found.days = _days(line)
    if not found.meter:
        found.counted_now = _now(found)


def _now(found: LineExplanation) -> Decimal:
    """The priced quantity as the days below come to it; a part that is priced by itself is not in its whole."""
    names = {"value": "total", "events": "events"}
    name = names.get(found.priced_by, found.priced_by)
    sums = found.facts["sums"]
    with localcontext(prec=80):
        counted = sum((Decimal(getattr(day, name)) for day in found.days), Decimal(0))
        part = {"request_tokens": "cached_tokens", "response_tokens": "reasoning_tokens"}.get(name)
        if part and Decimal(sums[name]) != found.quantity:
            counted -= sum((Decimal(getattr(day, part)) for day in found.days), Decimal(0))
    return counted


def _plan_row(plan: PricingPlan) -> PriceRow:
    return PriceRow(
        plan.pk, "pricing_plan", plan.metric_name, plan.effective_from, plan.effective_to, plan.set_by,
        str(plan.charge_model), plan.package_size, plan.currency, plan.organisation_id is not None,
    )  # fmt: skip


def _days(line: InvoiceLine) -> list[DaySum]:
    meter = Meter.objects.filter(code=line.source["meter"]).first() if line.source["meter"] else None
    rows: Any = UsageAggregate.objects.filter(
        organisation=line.invoice.organisation_id, project=line.project_id, period_type=Period.DAY,
        period_start__gte=line.period_start, period_start__lt=line.period_end,
        metric_name=meter.metric_name if meter else line.metric_name,
        meter=meter if meter and meter.value_path else None,
    )  # fmt: skip
    if meter is None:
        rows = rows.filter(unit=line.unit, model_id=line.source["model_id"])
    tokens = ("request_tokens", "response_tokens", "cached_tokens", "reasoning_tokens")
    rows = rows.values("period_start").annotate(
        total=ExactSum("total_value"), events=Sum("event_count"), largest=ExactMax("max_value"),
        **{f"sum_{name}": Sum(name) for name in tokens},
    )  # fmt: skip
    zone = line.invoice.organisation.zone
    return [
        _day_sum(row, timezone.localtime(row["period_start"], zone).date()) for row in rows.order_by("period_start")
    ]


def _day_sum(row: dict[str, Any], day: date) -> DaySum:
    return DaySum(
        day=day, total=Decimal(plain(row["total"])), events=row["events"], request_tokens=row["sum_request_tokens"],
        response_tokens=row["sum_response_tokens"], cached_tokens=row["sum_cached_tokens"],
        reasoning_tokens=row["sum_reasoning_tokens"], largest=Decimal(plain(row["largest"])),
    )  # fmt: skip


def _minimum(line: InvoiceLine, found: LineExplanation) -> None:
    found.facts = {"minimum": line.source["minimum"], "used": line.source["used"]}
    found.exact = Decimal(line.source["minimum"]) - Decimal(line.source["used"])
    found.price = _plan_row(line.pricing_plan) if line.pricing_plan else None


def _fee(line: InvoiceLine, found: LineExplanation) -> None:
    found.facts = dict(line.source)
    if "amount" in line.source:
        found.exact = Decimal(line.source["amount"])
        own = Decimal(line.source.get("after_discount", line.source).get("of", line.source["amount"]))
        found.products = [Product("", Decimal(1), own, Decimal(0), own)]


def _jobs(line: InvoiceLine, found: LineExplanation, cursor: str, limit: int) -> None:
    source = line.source
    version = RateVersion.objects.select_related("tier").get(pk=source["version"])
    labels, rates = ("cpu", "gpu", "mem"), [Decimal(rate) for rate in source["rates"]]
    hours = [Decimal(each) for each in source["hours"]]
    found.products = [
        Product(label, each, rate, Decimal(0), each * rate)
        for label, each, rate in zip(labels, hours, rates, strict=True)
    ]
    found.exact = sum((each.amount for each in found.products), Decimal(0))
    found.tier, found.tier_reason = source["tier"], source["reason"]
    found.price = PriceRow(version.pk, "rates", source["tier"], version.effective_at, None, version.set_by,
                           currency=source["currency"])  # fmt: skip
    found.facts = {"cpu_basis": source["cpu_basis"], "price_at": source["price_at"], "jobs": source["jobs"]}
    group = group_of(line, version)
    jobs = group.jobs(Job.objects.filter(claimed_by=line.invoice.claim))
    rows = billable.sums_of([(group, jobs)]).get(0, [])
    found.jobs_total = sum(row[1] for row in rows)
    found.counted_now = sum((sql.money_from_sql(row[5]) for row in rows), Decimal(0)) if rows else None
    shown: Page = page(jobs, by=("end_at", "id"), after=cursor, size=limit, descending=False)
    found.jobs = [_share(job, source["cpu_basis"], pricing.Rates(*rates)) for job in shown.rows]
    found.jobs_next = shown.cursor


def _share(job: Job, basis: str, rates: pricing.Rates) -> JobShare:
    cpu = (job.used_cpu_seconds or 0) if basis == CpuBasis.USED else job.cpu_core_seconds
    item = pricing.price(cpu_seconds=cpu, gpu_seconds=job.gpu_seconds, mem_mib_seconds=job.mem_mib_seconds, rates=rates)
    assert job.end_at is not None  # noqa: S101 - only ended jobs are claimed
    return JobShare(
        job.pk, job.job_id_display, job.username, job.account, job.end_at, item.cpu_core_hours, item.gpu_hours,
        item.mem_gb_hours, item.cost,
    )  # fmt: skip
