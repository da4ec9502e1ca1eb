"""Lines of plain usage, priced and written by the database itself.

Most lines of a month are alike: so much of a metric at one price, in the organisation's own currency. Building each
of them in Python takes ten times as long as storing it; here one statement does it for all organisations of a slice.
What anything costs and how it is taxed is still asked in one place: the prices, words and taxes are looked up in
Python, once for each metric, unit and model, and given to the statement as a table.

It is for PostgreSQL, and for organisations with nothing but that (``_can_be_plain``, ``_prices``, and ``plain`` in the
statement): everybody else's usage is left, whole, to ``usage.UsageLines``, which says what is right. Both must write
the same rows to the last column; ``tests/billing/test_plain_usage.py`` holds them against each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from billing.invoicing.months import Month
from billing.invoicing.usage import QUANTITIES, USAGE, Series, describe, month_rows
from billing.models import ChargeModel, InvoiceLine, PricingPlan, Quantity
from billing.selectors.pricing.taxes import Levy, TaxTable
from billing.selectors.pricing.usage_prices import PriceTable

# Larger amounts may be too large for a column or for Python's usual 28 digits: Python says what is to happen then.
LARGE = Decimal(10**12)
PLAIN = frozenset({str(Quantity.VALUE), str(Quantity.EVENTS)})


@dataclass(frozen=True, slots=True)
class Written:
    """Lines of one tax that stand on an invoice already: how many, and what they come to."""

    levy: Levy
    lines: int
    total: Decimal


class _Owner(NamedTuple):
    organisation_id: int
    invoice_id: int
    starts: object
    ends: object
    currency: str
    places: int


class _Price(NamedTuple):
    """What prices the sum of values, or the number of events, of one metric, unit and model."""

    metric_name: str
    unit: str
    model_id: str
    priced_by: str
    plan_id: int
    price: Decimal
    currency: str
    english: str
    thai: str
    levy: int
    tax_label: str
    tax_rate: Decimal
    tax_category: str


_WRITE = f"""
WITH owners AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::int[])
        AS o(organisation_id, invoice_id, starts, ends, currency, places)
), prices AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::numeric[], %s::text[],
                         %s::text[], %s::text[], %s::int[], %s::text[], %s::numeric[], %s::text[])
        AS p(metric_name, unit, model_id, priced_by, plan_id, price, price_currency, english, thai, levy, tax_label,
             tax_rate, tax_category)
), used AS (
    SELECT organisation_id, project_id, metric_name, unit, model_id, sum(total_value) AS total_value,
        sum(event_count) AS event_count, sum(request_tokens) AS request_tokens, sum(response_tokens) AS response_tokens,
        sum(cached_tokens) AS cached_tokens, sum(reasoning_tokens) AS reasoning_tokens
    FROM usage_aggregates JOIN owners USING (organisation_id)
    WHERE period_type = 'month' AND period_start = starts AND meter_id IS NULL
    GROUP BY organisation_id, project_id, metric_name, unit, model_id
), priced AS MATERIALIZED (
    SELECT *, quantity * price AS amount, round(quantity * price, places) AS total
    FROM (
        SELECT *, CASE priced_by WHEN '{Quantity.EVENTS}' THEN event_count ELSE total_value END AS quantity
        FROM used JOIN owners USING (organisation_id) LEFT JOIN prices USING (metric_name, unit, model_id)
    ) each
), plain AS (
    SELECT invoice_id FROM priced GROUP BY invoice_id
    HAVING bool_and(COALESCE(price_currency = currency AND quantity >= 0, false)) AND sum(amount) < {LARGE}
), lines AS MATERIALIZED (
    SELECT *, row_number() OVER (
        PARTITION BY invoice_id ORDER BY project_id, metric_name COLLATE "C", unit COLLATE "C", model_id COLLATE "C",
            priced_by COLLATE "C"
    ) AS line_number
    FROM priced JOIN plain USING (invoice_id) WHERE quantity > 0
), written AS (
    INSERT INTO invoice_line_items (
        invoice_id, line_number, kind, description, description_th, project_id, pricing_plan_id, metric_name, unit,
        quantity, unit_price, total, discount, net, currency, original_currency, exchange_source, tax_label, tax_rate,
        tax_category, period_start, period_end, source
    )
    SELECT invoice_id, line_number, '{USAGE}', english, thai, project_id, plan_id, metric_name, unit, quantity, price,
        total, 0, total, currency, '', '', tax_label, tax_rate, tax_category, starts, ends,
        jsonb_build_object(
            'priced_by', priced_by, 'model_id', model_id, 'charge_model', '{ChargeModel.STANDARD}',
            'package_size', NULL, 'meter', '', 'own_price', false, 'amount', trim_scale(amount)::text,
            'parts', jsonb_build_array(jsonb_build_array(
                trim_scale(quantity)::text, trim_scale(price)::text, '0', trim_scale(amount)::text
            )),
            'sums', jsonb_build_object(
                'total_value', trim_scale(total_value)::text, 'event_count', event_count::text,
                'request_tokens', request_tokens::text, 'response_tokens', response_tokens::text,
                'cached_tokens', cached_tokens::text, 'reasoning_tokens', reasoning_tokens::text
            )
        )
    FROM lines
)
SELECT invoice_id, levy, count(*), sum(total) FROM lines GROUP BY invoice_id, levy ORDER BY invoice_id, min(line_number)
"""


def write(
    months: Sequence[Month], invoices: Mapping[int, int], tables: Mapping[int, PriceTable], taxes: TaxTable
) -> dict[int, list[Written]]:
    """Write what is plain among the usage of these months, by two statements; ``invoices`` gives the key of each
    organisation's. What was written, by organisation, in the order of the lines; who is not in it had no line."""
    owners = [
        _Owner(pk, invoices[pk], month.start, month.end, month.currency, month.decimals)
        for month in months
        if _can_be_plain(pk := month.organisation.pk, tables[pk], taxes)
    ]
    if connection.vendor != "postgresql" or not owners or not taxes.one_name_a_rate:
        return {}
    kept = {owner.organisation_id for owner in owners}
    levies: list[Levy] = []
    of_owners = month_rows([month for month in months if month.organisation.pk in kept])
    kinds = of_owners.filter(meter=None).values_list("metric_name", "unit", "model_id").order_by().distinct()
    used = [Series(0, 0, metric, unit, model, {}) for metric, unit, model in kinds]
    prices = [row for one in used for row in _prices(one, tables[min(kept)], taxes, levies)]
    found: dict[int, list[Written]] = defaultdict(list)
    if prices:
        whose = {owner.invoice_id: owner.organisation_id for owner in owners}
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [list(column) for rows in (owners, prices) for column in zip(*rows, strict=True)])
            for invoice, levy, lines, total in cursor.fetchall():
                found[whose[invoice]].append(Written(levies[levy], lines, total))
    return found


