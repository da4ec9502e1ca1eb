"""Which subscriptions an API key may use. Without any of its own a key may use all of its owner's."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import ApiKey
from audit import services as audit
from core.context import Actor
from core.errors import Conflict
from subscriptions.holders import is_member
from subscriptions.models import LIVE, Subscription, SubscriptionKey


class NotItsOwner(Conflict):
    """The key and the subscription belong to different people."""

    code = "not_its_owner"


@transaction.atomic
def link_key(*, actor: Actor, subscription: Subscription, api_key: ApiKey) -> bool:
    """From now on the key may use what it is linked to and nothing else. False when it was linked already.

    Raises ``NotItsOwner``, and ``Conflict`` for a key or subscription that is over.
    """
    if not _belong(subscription, api_key):
        raise NotItsOwner(_("This key does not belong to the holder of the subscription."))
    if not api_key.works or subscription.status not in LIVE:
        raise Conflict(_("The key or the subscription is over."))
    _row, made = SubscriptionKey.objects.get_or_create(subscription=subscription, api_key=api_key)
    if made:
        _record(actor, "subscription_key_link", subscription, api_key)
    return made


@transaction.atomic
def unlink_key(*, actor: Actor, subscription: Subscription, api_key: ApiKey) -> bool:
    """False when it was not linked. A key that loses its last link may use all of its owner's again."""
    number, _each = SubscriptionKey.objects.filter(subscription=subscription, api_key=api_key).delete()
    if number:
        _record(actor, "subscription_key_unlink", subscription, api_key)
    return bool(number)


def _belong(subscription: Subscription, api_key: ApiKey) -> bool:
    """A user's key: the user's own, or one of an organisation that the user is in. A project's: the organisation's."""
    if api_key.project is not None:
        return subscription.user_id is None and subscription.organisation_id == api_key.project.organisation_id
    if subscription.user_id is not None:
        return bool(subscription.user_id == api_key.user_id)
    organisation, user = subscription.organisation, api_key.user
    return organisation is not None and user is not None and is_member(user, organisation)


def _record(actor: Actor, action: str, subscription: Subscription, api_key: ApiKey) -> None:
    audit.record(
        actor=actor, action=action, target=str(subscription), entity=subscription,
        extra={"key": api_key.key_prefix, "key_id": str(api_key.pk), "key_name": api_key.name},
    )  # fmt: skip
