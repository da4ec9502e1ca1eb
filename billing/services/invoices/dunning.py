"""What follows when nobody pays: subscriptions are past due, then they rest, and go on when it is paid.

Each organisation is brought in line by itself, under its lock, as it stands at that moment: two runs, or a run and a
payment, cannot work against each other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.bill_contacts import bill_contacts
from accounts.models import Organisation
from accounts.services.outbox import Letter, queue_emails, site_url
from billing.models import Invoice
from billing.selectors.documents.dues import Dues, dues_of, late_organisations, owing
from billing.services.invoices.drafts import lock_organisations
from core.clock import of, today_for
from core.context import Actor
from core.errors import AppError
from core.periods import today
from core.words.wording import about
from subscriptions.models import USABLE, Subscription, SubscriptionStatus, SuspendedFor
from subscriptions.services.dues import mark_past_due, recover
from subscriptions.services.subscriptions import resume_subscription, suspend_subscription

logger = logging.getLogger("billing.dunning")
_S = SubscriptionStatus
KIND = "past_due"  # of the e-mail


@dataclass(slots=True)
class Followed:
    """Subscriptions that moved, and what went wrong with others, in words."""

    past_due: int = 0
    suspended: int = 0
    resumed: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Followed) -> None:
        self.past_due += other.past_due
        self.suspended += other.suspended
        self.resumed += other.resumed
        self.notes += other.notes


def follow_all(*, actor: Actor, day: date | None = None, organisations: Sequence[int] | None = None) -> Followed:
    """Every one of these organisations (else of all real ones) whose subscriptions do not stand as its dues say: three
    statements, and those that move."""
    moment, done = day or today(), Followed()
    marked = of(_marked(), organisations).values_list("organisation", flat=True)
    late = late_organisations(moment)
    running = of(_could_move(), organisations).filter(organisation__in=late).values_list("organisation", flat=True)
    for key in sorted({*marked.order_by().distinct(), *running.order_by().distinct()}):
        done.add(follow_dues(actor=actor, organisation=Organisation.objects.get(pk=key), day=moment))
    return done


@transaction.atomic
def follow_dues(*, actor: Actor, organisation: Organisation, day: date | None = None) -> Followed:
    """Bring the subscriptions of one organisation in line with what it owes, as of ``day`` (today).

    Those that rest for another reason than payment are left alone, unless payment is the graver one. One that cannot go
    on, as its plan has no price any more, keeps nobody else: ``notes`` tells of it, and the next run tries it again.
    """
    lock_organisations([organisation.pk])
    dues = dues_of([organisation.pk], day or today_for(organisation)).get(organisation.pk, Dues.NONE)
    done = Followed()
    wanted = _marked() if dues == Dues.NONE else _could_move() | _marked()
    rows = wanted.filter(organisation=organisation).select_related("plan", "organisation", "user").order_by("pk")
    oldest = owing().filter(organisation=organisation).order_by("due_date", "pk").first() if dues else None
    for row in rows:
        try:
            with transaction.atomic():
                _bring(actor, row, dues, str(oldest or ""), done)
        except AppError as error:
            logger.warning("subscription %s cannot follow the dues: %s", row.pk, error.message)
            done.notes.append(about(row, error.message))
    _write(organisation, oldest, done)
    return done


def _marked() -> QuerySet[Subscription]:
    """What a payment would move."""
    resting = Q(status=_S.SUSPENDED, suspended_for=SuspendedFor.PAYMENT)
    return Subscription.objects.filter(resting | Q(status=_S.PAST_DUE), organisation__isnull=False)


def _could_move() -> QuerySet[Subscription]:
    """What unpaid invoices would move."""
    quota = Q(status=_S.SUSPENDED, suspended_for=SuspendedFor.QUOTA)
    return Subscription.objects.filter(quota | Q(status__in=USABLE), organisation__isnull=False)


def _bring(actor: Actor, row: Subscription, dues: Dues, reason: str, done: Followed) -> None:
    """One subscription to where ``dues`` wants it; ``reason``: the number of the invoice that waits."""
    if dues == Dues.SUSPENDED:
        rests = row.suspended_for == SuspendedFor.PAYMENT
        done.suspended += not rests and suspend_subscription(
            actor=actor, subscription=row, cause=SuspendedFor.PAYMENT, reason=reason
        )
        return
    if row.suspended_for == SuspendedFor.PAYMENT:
        done.resumed += resume_subscription(actor=actor, subscription=row, cause=SuspendedFor.PAYMENT)
    if dues == Dues.NONE:
        recover(actor=actor, subscription=row)
    else:
        done.past_due += mark_past_due(actor=actor, subscription=row, reason=reason)


def _write(organisation: Organisation, oldest: Invoice | None, done: Followed) -> None:
    """Being past due is news about an invoice: one e-mail an organisation. Of those that rest, or go on,
    ``subscriptions`` tells itself, one by one."""
    contact = bill_contacts([organisation]).get(organisation.pk) if done.past_due and oldest else None
    if contact is None or oldest is None:
        return
    facts = {
        "organisation": organisation.name, "invoice": oldest, "url": site_url(oldest.get_absolute_url()),
        "suspends": bool(settings.DUNNING_SUSPEND_DAYS),
    }  # fmt: skip
    key = f"past_due:{organisation.pk}:{oldest.pk}"
    queue_emails([Letter(KIND, contact.address, contact.language, facts, key, organisation.pk, oldest.pk)])
