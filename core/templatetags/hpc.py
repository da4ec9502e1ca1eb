"""Template words: money, hours, days, icons, status chips."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.contrib.admin.helpers import AdminReadonlyField
from django.forms import BoundField
from django.http import QueryDict
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core import icons
from core.money import places
from core.words import wording
from core.words.browsers import browser_name

register = template.Library()
MOST_PLACES = 12

# What each state looks like: (tone, icon). A word always stands beside it.
LOOKS = {
    "pending": ("warn", "clock"),
    "test": ("warn", "alert"),
    "paid": ("good", "check"),
    "refunded": ("", "ban"),
    "void": ("struck", "ban"),
    "submitted": ("warn", "clock"),
    "accepted": ("good", "check"),
    "rejected": ("bad", "close"),
    "requested": ("warn", "clock"),
    "billed": ("info", "receipt"),
    "unbilled": ("", "open"),
    "unpriced": ("warn", "alert"),
    "free": ("", "gift"),
    "zero": ("", "dash"),
    "running": ("", "play"),
    "held": ("warn", "alert"),
    "no_end": ("warn", "clock"),
    "quarantined": ("warn", "alert"),
    "done": ("good", "check"),
    "partial": ("warn", "alert"),
    "failed": ("bad", "close"),
    "authorized": ("warn", "clock"),
    "succeeded": ("good", "check"),
    "canceled": ("", "ban"),
    "needs_review": ("bad", "alert"),
    "received": ("warn", "clock"),
    "processed": ("good", "check"),
    "ignored": ("", "dash"),
    "mismatch": ("bad", "alert"),
    "disputed": ("bad", "alert"),
    "won": ("good", "check"),
    "lost": ("bad", "close"),
    "open": ("warn", "clock"),
    "queued": ("", "clock"),
    "approved": ("good", "check"),
    "declined": ("", "ban"),
    "released": ("good", "check"),
    "dismissed": ("", "ban"),
    "matched": ("good", "check"),
    "equal": ("good", "check"),
    "differs": ("warn", "alert"),
    "trial": ("info", "play"),
    "active": ("good", "check"),
    "past_due": ("warn", "alert"),
    "suspended": ("warn", "alert"),
    "expired": ("", "ban"),
    "sent": ("good", "check"),
    "acknowledged": ("", "check"),
    "draft": ("", "open"),
    "finalized": ("warn", "clock"),
    "overdue": ("bad", "alert"),
}


@register.filter
def money(value: Decimal | None, currency: str = "") -> str:
    return "" if value is None else wording.money_text(value, currency)


@register.filter
def figure(value: Decimal | None, currency: str) -> str:
    """Money with the places of its currency, which stands elsewhere: in the head of the column."""
    return "" if value is None else wording.decimal_text(Decimal(value), places(currency))


@register.filter
def readonly(field: AdminReadonlyField) -> Any:
    """What a form shows and does not let change; an amount with the places of the currency that its row has."""
    row, name = field.form.instance, field.field["name"]
    value = getattr(row, name, None) if isinstance(name, str) else None
    if isinstance(value, Decimal) and (currency := getattr(row, "currency", "")):
        return wording.decimal_text(value, places(currency), MOST_PLACES)
    return field.contents()


@register.simple_tag
def amount(value: Decimal | None, currency: str) -> SafeString:
    """Money with a small currency sign before it: for large type."""
    number = wording.decimal_text(Decimal(value or 0), places(currency))
    return format_html(
        '<span class="amount"><span class="cur">{}</span>{}</span>', wording.currency_sign(currency), number
    )


@register.filter
def of(words: dict[str, str], key: str) -> str:
    """The word for a key; the key itself without one."""
    return words.get(key, key)


@register.filter
def hours(value: Decimal | None, decimals: int = 2) -> str:
    return "" if value is None else wording.hours_text(value, int(decimals))


@register.filter
def count(value: int | None) -> str:
    return wording.decimal_text(Decimal(value or 0), 0)


@register.filter
def quantity(value: Decimal | int | None, places: int = 9) -> str:
    return "" if value is None else wording.quantity_text(value, places)


@register.filter
def rate(value: Decimal) -> str:
    return wording.rate_text(value)


@register.filter
def token_price(value: Decimal) -> str:
    """A price of 1,000 tokens: as many places as were set."""
    return wording.decimal_text(Decimal(value), 2, 9)


@register.filter
def day(value: date | datetime | None) -> str:
    return wording.day_text(value)


@register.filter
def month(value: date) -> str:
    return wording.month_text(value)


@register.filter
def short_day(value: date) -> str:
    return wording.short_day_text(value)


@register.filter
def person(actor: str) -> str:
    return wording.actor_text(actor)


@register.filter
def browser(agent: str) -> str:
    return browser_name(agent)


@register.filter
def moment(value: datetime | None) -> str:
    return wording.moment_text(value)


@register.simple_tag
def site_zone() -> str:
    return wording.site_zone_text()


@register.simple_tag
def password_help(field: BoundField, text: str, warning: str) -> str:
    """Django puts this help together when it is imported, so it never follows the reader; its script shows the list."""
    markup = '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>'
    field.help_text = format_html(markup, text, warning)
    return ""


@register.simple_tag
def asset(path: str) -> str:
    """The address of a file of ours. Without a manifest (nobody ran collectstatic) an error page still shows."""
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.simple_tag
def icon(name: str) -> SafeString:
    return icons.icon(name)


@register.simple_tag
def meter(percent: int) -> SafeString:
    """A short bar beside a number that says the same; more than 100 fills it."""
    filled = max(0, min(int(percent), 100))
    return format_html(
        '<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="rest" width="100" height="4" rx="2"/><rect class="part" width="{}" height="4" rx="2"/></svg>',
        filled,
    )


@register.simple_tag
def status_chip(status: str, label: object) -> SafeString:
    """Word and icon in the tone of the state; colour alone never carries it."""
    tone, name = LOOKS.get(status, ("", "open"))
    return format_html('<span class="chip {}">{}<span class="word">{}</span></span>', tone, icons.icon(name), label)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The query string of this page with some parameters set, or dropped when empty."""
    data: QueryDict = context["request"].GET.copy()
    for name, value in changes.items():
        data.pop(name, None)
        if value not in ("", None):
            data[name] = str(value)
    return "?" + data.urlencode()


@register.simple_tag(takes_context=True)
def query_of(context: template.Context, *names: str) -> str:
    """The query string of this page with nothing but these parameters: what its files understand."""
    data: QueryDict = context["request"].GET.copy()
    for name in set(data) - set(names):
        del data[name]
    return "?" + data.urlencode()


@register.filter
def unit(name: str) -> str:
    """``tokens`` in the language of the page; a unit that is the site's own as it stands."""
    return wording.unit_text(name)
