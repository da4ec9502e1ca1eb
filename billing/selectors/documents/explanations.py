"""The shapes of an explanation: the JSON of ``manage.py explain`` and of the API is their ``dataclasses.asdict``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.selectors.jobs.standing import Standing


@dataclass(frozen=True, slots=True)
class TierFacts:
    """``reasons`` are the stored, language-free forms; ``words`` say them in the reader's language."""

    code: str
    name: str
    reasons: list[str]
    words: list[str]


@dataclass(frozen=True, slots=True)
class RateFacts:
    """Rates per core-hour, GPU-hour and GB-hour; ``until`` is the start of the next version, if there is one."""

    version: int
    effective_at: datetime
    until: datetime | None
    cpu: Decimal
    gpu: Decimal
    mem: Decimal
    cpu_basis: str
    set_by: str
    note: str
    price_at: str
    locked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Term:
    """``seconds / divisor = hours`` (half-up, 4 places); ``hours x rate = product`` (exact)."""

    resource: str
    label: str
    seconds: int
    divisor: int
    hours: Decimal
    rate: Decimal
    product: Decimal


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``cost`` = ``exact`` + ``rounding``: the sum of the products, rounded half-up once."""

    terms: list[Term]
    exact: Decimal
    rounding: Decimal
    cost: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class BilledOn:
    """The receipt's own line; ``recomputed`` says that the record gives it again to the last digit."""

    receipt: int
    number: str
    status: str
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal
    is_live: bool
    recomputed: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit log."""

    id: int
    at: datetime
    actor: str
    action: str
    words: str
    hash: str


@dataclass(frozen=True, slots=True)
class JobExplanation:
    job: dict[str, Any]
    record: dict[str, str]
    imported: dict[str, Any]
    resources: dict[str, Any]
    standing: Standing
    tier: TierFacts | None
    rates: RateFacts | None
    arithmetic: Arithmetic | None
    billed_on: list[BilledOn]
    audit: list[Entry]


@dataclass(frozen=True, slots=True)
class ReceiptExplanation:
    receipt: dict[str, Any]
    tier: TierFacts
    rates: RateFacts
    lines: int
    lines_total: Decimal
    tax: dict[str, Any]
    subtotal: Decimal
    total: Decimal
    currency: str
    recomputed: bool
    digest: str
    unchanged: bool
    differing_jobs: list[str]
    audit: list[Entry]
