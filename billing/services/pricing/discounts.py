"""Discounts of organisations: given and ended, never changed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Organisation
from audit import services as audit
from billing.debtors import check_not_for_own
from billing.models import Discount
from billing.selectors.pricing.used_prices import last_use_of_discount
from billing.services.pricing.endings import end_on
from billing.services.pricing.price_checks import FEE_DIGITS, YEARS, refuse
from core.context import Actor
from core.database.decimals import size
from core.database.locks import lock_for_transaction
from core.money import places

LOCK = "discounts"
HUNDRED, PERCENT_PLACES = 100, 2
LONGEST = 120


@transaction.atomic
def create_discount(
    *, actor: Actor, organisation: Organisation, name: str, percent: Decimal | None = None,
    amount: Decimal | None = None, effective_from: date, effective_to: date | None = None,
) -> Discount:  # fmt: skip
    """Off each invoice, before tax: a percentage, or an amount in the organisation's currency. Raises ``BadInput``.

    An organisation may have several at once: percentages do not compound, and together they never take more than all.
    """
    given: dict[str, Any] = {
        "percent": percent,
        "amount": amount,
        "effective_from": effective_from,
        "effective_to": effective_to,
    }
    check_not_for_own(actor, organisation)
    check_discount(organisation=organisation, name=name, **given)
    row = Discount.objects.create(organisation=organisation, name=name.strip(), set_by=actor.name[:64], **given)
    extra = {"name": row.name, "currency": organisation.currency, **given}
    audit.record(actor=actor, action="discount_create", target=organisation.name, entity=row, extra=extra)
    return row


def check_discount(
    *, organisation: Organisation, name: str, percent: Decimal | None, amount: Decimal | None, effective_from: date,
    effective_to: date | None,
) -> None:  # fmt: skip
    """Raises ``BadInput`` with what is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        wrong["name"] = [_("A name of at most %(n)d characters is wanted; it stands on the invoice.") % {"n": LONGEST}]
    wrong |= _wrong_size(percent, amount, organisation.currency)
    if effective_from.year not in YEARS:
        wrong["effective_from"] = [_("A year from 2000 to 2199 is wanted.")]
    if effective_to is not None and effective_to < effective_from:
        wrong["effective_to"] = [_("The last day lies before the first.")]
    refuse(wrong)


@transaction.atomic
def end_discount(*, actor: Actor, discount: Discount, last_day: date) -> bool:
    """False when it ends on that day already. Raises ``BadInput`` for a day that lies before its first, beyond its
    end, or before a month that is invoiced with it."""
    lock_for_transaction(LOCK)
    row = Discount.objects.select_for_update().get(pk=discount.pk)
    check_not_for_own(actor, row.organisation)
    change = end_on(row, last_day, lambda: last_use_of_discount(row))
    if change is None:
        return False
    discount.effective_to = last_day
    audit.record(
        actor=actor, action="discount_end", target=str(row.organisation), entity=row, extra={"name": row.name},
        changes={"effective_to": change},
    )  # fmt: skip
    return True


def _wrong_size(percent: Decimal | None, amount: Decimal | None, currency: str) -> dict[str, list[str]]:
    if (percent is None) == (amount is None):
        return {"percent": [_("Give a percentage or an amount, not both.")]}
    if percent is not None:
        fits = percent.is_finite() and 0 < percent <= HUNDRED and size(percent)[1] <= PERCENT_PLACES
        return {} if fits else {"percent": [_("More than 0, at most 100, with at most 2 decimal places.")]}
    value, decimals = amount or Decimal(0), places(currency)
    fits = value.is_finite() and value > 0 and size(value)[0] <= FEE_DIGITS and size(value)[1] <= decimals
    words = _("An amount above 0 with at most %(places)d decimal places (%(currency)s).")
    return {} if fits else {"amount": [words % {"places": decimals, "currency": currency}]}
