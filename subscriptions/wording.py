"""States, acts and limits of subscriptions in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from audit import registry
from core.context import SYSTEM
from core.database.decimals import PLACES
from core.words.wording import decimal_text, money_text
from subscriptions.fees import prices_on
from subscriptions.models import Plan, PlanLimit, Subscription, SubscriptionChange, SubscriptionStatus


def act_in_words(action: str) -> str:
    """The same words as in the audit log."""
    return registry.label(f"subscription_{action}")


def state_in_words(row: Subscription) -> str:
    if row.status == SubscriptionStatus.SUSPENDED and row.suspended_for:
        return f"{row.get_status_display()} ({row.get_suspended_for_display()})"
    return str(row.get_status_display())


def fees_in_words(plan: Plan, cycle: str = "") -> list[str]:
    """``THB 1,500.00 monthly``: one line a fee in force today, of all cycles or of one."""
    rows = [row for row in prices_on(plan) if cycle in ("", row.billing_cycle)]
    words = _("%(amount)s %(cycle)s")
    return [
        words % {"amount": money_text(row.amount, row.currency), "cycle": row.get_billing_cycle_display()}
        for row in rows
    ]


def limits_in_words(plan: Plan) -> list[str]:
    """``1,000,000 tokens a month``: one line a limit."""
    return [_limit(each) for each in plan.limits.all()]


def metric_in_words(metric: str) -> str:
    """Requests and tokens of AI calls have words of their own; other metrics and meters are names."""
    return {"requests": _("requests"), "tokens": _("tokens")}.get(metric, metric)


def reason_in_words(change: SubscriptionChange) -> str:
    """What used a quota up is kept as names of metrics, which read as words; what people write stands as they wrote."""
    if change.action != "suspend" or change.actor != SYSTEM.name:
        return change.reason
    return ", ".join(metric_in_words(each) for each in change.reason.split(", "))


def _limit(row: PlanLimit) -> str:
    metric = metric_in_words(row.metric)
    if row.limit is None:
        return _("%(metric)s without limit") % {"metric": metric}
    number = decimal_text(row.limit, 0, PLACES)
    words = _("%(number)s %(metric)s %(window)s") if row.is_hard else _("warning at %(number)s %(metric)s %(window)s")
    return words % {"number": number, "metric": metric, "window": row.get_window_display()}
