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
    ("alerts/raised/", "usage.AlertHistory", "uuid"), ("alerts/", "usage.AlertRule", "uuid"),
    ("webhooks/", "accounts.WebhookEndpoint", "uuid"), ("organisations/", "accounts.Organisation", "uuid"),
    ("keys/", "accounts.ApiKey", "pk"), ("payments/receipt/", "billing.Receipt", "pk"),
    ("payments/", "payments.Payment", "pk"),
    ("api/v1/jobs/", "usage.Job", "pk"), ("api/v1/receipts/", "billing.Receipt", "pk"),
    ("api/v1/subscriptions/", "subscriptions.Subscription", "uuid"), ("api/v1/invoices/", "billing.Invoice", "uuid"),
    ("api/v1/usage-prices/", "billing.PricingPlan", "pk"), ("api/v1/models/", "subscriptions.AiModel", "pk"),
    ("api/v1/plans/", "subscriptions.Plan", "code"), ("api/v1/alerts/history/", "usage.AlertHistory", "uuid"),
    ("api/v1/alerts/", "usage.AlertRule", "uuid"), ("api/v1/quota/reservations/", "usage.QuotaReservation", "uuid"),
    ("api/v1/keys/", "accounts.ApiKey", "pk"), ("api/v1/organisations/", "accounts.Organisation", "uuid"),
    ("api/v1/projects/", "accounts.Project", "uuid"), ("api/v1/webhooks/", "accounts.WebhookEndpoint", "uuid"),
    ("admin/saved-filters/", "hpcbilling.SavedFilter", "pk"),
]  # fmt: skip
# Arguments after the first, and those without an object.
OTHERS = {
    "<int:number>": lambda world: "1",
    "<uuid:invitation>": lambda world: world.row("accounts.Invitation").uuid,
    "<uuid:project>": lambda world: world.row("accounts.Project").uuid,
    "<str:username>": lambda world: "guest",
    "<slug:token>": lambda world: world.invitation or "x" * 43,
    "<slug:provider_name>": lambda world: "dummy",
    "<slug:name>": lambda world: "receipts",
    "<path:content_type_id>": lambda world: "1",
    "<path:object_id>": lambda world: "1",
    "<int:year>": lambda world: "2026",
}
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
    console = _CONSOLE.match(route)

    def fill(match: re.Match[str]) -> str:
        text = match[0]
        if next(count) == 0 and text not in ("<int:year>", "<slug:token>", "<slug:provider_name>", "<slug:name>"):
            if console and text != "<path:content_type_id>":
                return (
                    "no-such"
                    if absent and "path" in text
                    else str(
                        ABSENT_NUMBER if absent else quote(str(_console_row(world, *console.groups()).pk), safe="")
                    )
                )
            found = next(((label, name) for start, label, name in FIRST if route.startswith(start)), None)
            if found:
                if absent:
                    return {"<uuid:uuid>": ABSENT_UUID, "<slug:code>": "none", "<path:pk>": "none"}.get(
                        text, str(ABSENT_NUMBER)
                    )
                return str(getattr(world.row(found[0]), found[1]))
        if console and text == "<path:object_id>":
            return "1"
        if text == "<int:pk>":
            return str(world.row("accounts.WebhookDelivery").pk)
        if text == "<int:number>" and "closedmonth" in route:
            return "8"
        return str(OTHERS[text](world))

    return fill


def _console_row(world: World, app: str, name: str) -> Any:
    model = next(each for each in admin.site._registry if each._meta.app_label == app and each._meta.model_name == name)
    return world.row(model._meta.label)
