"""What the audit log says happened, held against what is there."""

from __future__ import annotations

from audit import chain
from hpcbilling.books.rows import rows


def audit_trail() -> list[str]:
    """Every receipt was created, and every paid one paid, exactly once in the audit log."""
    found = rows(
        """SELECT r.id, r.status, COALESCE(a.made, 0), COALESCE(a.paid, 0) FROM receipts r LEFT JOIN
        (SELECT entity_id, SUM(CASE WHEN action = 'receipt_create' THEN 1 ELSE 0 END) AS made,
        SUM(CASE WHEN action = 'mark_paid' THEN 1 ELSE 0 END) AS paid FROM audit_log
        WHERE entity_type = 'receipt' GROUP BY entity_id) a ON a.entity_id = CAST(r.id AS text)
        WHERE COALESCE(a.made, 0) <> 1 OR COALESCE(a.paid, 0) <> CASE WHEN r.paid_at IS NULL THEN 0 ELSE 1 END"""
    )
    return [
        f"receipt {row[0]} ({row[1]}): created {row[2]} times, paid {row[3]} times in the audit log" for row in found
    ]


def audit_chain() -> list[str]:
    """The hash chain is whole."""
    verdict = chain.verify()
    return [] if verdict.ok else [f"row #{verdict.first_bad}: {verdict.reason}"]
