"""What is not paid, and how far it has gone: reads for reminders and for what follows when nobody pays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from enum import IntEnum

from django.conf import settings
from django.db.models import Min, Q, QuerySet

from billing.models import Invoice, InvoiceStatus

WEEK = 7


class Dues(IntEnum):
    """How an organisation stands, by its oldest unpaid invoice."""

    NONE = 0
    PAST_DUE = 1
    SUSPENDED = 2


def unpaid() -> QuerySet[Invoice]:
    """Asked for, not paid in full, and no bank is deciding about money for it."""
    # Payments are an app above this one; an invoice only follows its own reverse relation.
    disputed = Invoice.objects.filter(online_payments__disputes__status="open").values("pk")
    return Invoice.objects.filter(status=InvoiceStatus.FINALIZED, amount_due__gt=0).exclude(pk__in=disputed)


def owing() -> QuerySet[Invoice]:
    """``unpaid``, and what was written off: nobody is reminded of it, but it was not paid either."""
    disputed = Invoice.objects.filter(online_payments__disputes__status="open").values("pk")
    left = Q(amount_due__gt=0) | Q(amount_written_off__gt=0)
    return Invoice.objects.filter(left, status=InvoiceStatus.FINALIZED).exclude(pk__in=disputed)


def dues_of(organisations: Iterable[int], day: date) -> dict[int, Dues]:
    """By key, those that are past due or further on ``day``; one statement."""
    rows = owing().filter(organisation__in=list(organisations))
    oldest = rows.order_by().values("organisation").annotate(first=Min("due_date"))
    found = {row["organisation"]: standing((day - row["first"]).days) for row in oldest}
    return {key: dues for key, dues in found.items() if dues}


def late_organisations(day: date) -> set[int]:
    """Keys of all that are past due or further on ``day``."""
    rows = owing().filter(due_date__lte=day - timedelta(days=past_due_after()))
    return set(rows.order_by().values_list("organisation", flat=True))


def standing(days: int) -> Dues:
    """``days`` that have passed since the due day."""
    if settings.DUNNING_SUSPEND_DAYS and days >= settings.DUNNING_SUSPEND_DAYS:
        return Dues.SUSPENDED
    return Dues.PAST_DUE if days >= past_due_after() else Dues.NONE


def past_due_after() -> int:
    """Days after the due day; what is due today is never late."""
    return max(settings.DUNNING_PAST_DUE_DAYS, 1)


def step_of(days: int) -> int | None:
    """The reminder whose day was last: -3 is three days before the due day, 7 a week after it. None before the first.

    ``days`` that have passed since the due day, below 0 before it.
    """
    after: list[int] = settings.DUNNING_REMIND_AFTER_DAYS
    before: int = settings.DUNNING_REMIND_BEFORE_DAYS
    if after and days > after[-1]:
        return after[-1] + (days - after[-1]) // WEEK * WEEK
    reached = [step for step in after if step <= days]
    if reached:
        return reached[-1]
    return -before if before and -before <= days else None
