"""Fees of subscriptions in words: what a charge is for, and the arithmetic that made it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.cycles import DAY, NONE, SECOND, local_day
from billing.models import SubscriptionCharge
from core.words.wording import day_text, decimal_text, money_text

CONVENTIONS = {
    NONE: gettext_lazy("Within a period nothing is charged or given back; a new plan costs from the next period on."),
    DAY: gettext_lazy("The rest of a period counts by days, the day of the change with it."),
    SECOND: gettext_lazy("The rest of a period counts by seconds."),
}
WHY = {
    "start": gettext_lazy("first period"),
    "renewal": gettext_lazy("next period"),
    "resume": gettext_lazy("period after a pause"),
    "cycle": gettext_lazy("first period of the new cycle"),
    "change": gettext_lazy("rest of the period under the new plan"),
    "credit": gettext_lazy("rest of the period given back"),
}


def convention_words() -> str:
    return str(CONVENTIONS[settings.BILLING_PRORATION])


def days_words(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """``1 Jan 2027 – 31 Jan 2027``: both days within it."""
    first, after = local_day(start, zone), local_day(end, zone)
    return f"{day_text(first)} – {day_text(max(first, after - timedelta(days=1)))}"


def charge_days(charge: SubscriptionCharge) -> str:
    zone = ZoneInfo(charge.explanation.get("zone") or timezone.get_default_timezone_name())
    return days_words(charge.period_start, charge.period_end, zone)


def why_words(charge: SubscriptionCharge) -> str:
    return str(WHY.get(charge.explanation.get("why", ""), charge.get_kind_display()))


def how_words(charge: SubscriptionCharge) -> str:
    """``310 × 16 of 31 days``; of a whole period the fee and since when it is in force."""
    facts = charge.explanation
    if "carried_from" in facts:
        return _("the rest of a credit, from %(document)s") % {"document": facts["carried_from"]}
    if "fee" not in facts:
        return ""
    fee = decimal_text(Decimal(facts["fee"]), 0, 4)
    since = day_text(date.fromisoformat(facts["price_from"]))
    if "units" not in facts:
        return _("%(fee)s %(currency)s, the fee since %(day)s") % {
            "fee": fee, "currency": charge.currency, "day": since,
        }  # fmt: skip
    numbers = {"fee": fee, "units": decimal_text(Decimal(facts["units"]), 0), "whole": decimal_text(
        Decimal(facts["whole"]), 0)}  # fmt: skip
    if facts["convention"] == SECOND:
        words = ngettext("%(fee)s × %(units)s of %(whole)s second", "%(fee)s × %(units)s of %(whole)s seconds",
                         facts["whole"])  # fmt: skip
    else:
        words = ngettext("%(fee)s × %(units)s of %(whole)s day", "%(fee)s × %(units)s of %(whole)s days",
                         facts["whole"])  # fmt: skip
    text = words % numbers
    if "most" in facts:
        most = money_text(Decimal(facts["most"]), charge.currency)
        text += " " + _("(at most what was charged: %(most)s)") % {"most": most}
    return text
