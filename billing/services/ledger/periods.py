"""Closing the books of a month: what is found out later stands in the next open one, with its own day beside it."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import PERIOD_TRANSITIONS, AccountingPeriod, JournalEntry, PeriodStatus
from billing.selectors.jobs.months import find as usage_month
from billing.selectors.journal import open_from, trial_balance
from billing.services.ledger.journal import LOCK, post_journal
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.periods import month_end, month_start, today
from core.states import transition
from core.words.wording import month_text


def close_period(*, actor: Actor, month: date, note: str = "") -> AccountingPeriod:
    """No entry is dated in this month, or in one before it, any more. Everything that is there is posted first. Closing
    twice changes nothing.

    Raises ``BadInput`` for a month that is not over, ``Conflict`` for one whose usage is not closed
    (``services.months.close_month``), or while one before it is open.
    """
    month = month_start(month)
    check_close(month)
    post_journal(actor=actor)
    return _close(actor, month, note.strip()[:255])


@transaction.atomic
def _close(actor: Actor, month: date, note: str) -> AccountingPeriod:
    lock_for_transaction(LOCK)
    row = AccountingPeriod.objects.filter(month=month).first()
    if row is not None and row.status == PeriodStatus.CLOSED:
        return row
    check_close(month)
    # by the clock that entries are posted by: that of the database, which need not agree with ours
    values = {"note": note, "closed_by": actor.name, "closed_at": Now(), "figures": figures_of(month)}
    if row is None:
        row = AccountingPeriod.objects.create(month=month, **values)
        row.refresh_from_db()
    else:
        transition(row, PeriodStatus.CLOSED, table=PERIOD_TRANSITIONS, **values)
    audit.record(
        actor=actor, action="period_close", target=f"{month:%Y-%m}", entity=row,
        extra={"note": note, "figures": row.figures},
    )  # fmt: skip
    return row


def check_close(month: date) -> None:
    """Raises what ``close_period`` raises."""
    if month >= month_start(today()):
        raise BadInput(_("%(month)s is not over yet.") % {"month": month_text(month)}, field="month")
    if AccountingPeriod.objects.filter(month=month, status=PeriodStatus.CLOSED).exists():
        return
    if usage_month(month) is None:
        words = _("The usage of %(month)s is not closed yet: close the month first, then its books.")
        raise Conflict(words % {"month": month_text(month)})
    if (first := first_open()) and first < month:
        raise Conflict(_("%(month)s is open still; the books are closed in order.") % {"month": month_text(first)})


def first_open() -> date | None:
    """The earliest month that has entries, or follows a closed one, and is not closed."""
    if found := open_from():
        return found
    earliest = JournalEntry.objects.order_by("date").values_list("date", flat=True).first()
    return month_start(earliest) if earliest else None


def figures_of(month: date) -> dict[str, dict[str, str]]:
    """Balances at its end by currency and role, as text."""
    found: dict[str, dict[str, str]] = {}
    for row in trial_balance(month_end(month)):
        found.setdefault(row.currency, {})[row.role] = str(row.amount)
    return found


@transaction.atomic
def open_period(*, actor: Actor, month: date, reason: str) -> bool:
    """Open the latest closed period again. False when it was open already.

    Raises ``BadInput`` without a reason or for a month that was never closed, ``Conflict`` when a later one is closed.
    """
    month, reason = month_start(month), reason.strip()[:255]
    if not reason:
        raise BadInput(_("Say why the period is opened again."), field="reason")
    lock_for_transaction(LOCK)
    row = AccountingPeriod.objects.filter(month=month).first()
    if row is None:
        raise BadInput(_("%(month)s was never closed.") % {"month": month_text(month)}, field="month")
    if AccountingPeriod.objects.filter(month__gt=month, status=PeriodStatus.CLOSED).exists():
        raise Conflict(_("A later period is closed; open that one first."))
    moved = transition(row, PeriodStatus.OPEN, table=PERIOD_TRANSITIONS, note=reason)
    if moved:
        audit.record(
            actor=actor, action="period_open", target=f"{month:%Y-%m}", entity=row,
            changes={"status": [PeriodStatus.CLOSED, PeriodStatus.OPEN]}, extra={"reason": reason},
        )  # fmt: skip
    return moved
