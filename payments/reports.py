"""The two SQL views for finance's own queries, as the data dictionary words them.

They are made anew after every ``migrate`` and dropped before it, so that a migration
may rebuild the tables they read.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

VIEWS = {
    "paid_receipts_v": """
        SELECT r.id, r.username, r.start, r."end", r.total, r.paid_at,
               COALESCE(p.provider,'') AS provider, COALESCE(p.external_payment_id,'') AS ext_id
        FROM receipts r
        LEFT JOIN payments p ON p.receipt_id = r.id
        WHERE r.status = 'paid'""",
    "payment_health_v": """
        SELECT p.id AS payment_id, r.id AS receipt_id, p.status, e.event_type,
               SUM(CASE WHEN e.signature_ok THEN 1 ELSE 0 END) AS signed_events,
               COUNT(*) AS total_events
        FROM payments p
        JOIN receipts r ON r.id = p.receipt_id
        LEFT JOIN payment_events e ON e.payment_id = p.id
        GROUP BY p.id, r.id, p.status, e.event_type""",
}


def drop(using: str = "default", **kwargs: Any) -> None:
    with connections[using].cursor() as cursor:
        for name in VIEWS:
            cursor.execute(f"DROP VIEW IF EXISTS {name}")


def create(using: str = "default", **kwargs: Any) -> None:
    connection = connections[using]
    if "payment_events" not in connection.introspection.table_names():
        return
    drop(using)
    with connection.cursor() as cursor:
        for name, body in VIEWS.items():
            cursor.execute(f"CREATE VIEW {name} AS {body}")
