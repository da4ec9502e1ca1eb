"""The worked examples, each by the part of the engine that answers for it. What is ours where others differ is told in
docs/billing-rules.md."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.charging import Step, charge
from billing.cycles import Span, part, period, share
from billing.invoicing.crediting import Left, TaxOf, take_back
from billing.invoicing.sums import Item, Off
from billing.models import ExchangeRate
from billing.selectors.pricing.exchange import MissingExchangeRate, RateBook
from tests.billing.examples import charges, currencies, periods, totals
from tests.billing.invoicing import settle

D = Decimal


def named(rows: list[Any]) -> list[Any]:
    return [pytest.param(*row, id=f"{place:02d} {row[-1]}") for place, row in enumerate(rows, 1)]


@pytest.mark.parametrize(("model", "price", "quantity", "amount", "why"), named(charges.CHARGES))
def test_charges(model: str, price: Any, quantity: str, amount: str, why: str) -> None:
    asked: dict[str, Any] = {"price_per_unit": D(price)} if isinstance(price, str) else {}
    if model == "package":
        asked = {"package_size": D(price[0]), "price_per_unit": D(price[1])}
    elif model in ("graduated", "volume"):
        asked = {"steps": [Step(D(up_to) if up_to else None, D(unit), D(fee)) for up_to, unit, fee in price]}
    found = charge(model=model, quantity=D(quantity), **asked)
    assert found.amount == D(amount), why
    assert sum((each.amount for each in found.parts), D(0)) == found.amount


@pytest.mark.parametrize(("anchor", "first", "cycle", "number", "start", "end", "why"), named(periods.PERIODS))
def test_periods(anchor: int, first: str, cycle: str, number: int, start: str, end: str, why: str) -> None:
    found = period(anchor, date.fromisoformat(first), cycle, number)
    assert (f"{found.start}", f"{found.end}") == (start, end), why


@pytest.mark.parametrize(
    ("convention", "zone", "start", "end", "begin", "until", "fee", "currency", "units", "whole", "amount", "why"),
    named(periods.PARTS),
)
def test_parts(
    convention: str, zone: str, start: str, end: str, begin: str, until: str, fee: str, currency: str, units: int,
    whole: int, amount: str, why: str,
) -> None:  # fmt: skip
    where = ZoneInfo(zone)
    a, b, c, d = (datetime.fromisoformat(each).replace(tzinfo=where).astimezone(UTC)
                  for each in (start, end, begin, until))  # fmt: skip
    found = part(convention, Span(a, b), Span(c, d), where)
    assert (found.units, found.whole) == (units, whole), why
    assert f"{share(D(fee), currency, found)}" == amount, why


def items_of(lines: str) -> list[Item]:
    found = []
    for line in lines.split():
        amount, _at, rate = line.partition("@")
        found.append(Item(D(amount), "VAT", D(rate or "7"), "S" if rate != "0" else "Z"))
    return found


@pytest.mark.parametrize(
    ("lines", "offs", "inclusive", "decimals", "subtotal", "discount", "tax", "total", "why"), named(totals.TOTALS)
)
def test_totals(
    lines: str, offs: str, inclusive: bool, decimals: int, subtotal: str, discount: str, tax: str, total: str, why: str
) -> None:
    items = items_of(lines)
    wanted = [Off(percent=D(each[:-1])) if each.endswith("%") else Off(amount=D(each)) for each in offs.split()]
    found = settle(items, wanted, inclusive=inclusive, decimals=decimals)
    assert (found.subtotal, found.discount, found.tax, found.total) == (D(subtotal), D(discount), D(tax), D(total)), why
    assert found.total == found.subtotal - found.discount + found.tax
    assert sum((each.net for each in items), D(0)) == (found.total if inclusive else found.subtotal - found.discount)


@pytest.mark.parametrize(("lines", "taxes", "inclusive", "decimals", "steps", "why"), named(totals.CREDITS))
def test_credits(lines: str, taxes: dict[str, str], inclusive: bool, decimals: int, steps: list[Any], why: str) -> None:
    items = items_of(lines)
    back: dict[int, Decimal] = dict.fromkeys(range(1, len(items) + 1), D(0))
    paid_back: dict[str, Decimal] = dict.fromkeys(taxes, D(0))
    net = D(0)
    for wanted, without, tax in steps:
        lefts = [
            Left(number, (each.tax_category, each.tax_rate), each.total, back[number])
            for number, each in enumerate(items, 1)
        ]
        groups = {
            ("S" if rate != "0" else "Z", D(rate)): TaxOf(D(amount), paid_back[rate]) for rate, amount in taxes.items()
        }
        found = take_back(
            lefts, {number: D(amount) for number, amount in wanted.items()}, groups, inclusive=inclusive,
            decimals=decimals,
        )  # fmt: skip
        got = sum((each.net for each in found), D(0)), sum((each.tax for each in found), D(0))
        assert got == (D(without), D(tax)), why
        net += got[0]
        for each in found:
            back[each.number] += each.net + each.tax if inclusive else each.net
            paid_back[f"{items[each.number - 1].tax_rate}"] += each.tax
    whole_tax = sum(map(D, taxes.values()))
    assert sum(paid_back.values()) == whole_tax  # exactly the whole
    assert net == sum((each.total for each in items), D(0)) - (whole_tax if inclusive else 0)


@pytest.mark.parametrize(("rates", "amount", "base", "target", "rate", "result", "why"), named(currencies.CONVERSIONS))
def test_conversions(
    rates: str, amount: str, base: str, target: str, rate: str | None, result: str | None, why: str
) -> None:
    moment = datetime(2026, 10, 31, tzinfo=UTC)
    rows = {}
    for each in filter(None, rates.split(", ")):
        pair, worth = each.split()
        first, second = pair.split("/")
        rows[first, second] = ExchangeRate(
            base_currency=first, target_currency=second, rate=D(worth), effective_from=moment, source="manual"
        )
    book = RateBook(moment, rows)
    if result is None:
        with pytest.raises(MissingExchangeRate):
            book.convert(D(amount), base, target)
        return
    found = book.convert(D(amount), base, target)
    assert (found.rate.rate, f"{found.amount}") == (D(str(rate)), result), why
