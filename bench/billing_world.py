"""Organisations with metered usage, prices and fees for the benchmarks of invoices; all of it made in the database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bench import world

METRICS = 19
MONTH = date(2026, 9, 1)
START = datetime(2026, 8, 31, 17, tzinfo=UTC)  # of that month in Bangkok
END = datetime(2026, 9, 30, 17, tzinfo=UTC)
# In the order in which rows refer to each other.
DOCUMENTS = ("invoices", "invoice_line_items", "invoice_taxes", "invoices_discounts")
_AGGREGATES = """
INSERT INTO usage_aggregates (organisation_id, project_id, metric_name, unit, model_id, period_type, period_start, slot,
    total_value, event_count, error_count, late_count, request_tokens, response_tokens, cached_tokens, reasoning_tokens,
    latency_ms_sum, latency_count, min_value, max_value, latest_value, latest_at)
SELECT p.organisation_id, p.id, 'bench.metric' || lpad(m::text, 2, '0'), '', '', 'month', %s, 0,
    ((p.id * 7919 + m * 104729) %% 100000) / 4.0 + 1, 100, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, %s
FROM projects p JOIN organisations o ON o.id = p.organisation_id, generate_series(1, %s) m
WHERE o.name LIKE 'Bench %%'
"""


def fill(number: int) -> None:
    """``number`` organisations, each with 19 metrics used in the month and one fee due in it: 20 lines each."""
    from django.db import connection

    from accounts.models import BillingMode, Organisation, Project

    empty()
    owners = [
        Organisation(name=f"Bench {each:06d}", billing_mode=BillingMode.INVOICES, currency="THB")
        for each in range(number)
    ]
    Organisation.objects.bulk_create(owners, batch_size=1000)
    Project.objects.bulk_create([Project(organisation=owner, name="bench") for owner in owners], batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute(_AGGREGATES, [START, START, METRICS])
    _prices()
    _fees()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) usage_aggregates, organisations, projects, subscription_charges")
        cursor.execute("CHECKPOINT")


def empty() -> None:
    from django.db import connection

    world.truncate("invoices, document_counters, subscription_charges, usage_aggregates, pricing_plans, journal_state")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM subscriptions WHERE organisation_id IN"
                       " (SELECT id FROM organisations WHERE name LIKE 'Bench %')")  # fmt: skip
        for statement in (
            "DELETE FROM projects WHERE name = 'bench'", "DELETE FROM organisations WHERE name LIKE 'Bench %'"
        ):  # fmt: skip
            cursor.execute(statement)


def _prices() -> None:
    from decimal import Decimal

    from billing.models import PricingPlan

    PricingPlan.objects.bulk_create(
        [
            PricingPlan(
                metric_name=f"bench.metric{number:02d}", price_per_unit=Decimal(number) / 1000, currency="THB",
                effective_from=date(2026, 1, 1), set_by="bench",
            )
            for number in range(1, METRICS + 1)
        ]
    )  # fmt: skip


def _fees() -> None:
    from django.db import connection

    from subscriptions.models import Plan, PlanPrice

    plan, _made = Plan.objects.get_or_create(code="bench-fee", defaults={"name": "Bench"})
    price, _made = PlanPrice.objects.get_or_create(
        plan=plan, billing_cycle="monthly", currency="THB", effective_from=date(2026, 1, 1),
        defaults={"amount": 100, "set_by": "bench"},
    )  # fmt: skip
    from subscriptions.models import Subscription

    organisations = _organisations()
    rows = [Subscription(organisation_id=pk, plan=plan, currency="THB", status="active") for pk in organisations]
    Subscription.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscription_charges (subscription_id, kind, price_id, period_start, period_end, amount,"
            " currency, due_at, explanation, claimed_by, created_at)"
            " SELECT id, 'fee', %s, %s, %s, 100, 'THB', %s, '{}', '', now() FROM subscriptions WHERE plan_id = %s",
            [price.pk, START, END, START, plan.pk],
        )


def _organisations() -> list[int]:
    from accounts.models import Organisation

    return list(Organisation.objects.filter(name__startswith="Bench ").order_by("pk").values_list("pk", flat=True))


def let_go() -> None:
    """As before the run: no invoice, every fee free, and nothing left to write or to clean up."""
    from django.db import connection

    world.truncate("invoices, document_counters")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE subscription_charges SET claimed_by = '' WHERE claimed_by <> ''")
        cursor.execute("VACUUM (ANALYZE) subscription_charges, invoices, invoice_line_items")
        cursor.execute("CHECKPOINT")


def save(folder: Path) -> None:
    """The documents as the database itself writes them out."""
    from django.db import connection

    connection.ensure_connection()
    for table in DOCUMENTS:
        with (folder / table).open("wb") as handle, connection.connection.cursor().copy(f"COPY {table} TO STDOUT") as c:
            for piece in c:
                handle.write(piece)


def load(folder: Path) -> None:
    """The limit: the same rows by COPY into the same tables with the same indexes, in one transaction."""
    from django.db import connection, transaction

    with transaction.atomic():
        for table in DOCUMENTS:
            with (
                (folder / table).open("rb") as source,
                connection.cursor() as cursor,
                cursor.copy(f"COPY {table} FROM STDIN") as copy,
            ):
                while piece := source.read(1 << 18):
                    copy.write(piece)


def counted() -> tuple[int, int, Any]:
    """Invoices, lines, and their sum."""
    from django.db.models import Sum

    from billing.models import Invoice, InvoiceLine

    total = Invoice.objects.aggregate(sum=Sum("total"))["sum"]
    return Invoice.objects.count(), InvoiceLine.objects.count(), total
