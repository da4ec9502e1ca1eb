"""Organisations and their projects: made, changed, closed and opened again. Nothing of theirs is ever deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Member, MemberRole, Organisation, Project, User
from audit import services as audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.registry import load

ORGANISATION_FIELDS = (
    "name", "tier", "billing_mode", "billing_email", "bill_reminders", "currency", "time_zone", "language",
    "email_invoices",
)  # fmt: skip
# The rest is agreed with the site.
OWNER_FIELDS = ("billing_email", "bill_reminders", "time_zone", "currency", "language", "email_invoices")
PROJECT_FIELDS = ("name", "description")


class FieldFixed(Conflict):
    """What was counted or billed by it stands: it cannot change any more."""

    code = "field_fixed"


class HasAccounts(Conflict):
    """Prices of jobs hang on the project: finance opens and closes it."""

    code = "has_slurm_accounts"


def fixed_fields(organisation: Organisation) -> frozenset[str]:
    """Fields that cannot change any more, as ``settings.ORGANISATION_FIXED`` knows: the rooms above, which count and
    bill, say it."""
    found = (load("ORGANISATION_FIXED", key)(organisation) for key in settings.ORGANISATION_FIXED)
    own = ("billing_mode",) if organisation.is_test else ()  # jobs of tests go on no receipt
    return frozenset(own) | frozenset(name for names in found for name in names)


def lock_organisation(organisation: Organisation) -> None:
    """One change of an organisation's members, invitations or settings at a time."""
    lock_for_transaction("organisation", str(organisation.pk))


@transaction.atomic
def create_organisation(*, actor: Actor, name: str, owner: User | None = None, **fields: Any) -> Organisation:
    """``fields``: of ``ORGANISATION_FIELDS``. Raises ``BadInput`` by field."""
    organisation = Organisation(name=name.strip(), **_known(fields, ORGANISATION_FIELDS))
    _save(organisation)
    if owner is not None:
        Member.objects.create(organisation=organisation, user=owner, role=MemberRole.OWNER)
    audit.record(
        actor=actor, action="organisation_create", target=str(organisation), entity=organisation,
        extra={"owner": str(owner.pk) if owner else "", **fields},
    )  # fmt: skip
    return organisation


@transaction.atomic
def change_organisation(*, actor: Actor, organisation: Organisation, changes: Mapping[str, Any]) -> bool:
    """Set fields of ``ORGANISATION_FIELDS``; False when they stood so already. Raises ``BadInput``, ``FieldFixed``."""
    _known(changes, ORGANISATION_FIELDS)
    lock_organisation(organisation)
    organisation.refresh_from_db()
    different = _differences(organisation, changes)
    if not different:
        return False
    for name in different.keys() & fixed_fields(organisation):
        raise FieldFixed(_fixed_words(name), field=name)
    for name, value in changes.items():
        setattr(organisation, name, value)
    _save(organisation)
    audit.record(
        actor=actor, action="organisation_change", target=str(organisation), entity=organisation, changes=different
    )
    return True


def set_organisation_active(*, actor: Actor, organisation: Organisation, active: bool, reason: str = "") -> bool:
    """Close it or open it again; members, projects, keys and bills stay as they are. False when it stood so."""
    return _set_active(actor, organisation, active, reason, "organisation")


@transaction.atomic
def create_project(*, actor: Actor, organisation: Organisation, name: str, description: str = "") -> Project:
    """Slurm accounts are mapped to it by finance alone. Raises ``BadInput``, ``Conflict`` in a closed organisation."""
    if not Organisation.objects.filter(pk=organisation.pk, is_active=True).exists():
        raise Conflict(_("The organisation is not active."))
    project = Project(organisation=organisation, name=name.strip(), description=description.strip())
    _save(project)
    audit.record(
        actor=actor, action="project_create", target=str(project), entity=project,
        extra={"organisation": organisation.name},
    )  # fmt: skip
    return project


@transaction.atomic
def change_project(*, actor: Actor, project: Project, changes: Mapping[str, Any]) -> bool:
    """Set fields of ``PROJECT_FIELDS``; False when they stood so already. Raises ``BadInput``."""
    _known(changes, PROJECT_FIELDS)
    project = Project.objects.select_for_update().get(pk=project.pk)
    different = _differences(project, changes)
    if not different:
        return False
    for name, value in changes.items():
        setattr(project, name, value)
    _save(project)
    audit.record(actor=actor, action="project_change", target=str(project), entity=project, changes=different)
    return True


@transaction.atomic
def set_project_active(
    *, actor: Actor, project: Project, active: bool, reason: str = "", with_accounts: bool = False
) -> bool:
    """Close it or open it again. False when it stood so.

    A project with Slurm accounts decides the tier of their jobs: only who may map accounts passes ``with_accounts``.
    Raises ``HasAccounts`` else.
    """
    if not with_accounts and project.accounts.exists():
        raise HasAccounts(
            _("Slurm accounts belong to this project, and the prices of their jobs hang on it. Ask finance.")
        )
    return _set_active(actor, project, active, reason, "project")


@transaction.atomic
def _set_active(actor: Actor, row: Organisation | Project, active: bool, reason: str, noun: str) -> bool:
    others: models.QuerySet[Any] = type(row)._default_manager.filter(pk=row.pk, is_active=not active)
    moved = bool(others.update(is_active=active, updated_at=timezone.now()))
    row.refresh_from_db()
    if moved:
        audit.record(
            actor=actor, action=f"{noun}_{'open' if active else 'close'}", target=str(row), entity=row,
            changes={"is_active": [not active, active]}, extra={"reason": reason.strip()} if reason.strip() else {},
        )  # fmt: skip
    return moved


def _known(fields: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    if unknown := sorted(set(fields) - set(known)):
        raise ValueError(f"no such fields: {', '.join(unknown)}")
    return fields


def _differences(row: models.Model, changes: Mapping[str, Any]) -> dict[str, list[Any]]:
    before = {name: getattr(row, name) for name in changes}
    return {name: [_plain(before[name]), _plain(new)] for name, new in changes.items() if before[name] != new}


def _plain(value: Any) -> Any:
    return str(value.pk) if isinstance(value, models.Model) else value


def _save(row: Organisation | Project) -> None:
    """Raises ``BadInput`` for the first field that does not fit."""
    try:
        row.full_clean()
        with transaction.atomic():
            row.save()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise BadInput(messages[0], field="name" if field == "__all__" else field) from error
    except IntegrityError as error:  # the same name at the same moment
        raise BadInput(_("This name is taken."), field="name") from error


def _fixed_words(name: str) -> str:
    if name == "currency":
        return _("Something was billed in this currency, or a discount is an amount in it; it stays.")
    if name == "billing_mode":
        return _("It lives by a test clock; those are billed by invoices.")
    return _("Usage was counted or billed by the days of this zone; it stays.")
