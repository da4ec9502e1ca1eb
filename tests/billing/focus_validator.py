"""What FOCUS 1.2 asks of a data set, written from the specification and not from our exporter.

``faults`` reads the text of a CSV and says in words what is wrong with it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
}  # fmt: skip
# Wanted because this provider meters usage, publishes price lists, has sub accounts, resources and tags; or recommended.
CONDITIONAL = {
    "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice", "ResourceId", "ResourceName", "ResourceType",
    "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
    "ChargeFrequency", "InvoiceId", "ServiceSubcategory",
}  # fmt: skip
ALL = MANDATORY | CONDITIONAL | {
    "AvailabilityZone", "BillingAccountType", "CapacityReservationId", "CapacityReservationStatus",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit", "PricingCategory", "PricingCurrency",
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "RegionId",
    "RegionName", "SubAccountType",
}  # fmt: skip
NEVER_NULL = {
    "BilledCost", "BillingAccountId", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "PricingCurrency", "PricingCurrencyEffectiveCost", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "ServiceSubcategory", "ChargeDescription",
}  # fmt: skip
DECIMALS = {
    "BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost", "ListUnitPrice",
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity",
}  # fmt: skip
MOMENTS = {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration",
        "Mobile", "Networking", "Security", "Storage", "Web", "Other",
    },
    "ServiceSubcategory": {
        "Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines", "Other (Compute)",
    },
}  # fmt: skip
NULL_FOR_TAX = {
    "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "SkuId", "SkuPriceId",
}  # fmt: skip
GIVEN_FOR_USAGE = NULL_FOR_TAX | {"ConsumedQuantity"}
# A column that is null exactly when the other is.
TOGETHER = {
    "ConsumedUnit": "ConsumedQuantity", "PricingUnit": "PricingQuantity", "SkuMeter": "SkuId", "RegionName": "RegionId",
    "ResourceType": "ResourceId", "SubAccountName": "SubAccountId", "SubAccountType": "SubAccountId",
}  # fmt: skip
NUMBER = re.compile(r"-?\d+(\.\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UNIT = re.compile(r"(Core|GPU|GiB)-Hours")
CURRENCY = re.compile("[A-Z]{3}")
WORDS = {NUMBER: "plain number", MOMENT: "moment of UTC", UNIT: "unit", CURRENCY: "currency"}
SHAPES = {
    **dict.fromkeys(DECIMALS, NUMBER), **dict.fromkeys(MOMENTS, MOMENT),
    **dict.fromkeys(("ConsumedUnit", "PricingUnit"), UNIT),
    **dict.fromkeys(("BillingCurrency", "PricingCurrency"), CURRENCY),
}  # fmt: skip
Row = dict[str, str]


def read(text: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def faults(text: str) -> list[str]:
    rows = read(text)
    names = next(csv.reader(io.StringIO(text, newline="")))
    found = [f"column {name} is missing" for name in MANDATORY | CONDITIONAL if name not in names]
    found += [f"column {name} is none of FOCUS 1.2" for name in names if name not in ALL and not name.startswith("x_")]
    found += [f"column {name} stands twice" for name in set(names) if names.count(name) > 1]
    if found:
        return found
    for number, row in enumerate(rows, 2):
        found += [f"line {number}: {fault}" for fault in [*_cells(row), *_nulls(row), *_sums(row)]]
    return [*found, *_across(rows)]


def _cells(row: Row) -> Iterator[str]:
    for name, value in row.items():
        if value == "":
            continue
        if name in SHAPES and not SHAPES[name].fullmatch(value):
            yield f"{name} is no {WORDS[SHAPES[name]]}: {value!r}"
        if name in ALLOWED and value not in ALLOWED[name]:
            yield f"{name} may not be {value!r}"
        if name in ("Tags", "SkuPriceDetails"):
            yield from _key_values(name, value)
    for name in ("BillingPeriod", "ChargePeriod"):
        if row[f"{name}Start"] >= row[f"{name}End"]:
            yield f"{name} ends before it begins"


def _key_values(name: str, value: str) -> Iterator[str]:
    try:
        pairs = json.loads(value)
    except ValueError:
        yield f"{name} is no JSON: {value!r}"
        return
    if not isinstance(pairs, dict) or not all(isinstance(cell, str | int | bool | float) for cell in pairs.values()):
        yield f"{name} is no flat object: {value!r}"
    elif name == "Tags" and not all(key.startswith("hpcbilling/") for key in pairs):
        yield "a tag of the provider lacks its prefix"
    elif name == "SkuPriceDetails" and not all(key.startswith("x_") for key in pairs):
        yield "a detail of the provider lacks x_"


def _nulls(row: Row) -> Iterator[str]:
    category, correction = row["ChargeCategory"], row["ChargeClass"] == "Correction"
    null = {name for name, value in row.items() if value == ""}
    for name in NEVER_NULL & null:
        yield f"{name} is null"
    if category == "Tax":
        yield from (f"{name} is not null for Tax" for name in NULL_FOR_TAX - null)
    if category == "Usage" and not correction:
        yield from (f"{name} is null for Usage" for name in GIVEN_FOR_USAGE & null)
    if category != "Usage" and "ConsumedQuantity" not in null:
        yield f"ConsumedQuantity is not null for {category}"
    yield from _pairs(null)


def _pairs(null: set[str]) -> Iterator[str]:
    for name, other in TOGETHER.items():
        if (name in null) != (other in null):
            yield f"{name} is null and {other} is not, or the other way round"
    for name, other in (("SkuPriceDetails", "SkuPriceId"), ("ResourceName", "ResourceId")):
        if other in null and name not in null:
            yield f"{name} without {other}"


def _sums(row: Row) -> Iterator[str]:
    cost = {name: Decimal(row[name]) for name in DECIMALS if NUMBER.fullmatch(row[name])}
    for price, total in (("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost")):
        if price in cost:
            if cost[price] < 0:
                yield f"{price} is negative"
            if cost[price] * cost.get("PricingQuantity", Decimal(0)) != cost[total]:
                yield f"{price} x PricingQuantity is not {total}"
        elif cost[total] != cost["BilledCost"]:
            yield f"{total} is not BilledCost"
    if cost["EffectiveCost"] != cost["BilledCost"]:
        yield "EffectiveCost is not BilledCost, and nothing is amortised here"


def _across(rows: list[Row]) -> Iterator[str]:
    one_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        for key, value in (("SkuPriceId", "SkuId"), ("SkuPriceId", "ListUnitPrice"), ("SkuId", "SkuMeter"), ("ServiceName", "ServiceCategory"), ("InvoiceId", "BillingAccountId"), ("SkuPriceId", "SkuPriceDetails")):  # fmt: skip
            if row[key]:
                one_of[f"{key} {row[key]}", value].add(row[value])
    yield from (f"{key} has several {value}" for (key, value), found in one_of.items() if len(found) > 1)


def billed(text: str, *categories: str) -> dict[str, Decimal]:
    """Sum of BilledCost by InvoiceId, of the categories or of all."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in read(text):
        if not categories or row["ChargeCategory"] in categories:
            sums[row["InvoiceId"]] += Decimal(row["BilledCost"])
    return dict(sums)
