"""Closing a month, and the adjustments that alone may change one that is closed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit import services as audit
from billing.models import AdjustmentKind, ClosedMonth, MonthAdjustment, Receipt
from billing.selectors.documents.paper import lines_total
from billing.selectors.jobs import billable
from billing.selectors.jobs.months import closed_months_at, closed_months_of, closed_windows, find
from billing.selectors.jobs.proof import Proof, prove
from billing.services.receipts import Run, create_receipts, void_receipt
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import AppError, BadInput, Conflict
from core.periods import Window, month_start, month_window, today
from core.words.wording import decimal_text, money_text, month_text
from usage.models import Adjustment, Job
from usage.services.adjustments import SHOWN, accept_adjustment

USAGE = ("cpu_core_seconds", "gpu_seconds", "mem_mib_seconds")


class NotProven(Conflict):
    """The parts of the month do not add up to its usage; look at the proof first."""

    code = "not_proven"


@transaction.atomic
def close_month(*, actor: Actor, month: date, note: str = "", accept_open: bool = False) -> ClosedMonth:
    """No more changes to the month's usage and documents but by adjustments. Closing twice changes nothing.

    Raises ``BadInput`` for a month that is not over, ``NotProven`` when its parts do not
    add up, and ``Conflict`` while something is still unbilled or refused, unless
    ``accept_open`` says that somebody has seen it; then ``note`` says why.
    """
    month = _over(month)
    lock_for_transaction("months")
    if (found := find(month)) is not None:
        return found
    proof = check_close(month=month, note=note, accept_open=accept_open)
    closed = ClosedMonth.objects.create(
        month=month, figures=proof.as_json(), note=note.strip()[:255], closed_by=actor.name
    )
    audit.record(
        actor=actor, action="month_close", target=closed.code, entity=closed,
        extra={"note": closed.note, "figures": proof.as_json()},
    )  # fmt: skip
    return closed


def check_close(*, month: date, note: str = "", accept_open: bool = False) -> Proof:
    """The proof with which ``close_month`` would close it now; raises what that raises."""
    month = _over(month)
    proof = prove(month)
    if not proof.holds:
        raise NotProven(_("The parts of %(month)s do not add up to its usage.") % {"month": month_text(month)})
    if left := left_open(proof):
        if not accept_open:
            raise Conflict(left)
        if not note.strip():
            raise BadInput(_("Say why the month is closed although something is left open."), field="note")
    return proof


def _over(month: date) -> date:
    month = month_start(month)
    if month >= month_start(today()):
        raise BadInput(_("%(month)s is not over yet.") % {"month": month_text(month)}, field="month")
    return month


def left_open(proof: Proof) -> str:
    """What a careful person would settle first, in words; empty when nothing is left."""
    unbilled = next((reason.amount for reason in proof.reasons["unbilled"] if reason.code == "next_receipt"), None)
    refused = proof.parts["quarantined"].jobs + proof.unknown_rows
    parts = []
    if unbilled:
        words = ngettext(
            "%(jobs)s job worth %(cost)s is not billed", "%(jobs)s jobs worth %(cost)s are not billed", unbilled.jobs
        )
        cost = money_text(unbilled.cost, proof.currency)
        parts.append(words % {"jobs": decimal_text(Decimal(unbilled.jobs), 0), "cost": cost})
    if refused:
        words = ngettext("%(n)d refused row waits for a decision", "%(n)d refused rows wait for a decision", refused)
        parts.append(words % {"n": refused})
    return "; ".join(parts)


def bill_late_usage(*, actor: Actor, month: date, reason: str, username: str | None = None) -> Run:
    """Receipts for jobs of a closed month that arrived or became billable late, each with its adjustment.

    The receipt is issued today, in an open month, and names the month it adjusts. A user
    whose receipt fails is parked and the run goes on. Raises ``BadInput`` without a reason
    or when the month is not closed.
    """
    closed, reason = _closed(month), _reason(reason)
    names = [username] if username else billable.usernames_to_bill(None, None, adjusts=closed.month)
    made: list[Receipt] = []
    failed: dict[str, str] = {}
    for name in names:
        try:
            made += _bill_late(actor, closed, name, reason)
        except AppError as error:
            failed[name] = error.message
    return Run(made, {}, failed)


@transaction.atomic
def _bill_late(actor: Actor, closed: ClosedMonth, username: str, reason: str) -> list[Receipt]:
    receipts = create_receipts(actor=actor, username=username, adjusts=closed.month)
    for receipt in receipts:
        _adjust(
            actor, closed, AdjustmentKind.LATE_USAGE, reason,
            receipt=receipt, jobs=receipt.items.count(), amount=lines_total(receipt),
        )  # fmt: skip
    return receipts


@transaction.atomic
def void_by_adjustment(*, actor: Actor, receipt: Receipt, reason: str) -> bool:
    """Void a receipt that holds jobs of closed months, with a dated adjustment for each of them.

    False when it was void already. Raises what ``void_receipt`` raises.
    """
    reason = _reason(reason)
    lock_for_transaction("months", shared=True)
    affected = []
    for closed in closed_months_of(receipt):
        window = month_window(closed.month)
        keys = Job.objects.filter(claimed_by=receipt.claim, end_at__gte=window.start, end_at__lt=window.end)
        costs = receipt.items.filter(job_key__in=keys.values("job_key")).values_list("cost", flat=True)
        affected.append((closed, len(costs), sum(costs, Decimal(0))))
    moved = void_receipt(actor=actor, receipt=receipt, reason=reason, adjusts=True)
    for closed, jobs, cost in affected if moved else ():
        _adjust(actor, closed, AdjustmentKind.VOID, reason, receipt=receipt, jobs=jobs, amount=-cost)
    return moved


@transaction.atomic
def accept_change(*, actor: Actor, adjustment: Adjustment, note: str = "") -> Adjustment:
    """Write the changed record to its job, with a dated correction for each closed month whose usage that touches.

    Outside closed months it is ``accept_adjustment``; raises what that raises, and ``BadInput``
    for a correction without a reason.
    """
    lock_for_transaction("usage-import")  # in the order in which an import locks
    lock_for_transaction("months", shared=True)
    before = Job.objects.get(pk=adjustment.job_id)
    accept_adjustment(actor=actor, adjustment=adjustment, note=note, corrects=True)
    after = Job.objects.get(pk=adjustment.job_id)
    if all(getattr(before, name) == getattr(after, name) for name in SHOWN):
        return adjustment  # an import wrote it before the month was closed
    for closed in closed_months_at(before.end_at, after.end_at):
        then, now = _usage_in(closed, before), _usage_in(closed, after)
        _adjust(
            actor, closed, AdjustmentKind.CORRECTION, _reason(note), jobs=1, change=adjustment,
            usage={name: now[name] - then[name] for name in now},
        )  # fmt: skip
    return adjustment


def hold_closed_windows() -> list[Window]:
    """The closed months, for ``USAGE_FROZEN``: none is closed before the current transaction ends."""
    lock_for_transaction("months", shared=True)
    return closed_windows()


def _usage_in(closed: ClosedMonth, job: Job) -> dict[str, int]:
    is_in = job.end_at is not None and month_window(closed.month).holds(job.end_at)
    return {"jobs": int(is_in), **{name: getattr(job, name) if is_in else 0 for name in USAGE}}


def _adjust(
    actor: Actor, closed: ClosedMonth, kind: str, reason: str, *, jobs: int, amount: Decimal = Decimal(0),
    receipt: Receipt | None = None, change: Adjustment | None = None, usage: dict[str, int] | None = None,
) -> MonthAdjustment:  # fmt: skip
    currency = receipt.currency if receipt else settings.PAYMENT_CURRENCY
    adjustment = MonthAdjustment.objects.create(
        closed_month=closed, kind=kind, dated=today(), receipt=receipt, change=change, jobs=jobs, amount=amount,
        currency=currency, usage=usage or {}, reason=reason, made_by=actor.name,
    )  # fmt: skip
    about = {"receipt": receipt.document_number} if receipt else {"job": change.job.job_key} if change else {}
    audit.record(
        actor=actor, action="month_adjust", target=closed.code, entity=adjustment,
        extra={"kind": kind, **about, "jobs": jobs, "amount": amount, "currency": currency, "reason": reason,
               **({"usage": usage} if usage else {})},
    )  # fmt: skip
    return adjustment


def _closed(month: date) -> ClosedMonth:
    found = find(month_start(month))
    if found is None:
        raise BadInput(
            _("%(month)s is not closed: bill it in the ordinary way.") % {"month": month_text(month)}, field="month"
        )
    return found


def _reason(reason: str) -> str:
    if not reason.strip():
        raise BadInput(_("An adjustment needs a reason."), field="reason")
    return reason.strip()[:255]
