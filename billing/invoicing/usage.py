"""Lines of metered usage: one a project, metric, unit, AI model and what of it is priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from billing.invoicing.exchange import price_line
from billing.invoicing.months import Month, in_both
from billing.invoicing.problems import Problem, no_exchange_rate, problem
from billing.models import InvoiceLine, LineKind, PricingPlan, Quantity
from billing.selectors.pricing.exchange import MissingExchangeRate, RateBook
from billing.selectors.pricing.usage_prices import PriceTable, charge_by
from core.database.decimals import ExactSum, plain
from usage.models import Period, UsageAggregate

TOKENS = ("request_tokens", "response_tokens", "cached_tokens", "reasoning_tokens")
USAGE = str(LineKind.USAGE)
QUANTITIES = tuple(str(each) for each in Quantity.values)
SUMS = ("total_value", "event_count", *TOKENS)
# A class of tokens, and the part of it that may have a price of its own.
PARTS = ((Quantity.REQUEST_TOKENS, Quantity.CACHED_TOKENS), (Quantity.RESPONSE_TOKENS, Quantity.REASONING_TOKENS))


@dataclass(frozen=True, slots=True)
class Series:
    """What one series came to in the month, over all its subscriptions; ``meter`` of values that a meter made."""

    organisation_id: int
    project_id: int
    metric: str
    unit: str
    model_id: str
    sums: Mapping[str, Decimal]
    meter: str = ""


@dataclass(slots=True)
class Found:
    lines: list[InvoiceLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def month_rows(months: Sequence[Month]) -> Any:
    """The sums of these organisations' months, rows of one series not yet added up."""
    condition = Q(pk__in=[])
    by_start: dict[Any, list[int]] = defaultdict(list)
    for month in months:
        by_start[month.start].append(month.organisation.pk)
    for start, organisations in by_start.items():
        condition |= Q(period_start=start, organisation__in=organisations)
    return UsageAggregate.objects.filter(condition, period_type=Period.MONTH)


def users_of(months: Sequence[Month]) -> set[int]:
    """The organisations that used anything: one statement."""
    rows = month_rows(months).filter(meter=None).values_list("organisation_id", flat=True)
    return set(rows.order_by().distinct())


def series_of(months: Sequence[Month]) -> dict[int, list[Series]]:
    """By organisation, slots added up: one statement."""
    keys = ("organisation_id", "project_id", "metric_name", "unit", "model_id")
    sums: dict[str, Any] = {"total_value": ExactSum("total_value")}
    sums |= {name: Sum(name) for name in SUMS if name != "total_value"}
    rows = month_rows(months).filter(meter=None).values(*keys).annotate(**sums).order_by(*keys)
    found: dict[int, list[Series]] = defaultdict(list)
    for row in rows:
        values = {name: Decimal(row[name] or 0) for name in SUMS}
        one = Series(
            row["organisation_id"], row["project_id"], row["metric_name"], row["unit"], row["model_id"], values
        )
        found[one.organisation_id].append(one)
    return found


