"""Who belongs to an organisation, and as what. An organisation that has an owner keeps one."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Member, MemberRole, Organisation, ProjectLead, User
from accounts.services.organisations import lock_organisation
from audit import services as audit
from core.context import Actor
from core.errors import BadInput, Conflict


class LastOwner(Conflict):
    code = "last_owner"


class IsMember(Conflict):
    code = "is_member"


@transaction.atomic
def add_member(*, actor: Actor, organisation: Organisation, user: User, role: str) -> Member:
    """A repeat gives the member that there is. Raises ``BadInput``, ``IsMember`` when it is one in another role."""
    check_role(role)
    lock_organisation(organisation)
    known = Member.objects.filter(organisation=organisation, user=user).first()
    if known is not None:
        if known.role != role:
            words = _("%(name)s belongs to it already, as %(role)s.")
            raise IsMember(words % {"name": user, "role": known.get_role_display()})
        return known
    if not user.is_active:
        raise BadInput(_("%(name)s is not active.") % {"name": user}, field="user")
    member = Member.objects.create(organisation=organisation, user=user, role=role)
    _record(actor, "member_add", member, {"role": [None, role]})
    return member


@transaction.atomic
def change_member(*, actor: Actor, member: Member, role: str) -> bool:
    """False when it had this role already. Raises ``BadInput``, ``LastOwner``, ``Conflict`` when it is gone."""
    check_role(role)
    row = _held(member)
    if row.role == role:
        return False
    if row.role == MemberRole.OWNER:
        check_owner_remains(row.organisation, without=str(row.user_id))
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    member.role = role
    _record(actor, "member_change", row, {"role": [before, role]})
    return True


@transaction.atomic
def remove_member(*, actor: Actor, member: Member) -> None:
    """Leaving ends leading the organisation's projects, too. Raises ``LastOwner``, ``Conflict`` when it is gone."""
    row = _held(member)
    if row.role == MemberRole.OWNER:
        check_owner_remains(row.organisation, without=str(row.user_id))
    leads = ProjectLead.objects.filter(user=row.user_id, project__organisation=row.organisation)
    led = sorted(leads.values_list("project__name", flat=True))
    leads.delete()
    Member.objects.filter(pk=row.pk).delete()
    _record(actor, "member_remove", row, {"role": [row.role, None]}, led=led)


def check_role(role: str) -> None:
    if role not in MemberRole.values:
        raise BadInput(_("There is no such role."), field="role")


def check_owner_remains(organisation: Organisation, *, without: str) -> None:
    """Somebody else who owns it and can sign in. Call with the organisation's lock held. Raises ``LastOwner``."""
    others = Member.objects.filter(organisation=organisation, role=MemberRole.OWNER, user__is_active=True)
    if not others.exclude(user=without).exists():
        raise LastOwner(_("Somebody must own the organisation. Make another member owner first."))


def _held(member: Member) -> Member:
    """The row as it is now, with nobody else changing the members."""
    lock_organisation(member.organisation)
    row = Member.objects.select_for_update().filter(pk=member.pk).first()
    if row is None:
        raise Conflict(_("%(name)s does not belong to it any more.") % {"name": member.user_id})
    return row


def _record(
    actor: Actor, action: str, member: Member, changes: dict[str, list[str | None]], led: list[str] | None = None
) -> None:
    extra = {"member": str(member.user_id), **({"led": led} if led else {})}
    audit.record(
        actor=actor, action=action, target=str(member.organisation), entity=member.organisation, changes=changes,
        extra=extra,
    )  # fmt: skip
