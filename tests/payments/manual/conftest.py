"""Alice owes 8.00 THB and pays by bank transfer; ``fin`` looks at the bank's account."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import pytest

from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from core.periods import today
from payments.models import BankLine, BankTransfer, Payment
from payments.services.checkout import start_payment
from payments.services.statements import Imported, import_statement
from payments.services.transfers import Report, submit_transfer
from tests.factories import account_tier, make_job

ALICE, FIN, OTHER = Actor("alice"), Actor("fin"), Actor("fin2")
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture(autouse=True)
def _bank(settings: Any) -> None:
    settings.PAYMENT_PROVIDER_NAMES = ["dummy", "manual"]
    settings.ORG_BANK_NAME, settings.ORG_BANK_ACCOUNT = "Siam Bank", "123-4-56789-0"


def manual(receipt: Receipt) -> Payment:
    return start_payment(actor=ALICE, receipt=receipt, provider_name="manual")


def report(
    payment: Payment, amount: int = 800, *, reference: str = "REF0001", bank: str = "SCB", slip: bytes = b"",
    day: date | None = None,
) -> BankTransfer:  # fmt: skip
    told = Report(bank, reference, amount, day or today(), slip)
    return submit_transfer(actor=Actor(payment.username), payment=payment, report=told)


def row(amount: str = "8.00", text: str = "Transfer in", reference: str = "", day: date | None = None) -> str:
    return f'{(day or today()).isoformat()},"{text}",{reference},"{amount}",'


def statement(*rows: str) -> bytes:
    return "\n".join(["Date,Description,Reference,Deposit,Withdrawal", *rows]).encode()


def imported(*rows: str, bank: str = "KBANK", **options: Any) -> Imported:
    return import_statement(actor=FIN, bank=bank, file=io.BytesIO(statement(*rows)), **options)


def line(amount: str = "8.00", text: str = "Transfer in", reference: str = "", day: date | None = None) -> BankLine:
    imported(row(amount, text, reference, day))
    return BankLine.objects.latest("pk")


def state(receipt: Receipt) -> tuple[str, str, int, int]:
    """Of the receipt and its latest payment: states, money that arrived, credit (minor units)."""
    receipt.refresh_from_db()
    payment = receipt.payments.latest("pk")
    return receipt.status, payment.status, payment.captured_cents, payment.credit_cents


YESTERDAY = today() - timedelta(days=1)


@pytest.fixture
def another(receipt: Receipt) -> Receipt:
    return _more("acc2")


@pytest.fixture
def third(another: Receipt) -> Receipt:
    return _more("acc3")


def _more(account: str) -> Receipt:
    """One more receipt of Alice's, of 8.00 THB, too."""
    account_tier(account, "mu")
    make_job(account=account)
    window = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
    return create_receipts(actor=ALICE, username="alice", **window)[0]
