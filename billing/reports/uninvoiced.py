"""Usage and plan fees that stand on no document yet: without a price, not gathered, or in a draft."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingMode, Organisation, ProjectAccount
from billing.invoicing.usage import TOKENS
from billing.models import (
    ChargeKind,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    PricingPlan,
    Quantity,
    SubscriptionCharge,
)
from billing.reports.base import Asked, Report
from billing.selectors.pricing.usage_prices import Key, PriceTable
from core.clock import of_tests, real
from core.database.decimals import ExactSum
from core.exports import Column, Kind, Row
from core.periods import Window, month_start, month_window
from usage.models import Job, Meter, Period, UsageAggregate

UNPRICED, UNBILLED, DRAFT = "unpriced", "unbilled", "draft"
WORDS = {
    "state": {UNPRICED: _("unpriced"), UNBILLED: _("unbilled"), DRAFT: _("in a draft")},
    "kind": {LineKind.JOBS.value: _("Slurm jobs"), LineKind.USAGE.value: _("metered usage"),
             LineKind.FEE.value: _("plan fee"), LineKind.PRORATION.value: _("part of a period")},
}  # fmt: skip
FEES = (LineKind.FEE, LineKind.PRORATION)

COLUMNS = (
    Column("state", _("state")),
    Column("kind", _("kind")),
    Column("month", _("month"), Kind.DAY),
    Column("customer", _("customer")),
    Column("what", _("metric, Slurm account or plan")),
    Column("unit", _("unit")),
    Column("quantity", _("quantity"), Kind.NUMBER),
    Column("count", _("jobs, events or fees"), Kind.INT),
    Column("amount", _("amount"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("draft", _("draft"), Kind.INT),
)


def rows(asked: Asked) -> Iterator[Row]:
    """At most twelve statements, however much there is."""
    if not asked.currency:
        yield from _jobs(asked)
        yield from _metered(asked)
    yield from _fees(asked)
    yield from _drafts(asked)


def _window(asked: Asked) -> Window:
    return Window(
        month_window(asked.start).start if asked.start else None, month_window(asked.end).end if asked.end else None
    )


def _jobs(asked: Asked) -> Iterator[Row]:
    """By account where the account's organisation is billed by invoice, else by user."""
    mapped = {
        account: (mode, name, key)
        for account, mode, name, key in ProjectAccount.objects.values_list(
            "account", "project__organisation__billing_mode", "project__organisation__name", "project__organisation"
        )
    }
    tests = of_tests(ProjectAccount.objects.all(), "project__organisation").values("account")
    window, jobs = _window(asked), Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES)
    jobs = jobs.exclude(account__in=tests)
    if window.start:
        jobs = jobs.filter(end_at__gte=window.start)
    if window.end:
        jobs = jobs.filter(end_at__lt=window.end)
    if asked.organisation:
        jobs = jobs.filter(account__in=[name for name, (*_rest, key) in mapped.items() if key == asked.organisation])
    month = TruncMonth("end_at", tzinfo=timezone.get_default_timezone())
    found = jobs.order_by().annotate(month=month).values_list("month", "account", "username")
    sums: dict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for moment, account, user, count, seconds in found.annotate(count=Count("id"), seconds=Sum("cpu_core_seconds")):
        mode, name, _key = mapped.get(account, ("", "", 0))
        customer = name if mode == BillingMode.INVOICES else user
        both = sums[moment.date(), customer, account]
        both[0] += count
        both[1] += seconds or 0
    for (first, customer, account), (count, seconds) in sorted(sums.items()):
        hours = (Decimal(seconds) / 3600).quantize(Decimal("0.0001"))
        yield UNBILLED, LineKind.JOBS.value, first, customer, account, "core-hours", hours, count, None, "", None


def _metered(asked: Asked) -> Iterator[Row]:
    """Months of organisations without an invoice; what nobody has priced is told of those with a draft, too."""
    window = _window(asked)
    sums = real(UsageAggregate.objects.filter(period_type=Period.MONTH, meter=None))
    # a zone may be half a day ahead of the site's, or behind
    if window.start:
        sums = sums.filter(period_start__gte=window.start - _DAY)
    if window.end:
        sums = sums.filter(period_start__lt=window.end)
    if asked.organisation:
        sums = sums.filter(organisation=asked.organisation)
    keys = ("organisation_id", "period_start", "metric_name", "unit", "model_id")
    added: dict[str, Any] = {name: Sum(name) for name in ("event_count", *TOKENS)}
    found = list(sums.order_by().values(*keys).annotate(total=ExactSum("total_value"), **added))
    names = {row["organisation_id"] for row in found}
    organisations = {each.pk: each for each in Organisation.objects.filter(pk__in=names)}
    states, prices = _states(names), _Prices()
    for row in sorted(found, key=lambda each: tuple(str(each[name]) for name in keys)):
        owner = organisations[row["organisation_id"]]
        month = _month(row["period_start"], owner.zone)
        if (asked.start and month < asked.start) or (asked.end and month > asked.end):
            continue
        state = states.get((owner.pk, month))
        priced = prices.has(owner.pk, month, row)
        if state in (None, InvoiceStatus.DRAFT) and not (priced and state):
            yield (
                UNBILLED if priced else UNPRICED, LineKind.USAGE.value, month, owner.name,
                " · ".join(filter(None, (row["metric_name"], row["model_id"]))), row["unit"],
                Decimal(row["total"]), row["event_count"], None, "", None,
            )  # fmt: skip


_DAY = timedelta(days=1)


def _month(moment: datetime, zone: ZoneInfo) -> date:
    return month_start(moment.astimezone(zone).date())


