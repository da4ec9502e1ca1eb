"""E-mail to whoever a decision about a subscription concerns: queued in the transaction that decides."""

from __future__ import annotations

from django.urls import reverse
from django.utils import translation

from accounts.models import Identity
from accounts.services.outbox import queue_email, site_url
from subscriptions.holders import addresses_of
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.wording import reason_in_words

TOLD = frozenset({"approve", "deny", "suspend", "resume"})
DECISIONS = frozenset({"approve", "deny"})  # also told to whoever asked, for an organisation


def tell(subscription: Subscription, change: SubscriptionChange) -> int:
    """How many e-mails were queued. Each change is told once an address, in the language of its reader."""
    if change.action not in TOLD:
        return 0
    addresses = dict(addresses_of(subscription))
    if change.action in DECISIONS:
        addresses = {**_who_asked(subscription), **addresses}
    url = site_url(reverse("subscriptions:detail", args=[subscription.uuid]))
    for address, language in addresses.items():
        with translation.override(language or None):
            words = {"plan": subscription.plan.label, "reason": reason_in_words(change)}
        queue_email(
            kind="subscription", recipient=address, language=language, organisation=subscription.organisation,
            dedupe_key=f"subscription:{change.pk}:{address}",
            context={
                **words, "action": change.action, "holder": subscription.holder, "cause": subscription.suspended_for,
                "reset_at": subscription.reset_at, "trial_end_at": subscription.trial_end_at, "url": url,
            },
        )  # fmt: skip
    return len(addresses)


def _who_asked(subscription: Subscription) -> dict[str, str]:
    asked = SubscriptionChange.objects.filter(subscription=subscription, action="request").order_by("id").first()
    who = Identity.objects.filter(user=asked.actor if asked else "").exclude(email="").select_related("user").first()
    return {who.email: who.user.language} if who is not None else {}
