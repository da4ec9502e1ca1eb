"""The roles that accounts have in the journal, and the numbers and names that they begin with.

Postings name roles, never numbers: a site may renumber its accounts at any time. The numbers follow the usual layout of
Thai charts (1 assets, 2 liabilities, 4 revenue, 5 expenses).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.models.invoices import LineKind
from core.database.decimals import plain

RECEIVABLE, CUSTOMER_MONEY, CREDIT_BALANCE = "receivable", "customer_money", "credit_balance"
OUTPUT_TAX, DEFERRED, REFUNDS, BAD_DEBT = "output_tax", "deferred_revenue", "refunds", "bad_debt"
CASH, REVENUE, RETURNS = "cash.", "revenue.", "returns."
KINDS = ("jobs", "usage", "fees", "minimum", "other")
KIND_OF_LINE: dict[str, str] = {
    LineKind.JOBS: "jobs", LineKind.USAGE: "usage", LineKind.MINIMUM: "minimum", LineKind.FEE: "fees",
    LineKind.PRORATION: "fees", LineKind.OTHER: "other",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Default:
    number: str
    name: str
    name_th: str


DEFAULTS: dict[str, Default] = {
    "cash.manual": Default("1112", "Bank", "เงินฝากธนาคาร"),
    RECEIVABLE: Default("1130", "Trade receivables", "ลูกหนี้การค้า"),
    OUTPUT_TAX: Default("2130", "Output tax", "ภาษีขาย"),
    CREDIT_BALANCE: Default("2150", "Credit balances of customers", "เงินรับล่วงหน้าจากลูกค้า"),
    CUSTOMER_MONEY: Default("2160", "Money received, not used yet", "เงินรับรอตัดบัญชี"),
    DEFERRED: Default("2170", "Deferred revenue", "รายได้รับล่วงหน้า"),
    "revenue.jobs": Default("4110", "Revenue: Slurm jobs", "รายได้ค่าบริการประมวลผล"),
    "revenue.usage": Default("4120", "Revenue: metered usage", "รายได้ค่าบริการตามการใช้งาน"),
    "revenue.fees": Default("4130", "Revenue: plan fees", "รายได้ค่าธรรมเนียมแผนบริการ"),
    "revenue.minimum": Default("4140", "Revenue: minimum charges", "รายได้ค่าบริการขั้นต่ำ"),
    "revenue.other": Default("4190", "Revenue: other", "รายได้อื่น"),
    "returns.jobs": Default("4210", "Credit notes: Slurm jobs", "ใบลดหนี้ ค่าบริการประมวลผล"),
    "returns.usage": Default("4220", "Credit notes: metered usage", "ใบลดหนี้ ค่าบริการตามการใช้งาน"),
    "returns.fees": Default("4230", "Credit notes: plan fees", "ใบลดหนี้ ค่าธรรมเนียมแผนบริการ"),
    "returns.minimum": Default("4240", "Credit notes: minimum charges", "ใบลดหนี้ ค่าบริการขั้นต่ำ"),
    "returns.other": Default("4290", "Credit notes: other", "ใบลดหนี้ อื่น"),
    REFUNDS: Default("4310", "Refunds", "เงินคืนลูกค้า"),
    BAD_DEBT: Default("5410", "Bad debts", "หนี้สูญ"),
}
CLEARING = "1120"  # money that a payment service holds for us


def default_of(role: str) -> Default:
    """Also of a payment service that nobody has given an account yet."""
    if role in DEFAULTS:
        return DEFAULTS[role]
    if role.startswith(f"{OUTPUT_TAX}."):
        own, what = DEFAULTS[OUTPUT_TAX], role.removeprefix(f"{OUTPUT_TAX}.").replace("_", " ")
        return Default(own.number, f"{own.name}: {what} %", f"{own.name_th} {what} %")
    name = role.removeprefix(CASH).capitalize()
    return Default(CLEARING, f"Clearing: {name}", f"เงินระหว่างทาง: {name}")


def roles(providers: Iterable[str]) -> list[str]:
    """Every role that a site with these payment services needs."""
    return [*DEFAULTS, *(CASH + name for name in providers if CASH + name not in DEFAULTS)]


def output_tax(code: str, rate: Decimal) -> str:
    """The site's own tax, or one that a rule chose, at a rate: ``output_tax.vat_7``."""
    return f"{OUTPUT_TAX}.{code}_{plain(rate)}" if code else OUTPUT_TAX


def is_result(role: str) -> bool:
    """Whether it belongs to a month: revenue and what is taken back of it."""
    return role.startswith((REVENUE, RETURNS))
