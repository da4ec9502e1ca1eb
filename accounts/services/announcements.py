"""Telling the programs of customers what happened: messages to every address that asked for their kind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.models import WebhookDelivery, WebhookEndpoint, WebhookKind
from accounts.services.webhooks import body_of


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something that happened to what an organisation or a user holds: keys of either, or both. ``data`` is called for
    what the message says, where anybody wants to hear it: most have no address.

    ``message_id`` stays the same at all addresses; one that says what it is about is never told twice to one address.
    """

    kind: str
    data: Callable[[], Mapping[str, Any]]
    organisation_id: int | None = None
    user_id: str | None = None
    message_id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")


def announce(announcements: Iterable[Announcement]) -> int:
    """Queue them in the caller's transaction: two statements, however many there are. How many messages that makes."""
    told = list(announcements)
    if not told:
        return 0
    owners = Q(organisation_id__in={each.organisation_id for each in told if each.organisation_id})
    owners |= Q(user_id__in={each.user_id for each in told if each.user_id})
    endpoints = WebhookEndpoint.objects.filter(owners, is_active=True)
    wanted = WebhookKind.objects.filter(kind__in={each.kind for each in told}, endpoint__in=endpoints.values("pk"))
    by_kind: dict[str, list[tuple[int, int | None, str | None]]] = {}
    rows = wanted.order_by("endpoint").values_list("kind", "endpoint", "endpoint__organisation", "endpoint__user")
    for kind, endpoint, organisation, user in rows:
        by_kind.setdefault(kind, []).append((endpoint, organisation, user))
    now, messages = timezone.now(), list[WebhookDelivery]()
    for each in told:
        takers = [
            endpoint
            for endpoint, organisation, user in by_kind.get(each.kind, ())
            if (organisation is not None and organisation == each.organisation_id)
            or (user is not None and user == each.user_id)
        ]
        body = body_of(each.kind, now, each.data()) if takers else ""
        messages += [
            WebhookDelivery(endpoint_id=endpoint, message_id=each.message_id, event_type=each.kind, body=body)
            for endpoint in takers
        ]
    WebhookDelivery.objects.bulk_create(messages, ignore_conflicts=True)
    return len(messages)