def _can_be_plain(organisation: int, table: PriceTable, taxes: TaxTable) -> bool:
    """Prices and taxes of its own are few, and theirs alone."""
    return not table.own and organisation not in taxes.owners


def _prices(one: Series, table: PriceTable, taxes: TaxTable, levies: list[Levy]) -> Iterator[_Price]:
    """None where the price of this kind of usage is not plain: then nobody who has it is."""
    found = {kind: table.price(one.metric, kind, one.unit, one.model_id) for kind in QUANTITIES}
    plans = {kind: plan for kind, plan in found.items() if plan is not None}
    if not all(kind in PLAIN and _is_plain(plan) for kind, plan in plans.items()):
        return
    levy = taxes.of(0, InvoiceLine(kind=USAGE, metric_name=one.metric))
    if levy not in levies:
        levies.append(levy)
    for kind, plan in plans.items():
        assert plan.price_per_unit is not None  # noqa: S101 - see _is_plain
        yield _Price(
            one.metric, one.unit, one.model_id, kind, plan.pk, plan.price_per_unit, plan.currency,
            *describe(plan, kind, one), levies.index(levy), levy.label, levy.rate, str(levy.category),
        )  # fmt: skip


def _is_plain(plan: PricingPlan) -> bool:
    """So much a unit, and nothing else."""
    return plan.charge_model == ChargeModel.STANDARD and plan.price_per_unit is not None and not plan.minimum_charge
