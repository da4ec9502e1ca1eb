"""Named invariants of the books. Each returns what is wrong, in words; nothing when all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min
from django.utils import timezone

from audit import chain
from billing import sql
from billing.models import AdjustmentKind, ClosedMonth, DocumentCounter, Rate, Receipt
from billing.selectors.genuine import is_unchanged
from billing.selectors.rates import MissingRate, version_at
from billing.services.numbers import RECEIPTS
from billing.tax import Sums, Tax, apply
from core.money import from_minor
from core.periods import month_window
from usage.models import Job

SHOWN = 20


def _rows(statement: str) -> list[tuple[Any, ...]]:
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {SHOWN}")
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def receipt_totals() -> list[str]:
    """Sum of lines = subtotal (tax on top) or total (tax inside); total = subtotal + tax."""
    asked = sql.minor_sql("CASE WHEN r.tax_inclusive THEN r.total ELSE r.subtotal END")
    parts = f"{sql.minor_sql('r.subtotal')} + {sql.minor_sql('r.tax_amount')}"
    rows = _rows(
        f"""SELECT r.id, r.subtotal, r.tax_amount, r.total, i.lines FROM receipts r
        JOIN (SELECT receipt_id, {sql.money_sum_sql("cost")} AS lines FROM receipt_items GROUP BY receipt_id) i
        ON i.receipt_id = r.id
        WHERE {asked} <> {sql.minor_of_sum_sql("i.lines")} OR {sql.minor_sql("r.total")} <> {parts}"""
    )
    return [f"receipt {row[0]}: lines {sql.money_from_sql(row[4])}, subtotal {row[1]}, total {row[3]}" for row in rows]


def receipt_taxes() -> list[str]:
    """The tax is what the receipt's own rate makes of its lines."""
    wrong = []
    for receipt in Receipt.objects.exclude(tax_rate=0, tax_amount=0).iterator(1000):
        lines = receipt.total if receipt.tax_inclusive else receipt.subtotal
        tax = Tax(receipt.tax_label, receipt.tax_rate, receipt.tax_inclusive)
        if apply(tax, lines) != Sums(receipt.subtotal, receipt.tax_amount, receipt.total):
            wrong.append(f"receipt {receipt.pk}: {receipt.tax_rate} % of its lines is not {receipt.tax_amount}")
    return wrong[:SHOWN]


def receipt_rates() -> list[str]:
    """The rates on a receipt are those of the version that it names, which was in force by then."""
    rows = _rows(
        """SELECT r.id, v.id FROM receipts r JOIN rates_versioned v ON v.id = r.rate_version_id
        WHERE r.rate_cpu <> v.cpu OR r.rate_gpu <> v.gpu OR r.rate_mem <> v.mem OR r.cpu_basis <> v.cpu_basis
        OR r.pricing_tier <> v.tier OR v.effective_at > r.rates_locked_at"""
    )
    return [f"receipt {row[0]}: its rates are not those of version {row[1]}" for row in rows]


def receipt_numbers() -> list[str]:
    """Every receipt has a number; each fiscal year counts 1, 2, 3 … up to its counter, without a gap."""
    unnumbered = _rows("SELECT id FROM receipts WHERE document_number IS NULL OR serial IS NULL")
    last = dict(DocumentCounter.objects.filter(series=RECEIPTS).values_list("fiscal_year", "last"))
    numbers = Receipt.objects.filter(serial__isnull=False).values("fiscal_year").order_by("fiscal_year")
    counted = numbers.annotate(least=Min("serial"), most=Max("serial"), many=Count("id"))
    years = {int(row["fiscal_year"] or 0): (row["least"], row["most"], row["many"]) for row in counted}
    wrong = [f"receipt {row[0]} has no number" for row in unnumbered]
    for year in sorted({*last, *years}):
        least, most, many = years.get(year, (1, 0, 0))
        if least != 1 or many != most or last.get(year) != most:
            words = f"{many} receipts numbered {least} to {most}, counter at {last.get(year)}"
            wrong.append(f"fiscal year {year}: {words}")
    return wrong


def receipt_digests() -> list[str]:
    """What a receipt says is still what was hashed when it was issued."""
    receipts = Receipt.objects.order_by("pk").iterator(500)
    return [f"receipt {each.pk} ({each}) is not what was issued" for each in receipts if not is_unchanged(each)][:SHOWN]


def closed_months() -> list[str]:
    """After a month was closed, only adjustments put its jobs on a receipt, or took them off."""
    wrong = []
    for month in ClosedMonth.objects.all():
        window = month_window(month.month)
        jobs = Job.objects.filter(end_at__gte=window.start, end_at__lt=window.end)
        late = Receipt.objects.filter(created_at__gt=month.closed_at, items__job_key__in=jobs.values("job_key"))
        late = late.exclude(adjustments__closed_month=month).distinct()
        wrong += [f"receipt {receipt} bills jobs of {month}, which was closed before it" for receipt in late[:SHOWN]]
        lost = Receipt.objects.filter(
            voided_at__gt=month.closed_at, created_at__lte=month.closed_at,
            items__job_key__in=jobs.values("job_key"),
        ).exclude(adjustments__closed_month=month, adjustments__kind=AdjustmentKind.VOID).distinct()  # fmt: skip
        wrong += [f"receipt {receipt} of {month} was voided after the close" for receipt in lost[:SHOWN]]
    return wrong


