"""Asking providers about everything that is not over, and comparing whole days with their records."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from core.context import SYSTEM
from core.errors import AppError
from core.periods import day_start
from payments import providers
from payments.models import (
    OPEN_STATUSES,
    Payment,
    ReconciliationDay,
    Refund,
    RefundStatus,
)
from payments.payables import payable_of
from payments.providers.base import PaymentProvider
from payments.providers.states import PaymentState, Said
from payments.selectors import moving
from payments.services.checkout import SURELY_LOST, end_attempt
from payments.services.refunds import send_refund
from payments.services.sync import sync_payment

logger = logging.getLogger("payments.reconciliation")


@dataclass(slots=True)
class Result:
    """Counters of one run; ``errors`` names payments that could not be asked about."""

    checked: int = 0
    changed: int = 0
    found: int = 0
    closed: int = 0
    refunds_sent: int = 0
    errors: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def sync_open(*, provider_names: Iterable[str] = (), now: datetime | None = None) -> Result:
    """Follow the provider's record of everything that may still move. One payment that fails stops no other."""
    result, now = Result(), now or timezone.now()
    names = list(provider_names) or providers.in_use()
    asked = Q(asked_at__isnull=False) | ~Q(external_payment_id="")
    payments = moving(now).filter(asked, provider__in=names).order_by("id")
    failed = {pk for pk in list(payments.values_list("pk", flat=True)) if not _one(result, pk, now)}
    for refund in Refund.objects.filter(status=RefundStatus.REQUESTED, by_hand=False, payment__provider__in=names):
        if refund.payment_id not in failed:  # its record was read: the refund is not there
            _resend(result, refund)
    return result


def _one(result: Result, pk: int, now: datetime) -> bool:
    """Whether the provider's record of the payment could be read and followed."""
    payment = Payment.objects.get(pk=pk)
    before = _picture(payment)
    unknown = payment.outcome_unknown
    try:
        synced = sync_payment(payment)
        payment = synced.payment
        _end_what_nobody_waits_for(result, payment, now, synced.found)
    except AppError as error:
        result.errors.append(f"payment {pk}: {error.message}")
        return False
    except Exception:
        logger.exception("payment %s cannot be reconciled", pk)
        result.errors.append(f"payment {pk}: see the log")
        return False
    payment.refresh_from_db()
    result.checked += 1
    result.found += unknown and synced.found
    result.changed += _picture(payment) != before
    return True


def _picture(payment: Payment) -> tuple[Any, ...]:
    refunds = payment.refunds.values_list("pk", "status").order_by("pk")
    disputes = payment.disputes.values_list("pk", "status").order_by("pk")
    return payment.status, payment.external_payment_id, payment.captured_cents, tuple(refunds), tuple(disputes)


def _end_what_nobody_waits_for(result: Result, payment: Payment, now: datetime, found: bool) -> None:
    """An open attempt to pay what waits for no money any more, and one that the provider does not know."""
    if payment.status not in OPEN_STATUSES:
        return
    reads = providers.provider(payment.provider).fetches
    lost = reads and not found and payment.asked_at and now - payment.asked_at >= SURELY_LOST
    target = payable_of(payment)
    if not target.waits or lost:
        why = "the provider has no record of it" if lost else f"the {target.kind} is {target.status}"
        end_attempt(actor=SYSTEM, payment=payment, why=why)
        result.closed += 1


def _resend(result: Result, refund: Refund) -> None:
    """A refund whose answer was lost and that the record does not show: asked for again, under its own key."""
    try:
        result.refunds_sent += send_refund(actor=SYSTEM, refund=refund).status != RefundStatus.REQUESTED
    except AppError as error:
        result.errors.append(f"refund {refund.pk}: {error.message}")


@dataclass(slots=True)
class _Sums:
    """One day and currency; minor units. ``agreed``: payments with the same sum on both sides; ``unknown``: money that
    no payment of ours holds."""

    count: int = 0
    cents: int = 0
    refunded: int = 0
    agreed: list[int] = field(default_factory=list)
    unknown: list[dict[str, Any]] = field(default_factory=list)


