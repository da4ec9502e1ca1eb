"""For whom somebody may subscribe, and which subscriptions they may see and cancel. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Member, MemberRole, Organisation, User
from subscriptions.models import Subscription

# Who uses what belongs to the organisation, and who may bind all of it. A viewer only looks.
USERS = (MemberRole.OWNER, MemberRole.BILLING_MANAGER, MemberRole.MEMBER)
MANAGERS = (MemberRole.OWNER, MemberRole.BILLING_MANAGER)


@dataclass(frozen=True, slots=True)
class Holder:
    """``key`` names it in forms: ``me``, ``member:<uuid>``, ``organisation:<uuid>``."""

    key: str
    label: str
    user: User | None
    organisation: Organisation | None


def is_member(user: User, organisation: Organisation) -> bool:
    """A member who may use what the organisation has."""
    return memberships(user.pk).filter(organisation=organisation, role__in=USERS).exists()


def memberships(username: str) -> QuerySet[Member]:
    """In organisations that are active."""
    return Member.objects.filter(user=username, organisation__is_active=True)


def holders_of(user: User) -> list[Holder]:
    """For whom this user may ask: for oneself, for oneself within an organisation, for an organisation as a whole."""
    found = [Holder("me", _("Myself"), user, None)]
    rows = memberships(user.pk).filter(role__in=USERS).select_related("organisation")
    for row in rows.order_by("organisation__name"):
        place = row.organisation
        found.append(Holder(f"member:{place.uuid}", _("Myself in %(name)s") % {"name": place}, user, place))
        if row.role in MANAGERS:
            words = _("All of %(name)s") % {"name": place}
            found.append(Holder(f"organisation:{place.uuid}", words, None, place))
    return found


def visible_to(username: str) -> QuerySet[Subscription]:
    """One's own, those of one's organisations as a whole, and those of their members for who manages them."""
    mine = memberships(username).filter(organisation=OuterRef("organisation"))
    return Subscription.objects.filter(
        Q(user=username)
        | (Q(user__isnull=True) & Exists(mine))
        | (Q(organisation__isnull=False) & Exists(mine.filter(role__in=MANAGERS)))
    )


def manages(username: str, subscription: Subscription) -> bool:
    """May cancel it: one's own, or what belongs to an organisation that one manages."""
    if subscription.user_id == username:
        return True
    place = subscription.organisation_id
    return place is not None and memberships(username).filter(organisation=place, role__in=MANAGERS).exists()
