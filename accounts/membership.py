"""What the members of an organisation may do there, and what somebody may therefore open. Reads only.

Site staff are asked for Django permissions instead: their rights reach over all organisations.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import Member, MemberRole, Organisation, Project, User

VIEW, USE, KEYS, BILLING, MEMBERS, SETTINGS = "view", "use", "keys", "billing", "members", "settings"
ALL = frozenset({VIEW, USE, KEYS, BILLING, MEMBERS, SETTINGS})

# view: the organisation, its projects, members and usage; use: what is metered; keys: API keys of its projects;
# billing: its bills, and paying them; members: who belongs to it; settings: itself and its projects.
RIGHTS: dict[str, frozenset[str]] = {
    MemberRole.OWNER: ALL,
    MemberRole.BILLING_MANAGER: frozenset({VIEW, BILLING}),
    MemberRole.MEMBER: frozenset({VIEW, USE, KEYS}),
    MemberRole.VIEWER: frozenset({VIEW}),
}
# When an organisation is no longer active, those who answer for its bills still read them; nobody does anything else.
CLOSED_ROLES = (MemberRole.OWNER, MemberRole.BILLING_MANAGER)
CLOSED_RIGHTS = frozenset({VIEW, BILLING})
# What needs a project that is active.
OF_ACTIVE_PROJECTS = frozenset({USE, KEYS})

STAFF: dict[str, str] = {
    VIEW: "accounts.view_organisation",
    USE: "accounts.change_project",
    KEYS: "accounts.change_apikey",
    BILLING: "billing.view_receipt",
    MEMBERS: "accounts.change_member",
    SETTINGS: "accounts.change_organisation",
}

Person = User | AnonymousUser


def rights_of(user: Person, organisation: Organisation) -> frozenset[str]:
    """All that ``user`` may do in ``organisation``; empty for whoever does not belong to it."""
    return rights_in(user, [organisation]).get(organisation.pk, frozenset())


def rights_in(user: Person, organisations: Sequence[Organisation]) -> dict[int, frozenset[str]]:
    """``rights_of`` for many, by their keys, in one query."""
    if not (user.is_authenticated and user.is_active):
        return {}
    staff = frozenset(right for right in STAFF if is_staff_for(user, right))
    mine = Member.objects.filter(user=user, organisation__in=[each.pk for each in organisations])
    roles = dict(mine.values_list("organisation_id", "role"))
    return {each.pk: staff | _rights(roles.get(each.pk), each.is_active) for each in organisations}


def is_staff_for(user: Person, right: str) -> bool:
    """Whether the permissions of the console give ``right``, whatever the organisation."""
    return bool(user.is_authenticated and user.is_staff and user.has_perm(STAFF[right]))


def organisations_of(user: Person, right: str = VIEW) -> QuerySet[Organisation]:
    """The organisations in which ``user`` has ``right``: all of them for staff who have it."""
    if is_staff_for(user, right):
        return Organisation.objects.all()
    return Organisation.objects.filter(pk__in=memberships(user, right).values("organisation"))


def memberships_of(user: Person) -> QuerySet[Member]:
    """One's own memberships that open anything, by the organisation's name."""
    return memberships(user, VIEW).select_related("organisation").order_by("organisation__name")


def projects_of(user: Person, right: str = VIEW) -> QuerySet[Project]:
    """The projects in which ``user`` has ``right``. Keys and use end with the project or its organisation."""
    projects = Project.objects.filter(organisation__in=organisations_of(user, right).values("pk"))
    if right in OF_ACTIVE_PROJECTS:
        return projects.filter(is_active=True, organisation__is_active=True)
    return projects


def _rights(role: str | None, is_active: bool) -> frozenset[str]:
    if role is None or (not is_active and role not in CLOSED_ROLES):
        return frozenset()
    return RIGHTS[role] if is_active else RIGHTS[role] & CLOSED_RIGHTS


def memberships(user: Person, right: str) -> QuerySet[Member]:
    """One's own memberships that give ``right``."""
    if not (user.is_authenticated and user.is_active):
        return Member.objects.none()
    roles = [role for role, rights in RIGHTS.items() if right in rights]
    still_open = Q(organisation__is_active=True)
    if right in CLOSED_RIGHTS:
        still_open |= Q(role__in=CLOSED_ROLES)
    return Member.objects.filter(still_open, user_id=user.pk, role__in=roles)
