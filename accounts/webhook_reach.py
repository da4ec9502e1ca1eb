"""Whose webhook addresses somebody may see and change: their own, and those of organisations whose bills they run."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from accounts.membership import BILLING, Person, memberships
from accounts.models import Organisation, WebhookDelivery, WebhookEndpoint


def own_organisations(user: Person) -> QuerySet[Organisation]:
    """Organisations in whose name ``user`` may give addresses; staff have the console for those of others."""
    return Organisation.objects.filter(is_active=True, pk__in=memberships(user, BILLING).values("organisation"))


def own_endpoints(user: Person) -> QuerySet[WebhookEndpoint]:
    mine = Q(user=user.get_username()) | Q(organisation__in=own_organisations(user).values("pk"))
    return WebhookEndpoint.objects.filter(mine).select_related("organisation")


def find_endpoint(user: Person, uuid: UUID) -> WebhookEndpoint:
    """Raises ``Http404``."""
    found = own_endpoints(user).filter(uuid=uuid).first()
    if found is None:
        raise Http404(_("There is no such webhook address."))
    return found


def find_delivery(endpoint: WebhookEndpoint, pk: int) -> WebhookDelivery:
    """Of an address that was found to be the reader's. Raises ``Http404``."""
    found = endpoint.deliveries.select_related("endpoint").filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such message."))
    return found
