"""The data dictionary's reference queries A to H and its two views run word for word."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from payments.models import Payment
from tests.payments.conftest import call

pytestmark = pytest.mark.django_db

QUERIES: dict[str, tuple[str, list[Any]]] = {
    "A": (
        """SELECT id, start, "end", total, status, paid_at
FROM receipts
WHERE username = $1
ORDER BY id DESC
LIMIT 50;""",
        ["alice"],
    ),
    "B": (
        """SELECT job_id_display, cpu_core_hours, gpu_hours, mem_gb_hours, cost
FROM receipt_items
WHERE receipt_id = $1
ORDER BY job_id_display;""",
        ["receipt"],
    ),
    "C": (
        """SELECT r.id, r.username, r.total, r.paid_at, p.provider, p.status, p.external_payment_id
FROM receipts r
LEFT JOIN payments p ON p.receipt_id = r.id
WHERE r.status = 'paid'
ORDER BY r.paid_at DESC NULLS LAST, r.id DESC;""",
        [],
    ),
    "D": (
        """SELECT provider, external_event_id, COUNT(*)
FROM payment_events
GROUP BY provider, external_event_id
HAVING COUNT(*) > 1;""",
        [],
    ),
    "E": ("""SELECT job_key FROM receipt_items WHERE job_key = ANY($1::text[]);""", ["keys"]),
    "F": (
        """SELECT ts, actor, action, target, status
FROM audit_log
ORDER BY id DESC
LIMIT 200;""",
        [],
    ),
    "G": (
        """SELECT DISTINCT ON (receipt_id)
  receipt_id, id, status, provider, external_payment_id, updated_at
FROM payments
WHERE receipt_id = $1
ORDER BY receipt_id, updated_at DESC, id DESC;""",
        ["receipt"],
    ),
    "H": (
        """SELECT id, username, total, paid_at
FROM receipts
WHERE status = 'paid' AND paid_at >= now() - interval '30 days'
ORDER BY paid_at DESC;""",
        [],
    ),
}
EXPECTED_ROWS = {"A": 1, "B": 1, "C": 1, "D": 0, "E": 1, "G": 1, "H": 1}


@pytest.mark.postgres
@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_reference_query_runs_verbatim(name: str, payment: Payment) -> None:
    import psycopg

    call(payment)
    text, parameters = QUERIES[name]
    stand_ins = {"receipt": payment.receipt_id, "keys": [payment.receipt.items.get().job_key]}
    values = [stand_ins.get(value, value) if isinstance(value, str) else value for value in parameters]
    connection.ensure_connection()
    with psycopg.RawCursor(connection.connection) as cursor:
        rows = cursor.execute(text, values).fetchall()
    assert len(rows) == EXPECTED_ROWS.get(name, len(rows))


def test_the_views_show_paid_receipts_and_the_health_of_payments(payment: Payment) -> None:
    call(payment)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, username, provider, ext_id FROM paid_receipts_v")
        assert cursor.fetchall() == [(payment.receipt_id, "alice", "dummy", payment.external_payment_id)]
        cursor.execute("SELECT payment_id, event_type, signed_events, total_events FROM payment_health_v")
        assert cursor.fetchall() == [(payment.pk, "payment.succeeded", 1, 1)]


@pytest.mark.postgres
def test_the_views_can_be_created_word_for_word_from_the_dictionary() -> None:
    """A site that makes them itself must be able to: same columns, same order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'paid_receipts_v'"
                       " ORDER BY ordinal_position")  # fmt: skip
        columns = [row[0] for row in cursor.fetchall()]
    assert columns == ["id", "username", "start", "end", "total", "paid_at", "provider", "ext_id"]
