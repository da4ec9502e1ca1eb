"""Who leads what: the projects of a lead, and the Slurm accounts that belong to them. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.models import Project, ProjectAccount, ProjectLead
from accounts.models.users import fold_username


@dataclass(frozen=True, slots=True)
class LedProject:
    """A project as its lead knows it; ``accounts`` are the Slurm accounts that belong to it, by name."""

    pk: int
    name: str
    organisation: str
    description: str
    accounts: tuple[str, ...]


def led_projects(username: str) -> list[LedProject]:
    """The active projects that this user leads, by name: two queries."""
    rows = _led(username).select_related("project__organisation").prefetch_related("project__accounts")
    return [_of(row.project) for row in rows.order_by("project__name", "project_id")]


def led_project(username: str, pk: int) -> LedProject | None:
    """The project, when this user leads it: somebody else's is as absent as one that never was."""
    columns = ("project__name", "project__organisation__name", "project__description", "project__accounts__account")
    rows = list(_led(username).filter(project_id=pk).order_by("project__accounts__account").values_list(*columns))
    if not rows:
        return None
    name, organisation, description, _account = rows[0]
    return LedProject(pk, name, organisation, description, tuple(row[3] for row in rows if row[3]))


def led_ids(username: str) -> QuerySet[ProjectLead, int]:
    """Keys of the projects that this user leads, for a subquery."""
    return _led(username).values_list("project_id", flat=True)


def led_accounts(username: str) -> QuerySet[ProjectAccount, str]:
    """Every Slurm account that this user may look into beside the own jobs, for a subquery."""
    return ProjectAccount.objects.filter(project__in=led_ids(username)).values_list("account", flat=True)


def test_accounts() -> QuerySet[ProjectAccount, str]:
    """Slurm accounts of organisations with a test clock, for a subquery: their jobs are none of the site's business."""
    rows = ProjectAccount.objects.filter(project__organisation__test_clock__isnull=False)
    return rows.values_list("account", flat=True)


def _led(username: str) -> QuerySet[ProjectLead]:
    return ProjectLead.objects.filter(
        user=fold_username(username), project__is_active=True, project__organisation__is_active=True
    )


def _of(project: Project) -> LedProject:
    accounts = tuple(row.account for row in project.accounts.all())
    return LedProject(project.pk, project.name, project.organisation.name, project.description, accounts)
