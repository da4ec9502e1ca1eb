"""The last day of what is dated and never changed: prices of usage, discounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from django.utils.translation import gettext as _

from billing.models import Discount, PricingPlan
from billing.selectors.pricing.used_prices import Use
from core.errors import BadInput
from core.words.wording import month_text

Change = list[date | None]  # the last day before, and after


def end_on(row: PricingPlan | Discount, last_day: date, use: Callable[[], Use | None]) -> Change | None:
    """Give a locked row its last day. None when it ends on that day already.

    ``use``: the newest invoice that rests on it, asked for only where it counts. Raises ``BadInput`` for a day that
    lies before its first, beyond its end, or before the month of that invoice.
    """
    before = row.effective_to
    if before == last_day:
        return None
    if last_day < row.effective_from or (before is not None and last_day > before):
        raise BadInput(_("A day from its first day to its last is wanted."), field="effective_to")
    newest = use()
    if newest is not None and last_day < newest.month:
        words = _("Invoice %(number)s rests on it for %(month)s; it cannot end before.")
        raise BadInput(words % {"number": newest.number, "month": month_text(newest.month)}, field="effective_to")
    row.effective_to = last_day
    row.save(update_fields=["effective_to"])
    return [before, last_day]
