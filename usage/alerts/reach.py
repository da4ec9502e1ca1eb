"""Whose alerts somebody may see and change.

Everybody sees and changes the rules on their own Slurm usage; members of an organisation see its rules, who runs its
bills changes them; who leads a project sees and changes the rules on it. Staff have the console.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from accounts.membership import BILLING, VIEW, Person, memberships
from accounts.models import Project
from accounts.projects import led_ids
from usage.models import AlertHistory, AlertRule


def _mine(user: Person, right: str) -> Q:
    name = user.get_username()
    organisations = memberships(user, right).values("organisation")
    own = Q(username=name) if name else Q(pk__in=[])
    return own | Q(organisation__in=organisations) | Q(project__in=led_ids(name).values("project_id"))


def readable_rules(user: Person) -> QuerySet[AlertRule]:
    return AlertRule.objects.filter(_mine(user, VIEW)).select_related("organisation", "project", "webhook")


def changeable_rules(user: Person) -> QuerySet[AlertRule]:
    return AlertRule.objects.filter(_mine(user, BILLING)).select_related("organisation", "project", "webhook")


def readable_alerts(user: Person) -> QuerySet[AlertHistory]:
    return AlertHistory.objects.filter(_mine(user, VIEW)).select_related("alert_rule", "organisation", "project")


def watchable_projects(user: Person) -> QuerySet[Project]:
    """Projects that ``user`` may make rules for."""
    mine = Q(organisation__in=memberships(user, BILLING).values("organisation"))
    mine |= Q(pk__in=led_ids(user.get_username()).values("project_id"))
    return Project.objects.filter(mine, is_active=True, organisation__is_active=True).select_related("organisation")


def find_rule(user: Person, uuid: UUID) -> AlertRule:
    """Raises ``Http404``."""
    found = readable_rules(user).filter(uuid=uuid).first()
    if found is None:
        raise Http404(_("There is no such alert."))
    return found


def may_change(user: Person, rule: AlertRule) -> bool:
    return changeable_rules(user).filter(pk=rule.pk).exists()


def find_alert(user: Person, uuid: UUID) -> AlertHistory:
    """Raises ``Http404``."""
    found = readable_alerts(user).filter(uuid=uuid).first()
    if found is None:
        raise Http404(_("There is no such alert."))
    return found
