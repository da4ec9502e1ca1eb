"""Evaluating all rules: each kind set-wise, and each rule that has something to say told once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.clock import of
from core.registry import load
from usage.alerts.base import Evaluator, Measured
from usage.models import AlertHistory, AlertRule
from usage.services.alert_telling import follow, tell

logger = logging.getLogger("usage.alerts")


def evaluate(
    *, now: datetime | None = None, dry_run: bool = False, organisations: Sequence[int] | None = None
) -> dict[str, int]:
    """Look at every rule that is on: of these organisations, else of all real ones and of users. Returns ``rules``
    looked at, ``speaking``, of which ``raised`` now and ``quiet`` (told before); ``failed`` could not be evaluated;
    ``told`` and ``not_told`` of those raised earlier.

    The number of statements does not grow with rules or customers, but with what is raised. A dry run writes nothing:
    ``raised`` is what would be.
    """
    now = now or timezone.now()
    told = {"told": 0, "not_told": 0} if dry_run or organisations is not None else follow(now)
    rules = _rules(organisations)
    counts = {"rules": len(rules), "speaking": 0, "raised": 0, "quiet": 0, "failed": 0, **told}
    speaking = [measured for measured in _measure(rules, now, counts) if measured.speaks]
    counts["speaking"] = len(speaking)
    for measured in _not_told_before(speaking, now):
        counts["raised"] += bool(dry_run or raise_alert(measured, now))
    counts["quiet"] = counts["speaking"] - counts["raised"]
    return counts


def _rules(organisations: Sequence[int] | None) -> list[AlertRule]:
    """By kind; those of an organisation or a project that is switched off rest."""
    living = Q(organisation__isnull=True) | Q(organisation__is_active=True)
    living &= Q(project__isnull=True) | Q(project__is_active=True)
    known = settings.ALERT_EVALUATORS.keys()
    rules = of(AlertRule.objects.all(), organisations).filter(living, is_active=True, alert_type__in=known)
    return list(rules.select_related("organisation", "project", "webhook").order_by("alert_type", "pk"))


def _measure(rules: Iterable[AlertRule], now: datetime, counts: dict[str, int]) -> Iterator[Measured]:
    """A kind that fails does not keep the others from being looked at."""
    for kind, group in groupby(rules, key=lambda rule: rule.alert_type):
        of_kind = list(group)
        try:
            evaluator: Evaluator = load("ALERT_EVALUATORS", kind)
            yield from list(evaluator(of_kind, now))
        except Exception:
            logger.exception("alerts of the kind %s could not be evaluated", kind)
            counts["failed"] += len(of_kind)


def _not_told_before(speaking: list[Measured], now: datetime) -> Iterator[Measured]:
    """Without those that are quiet: a cooldown that is not over, or, without one, the same window told already."""
    begins = [measured.window.start for measured in speaking if not measured.rule.cooldown_minutes]
    told: set[tuple[int, datetime]] = set()
    if begins:
        rows = AlertHistory.objects.filter(
            alert_rule__cooldown_minutes=0, alert_rule__is_active=True, period_start__gte=min(begins)
        )
        told = set(rows.values_list("alert_rule_id", "period_start"))
    for measured in speaking:
        rule, last = measured.rule, measured.rule.last_fired_at
        if rule.cooldown_minutes:
            if last is None or last + timedelta(minutes=rule.cooldown_minutes) <= now:
                yield measured
        elif (rule.pk, measured.window.start) not in told:
            yield measured


@transaction.atomic
def raise_alert(measured: Measured, now: datetime) -> AlertHistory | None:
    """Claim, write down, queue the messages: all or nothing. None when another run was quicker."""
    rule, window = measured.rule, measured.window
    mine = AlertRule.objects.filter(pk=rule.pk, is_active=True, last_fired_at=rule.last_fired_at)
    if not mine.update(last_fired_at=now):
        return None
    row = AlertHistory.objects.create(
        alert_rule=rule, organisation=rule.organisation, project=rule.project, username=rule.username,
        alert_type=rule.alert_type, metric_name=rule.metric_name, unit=measured.unit, threshold_value=measured.limit,
        actual_value=measured.actual, comparison_period=window.period, period_start=window.start, period_end=window.end,
        notification_channels=rule.notification_channels,
        metadata={"operator": rule.threshold_operator, "zone": str(window.zone), **measured.facts},
    )  # fmt: skip
    row.refresh_from_db(fields=["created_at", "actual_value", "threshold_value"])
    tell(row, rule)
    return row
