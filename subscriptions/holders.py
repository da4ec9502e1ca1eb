"""For whom somebody may subscribe, and which subscriptions they may see and cancel. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.membership import BILLING, RIGHTS, USE, VIEW, Person, memberships, memberships_of
from accounts.models import Member, MemberRole, Organisation, User
from core.context import Actor
from core.errors import Conflict
from subscriptions.models import Plan, Subscription, SubscriptionStatus

# Whom the subscriptions of an organisation serve.
USERS = tuple(role for role, rights in RIGHTS.items() if USE in rights)


@dataclass(frozen=True, slots=True)
class Holder:
    """``key`` names it in forms: ``me``, ``member:<uuid>``, ``organisation:<uuid>``."""

    key: str
    label: str
    user: User | None
    organisation: Organisation | None


def addresses_of(subscription: Subscription) -> list[tuple[str, str]]:
    """Whom to tell of it, with their languages: the user who holds it, else the organisation and its owners; each
    address once."""
    found: dict[str, str] = {}
    if subscription.user is not None:
        identity = getattr(subscription.user, "identity", None)
        if identity is not None and identity.email:
            found[identity.email] = subscription.user.language
    elif subscription.organisation is not None:
        if subscription.organisation.billing_email:
            found[subscription.organisation.billing_email] = ""
        owners = Member.objects.filter(organisation=subscription.organisation, role=MemberRole.OWNER)
        for email, language in owners.values_list("user__identity__email", "user__language"):
            if email:
                found.setdefault(email, language)
    return list(found.items())


def is_member(user: User, organisation: Organisation) -> bool:
    """A member who may use what the organisation has."""
    return memberships(user, USE).filter(organisation=organisation).exists()


def holders_of(user: User) -> list[Holder]:
    """For whom this user may ask: for oneself, for oneself within an organisation, for an organisation as a whole."""
    found = [Holder("me", _("Myself"), user, None)]
    for row in memberships_of(user).filter(organisation__is_active=True):
        place, rights = row.organisation, RIGHTS[row.role]
        if USE in rights:
            found.append(Holder(f"member:{place.uuid}", _("Myself in %(name)s") % {"name": place}, user, place))
        if BILLING in rights:
            words = _("All of %(name)s") % {"name": place}
            found.append(Holder(f"organisation:{place.uuid}", words, None, place))
    return found


def visible_to(user: Person) -> QuerySet[Subscription]:
    """One's own, those of one's organisations as a whole, and those of their members for who answers for the bills."""
    here = OuterRef("organisation")
    return Subscription.objects.filter(
        Q(user_id=user.pk)
        | (Q(user__isnull=True) & Exists(memberships(user, VIEW).filter(organisation=here)))
        | Exists(memberships(user, BILLING).filter(organisation=here))
    )


def same_holder(subscription: Subscription) -> QuerySet[Subscription]:
    """All others of its holder."""
    rows = Subscription.objects.filter(user=subscription.user_id, organisation=subscription.organisation_id)
    return rows.exclude(pk=subscription.pk)


def left_at_rest(subscription: Subscription) -> bool:
    """Whether the one before it, to this plan or this AI model, ended while it was suspended: asking anew is no way
    around that."""
    plan = subscription.plan
    alike = Q(plan=plan) if plan.ai_model_id is None else Q(plan=plan) | Q(plan__ai_model=plan.ai_model_id)
    before = same_holder(subscription).filter(alike, start_at__isnull=False).order_by("-pk").first()
    if before is None:
        return False
    ended = before.changes.filter(to_status__in=(SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED))
    last = ended.order_by("-pk").first()
    return last is not None and last.from_status == SubscriptionStatus.SUSPENDED


def manages(user: Person, subscription: Subscription) -> bool:
    """May cancel it: one's own, or what belongs to an organisation whose bills one answers for."""
    if subscription.user_id == user.pk:
        return True
    place = subscription.organisation_id
    return place is not None and memberships(user, BILLING).filter(organisation=place).exists()


class OwnSubscription(Conflict):
    code = "own_subscription"


def check_not_own(actor: Actor, subscription: Subscription) -> None:
    """Raises ``OwnSubscription`` for who has it, or answers for the bills of the organisation that has it."""
    user = User.objects.filter(pk=actor.name).first()
    if user is not None and manages(user, subscription):
        raise OwnSubscription(_("Somebody else must decide about your own subscription."))


def has_past(organisation: Organisation) -> bool:
    """Whether anything that it or its members hold has begun."""
    return Subscription.objects.filter(organisation=organisation, start_at__isnull=False).exists()


class NeedsOrganisation(Conflict):
    """What costs something is billed by the invoices of an organisation; a person gets none."""

    code = "needs_organisation"


def check_payer(plan: Plan, organisation: Organisation | None) -> None:
    """Whoever asks for themselves alone may have plans that are free. Raises ``NeedsOrganisation``."""
    if organisation is None and plan.prices.exists():
        words = _("%(plan)s costs something: ask for it within an organisation, whose invoice takes the fee.")
        raise NeedsOrganisation(words % {"plan": plan.label})