def one_currency() -> list[str]:
    """A document, its payments and its adjustments are in one currency."""
    rows = _rows(
        """SELECT r.document_number, r.currency, p.currency FROM receipts r
        JOIN payments p ON p.receipt_id = r.id WHERE p.currency <> r.currency AND p.status = 'succeeded'"""
    ) + _rows(
        """SELECT r.document_number, r.currency, a.currency FROM receipts r
        JOIN month_adjustments a ON a.receipt_id = r.id WHERE a.currency <> r.currency"""
    )
    return [f"receipt {row[0]} is in {row[1]}, what belongs to it in {row[2]}" for row in rows]


def receipt_prices() -> list[str]:
    """Every line recomputed from its job and the receipt's own rates gives the same hours and cost."""
    used = "CASE WHEN r.cpu_basis = 'used' THEN j.used_cpu_seconds ELSE j.cpu_core_seconds END"
    hours = (sql.hours_sql(f"({used})"), sql.hours_sql("j.gpu_seconds"), sql.mem_hours_sql("j.mem_mib_seconds"))
    cost = sql.cost_sql(*hours, ("r.rate_cpu", "r.rate_gpu", "r.rate_mem"))
    pairs = zip(("i.cpu_core_hours", "i.gpu_hours", "i.mem_gb_hours", "i.cost"), (*hours, cost), strict=True)
    differs = " OR ".join(f"{stored} <> CAST({computed} AS numeric)" for stored, computed in pairs)
    rows = _rows(
        f"""SELECT i.receipt_id, i.job_key FROM receipt_items i JOIN receipts r ON r.id = i.receipt_id
        JOIN jobs j ON j.job_key = i.job_key WHERE i.is_live AND ({differs})"""
    )
    return [f"receipt {row[0]}: the line of job {row[1]} cannot be recomputed" for row in rows]


def job_claims() -> list[str]:
    """A job is claimed by exactly the live receipt that has its line, and by nothing else."""
    claim = "'receipt:' || i.receipt_id"
    lines = _rows(
        f"""SELECT i.receipt_id, i.job_key FROM receipt_items i LEFT JOIN jobs j ON j.job_key = i.job_key
        WHERE i.is_live AND (j.id IS NULL OR j.claimed_by <> {claim})"""
    )
    jobs = _rows(
        f"""SELECT j.job_key, j.claimed_by FROM jobs j LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
        WHERE j.claimed_by <> '' AND (i.id IS NULL OR j.claimed_by <> {claim})"""
    )
    return [f"receipt {row[0]}: job {row[1]} is not claimed by it" for row in lines] + [
        f"job {row[0]} is claimed by {row[1]}, which has no live line for it" for row in jobs
    ]


def receipt_states() -> list[str]:
    """Void receipts have no live line, the others no dead one."""
    rows = _rows(
        """SELECT DISTINCT r.id, r.status FROM receipts r JOIN receipt_items i ON i.receipt_id = r.id
        WHERE (r.status = 'void' AND i.is_live) OR (r.status <> 'void' AND NOT i.is_live)"""
    )
    return [f"receipt {row[0]} is {row[1]} but its lines are not" for row in rows]


