"""What must hold of the books whatever was done to them: looked at after every test of tests/faults, tests/scenarios and
tests/payments. Plain SQL of its own, so that a mistake in ``hpcbilling.books`` does not hide one in the services.

A test that writes a world which no service could have made says so: ``@pytest.mark.forged("how")``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from audit import chain
from audit.models import AuditLog
from core.money import from_minor

HELD = "('requested', 'pending', 'succeeded')"  # refunds that count against what came in


def one_live_line_a_job() -> list[str]:
    """I1: no job stands on two live receipts, and it is claimed by the one that it stands on."""
    twice = _rows("SELECT job_key, COUNT(*) FROM receipt_items WHERE is_live GROUP BY job_key HAVING COUNT(*) > 1")
    elsewhere = _rows(
        """SELECT i.job_key, j.claimed_by FROM receipt_items i JOIN jobs j ON j.job_key = i.job_key
        WHERE i.is_live AND j.claimed_by <> 'receipt:' || i.receipt_id"""
    )
    claimed = _rows(
        """SELECT j.job_key, j.claimed_by FROM jobs j WHERE j.claimed_by LIKE 'receipt:%' AND NOT EXISTS
        (SELECT 1 FROM receipt_items i WHERE i.job_key = j.job_key AND i.is_live)"""
    )
    return [f"job {row[0]}: {row[1]}" for row in (*twice, *elsewhere, *claimed)]


def totals_are_sums() -> list[str]:
    """I2: what a receipt asks for is the sum of its lines, and its tax."""
    found = _rows(
        """SELECT r.id, r.total, r.subtotal, r.tax_amount, i.cost FROM receipts r LEFT JOIN
        (SELECT receipt_id, SUM(cost) AS cost FROM receipt_items GROUP BY receipt_id) i ON i.receipt_id = r.id
        WHERE ABS(r.total - r.subtotal - r.tax_amount) >= 0.0005 OR
        ABS(COALESCE(i.cost, 0) - CASE WHEN r.tax_inclusive THEN r.total ELSE r.subtotal END) >= 0.0005"""
    )
    return [f"receipt {row[0]}: total {row[1]}, subtotal {row[2]}, tax {row[3]}, lines {row[4]}" for row in found]


def paid_means_money() -> list[str]:
    """I3: paid by a provider or bank <=> a payment of the whole amount succeeded; refunded <=> nothing of it is left."""
    found = _rows(
        """SELECT r.id, r.status, r.method, COUNT(p.id), MAX(p.captured_cents - p.amount_cents) FROM receipts r
        LEFT JOIN payments p ON p.receipt_id = r.id AND p.status = 'succeeded'
        GROUP BY r.id, r.status, r.method HAVING COUNT(p.id) > 1 OR MIN(p.captured_cents - p.amount_cents) < 0
        OR (COUNT(p.id) = 0 AND r.status IN ('paid', 'refunded') AND r.method <> 'manual')
        OR (COUNT(p.id) = 1 AND r.status = 'pending')"""
    )
    left = _rows(
        """SELECT r.id, r.status, p.captured_cents, COALESCE(g.gone, 0) FROM receipts r
        JOIN payments p ON p.receipt_id = r.id AND p.status = 'succeeded' LEFT JOIN
        (SELECT payment_id, SUM(amount_cents) AS gone FROM
        (SELECT payment_id, amount_cents FROM refunds WHERE status = 'succeeded' UNION ALL
        SELECT payment_id, amount_cents FROM disputes WHERE status = 'lost') w GROUP BY payment_id) g
        ON g.payment_id = p.id WHERE r.status IN ('paid', 'refunded')
        AND (r.status = 'refunded') <> (COALESCE(g.gone, 0) >= p.captured_cents)"""
    )
    return [f"receipt {row[0]} is {row[1]} ({', '.join(map(str, row[2:]))})" for row in (*found, *left)]


def no_more_back_than_came_in() -> list[str]:
    """I4: for each payment; and what it says has gone back is what its refunds say."""
    found = _rows(
        f"""SELECT p.id, p.captured_cents, p.refunded_cents, COALESCE(h.held, 0) FROM payments p LEFT JOIN
        (SELECT payment_id, SUM(amount_cents) AS held FROM refunds WHERE status IN {HELD} GROUP BY payment_id) h
        ON h.payment_id = p.id
        WHERE COALESCE(h.held, 0) > p.captured_cents OR p.refunded_cents <> COALESCE(h.held, 0)"""
    )
    return [f"payment {row[0]}: {row[1]} came in, {row[2]} and {row[3]} went back" for row in found]


def one_open_attempt() -> list[str]:
    """I5: a receipt has one open attempt at most."""
    found = _rows(
        """SELECT receipt_id, COUNT(*) FROM payments WHERE status IN ('pending', 'authorized')
        GROUP BY receipt_id HAVING COUNT(*) > 1"""
    )
    return [f"receipt {row[0]} has {row[1]} open attempts" for row in found]


def one_entry_a_move() -> list[str]:
    """I6: what moved is in the log once, and what is in the log has moved."""
    written = Counter(AuditLog.objects.exclude(entity_id="").values_list("entity_type", "entity_id", "action"))
    wanted: Counter[tuple[str, str, str]] = Counter()
    for pk, is_paid, is_void in _rows(
        "SELECT id, paid_at IS NOT NULL, status = 'void' FROM receipts WHERE document_number IS NOT NULL"
    ):
        wanted["receipt", str(pk), "receipt_create"] += 1
        wanted["receipt", str(pk), "mark_paid"] += bool(is_paid)
        wanted["receipt", str(pk), "receipt_void"] += bool(is_void)
    for pk, succeeded in _rows("SELECT id, status = 'succeeded' FROM payments"):
        wanted["payment", str(pk), "payment_start"] += 1
        wanted["payment", str(pk), "payment_succeeded"] += bool(succeeded)
    for pk, origin in _rows("SELECT id, origin FROM refunds"):
        wanted["refund", str(pk), "refund_request" if origin == "ours" else "refund_found"] += 1
    about = {action for _kind, _pk, action in wanted}
    kept = Counter({key: number for key, number in written.items() if key[2] in about})
    differ = {key for key in {*kept, *wanted} if kept[key] != wanted[key]}
    return [f"{' '.join(key)}: {kept[key]} entries for {wanted[key]} moves" for key in sorted(differ)]


def the_chain_holds() -> list[str]:
    """I7: from the first row to the last."""
    verdict = chain.verify()
    return [] if verdict.ok else [f"entry {verdict.first_bad}: {verdict.reason}"]


def the_ledger_is_even() -> list[str]:
    """I8: in each currency, what the log says came in and went back less what the tables hold is nothing; and a
    credit is below nothing only where money went back that it had been spent from."""
    left: Counter[str] = Counter()
    entries = AuditLog.objects.filter(action__in=("payment_succeeded", "refund_request", "refund_found"))
    for action, extra in entries.values_list("action", "extra"):
        amount = Decimal(str(extra.get("amount", 0)))
        left[str(extra.get("currency"))] += amount if action == "payment_succeeded" else -amount  # type: ignore[assignment]
    for minor, currency in _rows("SELECT amount_cents, currency FROM payments WHERE status = 'succeeded'"):
        left[currency] -= from_minor(minor, currency)  # type: ignore[assignment]
    for minor, currency in _rows(
        "SELECT r.amount_cents, p.currency FROM refunds r JOIN payments p ON p.id = r.payment_id"
    ):
        left[currency] += from_minor(minor, currency)  # type: ignore[assignment]
    below = _rows(
        # below nothing only where money went back that the balance had been spent from (docs/dunning.md)
        """SELECT organisation_id, currency, SUM(amount) FROM credit_entries
        WHERE organisation_id NOT IN
          (SELECT i.organisation_id FROM invoice_returns r JOIN invoices i ON i.id = r.invoice_id)
        GROUP BY organisation_id, currency HAVING SUM(amount) < -0.00005"""
    )
    return [f"{currency}: {rest} too much" for currency, rest in sorted(left.items()) if rest] + [
        f"organisation {row[0]}: credit of {row[2]} {row[1]}" for row in below
    ]


INVARIANTS: dict[str, Callable[[], list[str]]] = {
    f"I{number}": check
    for number, check in enumerate(
        (
            one_live_line_a_job, totals_are_sums, paid_means_money, no_more_back_than_came_in, one_open_attempt,
            one_entry_a_move, the_chain_holds, the_ledger_is_even,
        ),
        start=1,
    )
}  # fmt: skip


def broken() -> dict[str, list[str]]:
    """Each invariant that does not hold, with its reasons."""
    found = {name: check() for name, check in INVARIANTS.items()}
    return {name: words for name, words in found.items() if words}


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """After the test, before its database is emptied."""
    forged = request.node.get_closest_marker("forged")
    on_database = request.node.get_closest_marker("django_db") or "db" in request.fixturenames
    if forged or not on_database:
        yield
        return
    request.getfixturevalue("_django_db_helper")
    yield
    if connection.in_atomic_block and connection.needs_rollback:
        return  # the test has broken its own transaction: nothing can be asked any more
    if found := broken():
        pytest.fail("\n".join(f"{name}: {'; '.join(words)}" for name, words in found.items()))
