"""The two SQL views for finance's own queries, as the data dictionary words them."""

from __future__ import annotations

from core.database.sql_views import SqlViews

BODIES = {
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

VIEWS = SqlViews(lambda vendor: BODIES, needs="payment_events")
