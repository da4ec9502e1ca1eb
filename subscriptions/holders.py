"""For whom somebody may subscribe, and which subscriptions they may see and cancel. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.membership import BILLING, RIGHTS, USE, VIEW, Person, memberships, memberships_of
from accounts.models import Member, MemberRole, Organisation, User
from core.context import Actor
from core.errors import Conflict
from subscriptions.models import ENDED, Plan, Subscription, SubscriptionChange, SubscriptionStatus, SuspendedFor

# Whom the subscriptions of an organisation serve.
USERS = tuple(role for role, rights in RIGHTS.items() if USE in rights)

GRAVE = (SuspendedFor.STAFF, SuspendedFor.PAYMENT)
AGREED = "agreed_plan"  # in the metadata: id of a plan to come that the staff has agreed to
TRIED = "tried_plans"  # in the metadata: ids of plans between the first and the last one of a trial
AT_REST = "ended_at_rest"  # in the metadata of one that is over: for which of these it rested


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


def held_by(holders: Iterable[tuple[str | None, int | None]]) -> Q:
    """Of subscriptions: those of these users and organisations, together with what their users hold elsewhere."""
    holders = list(holders)
    people, places = {user for user, _place in holders if user}, {place for user, place in holders if not user}
    return Q(user__in=people) | Q(user__isnull=True, organisation__in=places)


def still_held() -> Q:
    """Of subscriptions: not those of members who have left their organisation, or may only look on by now."""
    member = Member.objects.filter(organisation=OuterRef("organisation"), user=OuterRef("user"), role__in=USERS)
    return Q(user__isnull=True) | Q(organisation__isnull=True) | Q(Exists(member))


def is_at_rest(subscription: Subscription, plan: Plan) -> bool:
    return bool(at_rest([(subscription, plan)]))


def at_rest(
    wanted: Sequence[tuple[Subscription, Plan]], causes: Sequence[str] = GRAVE
) -> frozenset[tuple[int, int]]:  # fmt: skip
    """Which plans (ids of subscription and plan) rest for their holders: the plan, or another one of its AI model, is
    suspended by staff or for want of payment, or ended so and nobody of the staff has approved one since. Neither
    asking anew nor another plan is a way around that. Two statements, however many are asked for."""
    holders = {(each.user_id, each.organisation_id) for each, _plan in wanted}
    held: dict[tuple[str | None, int | None], list[Subscription]] = {}
    for row in Subscription.objects.filter(held_by(holders)).select_related("plan") if holders else ():
        held.setdefault((row.user_id, row.organisation_id), []).append(row)
    ended = {row.pk for rows in held.values() for row in rows if row.metadata.get(AT_REST) in causes}
    over, approved = _ends_and_approvals([row.pk for rows in held.values() for row in rows]) if ended else ({}, {})
    found = set()
    for subscription, plan in wanted:
        rows = held.get((subscription.user_id, subscription.organisation_id), ())
        alike = [row for row in rows if _is_alike(row.plan, plan)]
        others = [row for row in alike if row.pk != subscription.pk]
        rests = any(row.status == SubscriptionStatus.SUSPENDED and row.suspended_for in causes for row in others)
        last = max((over.get(row.pk, 0) for row in others if row.pk in ended), default=None)
        if rests or (last is not None and all(approved.get(row.pk, 0) <= last for row in alike)):
            found.add((subscription.pk, plan.pk))
    return frozenset(found)


def _is_alike(plan: Plan, other: Plan) -> bool:
    return plan.pk == other.pk or (plan.ai_model_id is not None and plan.ai_model_id == other.ai_model_id)


def _ends_and_approvals(subscriptions: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
    """By subscription the number in the history of its end, and of its last approval: they tell which came first."""
    over: dict[int, int] = {}
    approved: dict[int, int] = {}
    rows = SubscriptionChange.objects.filter(subscription__in=subscriptions).order_by("pk")
    for pk, subscription, action, to in rows.values_list("pk", "subscription_id", "action", "to_status"):
        if to in ENDED:
            over[subscription] = pk
        if action == "approve":
            approved[subscription] = pk
    return over, approved


def manages(user: Person, subscription: Subscription) -> bool:
    """May change and cancel it: one's own, while one may use what its organisation has, or what belongs to an
    organisation whose bills one answers for."""
    place, is_own = subscription.organisation_id, subscription.user_id == user.pk
    if place is None:
        return is_own
    theirs = memberships(user, BILLING).filter(organisation=place)
    return theirs.exists() or (is_own and memberships(user, USE).filter(organisation=place).exists())


class OwnSubscription(Conflict):
    code = "own_subscription"


def check_not_own(actor: Actor, subscription: Subscription) -> None:
    """Raises ``OwnSubscription`` for who has it, or answers for the bills of the organisation that has it."""
    user = User.objects.filter(pk=actor.name).first()
    if user is not None and (subscription.user_id == user.pk or manages(user, subscription)):
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
