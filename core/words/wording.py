"""Numbers, money and days as people read them, in the language of the page."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, get_currency_symbol
from django.utils import timezone
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as _

from core.context import SYSTEM
from core.money import HOUR_PLACES, places

MINUS = "\u2212"
NARROW_SPACE = "\u00a0"
BUDDHIST_ERA = 543
DIGITS = 100  # metered quantities have up to forty


@lru_cache
def _locale(language: str) -> Locale:
    return Locale.parse("th_TH" if language.startswith("th") else "en_GB")


def locale() -> Locale:
    """Babel's locale of the active language; English days are written the British way."""
    return _locale(get_language() or "en")


def is_thai() -> bool:
    return locale().language == "th"


def decimal_text(value: Decimal, least: int, most: int | None = None) -> str:
    """``1,234.50``: grouped, between ``least`` and ``most`` places, with a true minus."""
    pattern = "#,##0" + ("." + "0" * least + "#" * ((most or least) - least) if (most or least) else "")
    with localcontext(prec=DIGITS):
        text = format_decimal(value, format=pattern, locale=locale(), decimal_quantization=True)
    return text.replace("-", MINUS)


def quantity_text(value: Decimal | int, places: int = 9) -> str:
    """``1,234.5``: a metered quantity, grouped, without noughts at its end."""
    return decimal_text(Decimal(value), 0, places)


def currency_sign(currency: str) -> str:
    """``THB`` in English, ``฿`` in Thai."""
    return currency if not is_thai() else get_currency_symbol(currency, locale=locale())


def money_text(value: Decimal | int, currency: str = "") -> str:
    """``1,234.50`` without a currency (for table columns), ``THB 1,234.50`` with one."""
    amount = decimal_text(Decimal(value), places(currency) if currency else 2)
    return f"{currency_sign(currency)}{NARROW_SPACE}{amount}" if currency else amount


def rate_text(value: Decimal) -> str:
    """A price per hour: at least 2 places, as many as were set."""
    return decimal_text(Decimal(value), 2, 6)


def hours_text(value: Decimal | int, decimals: int = 2) -> str:
    """Hours at 2 places for reading, at 4 where the arithmetic is shown."""
    return decimal_text(Decimal(value), min(decimals, HOUR_PLACES))


def day_text(value: date | datetime | None) -> str:
    """``20 Nov 2026``; in Thai with the Buddhist year, ``20 พ.ย. 2569``."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = timezone.localtime(value, timezone.get_default_timezone()).date()
    if is_thai():
        return f"{format_date(value, 'd MMM', locale=locale())} {value.year + BUDDHIST_ERA}"
    return format_date(value, "d MMM y", locale=locale()).replace("Sept", "Sep")


def month_text(value: date) -> str:
    """``October 2026``; ``ตุลาคม 2569``."""
    year = value.year + (BUDDHIST_ERA if is_thai() else 0)
    return f"{format_date(value, 'LLLL', locale=locale())} {year}"


def short_day_text(value: date) -> str:
    """``20 Nov``, for axes."""
    return format_date(value, "d MMM", locale=locale()).replace("Sept", "Sep")


def moment_text(value: datetime | None) -> str:
    """``20 Nov 2026, 14:05 UTC+7``: the site's own time, with the zone said."""
    if value is None:
        return ""
    local = timezone.localtime(value, timezone.get_default_timezone())
    clock = format_time(local, "HH:mm", locale=locale())
    zone = zone_text(local)
    return f"{day_text(local)} {clock} น. ({zone})" if is_thai() else f"{day_text(local)}, {clock} {zone}"


def actor_text(actor: str) -> str:
    """Who did something, in words where it was no person."""
    if actor.startswith("provider:"):
        return _("payment service")
    return _("automatically") if actor == SYSTEM.name else actor


def site_zone_text() -> str:
    """``Asia/Bangkok (UTC+7)``: the zone whose days and months the site counts."""
    zone = timezone.get_default_timezone()
    return f"{timezone.get_default_timezone_name()} ({zone_text(timezone.localtime(timezone=zone))})"


def zone_text(local: datetime) -> str:
    """``UTC+7``: how far the clock of an aware moment is from UTC."""
    offset = local.utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}" + (f":{rest:02d}" if rest else "")


def about(thing: object, words: str) -> str:
    """``RC-1: no money has come.``; words that name the thing themselves stand as they are."""
    name = str(thing)
    named = re.search(rf"(?<![0-9A-Za-z#]){re.escape(name)}(?!-?[0-9A-Za-z])", words)
    return words if named else f"{name}: {words}"


# Units of the meters and quotas that come with the product; of a site's own, its words.
UNITS = {
    "job": pgettext_lazy("unit", "job"),
    "jobs": pgettext_lazy("unit", "jobs"),
    "requests": pgettext_lazy("unit", "requests"),
    "request": pgettext_lazy("unit", "request"),
    "tokens": pgettext_lazy("unit", "tokens"),
    "token": pgettext_lazy("unit", "token"),
    "page": pgettext_lazy("unit", "page"),
    "pages": pgettext_lazy("unit", "pages"),
    "call": pgettext_lazy("unit", "call"),
    "calls": pgettext_lazy("unit", "calls"),
    "event": pgettext_lazy("unit", "event"),
    "events": pgettext_lazy("unit", "events"),
    "image": pgettext_lazy("unit", "image"),
    "images": pgettext_lazy("unit", "images"),
    "character": pgettext_lazy("unit", "character"),
    "characters": pgettext_lazy("unit", "characters"),
    "second": pgettext_lazy("unit", "second"),
    "seconds": pgettext_lazy("unit", "seconds"),
    "minute": pgettext_lazy("unit", "minute"),
    "minutes": pgettext_lazy("unit", "minutes"),
    "hour": pgettext_lazy("unit", "hour"),
    "hours": pgettext_lazy("unit", "hours"),
    "day": pgettext_lazy("unit", "day"),
    "days": pgettext_lazy("unit", "days"),
    "month": pgettext_lazy("unit", "month"),
    "months": pgettext_lazy("unit", "months"),
    "byte": pgettext_lazy("unit", "byte"),
    "bytes": pgettext_lazy("unit", "bytes"),
    "core": pgettext_lazy("unit", "core"),
    "cores": pgettext_lazy("unit", "cores"),
    "node": pgettext_lazy("unit", "node"),
    "nodes": pgettext_lazy("unit", "nodes"),
}
# What has one spelling in every language.
SYMBOLS = {
    name.lower(): name for name in ("CPU", "vCPU", "GPU", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB")
}


def unit_text(unit: str) -> str:
    """Units as people read them: ``cpu_second`` is a CPU-second. Words that nobody here knows stay, without their
    underscores."""
    if unit in UNITS:
        return str(UNITS[unit])
    parts = unit.replace("-", "_").split("_")
    found = [_unit_word(part) for part in parts]
    if len(parts) > 1 and all(found):
        return "-".join(filter(None, found))
    return SYMBOLS.get(unit.lower(), unit.replace("_", " "))


def _unit_word(part: str) -> str:
    return SYMBOLS.get(part.lower()) or str(UNITS.get(part.lower(), ""))
