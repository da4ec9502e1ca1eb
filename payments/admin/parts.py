"""What the pages about payments share: money, chips, links and the words for a lost answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.console.list_filters import KnownFilter
from core.errors import AppError
from core.money import from_minor
from core.registry import load
from core.templatetags.hpc import status_chip
from core.words.wording import NARROW_SPACE, moment_text, money_text
from payments.details import in_words
from payments.models import Payment, Refund
from payments.payables import payable_of
from payments.providers.errors import ProviderError

T = TypeVar("T")
MOST = 10  # rows at a time about which a provider is asked
NOTHING = "–"


def minor_text(minor: int, currency: str) -> str:
    return money_text(from_minor(minor, currency), currency)


def num(text: str) -> SafeString:
    return format_html('<span class="num">{}</span>', text)


def money_cell(minor: int, currency: str) -> SafeString:
    """Nothing stands out less than a zero."""
    return num(minor_text(minor, currency) if minor else NOTHING)


def chip(status: str, label: object) -> SafeString:
    return status_chip(status, label)


def when(moment: datetime | None) -> str:
    return moment_text(moment) or NOTHING


def document_link(payment: Payment) -> SafeString:
    """What it is for."""
    target = payable_of(payment)
    return format_html('<a href="{}">{}</a>', target.console_url, target)


def payment_link(payment: Payment) -> SafeString:
    where = reverse("admin:payments_payment_change", args=[payment.pk])
    return format_html('<a href="{}">{}</a>', where, payment)


def sender(refund: Refund) -> str:
    """Who sends the money."""
    return _("by hand") if refund.by_hand else _("by the provider")


def asking(call: Callable[[], T]) -> T:
    """Run ``call``; a lost answer of the provider says what that means and what happens next."""
    try:
        return call()
    except ProviderError as error:
        words = _(
            "%(error)s What came of it is not known; the reconciliation that runs every hour finds out. Nothing is"
            " lost or done twice by asking again."
        )
        raise ProviderError(words % {"error": f"{error.message.rstrip('.')}."}) from error


class ConditionFilter(admin.SimpleListFilter):
    """A filter of a few conditions, each a word in the address and a text for people."""

    conditions: dict[str, tuple[str | Promise, Callable[[], Q]]] = {}

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(name, str(label)) for name, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        found = self.conditions.get(self.value() or "")
        return queryset.filter(found[1]()) if found else queryset


def provider_label(name: str) -> str:
    """The provider as people call it; the name alone of one that is set up no more."""
    try:
        return str(load("PAYMENT_PROVIDERS", name).label)
    except AppError:
        return name


# Ways to pay by the names that providers give them; others stay as they are.
_METHODS = {
    "card": gettext_lazy("Card"),
    "checkout": gettext_lazy("Card, UPI or netbanking"),
    "page": gettext_lazy("Demonstration page"),
    "promptpay": gettext_lazy("PromptPay"),
    "transfer": gettext_lazy("Bank transfer"),
}


def method_label(name: str) -> str:
    return str(_METHODS.get(name, name))


def provider_cell(name: str) -> Callable[..., str]:
    """A method of an admin class that shows a provider as people call it."""

    @admin.display(description=gettext_lazy("provider"), ordering=name)
    def cell(self: admin.ModelAdmin, row: object) -> str:
        return provider_label(getattr(row, name))

    return cell


def told(detail: str, payment: Payment | None) -> str:
    """What was written down of a payment; its sums in its currency, where one is known."""
    return in_words(detail, payment.currency if payment else "")


def detail_cell(name: str, label: Any) -> Callable[..., str]:
    """A method of an admin class that shows what was written down, in the language of the reader."""

    @admin.display(description=label, ordering=name)
    def cell(self: admin.ModelAdmin, row: Any) -> str:
        return told(getattr(row, name), row.payment) or NOTHING

    return cell


class ProviderFilter(KnownFilter):
    title, parameter_name = gettext_lazy("provider"), "provider"
    known = staticmethod(lambda: [(name, provider_label(name)) for name in sorted(settings.PAYMENT_PROVIDERS)])


class ProviderOfPaymentFilter(ProviderFilter):
    parameter_name = "payment__provider"


def moment_cell(name: str, label: Any) -> Callable[..., str]:
    """A method of an admin class that shows a moment in the site's time."""

    @admin.display(description=label, ordering=name)
    def cell(self: admin.ModelAdmin, row: object) -> str:
        return when(getattr(row, name))

    return cell


def signed_text(minor: int, currency: str) -> str:
    """With a plus or a true minus before the number."""
    sign, _space, amount = minor_text(minor, currency).rpartition(NARROW_SPACE)
    return f"{sign}{NARROW_SPACE}{'+' if minor > 0 else ''}{amount}"
