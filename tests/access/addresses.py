"""From a route (as the resolver spells it) to an address of an object in the world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.urls import URLPattern, get_resolver

from tests.access.world import World

ABSENT_UUID = "00000000-0000-4000-8000-000000000000"
ABSENT_NUMBER = 999_999
# Whose row the first argument below this beginning is, and the field that names it there.
FIRST = [
    ("usage/", "usage.Job", "pk"), ("receipts/", "billing.Receipt", "pk"), ("projects/", "accounts.Project", "pk"),
    ("subscriptions/", "subscriptions.Subscription", "uuid"), ("invoices/", "billing.Invoice", "uuid"),
    ("credit-notes/", "billing.CreditNote", "uuid"), ("api/v1/credit-notes/", "billing.CreditNote", "uuid"),
    ("alerts/raised/", "usage.AlertHistory", "uuid"), ("alerts/", "usage.AlertRule", "uuid"),
    ("webhooks/", "accounts.WebhookEndpoint", "uuid"), ("organisations/", "accounts.Organisation", "uuid"),
    ("keys/", "accounts.ApiKey", "pk"), ("payments/receipt/", "billing.Receipt", "pk"),
    ("payments/invoice/", "billing.Invoice", "uuid"),
    ("payments/", "payments.Payment", "pk"), ("api/v1/test-clocks/", "accounts.TestClock", "uuid"),
    ("api/v1/jobs/", "usage.Job", "pk"), ("api/v1/receipts/", "billing.Receipt", "pk"),
    ("api/v1/subscriptions/", "subscriptions.Subscription", "uuid"), ("api/v1/invoices/", "billing.Invoice", "uuid"),
    ("api/v1/usage-prices/", "billing.PricingPlan", "pk"),
    ("api/v1/discounts/", "billing.Discount", "pk"), ("api/v1/tax-rules/", "billing.TaxRule", "pk"),
    ("api/v1/invoice-templates/", "billing.InvoiceTemplate", "pk"), ("api/v1/models/", "subscriptions.AiModel", "pk"),
    ("api/v1/plans/", "subscriptions.Plan", "code"), ("api/v1/alerts/history/", "usage.AlertHistory", "uuid"),
    ("api/v1/alerts/", "usage.AlertRule", "uuid"), ("api/v1/quota/reservations/", "usage.QuotaReservation", "uuid"),
    ("api/v1/keys/", "accounts.ApiKey", "pk"), ("api/v1/organisations/", "accounts.Organisation", "uuid"),
    ("api/v1/projects/", "accounts.Project", "uuid"), ("api/v1/webhooks/", "accounts.WebhookEndpoint", "uuid"),
    ("admin/saved-filters/", "hpcbilling.SavedFilter", "pk"),
    ("prepared/", "accounts.Work", "pk"),
]  # fmt: skip
# Arguments after the first, and those without an object.
OTHERS = {
    "<int:number>": lambda world: "1",
    "<uuid:invitation>": lambda world: world.row("accounts.Invitation").uuid,
    "<uuid:project>": lambda world: world.row("accounts.Project").uuid,
    "<str:username>": lambda world: "guest",
    "<slug:token>": lambda world: world.invitation or "x" * 43,
    "<slug:uid>": lambda world: "YWxpY2U",
    "<slug:provider_name>": lambda world: "dummy",
    "<slug:name>": lambda world: "receipts",
    "<path:content_type_id>": lambda world: "1",
    "<path:object_id>": lambda world: "1",
    "<int:year>": lambda world: "2026",
    "<str:kind>": lambda world: "csv",
}
NO_OBJECTS = (
    "<int:year>",
    "<slug:token>",
    "<slug:uid>",
    "<slug:provider_name>",
    "<slug:name>",
    "<path:content_type_id>",
)
ABSENT = {"<uuid:uuid>": ABSENT_UUID, "<slug:code>": "none", "<path:pk>": "none", "<path:object_id>": "no-such"}
_ARGUMENT = re.compile(r"<(?:\w+:)?\w+>")
_CONSOLE = re.compile(r"admin/(\w+)/(\w+)/")


def routes() -> Iterator[tuple[str, URLPattern]]:
    """Every route of the site, spelled as one text, with its pattern; where two are spelled alike, the first counts."""
    seen = set()
    for route, pattern in _walk(get_resolver().url_patterns, ""):
        if route not in seen:
            seen.add(route)
            yield route, pattern


def _walk(patterns: Any, before: str) -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route, each
        else:
            yield from _walk(each.url_patterns, route)


def address(route: str, world: World, *, absent: bool = False) -> str:
    """The address of ``route`` for the world's objects; ``absent``: for a first object that there never was."""
    if route.startswith("admin/^(?P<app_label>"):
        return "/admin/billing/"
    if "(?P<url>" in route:
        return "/admin/no-such-page"
    return "/" + _ARGUMENT.sub(_filler(route, world, absent=absent), route)


def _filler(route: str, world: World, *, absent: bool) -> Any:
    count = iter(range(9))

    def fill(match: re.Match[str]) -> str:
        first = next(count) == 0 and match[0] not in NO_OBJECTS
        label_and_field = _object_of(route) if first else None
        if label_and_field is None:
            return _other(route, match[0], world)
        if absent:
            return ABSENT.get(match[0], str(ABSENT_NUMBER))
        label, name = label_and_field
        return quote(str(getattr(world.row(label), name)), safe="")

    return fill


def _object_of(route: str) -> tuple[str, str] | None:
    """Label of the model and name of the field of the first argument."""
    console = _CONSOLE.match(route)
    if console:
        app, name = console.groups()
        for model, row in admin.site._registry.items():
            if getattr(row, "address", f"{model._meta.app_label}/{model._meta.model_name}") == f"{app}/{name}":
                return model._meta.label, "pk"
        raise AssertionError(f"{route} is no address of the console's models")
    return next(((label, name) for start, label, name in FIRST if route.startswith(start)), None)


def _other(route: str, argument: str, world: World) -> str:
    if argument == "<int:pk>":
        return str(world.row("accounts.WebhookDelivery").pk)
    if argument == "<int:number>" and "/received/" in route:
        return str(world.row("billing.InvoicePayment").pk)
    if argument == "<int:number>" and "closedmonth" in route:
        return "8"
    return str(OTHERS[argument](world))
