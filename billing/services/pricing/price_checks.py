"""What a price of usage may say, field by field. Pure checks: they read no row and write none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from django.utils.translation import gettext as _

from accounts.models import Organisation
from billing.charging import NOUGHT, Step
from billing.models import ChargeModel, Quantity
from core.database.decimals import PLACES, size
from core.errors import BadInput
from core.money import is_currency

PRICE_DIGITS = 21  # before the point
FEE_DIGITS, FEE_PLACES = 11, 4  # 15 in all: as many as SQLite keeps exactly
MOST_STEPS = 100
LONGEST = {"metric_name": 120, "unit": 40, "model_id": 255, "description": 200, "description_th": 200}
YEARS = range(2000, 2200)
STEPPED = (ChargeModel.GRADUATED, ChargeModel.VOLUME)
Wrong = tuple[str, str]  # field, words


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a price says. ``price_per_unit`` of a package price is the price of one package."""

    metric_name: str
    currency: str
    effective_from: date
    organisation: Organisation | None = None
    quantity: str = Quantity.VALUE
    unit: str = ""
    model_id: str = ""
    charge_model: str = ChargeModel.STANDARD
    price_per_unit: Decimal | None = None
    package_size: Decimal | None = None
    steps: tuple[Step, ...] = ()
    minimum_charge: Decimal = NOUGHT
    description: str = ""
    description_th: str = ""


def check_price(price: NewPrice) -> None:
    """Raises ``BadInput`` with everything that is wrong, by field."""
    by_field: dict[str, list[str]] = {}
    for field, words in _all(price):
        by_field.setdefault(field, []).append(words)
    refuse(by_field)


def refuse(by_field: dict[str, list[str]]) -> None:
    """Raises ``BadInput`` unless there is nothing wrong."""
    if by_field:
        raise BadInput("; ".join(words for each in by_field.values() for words in each), errors=by_field)


def _all(price: NewPrice) -> Iterator[Wrong]:
    yield from _texts(price)
    if price.quantity not in Quantity.values:
        yield "quantity", _("Choose what is priced.")
    if not is_currency(price.currency):
        yield "currency", _("Three capital letters of a currency, such as THB.")
    if price.effective_from.year not in YEARS:
        yield "effective_from", _("A year from 2000 to 2199 is wanted.")
    yield from _money("minimum_charge", price.minimum_charge, FEE_DIGITS, FEE_PLACES)
    if price.charge_model in STEPPED:
        yield from _stepped(price)
    elif price.charge_model in ChargeModel.values:
        yield from _by_unit(price)
    else:
        yield "charge_model", _("Choose a charge model.")


def _texts(price: NewPrice) -> Iterator[Wrong]:
    if not price.metric_name.strip():
        yield "metric_name", _("Name the metric.")
    for name, most in LONGEST.items():
        text = getattr(price, name)
        if len(text) > most:
            yield name, _("At most %(n)d characters.") % {"n": most}
        elif text != text.strip() or not (text.isprintable() or not text):
            yield name, _("Printable characters without blanks around them are wanted.")


def _money(field: str, value: Decimal, digits: int = PRICE_DIGITS, places: int = PLACES) -> Iterator[Wrong]:
    if not value.is_finite() or value < 0:
        yield field, _("A number of 0 or more is wanted.")
        return
    whole, behind = size(value)
    if whole > digits or behind > places:
        words = _("At most %(digits)d digits before the point and %(places)d behind it.")
        yield field, words % {"digits": digits, "places": places}


def _by_unit(price: NewPrice) -> Iterator[Wrong]:
    if price.price_per_unit is None:
        yield "price_per_unit", _("This charge model wants a price.")
    else:
        yield from _money("price_per_unit", price.price_per_unit)
    if price.steps:
        yield "steps", _("This charge model has no steps.")
    if price.charge_model != ChargeModel.PACKAGE:
        if price.package_size is not None:
            yield "package_size", _("Only a price by packages has a package size.")
    elif price.package_size is None or not price.package_size.is_finite() or price.package_size <= 0:
        yield "package_size", _("Say how many units are in a package.")
    else:
        yield from _money("package_size", price.package_size)


def _stepped(price: NewPrice) -> Iterator[Wrong]:
    for field in ("price_per_unit", "package_size"):
        if getattr(price, field) is not None:
            yield field, _("With steps, the steps say the prices; leave this empty.")
    steps = price.steps
    if not steps or steps[-1].up_to is not None:
        yield "steps", _("The last step is open: leave its end empty.")
    if len(steps) > MOST_STEPS:
        yield "steps", _("At most %(n)d steps.") % {"n": MOST_STEPS}
        return
    for step in steps:
        yield from _money("steps", step.price_per_unit)
        yield from _money("steps", step.flat_fee, FEE_DIGITS, FEE_PLACES)
    yield from _ends(steps)


def _ends(steps: tuple[Step, ...]) -> Iterator[Wrong]:
    ends = [step.up_to for step in steps[:-1]]
    if any(end is None or not end.is_finite() or end <= 0 for end in ends):
        yield "steps", _("Only the last step is open; the others end above 0.")
        return
    known = [end for end in ends if end is not None]
    for end in known:
        yield from _money("steps", end)
    if any(upper <= lower for lower, upper in pairwise(known)):
        yield "steps", _("Each step ends above the one before it.")