def _states(organisations: set[int]) -> dict[tuple[int, date], str]:
    live = Invoice.objects.filter(organisation__in=organisations).exclude(status=InvoiceStatus.CANCELED)
    found = live.order_by().values_list("organisation_id", "year", "month", "status")
    return {(pk, date(year, month, 1)): status for pk, year, month, status in found}


class _Prices:
    """All prices, read once; tables are put together for the months that are asked for."""

    def __init__(self) -> None:
        plans = PricingPlan.objects.filter(is_active=True).order_by("effective_from", "pk")
        self.plans = list(plans)
        self.meters: dict[str, set[str]] = defaultdict(set)
        for code, metric in Meter.objects.values_list("code", "metric_name"):
            self.meters[metric].add(code)
        self.tables: dict[tuple[int, date], PriceTable] = {}

    def has(self, organisation: int, month: date, row: dict[str, Any]) -> bool:
        """Whether anything prices the series: any quantity of it, or a meter that reads it."""
        table = self.tables.get((organisation, month)) or self._table(organisation, month)
        names = (row["metric_name"], *self.meters[row["metric_name"]])
        priced = {key[0] for plans in (table.own, table.general) for key in plans}
        if any(name in priced for name in names[1:]):
            return True
        return any(
            table.price(row["metric_name"], kind, row["unit"], row["model_id"]) is not None for kind in Quantity.values
        )

    def _table(self, organisation: int, month: date) -> PriceTable:
        own: dict[Key, PricingPlan] = {}
        general: dict[Key, PricingPlan] = {}
        for plan in self.plans:
            ended = plan.effective_to is not None and plan.effective_to < month
            if plan.effective_from > month or ended or plan.organisation_id not in (None, organisation):
                continue
            held = general if plan.organisation_id is None else own
            held[plan.metric_name, plan.quantity, plan.unit, plan.model_id] = plan
        table = self.tables[organisation, month] = PriceTable(own, general)
        return table


def _fees(asked: Asked) -> Iterator[Row]:
    """What subscriptions have come to and no invoice holds, by the month of its due moment; credits that wait for the
    next invoice are negative."""
    charges = real(SubscriptionCharge.objects.filter(claimed_by=""), "subscription__organisation")
    limits = asked.limits(currency="currency", organisation="subscription__organisation")
    found: dict[tuple[date, str, str, str, str], list[Decimal]] = defaultdict(list)
    rows = charges.filter(**limits).select_related("subscription__organisation", "subscription__plan")
    for charge in rows.order_by("pk").iterator(1000):
        owner, held = charge.subscription.organisation, charge.subscription
        month = _month(charge.due_at, owner.zone if owner else timezone.get_default_timezone())
        if (asked.start and month < asked.start) or (asked.end and month > asked.end):
            continue
        kind = LineKind.FEE if charge.kind == ChargeKind.FEE else LineKind.PRORATION
        customer = owner.name if owner else str(held.user_id)
        found[month, customer, kind.value, held.plan.code, charge.currency].append(charge.amount)
    for (month, customer, of_kind, plan, currency), amounts in sorted(found.items()):
        many, total = len(amounts), sum(amounts, Decimal(0))
        yield UNBILLED, of_kind, month, customer, plan, "", Decimal(many), many, total, currency, None


def _drafts(asked: Asked) -> Iterator[Row]:
    limits = asked.limits(currency="currency", organisation="organisation")
    drafts = real(Invoice.objects.filter(status=InvoiceStatus.DRAFT, **limits))
    lines = InvoiceLine.objects.filter(invoice__in=drafts.values("pk"), kind__in=(LineKind.JOBS, LineKind.USAGE, *FEES))
    keys = ("kind", "invoice__year", "invoice__month", "invoice__organisation__name", "metric_name",
            "subscription__plan__code", "unit", "currency", "invoice_id")  # fmt: skip
    found: Sequence[Any] = list(
        lines.order_by().values_list(*keys).annotate(quantity=ExactSum("quantity"), net=Sum("net"), many=Count("id"))
    )
    for kind, year, number, customer, metric, plan, unit, currency, pk, quantity, net, many in sorted(found, key=str):
        month = date(year, number, 1)
        if (asked.start and month < asked.start) or (asked.end and month > asked.end):
            continue
        count = int(quantity) if kind == LineKind.JOBS else many if kind in FEES else None
        yield (
            DRAFT,
            kind,
            month,
            customer,
            metric or plan or "",
            unit,
            Decimal(quantity),
            count,
            Decimal(net),
            currency,
            pk,
        )


def row_url(row: dict[str, Any]) -> str:
    if row["draft"]:
        return reverse("admin:billing_invoice_change", args=[row["draft"]])
    if row["kind"] == LineKind.JOBS:
        return f"{reverse('admin:usage_job_changelist')}?{urlencode({'claimed_by__exact': '', 'q': row['what']})}"
    if row["kind"] in FEES:
        of_customer = urlencode({"billed": "no", "q": row["customer"]})
        return f"{reverse('admin:billing_subscriptioncharge_changelist')}?{of_customer}"
    return (
        f"{reverse('admin:usage_usageaggregate_changelist')}?{urlencode({'metric_name': row['what'].split(' · ')[0]})}"
    )


UNINVOICED_REPORT = Report(
    name="uninvoiced", title=_("Usage and fees without an invoice"),
    lead=_(
        "Jobs, metered usage and plan fees that no document asks for yet: unpriced (nobody has set a price), unbilled"
        " (not gathered yet), or in a draft. Usage that no draft has a line for has no amount; credits are negative."
    ),
    columns=COLUMNS, rows=rows, url=row_url, words=WORDS,
)  # fmt: skip