def payments() -> list[str]:
    """A succeeded payment belongs to a paid (or refunded) receipt of its amount and currency, at most one each."""
    wrong = _rows(
        f"""SELECT p.id, p.amount_cents, p.currency, r.id, r.status, r.total, r.currency
        FROM payments p JOIN receipts r ON r.id = p.receipt_id
        WHERE p.status = 'succeeded' AND (r.paid_at IS NULL OR r.status = 'pending' OR r.currency <> p.currency
        OR {sql.minor_sql("r.total")} <> p.amount_cents)"""
    )
    lonely = _rows(
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
    wrong = _rows(
        f"""SELECT p.id, p.captured_cents, p.refunded_cents, COALESCE(h.held, 0) FROM payments p
        LEFT JOIN ({held}) h ON h.payment_id = p.id
        WHERE p.refunded_cents <> COALESCE(h.held, 0) OR p.refunded_cents > p.captured_cents"""
    )
    gone = """SELECT payment_id, SUM(amount_cents) AS gone FROM (
        SELECT payment_id, amount_cents FROM refunds WHERE status = 'succeeded' UNION ALL
        SELECT payment_id, amount_cents FROM disputes WHERE status = 'lost') g GROUP BY payment_id"""
    states = _rows(
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
    """At most one open attempt a receipt."""
    rows = _rows(
        """SELECT r.id, r.status, COUNT(*) FROM payments p JOIN receipts r ON r.id = p.receipt_id
        WHERE p.status IN ('pending', 'authorized') GROUP BY r.id, r.status HAVING COUNT(*) > 1"""
    )
    return [f"receipt {row[0]} ({row[1]}) has {row[2]} open attempts to pay" for row in rows]


def transfers() -> list[str]:
    """What came in on a bank payment is what its accepted transfers say."""
    rows = _rows(
        """SELECT p.id, p.captured_cents, SUM(t.received_cents) FROM bank_transfers t
        JOIN payments p ON p.id = t.payment_id WHERE t.status = 'accepted'
        GROUP BY p.id, p.captured_cents HAVING p.captured_cents < SUM(t.received_cents)"""
    )
    return [f"payment {row[0]}: {row[2]} came in by its transfers, {row[1]} on it (minor units)" for row in rows]


def audit_trail() -> list[str]:
    """Every receipt was created, and every paid one paid, exactly once in the audit log."""
    rows = _rows(
        """SELECT r.id, r.status, COALESCE(a.made, 0), COALESCE(a.paid, 0) FROM receipts r LEFT JOIN
        (SELECT entity_id, SUM(CASE WHEN action = 'receipt_create' THEN 1 ELSE 0 END) AS made,
        SUM(CASE WHEN action = 'mark_paid' THEN 1 ELSE 0 END) AS paid FROM audit_log
        WHERE entity_type = 'receipt' GROUP BY entity_id) a ON a.entity_id = CAST(r.id AS text)
        WHERE COALESCE(a.made, 0) <> 1 OR COALESCE(a.paid, 0) <> CASE WHEN r.paid_at IS NULL THEN 0 ELSE 1 END"""
    )
    return [
        f"receipt {row[0]} ({row[1]}): created {row[2]} times, paid {row[3]} times in the audit log" for row in rows
    ]


def current_rates() -> list[str]:
    """The table ``rates`` shows the newest version in force."""
    wrong, now = [], timezone.now()
    for rate in Rate.objects.all():
        try:
            version = version_at(rate.tier_id, now)
        except MissingRate as error:
            wrong.append(error.message)
            continue
        if (rate.cpu, rate.gpu, rate.mem) != (version.cpu, version.gpu, version.mem):
            wrong.append(f"rates of {rate.tier_id} differ from the version of {version.effective_at:%Y-%m-%d %H:%M}")
    return wrong


def audit_chain() -> list[str]:
    """The hash chain is whole."""
    verdict = chain.verify()
    return [] if verdict.ok else [f"row #{verdict.first_bad}: {verdict.reason}"]


def held_jobs() -> list[str]:
    """What finance has not looked at is on no document."""
    rows = _rows("SELECT job_key, claimed_by FROM jobs WHERE hold = 'runaway' AND claimed_by <> ''")
    return [f"job {row[0]} is held back but billed on {row[1]}" for row in rows]


def job_products() -> list[str]:
    """Core, GPU and MiB seconds are the amounts times the elapsed seconds."""
    pairs = (("cpu_core_seconds", "cpus"), ("gpu_seconds", "gpus"), ("mem_mib_seconds", "mem_mib"))
    differs = " OR ".join(f"{product} <> {amount} * elapsed_seconds" for product, amount in pairs)
    return [
        f"job {row[0]}: its amounts times its time are not its sums"
        for row in _rows(f"SELECT job_key FROM jobs WHERE {differs}")
    ]


def reviews() -> list[str]:
    """Who and when stand on everything that was decided, and a released row has its job."""
    wrong = []
    for name, table in (("quarantined row", "quarantined_rows"), ("adjustment", "usage_adjustments")):
        rows = _rows(
            f"SELECT id, status FROM {table} WHERE status <> 'open' AND (decided_by = '' OR decided_at IS NULL)"
        )
        wrong += [f"{name} {row[0]} is {row[1]} by nobody" for row in rows]
        rows = _rows(f"SELECT id FROM {table} WHERE status = 'dismissed' AND note = ''")
        wrong += [f"{name} {row[0]} is dismissed without a note" for row in rows]
    lost = _rows(
        """SELECT q.id, q.job_key FROM quarantined_rows q WHERE q.status = 'accepted'
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = q.job_key)"""
    )
    return wrong + [f"quarantined row {row[0]} was released as {row[1]}, which is not there" for row in lost]


INVARIANTS: dict[str, Callable[[], list[str]]] = {
    check.__name__: check
    for check in (
        receipt_totals, receipt_taxes, receipt_rates, receipt_prices, receipt_numbers, receipt_digests, one_currency,
        job_claims, receipt_states, closed_months, payments, refunds, open_attempts, transfers, audit_trail,
        current_rates, held_jobs, job_products, reviews, audit_chain,
    )
}  # fmt: skip