@dataclass(slots=True)
class UsageLines:
    """Prices the series of one organisation."""

    month: Month
    table: PriceTable
    book: RateBook
    priced_by_meter: frozenset[str] = frozenset()
    found: Found = field(default_factory=Found)
    _used: dict[int, tuple[PricingPlan, list[InvoiceLine]]] = field(default_factory=dict)

    def build(self, series: Iterable[Series]) -> Found:
        for one in series:
            self._price(one)
        for plan, lines in self._used.values():
            self._least(plan, lines)
        return self.found

    def _price(self, one: Series) -> None:
        if one.meter:
            plan = self.table.price(one.meter, Quantity.VALUE, one.unit, "")
            quantities = [(str(Quantity.VALUE), one.sums["total_value"], plan)]
        else:
            quantities = list(self._quantities(one))
        for kind, quantity, plan in quantities:
            if plan is not None:
                self._line(one, kind, quantity, plan)

    def _quantities(self, one: Series) -> Iterator[tuple[str, Decimal, PricingPlan | None]]:
        """What of the series is priced by what; anything without a price becomes a problem."""
        plans = {kind: self.table.price(one.metric, kind, one.unit, one.model_id) for kind in QUANTITIES}
        if not any(plans.values()):
            if one.metric not in self.priced_by_meter:
                self._problem("no_price", one, amount=plain(one.sums["total_value"] or one.sums["event_count"]))
            return
        yield Quantity.VALUE, one.sums["total_value"], plans[Quantity.VALUE]
        yield Quantity.EVENTS, one.sums["event_count"], plans[Quantity.EVENTS]
        as_whole = plans[Quantity.VALUE] or plans[Quantity.EVENTS] or one.metric in self.priced_by_meter
        for whole, part in PARTS:
            rest = one.sums[whole]
            if plans[part] is not None:
                rest = max(rest - one.sums[part], Decimal(0))
                yield part, one.sums[part], plans[part]
            if plans[whole] is None and rest and not as_whole:
                self._problem("no_token_price", one, amount=plain(rest), kind=whole)
            yield whole, rest, plans[whole]

    def _line(self, one: Series, kind: str, quantity: Decimal, plan: PricingPlan) -> None:
        if not quantity:
            return
        _plan, lines = self._used.setdefault(plan.pk, (plan, []))
        if quantity < 0:
            self._problem("negative_usage", one, amount=plain(quantity))
            return
        try:
            charged = charge_by(plan, quantity)
        except ValueError as error:
            self._problem("bad_price", one, why=error)
            return
        english, thai = describe(plan, kind, one)
        single = charged.parts[0].unit_price if len(charged.parts) == 1 else None
        line = InvoiceLine(
            kind=USAGE, description=english, description_th=thai, project_id=one.project_id,
            pricing_plan_id=plan.pk, metric_name=one.meter or one.metric, unit=one.unit, quantity=quantity,
            unit_price=single, currency=self.month.currency, period_start=self.month.start,
            period_end=self.month.end,
            source={
                "priced_by": str(kind), "model_id": one.model_id, "charge_model": str(plan.charge_model),
                "package_size": plain(plan.package_size) if plan.package_size is not None else None,
                "parts": [[plain(value) for value in part] for part in charged.parts], "amount": plain(charged.amount),
                "sums": {name: plain(value) if value else "0" for name, value in one.sums.items()}, "meter": one.meter,
                "own_price": plan.organisation_id is not None,
            },
        )  # fmt: skip
        if self._put(line, charged.amount, plan.currency):
            lines.append(line)

    def _least(self, plan: PricingPlan, lines: list[InvoiceLine]) -> None:
        """What a month with any use lacks of the least that its price costs."""
        paid = sum((_own(line) for line in lines), Decimal(0))
        if plan.minimum_charge <= paid:
            return
        label, label_th = plan.description or plan.metric_name, plan.description_th or plan.metric_name
        english = in_both(lambda: _minimum_words(label))[0]
        thai = in_both(lambda: _minimum_words(label_th))[1]
        line = InvoiceLine(
            kind=LineKind.MINIMUM, description=english, description_th=thai, pricing_plan=plan,
            metric_name=plan.metric_name, quantity=Decimal(1), currency=self.month.currency,
            period_start=self.month.start, period_end=self.month.end,
            source={"minimum": plain(plan.minimum_charge), "used": plain(paid), "currency": plan.currency},
        )  # fmt: skip
        self._put(line, plan.minimum_charge - paid, plan.currency)

    def _put(self, line: InvoiceLine, amount: Decimal, currency: str) -> bool:
        try:
            price_line(line, amount, currency, self.book)
        except MissingExchangeRate as error:
            missing = no_exchange_rate(error)
            if missing not in self.found.problems:
                self.found.problems.append(missing)
            return False
        self.found.lines.append(line)
        return True

    def _problem(self, code: str, one: Series, **facts: object) -> None:
        name = f"{one.meter or one.metric} · {one.model_id}" if one.model_id else one.meter or one.metric
        self.found.problems.append(
            problem(code, name, unit=one.unit, project=one.project_id, model_id=one.model_id, **facts)
        )


def describe(plan: PricingPlan, kind: str, one: Series) -> tuple[str, str]:
    """The words of the price, else the metric; then the AI model, and which tokens."""
    return _described(plan.description, plan.description_th, one.meter or one.metric, one.model_id, str(kind))


@lru_cache(maxsize=4096)
def _described(own: str, own_th: str, name: str, model: str, kind: str) -> tuple[str, str]:
    """The same for every organisation that has the price."""

    def words(label: str) -> str:
        parts = [label or name, model]
        parts += [str(Quantity(kind).label)] if kind != Quantity.VALUE else []
        return " · ".join(part for part in parts if part)

    return in_both(lambda: words(own))[0], in_both(lambda: words(own_th or own))[1]


def _minimum_words(label: str) -> str:
    return _("Minimum charge: %(name)s") % {"name": label}


def _own(line: InvoiceLine) -> Decimal:
    """What the line costs in the currency of its price."""
    return line.original_amount if line.original_amount is not None else line.total
