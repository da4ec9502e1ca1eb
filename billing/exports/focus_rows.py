"""A charge as rows of the FinOps Open Cost and Usage Specification (FOCUS) 1.2. Pure; docs/exports.md has the mapping.

A line of a receipt becomes a Usage row for each resource it used, at quantity x unit price, exactly,
and an Adjustment row for the rounding, so that the rows of a line add up to its cost. A receipt with
tax ends with a Tax row; where the prices hold the tax already, an Adjustment row takes it out of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.exports import Column, Kind
from core.money import quantize

_KINDS = {
    Kind.NUMBER: (
        "BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost",
        "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice", "PricingQuantity",
    ),
    Kind.UTC: ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"),
    Kind.JSON: ("SkuPriceDetails", "Tags"),
}  # fmt: skip
NAMES = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName",
    "SubAccountType", "Tags",
)  # fmt: skip
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
COLUMNS = tuple(Column(name, name, _KIND_OF.get(name, Kind.TEXT)) for name in NAMES)
# SKU, meter and unit of what is priced. Slurm's gigabyte is 1024 MiB, which FOCUS spells GiB.
METERS = (
    ("cpu-core-hours", "CPU cores", "Core-Hours"),
    ("gpu-hours", "GPUs", "GPU-Hours"),
    ("memory-gib-hours", "Memory", "GiB-Hours"),
)
Cells = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bill:
    """Whose charge it is and by whom. ``invoice`` is None while no receipt holds it; the period is half-open."""

    user: str
    invoice: str | None
    issuer: str
    currency: str
    period: tuple[datetime, datetime]

    def cells(self) -> Cells:
        return {
            "BillingAccountId": self.user,
            "BillingAccountName": self.user,
            "BillingAccountType": "User",
            "BillingCurrency": self.currency,
            "BillingPeriodStart": self.period[0],
            "BillingPeriodEnd": self.period[1],
            "InvoiceId": self.invoice,
            "InvoiceIssuerName": self.issuer,
            "PricingCurrency": self.currency,
            "ProviderName": self.issuer,
            "PublisherName": self.issuer,
            "ServiceCategory": "Compute",
            "ServiceName": "High-performance computing",
            "ServiceSubcategory": "Other (Compute)",
        }


@dataclass(frozen=True, slots=True)
class Price:
    """A rate version of a tier; ``rates`` are those of ``METERS``."""

    tier: str
    version: int
    since: datetime
    rates: tuple[Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Line:
    """A job as it is charged: hours by ``METERS``, and the cost that stands on the receipt."""

    job_key: str
    job_id: str
    name: str
    account: str
    tags: dict[str, str]
    start: datetime
    end: datetime
    hours: tuple[Decimal, Decimal, Decimal]
    cost: Decimal

    def cells(self) -> Cells:
        account = self.account or None
        return {
            "ChargePeriodStart": self.start,
            "ChargePeriodEnd": self.end,
            "ResourceId": self.job_key,
            "ResourceName": self.name or None,
            "ResourceType": "Slurm job",
            "SubAccountId": account,
            "SubAccountName": account,
            "SubAccountType": account and "Slurm account",
            "Tags": {f"hpcbilling/{key}": value for key, value in self.tags.items() if value} or None,
        }


@dataclass(frozen=True, slots=True)
class TaxOf:
    """Tax of a receipt whose lines cover ``start`` to ``end``; ``words`` such as "VAT 7.00 %"."""

    amount: Decimal
    inclusive: bool
    words: str
    start: datetime
    end: datetime

    def cells(self) -> Cells:
        return {"ChargePeriodStart": self.start, "ChargePeriodEnd": self.end}


def line_rows(bill: Bill, price: Price, line: Line) -> Iterator[list[Any]]:
    """The rows of one line; their costs add up to ``line.cost``."""
    shared = {**bill.cells(), **line.cells()}
    rest = line.cost
    for meter, quantity, rate in zip(METERS, line.hours, price.rates, strict=True):
        if quantity:
            rest -= quantity * rate
            yield _row({**shared, **_usage(meter, quantity, rate, price, line)})
    if rest:
        words = f"Rounding of the line to {line.cost:f} {bill.currency}, job {line.job_id}"
        yield _row({**shared, **_plain("Adjustment", rest, words)})


def tax_rows(bill: Bill, tax: TaxOf) -> Iterator[list[Any]]:
    if not tax.amount:
        return
    shared = {**bill.cells(), **tax.cells()}
    if tax.inclusive:
        words = f"{tax.words} contained in the prices of {bill.invoice}, stated as tax"
        yield _row({**shared, **_plain("Adjustment", -tax.amount, words)})
    yield _row({**shared, **_plain("Tax", tax.amount, f"{tax.words} on {bill.invoice}")})


def reversal_rows(bill: Bill, tax: TaxOf, subtotal: Decimal) -> Iterator[list[Any]]:
    """A receipt of an earlier billing period that was voided in this one."""
    shared = {**bill.cells(), **tax.cells(), "ChargeClass": "Correction"}
    for category, amount in (("Adjustment", subtotal), ("Tax", tax.amount)):
        if amount:
            yield _row({**shared, **_plain(category, -amount, f"{bill.invoice} voided: {category.lower()} reversed")})


def _usage(meter: tuple[str, str, str], quantity: Decimal, rate: Decimal, price: Price, line: Line) -> Cells:
    sku, name, unit = meter
    unit_price = _trimmed(rate)
    details = {"x_PricingTier": price.tier, "x_RatesSince": price.since.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {
        **_plain("Usage", quantity * rate, f"{name}: {quantity:f} {unit} x {unit_price:f}, job {line.job_id}"),
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": unit,
        "ContractedUnitPrice": unit_price,
        "ListUnitPrice": unit_price,
        "PricingCategory": "Standard",
        "PricingCurrencyContractedUnitPrice": unit_price,
        "PricingCurrencyListUnitPrice": unit_price,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "SkuId": sku,
        "SkuMeter": name,
        "SkuPriceDetails": details,
        "SkuPriceId": f"{sku}/{price.tier}/{price.version}",
    }


def _plain(category: str, cost: Decimal, words: str) -> Cells:
    """A charge without a quantity. No discounts or prepayments exist here, so every cost is the same."""
    costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingCurrencyEffectiveCost")
    amount = _trimmed(cost)
    return {
        **dict.fromkeys(costs, amount),
        "ChargeCategory": category,
        "ChargeDescription": words,
        "ChargeFrequency": "One-Time",
    }


def _trimmed(value: Decimal) -> Decimal:
    """The same number with the places it needs, two at least."""
    short = value.normalize()
    exponent = short.as_tuple().exponent
    return short if isinstance(exponent, int) and exponent < -2 else quantize(value, 2)  # noqa: PLR2004


def _row(cells: Cells) -> list[Any]:
    return [cells.get(name) for name in NAMES]
