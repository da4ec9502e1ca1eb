"""What a receipt says on paper: values only. ``billing.selectors.documents.paper`` reads them from the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple


class Row(NamedTuple):
    """quantity x rate = cost."""

    label: str
    hours: Decimal
    rate: Decimal
    cost: Decimal


class Line(NamedTuple):
    """One job of the annex."""

    job_id: str
    account: str
    cpu: Decimal
    gpu: Decimal
    mem: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Seller:
    name: str
    address: str = ""
    tax_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Tax:
    """``rate`` in percent; ``inclusive``: the sum of the lines holds it already."""

    label: str
    rate: Decimal
    inclusive: bool
    amount: Decimal


@dataclass(frozen=True, slots=True)
class State:
    """``status`` is pending, paid, refunded or void; ``when`` and ``detail`` say since when, and the payment's
    reference or the reason for voiding."""

    status: str
    when: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt in the language that is active. ``changed_at``: the last moment that anything on it changed."""

    number: str
    seller: Seller
    buyer: str
    issued_on: date
    start: date
    end: date
    tier: str
    reasons: tuple[str, ...]
    price_at: str
    rates_as_of: datetime
    currency: str
    rows: tuple[Row, ...]
    rounding: Decimal
    subtotal: Decimal
    total: Decimal
    tax: Tax | None
    state: State
    note: str
    adjusts: date | None
    digest: str
    verify_url: str
    verify_page: str
    changed_at: datetime
    jobs: int
    lines: Callable[[], Iterator[Line]]

    @property
    def lines_total(self) -> Decimal:
        """What the lines add up to: with the tax inside them, the total."""
        return self.total if self.tax and self.tax.inclusive else self.subtotal
