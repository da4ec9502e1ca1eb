"""What time does to subscriptions and invoices of organisations with a test clock, for ``CLOCK_STEPS``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Min
from django.utils import timezone

from accounts.models import Organisation
from billing.models import Invoice, InvoiceStatus
from billing.selectors.documents.dues import unpaid
from billing.services.invoices.reminders import send_reminders
from billing.services.invoices.runs import Run, run_month_of
from billing.services.subscriptions.renewals import renew_subscriptions
from core.context import Actor
from core.errors import Conflict
from core.periods import day_start, month_start, next_month, previous_month
from core.words.wording import about
from subscriptions.models import LIVE, Subscription

MOMENTS = ("next_billing_at", "trial_end_at", "start_at", "end_at")


class Renewals:
    """Periods begin, trials and subscriptions end: each at its own instant."""

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        rows = Subscription.objects.filter(organisation__in=organisations, status__in=LIVE)
        found = [rows.filter(**{f"{name}__gt": after}).aggregate(first=Min(name))["first"] for name in MOMENTS]
        return min((each for each in found if each is not None), default=None)

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        found = renew_subscriptions(actor=actor, now=now, organisations=organisations)
        names = ("renewed", "fees", "free", "new_plans", "expired", "canceled", "failed")
        return {name: getattr(found, name) for name in names}


class Invoices:
    """Where a month of an organisation begins, the one before is drafted and finalized. What keeps a draft from that is
    looked at anew at every instant, as it is by every run."""

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        zones = Organisation.objects.filter(pk__in=organisations).order_by().values_list("time_zone", flat=True)
        return min((_following(after, ZoneInfo(name)) for name in zones.distinct()), default=None)

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        rows = Organisation.objects.filter(pk__in=organisations).order_by("pk")
        waiting = _waiting(organisations)
        for organisation in rows:
            begun = month_start(now.astimezone(organisation.zone).date())
            months = {first for first in waiting.get(organisation.pk, ()) if first < begun}
            if now == day_start(begun, organisation.zone):
                months.add(previous_month(begun))
            for month in sorted(months):
                run = run_month_of(actor=actor, organisation=organisation, month=month)
                counts.update(_counts(run))
        return counts


def _following(after: datetime, zone: ZoneInfo) -> datetime:
    """Where the next month of this zone begins."""
    return day_start(next_month(after.astimezone(zone).date()), zone)


def _waiting(organisations: Sequence[int]) -> dict[int, set[date]]:
    """Months of drafts that are there already."""
    found: dict[int, set[date]] = {}
    for row in Invoice.objects.filter(organisation__in=organisations, status=InvoiceStatus.DRAFT):
        found.setdefault(row.organisation_id, set()).add(row.first_day)
    return found


def _counts(run: Run) -> Mapping[str, int]:
    """Raises ``Conflict`` for what failed: the clock stops there and says why."""
    for name, why in run.failed.items():
        raise Conflict(about(name, why))
    return {"invoices": len(run.rows), "finalized": sum(row["finalized"] for row in run.rows), "blocked": run.blocked}


class Reminders:
    """Every day of the site, while something is unpaid: reminders, overdue invoices, and subscriptions that follow."""

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        if not unpaid().filter(organisation__in=organisations).exists():
            return None
        zone = ZoneInfo(timezone.get_default_timezone_name())
        return day_start(after.astimezone(zone).date() + timedelta(days=1), zone)

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        day = timezone.localdate(now, timezone.get_default_timezone())
        found = send_reminders(actor=actor, day=day, organisations=organisations)
        moved = found.followed
        return {"reminded": found.reminded, "overdue": found.overdue, "no_address": found.no_address,
                "past_due": moved.past_due, "suspended": moved.suspended, "resumed": moved.resumed}  # fmt: skip


RENEWALS, INVOICES, REMINDERS = Renewals(), Invoices(), Reminders()
