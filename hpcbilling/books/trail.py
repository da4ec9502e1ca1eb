"""What the audit log says happened to receipts and rates, held against what is there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings

from audit import chain, heads
from audit.hashing import plain
from audit.models import AuditCheckpoint, AuditLog
from billing import sql
from billing.models import RateVersion
from billing.services.pricing.rates import PRICES
from hpcbilling.books.rows import SHOWN, differs, entries, extra, logged, rows, same_id

_LIFE = ("receipt_create", "mark_paid", "receipt_void", "receipt_refunded", "receipt_paid_again")


def audit_trail() -> list[str]:
    """A receipt's state is what its entries make it: created once, paid and voided at most once, refunded or not."""
    counts = ", ".join(f"SUM(CASE WHEN action = '{action}' THEN 1 ELSE 0 END) AS {action}" for action in _LIFE)
    made, paid, void, refunded, again = (f"COALESCE(a.{action}, 0)" for action in _LIFE)
    found = rows(
        f"""SELECT r.id, r.status, {made}, {paid}, {void}, {refunded}, {again} FROM receipts r LEFT JOIN
        (SELECT entity_id, {counts} FROM audit_log WHERE entity_type = 'receipt' GROUP BY entity_id) a
        ON a.entity_id = CAST(r.id AS text)
        WHERE {logged("r.created_at")} AND ({made} <> 1 OR {paid} <> CASE WHEN r.paid_at IS NULL THEN 0 ELSE 1 END
        OR {void} <> CASE WHEN r.status = 'void' THEN 1 ELSE 0 END
        OR {refunded} - {again} <>
        CASE WHEN r.status = 'refunded' OR (r.status = 'void' AND r.paid_at IS NOT NULL) THEN 1 ELSE 0 END)"""
    )
    return [
        f"receipt {row[0]} ({row[1]}): created {row[2]} times, paid {row[3]} times, voided {row[4]} times,"
        f" refunded {row[5]} times and paid again {row[6]} times in the audit log"
        for row in found
    ]


def audit_receipts() -> list[str]:
    """What was made, paid and voided is there, and is what the entry says."""
    issued = rows(
        f"""SELECT a.id, a.entity_id, {extra("number")}, r.id FROM {entries("receipt", "receipt_create")}
        LEFT JOIN receipts r ON {same_id("r.id")}
        WHERE r.id IS NULL OR {differs("COALESCE(r.document_number, '')", extra("number"))}
        OR {differs("r.digest", extra("digest"))} OR r.created_by <> a.actor
        OR {sql.minor_sql("r.total")} <> {sql.minor_sql(f"CAST({extra('total')} AS numeric)")}"""
    )
    paid = rows(
        f"""SELECT r.document_number, a.id FROM {entries("receipt", "mark_paid")}
        JOIN receipts r ON {same_id("r.id")}
        WHERE {differs("r.method", extra("method"))} OR {differs("r.tx_ref", extra("tx_ref"))}
        OR {differs(sql.stamp_sql("r.paid_at"), extra("paid_at"))} OR r.paid_at > a.ts"""
    )
    void = rows(
        f"""SELECT r.document_number, a.id FROM {entries("receipt", "receipt_void")}
        JOIN receipts r ON {same_id("r.id")}
        WHERE r.voided_by <> a.actor OR {differs("r.void_reason", extra("reason"))} OR r.voided_at > a.ts"""
    )
    return (
        [
            f"receipt {row[1]} ({row[2]}) is gone, but entry #{row[0]} made it"
            if row[3] is None
            else f"receipt {row[1]} is not the one that entry #{row[0]} made"
            for row in issued
        ]
        + [f"receipt {row[0]} was not paid as entry #{row[1]} says" for row in paid]
        + [f"receipt {row[0]} was not voided as entry #{row[1]} says" for row in void]
    )


def audit_rates() -> list[str]:
    """Every version of rates is what was set, by whom and why, and none is gone."""
    versions = {str(version.pk): version for version in RateVersion.objects.all()}
    archived = AuditCheckpoint.objects.order_by("-last_id").values_list("last_ts", flat=True).first()
    wrong, seen = [], set()
    for entry in AuditLog.objects.filter(action="rate_update", entity_type="rateversion").order_by("id"):
        version = versions.get(entry.entity_id)
        if version is None or entry.entity_id in seen:
            words = "is gone" if version is None else "was set before"
            wrong.append(f"rate version {entry.entity_id} of entry #{entry.pk} {words}")
        elif fault := _differences(version, entry):
            wrong.append(f"rate version {version.pk}: {fault} not as entry #{entry.pk} says")
        seen.add(entry.entity_id)
    unseen = (version for pk, version in versions.items() if pk not in seen)
    wrong += [
        f"rate version {version.pk} was set by nobody"
        for version in unseen
        if archived is None or version.created_at > archived
    ]
    return wrong[:SHOWN]


def _differences(version: RateVersion, entry: AuditLog) -> str:
    """Names of the fields that are not what was written down; entries of before tell only the rates that changed."""
    told: dict[str, Any] = {name: pair[1] for name, pair in entry.changes.items() if name in PRICES}
    told |= {name: value for name, value in entry.extra.items() if name in (*PRICES, "effective_at", "note")}
    told |= {"set_by": entry.actor, "tier_id": entry.target}
    return ", ".join(name for name, value in told.items() if not _is(getattr(version, name), value))


def _is(stored: Any, told: Any) -> bool:
    return Decimal(told) == stored if isinstance(stored, Decimal) else bool(plain(stored) == told)


def audit_chain() -> list[str]:
    """The hash chain is whole, and holds every head that was signed."""
    log = heads.load()
    if log and log.faults:
        return [f"{settings.AUDIT_HEADS_FILE}: {fault}" for fault in log.faults]
    if fault := heads.fault(log):
        return [fault]
    verdict = chain.verify(heads=log.heads if log else {})
    return [] if verdict.ok else [f"row #{verdict.first_bad}: {verdict.reason}"]
