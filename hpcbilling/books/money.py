"""Money that came in, and that went back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from billing import sql
from billing.models import BY_HAND, InvoicePayment, InvoiceReturn
from core.money import from_minor, places
from hpcbilling.books.rows import SHOWN, entries, extra, logged, rows, same_id
from payments.models import Payment
from payments.payables import source_of
from payments.services.returns import kept_cents

NOUGHT = Decimal(0)
_WHOLE = {"sqlite": "integer", "postgresql": "bigint"}


def payments() -> list[str]:
    """A succeeded payment belongs to a paid (or refunded) receipt of its amount and currency, at most one each."""
    wrong = rows(
        f"""SELECT p.id, p.amount_cents, p.currency, r.id, r.status, r.total, r.currency
        FROM payments p JOIN receipts r ON r.id = p.receipt_id
        WHERE p.status = 'succeeded' AND (r.paid_at IS NULL OR r.status = 'pending' OR r.currency <> p.currency
        OR {sql.minor_sql("r.total")} <> p.amount_cents)"""
    )
    lonely = rows(
        """SELECT r.id, r.method FROM receipts r WHERE r.paid_at IS NOT NULL AND r.method <> 'manual' AND NOT EXISTS
        (SELECT 1 FROM payments p WHERE p.receipt_id = r.id AND p.status = 'succeeded')"""
    )
    return [
        f"payment {row[0]} of {from_minor(row[1], row[2])} {row[2]} succeeded, but receipt {row[3]} is {row[4]}"
        f" and asks for {row[5]} {row[6]}"
        for row in wrong
    ] + [f"receipt {row[0]} is paid by {row[1]} without a succeeded payment" for row in lonely]


def refunds() -> list[str]:
    """No payment gives back more than came in, its sum is that of its refunds, and its receipt follows what is left."""
    held = """SELECT payment_id, SUM(amount_cents) AS held FROM refunds
        WHERE status IN ('requested', 'pending', 'succeeded') GROUP BY payment_id"""
    wrong = rows(
        f"""SELECT p.id, p.captured_cents, p.refunded_cents, COALESCE(h.held, 0) FROM payments p
        LEFT JOIN ({held}) h ON h.payment_id = p.id
        WHERE p.refunded_cents <> COALESCE(h.held, 0) OR p.refunded_cents > p.captured_cents"""
    )
    gone = """SELECT payment_id, SUM(amount_cents) AS gone FROM (
        SELECT payment_id, amount_cents FROM refunds WHERE status = 'succeeded' UNION ALL
        SELECT payment_id, amount_cents FROM disputes WHERE status = 'lost') g GROUP BY payment_id"""
    states = rows(
        f"""SELECT r.id, r.status, p.captured_cents, COALESCE(g.gone, 0) FROM receipts r
        JOIN payments p ON p.receipt_id = r.id AND p.status = 'succeeded'
        LEFT JOIN ({gone}) g ON g.payment_id = p.id
        WHERE r.status IN ('paid', 'refunded')
        AND (r.status = 'refunded') <> (COALESCE(g.gone, 0) >= p.captured_cents)"""
    )
    return [
        f"payment {row[0]}: {row[3]} given back by its refunds, {row[2]} on it, {row[1]} came in (minor units)"
        for row in wrong
    ] + [f"receipt {row[0]} is {row[1]}, but {row[3]} of {row[2]} went back (minor units)" for row in states]


def open_attempts() -> list[str]:
    """At most one open attempt a receipt or invoice."""
    wrong = []
    for noun in ("receipt", "invoice"):
        found = rows(
            f"""SELECT d.id, d.status, COUNT(*) FROM payments p JOIN {noun}s d ON d.id = p.{noun}_id
            WHERE p.status IN ('pending', 'authorized') GROUP BY d.id, d.status HAVING COUNT(*) > 1"""
        )
        wrong += [f"{noun} {row[0]} ({row[1]}) has {row[2]} open attempts to pay" for row in found]
    return wrong


def invoice_money() -> list[str]:
    """What payments of invoices brought and what of it went back stands in the books of their invoices, and nothing
    else stands there as theirs; what was written down by hand is taken back in whole or not at all."""
    came = _by_source(InvoicePayment.objects.exclude(source=""))
    back = _by_source(InvoiceReturn.objects.exclude(source__startswith=BY_HAND))
    wrong = []
    paid = Payment.objects.filter(invoice__isnull=False, status="succeeded").order_by("pk")
    for payment in paid.prefetch_related("refunds", "disputes").iterator(1000):
        source, kept = source_of(payment), from_minor(kept_cents(payment), payment.currency)
        brought, gone = came.pop((source, payment.invoice_id), NOUGHT), back.pop((source, payment.invoice_id), NOUGHT)
        if brought != payment.captured or gone != payment.captured - kept:
            wrong.append(
                f"payment {payment.pk}: {payment.captured} came and {payment.captured - kept} went back, its invoice"
                f" has {brought} and {gone}"
            )
    wrong += [f"invoice {invoice} has money of {source}, which brought it none" for source, invoice in (*came, *back)]
    return (wrong + _taken_back())[:SHOWN]


def _taken_back() -> list[str]:
    rows = InvoicePayment.objects.filter(source="", invoice__returns__source__startswith=BY_HAND).distinct()
    by_hand: dict[tuple[str, int | None], Decimal] = {
        (row.as_source, row.invoice_id): row.amount for row in rows.iterator(1000)
    }
    back = _by_source(InvoiceReturn.objects.filter(source__startswith=BY_HAND))
    return [
        f"invoice {invoice}: {amount} of {source} was taken back, {by_hand.get((source, invoice), NOUGHT)} was there"
        for (source, invoice), amount in back.items()
        if by_hand.get((source, invoice)) != amount
    ]


def _by_source(found: QuerySet[Any]) -> dict[tuple[str, int | None], Decimal]:
    sums: dict[tuple[str, int | None], Decimal] = {}
    for source, invoice, amount in found.values_list("source", "invoice", "amount").iterator(1000):
        sums[source, invoice] = sums.get((source, invoice), NOUGHT) + amount
    return sums


def transfers() -> list[str]:
    """What came in on a bank payment is what its accepted transfers say."""
    found = rows(
        """SELECT p.id, p.captured_cents, SUM(t.received_cents) FROM bank_transfers t
        JOIN payments p ON p.id = t.payment_id WHERE t.status = 'accepted'
        GROUP BY p.id, p.captured_cents HAVING p.captured_cents < SUM(t.received_cents)"""
    )
    return [f"payment {row[0]}: {row[2]} came in by its transfers, {row[1]} on it (minor units)" for row in found]


def audit_payments() -> list[str]:
    """Every settled payment and every refund was written down once, with its amount, and is there."""
    paid = _logged(
        "payment", ("payment_succeeded",), "payments", "x.status = 'succeeded'", "x.currency",
        f"({_given('receipt')} <> COALESCE(CAST(x.receipt_id AS text), '') OR"
        f" {_given('invoice')} <> COALESCE(CAST(x.invoice_id AS text), '') OR ({extra('reference')} <> '' AND"
        f" {extra('reference')} <>"
        " COALESCE(NULLIF(x.external_charge_id, ''), NULLIF(x.external_payment_id, ''), x.idempotency_key)))",
    )  # fmt: skip
    back = _logged(
        "refund", ("refund_request", "refund_found"), "refunds", "TRUE",
        "(SELECT p.currency FROM payments p WHERE p.id = x.payment_id)",
        f"{_given('payment')} <> CAST(x.payment_id AS text)",
    )  # fmt: skip
    moments = rows(
        """SELECT p.id, r.document_number FROM payments p JOIN receipts r ON r.id = p.receipt_id
        WHERE p.status = 'succeeded' AND p.paid_at <> r.paid_at"""
    )
    return paid + back + [f"payment {row[0]} and receipt {row[1]} were not paid at one moment" for row in moments]


def _given(name: str) -> str:
    return f"COALESCE({extra(name)}, '')"


def _logged(entity: str, actions: tuple[str, ...], table: str, done: str, currency: str, other: str) -> list[str]:
    """Rows of ``table`` (``x``) without exactly one entry, and entries without a row that is ``done`` and fits."""
    minor = f"CAST(ROUND(CAST({extra('amount')} AS numeric) * {_units(currency)}) AS {_WHOLE[connection.vendor]})"
    wrong = rows(
        f"""SELECT a.entity_id, a.id FROM {entries(entity, *actions)}
        LEFT JOIN {table} x ON {same_id("x.id")} AND {done}
        WHERE x.id IS NULL OR {other} OR COALESCE({minor}, x.amount_cents) <> x.amount_cents"""
    )
    uncounted = rows(
        f"""SELECT x.id, COALESCE(a.many, 0) FROM {table} x LEFT JOIN
        (SELECT a.entity_id, COUNT(*) AS many FROM {entries(entity, *actions)} GROUP BY a.entity_id) a
        ON a.entity_id = CAST(x.id AS text) WHERE {done} AND COALESCE(a.many, 0) <> 1 AND {logged("x.created_at")}"""
    )
    return [f"{entity} {row[0]} is not what entry #{row[1]} says" for row in wrong] + [
        f"{entity} {row[0]} stands {row[1]} times in the audit log" for row in uncounted
    ]


def _units(currency: str) -> str:
    """SQL: how many minor units one of the currency has."""
    known = Payment.objects.order_by().values_list("currency", flat=True).distinct()
    cases = "".join(f" WHEN {currency} = '{code}' THEN {10 ** places(code)}" for code in known if code.isalpha())
    return f"CASE{cases} ELSE 100 END" if cases else "100"