_Days = dict[tuple[date, str], _Sums]


def compare_days(*, provider: PaymentProvider, start: date, end: date, keep: bool = True) -> list[ReconciliationDay]:
    """Compare what ``provider`` captured on each day (``end`` included) with our books; ``keep`` writes it down.

    Both sides go by the provider's time of capture; refunds count on the day of their payment. Providers without
    a record to read (bank transfers have their statements) have nothing to compare with.
    """
    if not provider.fetches:
        return []
    first, last = day_start(start), day_start(end + timedelta(days=1))
    theirs, ours = _theirs(provider, first, last), _ours(provider.name, first, last)
    days = [_row(provider.name, key, theirs.get(key, _Sums()), ours.get(key, _Sums())) for key in {*theirs, *ours}]
    if keep:
        _keep(provider.name, start, end, days, [pk for sums in theirs.values() for pk in sums.agreed])
    return sorted(days, key=lambda row: (row.day, row.currency))


def _theirs(provider: PaymentProvider, first: datetime, last: datetime) -> _Days:
    sums: _Days = defaultdict(_Sums)
    for state in provider.settled(first, last):
        if state.captured_at is None:
            continue
        of_day = sums[_day(state.captured_at), state.currency]
        of_day.count += 1
        of_day.cents += state.amount_minor
        of_day.refunded += sum(each.amount_minor for each in state.refunds if each.said == Said.SUCCEEDED)
        payment = _payment_of(provider.name, state)
        if payment is None:
            of_day.unknown.append({"id": state.charge_id or state.external_payment_id, "amount": state.amount_minor})
        elif payment.captured_cents == state.amount_minor:
            of_day.agreed.append(payment.pk)
    return sums


def _payment_of(provider: str, state: PaymentState) -> Payment | None:
    same = Q(external_payment_id=state.external_payment_id)
    if state.charge_id:
        same |= Q(external_charge_id=state.charge_id)
    return Payment.objects.filter(same, provider=provider, captured_cents__gt=0).first()


def _ours(provider: str, first: datetime, last: datetime) -> _Days:
    sums: _Days = defaultdict(_Sums)
    payments = Payment.objects.filter(
        provider=provider, captured_cents__gt=0, captured_at__gte=first, captured_at__lt=last
    ).annotate(gone=Sum("refunds__amount_cents", filter=Q(refunds__status=RefundStatus.SUCCEEDED)))
    for payment in payments.iterator(1000):
        of_day = sums[_day(payment.captured_at), payment.currency]
        of_day.count += 1
        of_day.cents += payment.captured_cents
        of_day.refunded += payment.gone or 0
    return sums


def _day(moment: datetime | None) -> date:
    """The site's day of a moment."""
    return timezone.localdate(moment, timezone.get_default_timezone())


def _row(provider: str, key: tuple[date, str], theirs: _Sums, ours: _Sums) -> ReconciliationDay:
    day, currency = key
    return ReconciliationDay(
        provider=provider, day=day, currency=currency,
        provider_count=theirs.count, provider_cents=theirs.cents, provider_refunded_cents=theirs.refunded,
        our_count=ours.count, our_cents=ours.cents, our_refunded_cents=ours.refunded,
        unknown=theirs.unknown, checked_at=timezone.now(),
    )  # fmt: skip


@transaction.atomic
def _keep(provider: str, start: date, end: date, days: list[ReconciliationDay], agreed: list[int]) -> None:
    """In place of what an earlier run found for these days."""
    ReconciliationDay.objects.filter(provider=provider, day__gte=start, day__lte=end).delete()
    ReconciliationDay.objects.bulk_create(days)
    for chunk in range(0, len(agreed), 1000):
        Payment.objects.filter(pk__in=agreed[chunk : chunk + 1000]).update(reconciled_at=timezone.now())
