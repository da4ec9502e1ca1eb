"""What time does to subscriptions: trials end, others run out. Found and moved in sets, told one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core.clock import of
from core.context import Actor
from core.states import transition_all
from subscriptions import hooks
from subscriptions.models import LIVE, SUBSCRIPTION_TRANSITIONS, Subscription, SubscriptionStatus, SuspendedFor
from subscriptions.services.history import OVER, note, with_rest

BATCH = 200
_S = SubscriptionStatus
_CAN_EXPIRE = tuple(state for state, targets in SUBSCRIPTION_TRANSITIONS.items() if _S.EXPIRED in targets)


@dataclass(frozen=True, slots=True)
class Ended:
    expired: int
    trials: int
    canceled: int = 0


def end_due(*, actor: Actor, now: datetime | None = None, organisations: Sequence[int] | None = None) -> Ended:
    """Expire what is past its end, end what was to end with its period, turn trials whose days are over into active
    subscriptions: of these organisations, else of all real ones and of persons."""
    moment = now or timezone.now()
    rows = of(Subscription.objects.all(), organisations)
    over = rows.filter(status__in=_CAN_EXPIRE, end_at__lte=moment)
    open_end = Q(end_at__isnull=True) | Q(end_at__gt=moment)
    leaving = rows.filter(open_end, status__in=LIVE, cancel_at_period_end=True)
    leaving = leaving.filter(next_billing_at__lte=moment)
    tried = rows.filter(open_end, status=_S.TRIAL, trial_end_at__lte=moment)
    return Ended(
        expired=_move_all(actor, over, _S.EXPIRED, "expire", moment, **OVER),
        canceled=_move_all(actor, leaving, _S.CANCELED, "cancel", moment, end_at=F("next_billing_at"), **OVER),
        trials=_move_all(actor, tried, _S.ACTIVE, "trial_end", moment),
    )


def _move_all(actor: Actor, due: QuerySet[Subscription], to: str, action: str, now: datetime, **values: object) -> int:
    moved = 0
    while batch := _move_some(actor, due, to, action, now, **values):
        moved += batch
    return moved


@transaction.atomic
def _move_some(actor: Actor, due: QuerySet[Subscription], to: str, action: str, now: datetime, **values: object) -> int:
    """The rows are locked: what their history says they left is what the UPDATE found."""
    rows = list(due.select_for_update(of=("self",)).select_related("plan", "organisation").order_by("pk")[:BATCH])
    if rows and to != _S.ACTIVE:
        hooks.call("end", actor=actor, rows=rows, now=now)
    chosen = Subscription.objects.filter(pk__in=[row.pk for row in rows])
    transition_all(chosen, to, table=SUBSCRIPTION_TRANSITIONS, updated_at=timezone.now(), **values)
    at_rest = [row for row in rows if to != _S.ACTIVE and with_rest(row) != row.metadata]
    for row in at_rest:
        row.metadata = with_rest(row)
    if at_rest:
        Subscription.objects.bulk_update(at_rest, ("metadata",))
    for row in rows:
        before, row.status, row.suspended_for = row.status, to, SuspendedFor.NONE
        note(actor, row, action=action, before=before, at=now)
    return len(rows)
