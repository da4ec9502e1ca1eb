"""What a request may open of an organisation. Whatever is not the reader's is as absent as what does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from accounts.membership import VIEW, Person, rights_of
from accounts.models import Organisation, Project

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Reach:
    """An organisation, and what the reader may do there."""

    organisation: Organisation
    rights: frozenset[str]

    def need(self, right: str) -> None:
        """Raises ``PermissionDenied``: that the organisation is there is no secret to whoever sees it."""
        if right not in self.rights:
            raise PermissionDenied


def find_organisation(user: Person, uuid: UUID, right: str = VIEW) -> Reach:
    """Raises ``Http404`` when the reader does not see it, ``PermissionDenied`` when only ``right`` is lacking."""
    organisation = Organisation.objects.select_related("tier").filter(uuid=uuid).first()
    rights = rights_of(user, organisation) if organisation is not None else frozenset()
    if organisation is None or VIEW not in rights:
        raise Http404(_("There is no such organisation."))
    reach = Reach(organisation, rights)
    reach.need(right)
    return reach


def find_project(user: Person, uuid: UUID, right: str = VIEW) -> tuple[Project, Reach]:
    """The project, with what the reader may do in its organisation. Raises as ``find_organisation`` does."""
    project = Project.objects.select_related("organisation__tier").filter(uuid=uuid).first()
    rights = rights_of(user, project.organisation) if project is not None else frozenset()
    if project is None or VIEW not in rights:
        raise Http404(_("There is no such project."))
    reach = Reach(project.organisation, rights)
    reach.need(right)
    return project, reach


def find_own(rows: QuerySet[Row], **by: object) -> Row:
    """The row of what was already found to be the reader's. Raises ``Http404``."""
    row = rows.filter(**by).first()
    if row is None:
        raise Http404(_("There is nothing at this address."))
    return row
