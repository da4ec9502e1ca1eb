"""Addresses that get signed messages, and putting messages into the queue for them."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import outside, webhook_kinds
from accounts.models import (
    DELIVERY_TRANSITIONS,
    DeliveryStatus,
    Organisation,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookKind,
)
from audit import services as audit
from core import sealing
from core.context import Actor
from core.errors import BadInput, Conflict
from core.lines import checked_line
from core.states import transition

OVERLAP = timedelta(hours=24)  # how long the former secret still signs
MOST_ENDPOINTS = 20  # of one owner
LARGEST = 64 << 10  # bytes of a message
LONGEST_DESCRIPTION = 200


class EndpointOff(Conflict):
    code = "webhook_off"


class BeingSent(Conflict):
    """A sender holds the message now: look again in a minute."""

    code = "being_sent"


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def create_endpoint(
    *, actor: Actor, url: str, description: str = "", organisation: Organisation | None = None,
    user: User | None = None, kinds: Iterable[str] = (),
) -> WebhookEndpoint:  # fmt: skip
    """A new address of one owner; its ``signing_secret`` is for showing once. ``kinds``: of
    ``accounts.webhook_kinds``, which messages it wants. Raises ``OutsideRefused``, ``BadInput``."""
    if (organisation is None) == (user is None):
        raise BadInput(_("An address belongs to an organisation or to a user."), field="organisation")
    url, wanted = _checked(url, description), _known(kinds)
    with transaction.atomic():
        owned = WebhookEndpoint.objects.filter(organisation=organisation, user=user)
        if owned.filter(is_active=True).count() >= MOST_ENDPOINTS:
            raise Conflict(_("There are %(n)d addresses already; switch one off first.") % {"n": MOST_ENDPOINTS})
        endpoint = WebhookEndpoint.objects.create(
            organisation=organisation, user=user, url=url, description=description.strip(),
            secret=sealing.seal(new_secret()), created_by=actor.name,
        )  # fmt: skip
        WebhookKind.objects.bulk_create([WebhookKind(endpoint=endpoint, kind=kind) for kind in wanted])
        endpoint.refresh_from_db()
        _record(actor, "webhook_create", endpoint, url=[None, url], kinds=[[], wanted])
    return endpoint


def change_endpoint(
    *, actor: Actor, endpoint: WebhookEndpoint, url: str, description: str, kinds: Iterable[str] | None = None
) -> None:
    """Another address or description; the secret stays, and so do its kinds where none are given. Raises
    ``OutsideRefused``, ``BadInput``."""
    new = {"url": _checked(url, description), "description": description.strip()}
    wanted = None if kinds is None else _known(kinds)
    with transaction.atomic():
        row = _locked(endpoint)
        changes: dict[str, Any] = {
            name: [getattr(row, name), value] for name, value in new.items() if getattr(row, name) != value
        }
        before = kinds_of(row)
        if wanted is not None and wanted != before:
            changes["kinds"] = [before, wanted]
            WebhookKind.objects.filter(endpoint=row).exclude(kind__in=wanted).delete()
            added = [WebhookKind(endpoint=row, kind=kind) for kind in wanted if kind not in before]
            WebhookKind.objects.bulk_create(added)
        if changes:
            WebhookEndpoint.objects.filter(pk=row.pk).update(**new)
            _record(actor, "webhook_change", row, **changes)
    endpoint.refresh_from_db()


def kinds_of(endpoint: WebhookEndpoint) -> list[str]:
    """The kinds of messages that an address has asked for, by name."""
    return sorted(WebhookKind.objects.filter(endpoint=endpoint).values_list("kind", flat=True))


def _known(kinds: Iterable[str]) -> list[str]:
    wanted, known = sorted(set(kinds)), webhook_kinds.known()
    if strange := [kind for kind in wanted if kind not in known]:
        words = _("There is no kind of message %(kind)s.")
        raise BadInput(words % {"kind": strange[0][:60]}, field="kinds")
    return wanted


def rotate_secret(*, actor: Actor, endpoint: WebhookEndpoint, overlap: timedelta = OVERLAP) -> str:
    """A new secret, shown once. Until ``overlap`` is over both sign, so that the receiver can change in peace."""
    with transaction.atomic():
        row = _locked(endpoint)
        until = timezone.now() + overlap
        WebhookEndpoint.objects.filter(pk=row.pk).update(
            secret=sealing.seal(secret := new_secret()), old_secret=row.secret, old_secret_until=until
        )
        _record(actor, "webhook_rotate", row, old_secret_until=[None, until])
    endpoint.refresh_from_db()
    return secret


def switch_on(*, actor: Actor, endpoint: WebhookEndpoint) -> bool:
    """Messages go there again; what was given up meanwhile can be sent again one by one."""
    outside.check(endpoint.url)
    with transaction.atomic():
        on = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=False).update(is_active=True, failures=0)
        if on:
            _record(actor, "webhook_on", endpoint, is_active=[False, True])
    endpoint.refresh_from_db()
    return bool(on)


def switch_off(*, actor: Actor, endpoint: WebhookEndpoint, failures: int = 0) -> bool:
    """Nothing goes there any more, and what waits is given up. ``failures`` stay on it when these were the reason."""
    with transaction.atomic():
        off = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True).update(is_active=False, failures=failures)
        if off:
            for row in WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING):
                transition(row, DeliveryStatus.FAILED, table=DELIVERY_TRANSITIONS, claimed_until=None)
            _record(actor, "webhook_off", endpoint, is_active=[True, False], failures=[0, failures])
    endpoint.refresh_from_db()
    return bool(off)


def queue_message(
    *, endpoint: WebhookEndpoint, event_type: str, data: Mapping[str, Any], message_id: str | None = None
) -> WebhookDelivery:
    """Write a message in the caller's transaction; ``send_webhooks`` sends it.

    The same ``message_id`` is queued once an endpoint: a repeat gives the row that there is. Raises ``EndpointOff``.
    """
    if not WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True).exists():
        raise EndpointOff(_("The webhook address %(url)s is switched off.") % {"url": endpoint.url})
    body = body_of(event_type, timezone.now(), data)
    row, _made = WebhookDelivery.objects.get_or_create(
        endpoint=endpoint, message_id=message_id or f"msg_{uuid.uuid4().hex}",
        defaults={"event_type": event_type, "body": body},
    )  # fmt: skip
    return row


def body_of(event_type: str, moment: datetime, data: Mapping[str, Any]) -> str:
    """As Standard Webhooks have it: type, timestamp, data. Decimals travel as text."""
    text = json.dumps(
        {"type": event_type, "timestamp": moment, "data": dict(data)}, cls=DjangoJSONEncoder, ensure_ascii=False,
        separators=(",", ":"), allow_nan=False,
    )  # fmt: skip
    if len(text.encode()) > LARGEST:
        raise BadInput(_("The message is larger than %(n)d bytes.") % {"n": LARGEST}, field="data")
    return text


def replay(*, actor: Actor, delivery: WebhookDelivery) -> bool:
    """Send a message (again) that was delivered, given up, or waits for its next try: the same id, all its tries, now.

    False when it is due already and nothing is gained. Raises ``EndpointOff``, and ``BeingSent`` while it is under way.
    """
    with transaction.atomic():
        if not _locked(delivery.endpoint).is_active:
            raise EndpointOff(_("The address is switched off; switch it on first."))
        fresh = {"attempts": 0, "next_attempt_at": timezone.now(), "claimed_until": None, "sent_at": None}
        moved = transition(delivery, DeliveryStatus.PENDING, table=DELIVERY_TRANSITIONS, **fresh)
        moved = moved or _try_now(delivery, fresh)
        if moved:
            audit.record(actor=actor, action="webhook_resend", target=delivery.message_id, entity=delivery)
    return moved


def _try_now(delivery: WebhookDelivery, fresh: Mapping[str, Any]) -> bool:
    """One that waits is not left to wait for hours. Only what nobody holds is changed."""
    now = timezone.now()
    waiting = WebhookDelivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING)
    free = waiting.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now))
    moved = free.filter(Q(next_attempt_at__gt=now) | Q(attempts__gt=0)).update(**fresh)
    delivery.refresh_from_db()
    if not moved and delivery.claimed_until is not None and delivery.claimed_until > now:
        raise BeingSent(_("It is being sent at this moment."))
    return bool(moved)


def _checked(url: str, description: str) -> str:
    if len(description.strip()) > LONGEST_DESCRIPTION:
        raise BadInput(_("At most %(n)d characters.") % {"n": LONGEST_DESCRIPTION}, field="description")
    checked_line(description, "description")
    return outside.check(url.strip()).url


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)


def _record(actor: Actor, action: str, endpoint: WebhookEndpoint, **changes: Any) -> None:
    """Secrets are never part of it; of an address, what follows the host often is one."""
    if "url" in changes:
        changes["url"] = [url and _logged(url) for url in changes["url"]]
    audit.record(
        actor=actor, action=action, target=_logged(endpoint.url), entity=endpoint, changes=changes,
        extra={"owner": str(endpoint.organisation_id or endpoint.user_id)},
    )  # fmt: skip


def _logged(url: str) -> str:
    """``https://hooks.example.org/… (3f2a9c1b)``: the digits, of its SHA-256, tell addresses of one host apart."""
    parts = urlsplit(url)
    digits = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"{parts.scheme}://{parts.netloc}/… ({digits})"
