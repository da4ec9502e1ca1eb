"""The invoices of a month for everybody: slice by slice, what fails is parked and the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import Count

from accounts.models import Organisation
from billing.invoicing.problems import blocking
from billing.models import Invoice, InvoiceStatus
from billing.services.invoices.drafts import Slice, draft_invoices
from billing.services.invoices.issue import finalize_invoices
from core.clock import real
from core.context import Actor
from core.errors import AppError, BadInput, UsageError
from core.money import in_places
from core.periods import month_start, today

SLICE = 1_000
T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """``rows`` one an invoice, as the command prints it; ``failed`` maps an organisation to what went wrong."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def blocked(self) -> int:
        return sum(bool(row["blocked"]) for row in self.rows)

    @property
    def is_clean(self) -> bool:
        return not self.failed and not self.blocked


def run_invoices(
    *, actor: Actor, month: date, organisation: str = "", finalize: bool = False, dry_run: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Run:  # fmt: skip
    """Drafts for all real organisations that have something to bill in the month, or for one by its name; with
    ``finalize`` those that nothing blocks get their numbers. Safe to repeat: finalized ones stay, drafts are
    computed anew.

    Raises ``UsageError`` for an unknown organisation, ``BadInput`` for a month that has not begun.
    """
    found = real(Organisation.objects.order_by("pk"), "")
    if organisation:
        found = found.filter(name=organisation)
        if not found.exists():
            raise UsageError(f"There is no organisation {organisation!r}.")
    if month_start(month) > today() + timedelta(days=1):  # it begins in the east first
        raise BadInput(f"{month:%Y-%m} has not begun.", field="month")
    keys, run = list(found.values_list("pk", flat=True)), Run()
    for start in range(0, len(keys), SLICE):
        rows = list(Organisation.objects.filter(pk__in=keys[start : start + SLICE]).order_by("pk"))
        with transaction.atomic() if dry_run else nullcontext():
            _slice(actor, rows, month, run, finalize=finalize)
            if dry_run:
                transaction.set_rollback(True)
        if on_progress:
            on_progress(min(start + SLICE, len(keys)), len(keys))
    return run


def run_month_of(*, actor: Actor, organisation: Organisation, month: date) -> Run:
    """Draft and finalize the month of one organisation, whether it is real or lives by a test clock."""
    run = Run()
    _slice(actor, [organisation], month, run, finalize=True)
    return run


def _slice(actor: Actor, rows: Sequence[Organisation], month: date, run: Run, *, finalize: bool) -> None:
    drafted = _draft(actor, rows, month, run)
    numbers = _finalize(actor, drafted, run) if finalize else set()
    run.rows += _describe([*drafted.drafted, *drafted.standing], numbers)


def _draft(actor: Actor, organisations: Sequence[Organisation], month: date, run: Run) -> Slice:
    """A slice that fails is done again in halves, until the one with the trouble is alone and is parked."""
    try:
        return _one_slice(actor, organisations, month)
    except (AppError, DatabaseError, ValueError, ArithmeticError) as error:
        if len(organisations) == 1:
            run.failed[organisations[0].name] = _why(error)
            return Slice()
    whole = Slice()
    for half in _halves(organisations):
        part = _draft(actor, half, month, run)
        whole.drafted += part.drafted
        whole.standing += part.standing
    return whole


def _one_slice(actor: Actor, organisations: Sequence[Organisation], month: date) -> Slice:
    with transaction.atomic():
        return draft_invoices(actor=actor, organisations=organisations, month=month)


def _finalize(actor: Actor, drafted: Slice, run: Run) -> set[int]:
    ready = [invoice for invoice in drafted.drafted if not blocking(invoice.problems)]
    return _finalize_all(actor, ready, run)


def _finalize_all(actor: Actor, ready: Sequence[Invoice], run: Run) -> set[int]:
    """As with drafts: in halves when one of them cannot be."""
    try:
        return {invoice.pk for invoice in finalize_invoices(actor=actor, invoices=ready)}
    except (AppError, DatabaseError, ValueError) as error:
        if len(ready) == 1:
            run.failed[ready[0].organisation.name] = _why(error)
            return set()
    return set().union(*(_finalize_all(actor, half, run) for half in _halves(ready)))


def _halves(rows: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    middle = len(rows) // 2
    return rows[:middle], rows[middle:]


def _describe(invoices: Sequence[Invoice], numbered: set[int]) -> Iterator[dict[str, Any]]:
    counts = Invoice.objects.filter(pk__in=[each.pk for each in invoices]).annotate(rows=Count("lines"))
    rows = counts.values_list(
        "pk", "uuid", "organisation__name", "invoice_number", "status", "rows", "total", "amount_due", "currency",
        "problems", named=True,
    )  # fmt: skip
    for row in rows.order_by("organisation__name", "pk"):
        yield {
            "id": row.pk, "uuid": str(row.uuid), "organisation": row.organisation__name, "number": row.invoice_number,
            "status": row.status, "lines": row.rows, "total": str(in_places(row.total, row.currency)),
            "due": str(in_places(row.amount_due, row.currency)), "currency": row.currency,
            "finalized": row.pk in numbered,
            "blocked": row.status == InvoiceStatus.DRAFT and bool(blocking(row.problems)),
            "problems": [each["message"] for each in row.problems],
        }  # fmt: skip


def _why(error: Exception) -> str:
    return error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}".strip()
