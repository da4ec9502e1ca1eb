"""Asking somebody to join by e-mail: a link with a secret that only its SHA-256 is kept of, good for a week."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import EmailNotification, Invitation, Member, Organisation, User
from accounts.services.members import IsMember, check_role
from accounts.services.organisations import lock_organisation
from accounts.services.outbox import checked_address, queue_email, site_url, take_back
from audit import services as audit
from core.context import Actor
from core.errors import AppError, Busy, Conflict

VALID = timedelta(days=7)
TOKEN_BYTES = 32  # 256 bits
MOST_OPEN = 100  # of one organisation
MOST_A_DAY = 200  # e-mails of one organisation


class InvitationGone(AppError):
    """Used, withdrawn, run out, or never sent: which of them is nobody's to learn who has not the link."""

    code = "not_found"
    http_status = 404


class TooMany(Busy):
    code = "too_many_invitations"
    http_status = 429
    exit_code = 1


@transaction.atomic
def invite(*, actor: Actor, organisation: Organisation, email: str, role: str, language: str) -> Invitation:
    """Queue the e-mail with the link. Whoever was asked already gets a new link, and the old one ends.

    Raises ``BadInput``, ``Conflict`` in an organisation that is closed, ``TooMany``.
    """
    address = checked_address(email).lower()
    check_role(role)
    lock_organisation(organisation)
    organisation.refresh_from_db()
    if not organisation.is_active:
        raise Conflict(_("The organisation is not active."))
    _check_number(organisation)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    values = {
        "role": role, "token_hash": hash_of(token), "invited_by": actor.name, "expires_at": timezone.now() + VALID,
    }  # fmt: skip
    open_ones = Invitation.objects.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    invitation, new = open_ones.update_or_create(organisation=organisation, email=address, defaults=values)
    _send(invitation, token, language, actor)
    _record(actor, "invitation_send" if new else "invitation_repeat", invitation)
    return invitation


def find(token: str) -> Invitation | None:
    """The invitation that a link leads to, while it may be accepted."""
    invitation = Invitation.objects.select_related("organisation").filter(token_hash=hash_of(token)).first()
    usable = invitation is not None and invitation.is_open and invitation.organisation.is_active
    return invitation if usable else None


def accepted_by(token: str, user: User) -> Organisation | None:
    """The organisation that this user joined by this very link: a second click leads there."""
    used = Invitation.objects.select_related("organisation").filter(
        token_hash=hash_of(token), accepted_by=user.pk, organisation__members__user=user
    )
    invitation = used.first()
    return invitation.organisation if invitation is not None else None


@transaction.atomic
def accept(*, actor: Actor, token: str) -> Member:
    """``actor`` joins by the link: one person, once. Raises ``InvitationGone``, ``IsMember``."""
    found = find(token)
    if found is None:
        raise InvitationGone(_("This invitation does not lead anywhere any more."))
    lock_organisation(found.organisation)
    invitation = find(token)  # as it is now that nobody else can use or withdraw it
    user = User.objects.filter(pk=actor.name, is_active=True).first()
    if invitation is None or user is None:
        raise InvitationGone(_("This invitation does not lead anywhere any more."))
    if Member.objects.filter(organisation=invitation.organisation, user=user).exists():
        raise IsMember(_("You belong to it already; the invitation stays for whoever it was meant for."))
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now(), accepted_by=user.pk)
    member = Member.objects.create(organisation=invitation.organisation, user=user, role=invitation.role)
    _record(actor, "invitation_accept", invitation, member=user.pk)
    return member


@transaction.atomic
def withdraw(*, actor: Actor, invitation: Invitation) -> bool:
    """The link ends at once. False when it was withdrawn before. Raises ``Conflict`` once it was accepted."""
    lock_organisation(invitation.organisation)
    invitation.refresh_from_db()
    if invitation.accepted_at is not None:
        raise Conflict(_("It was accepted already; remove the member instead."))
    if invitation.revoked_at is not None:
        return False
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    take_back(_about(invitation))
    _record(actor, "invitation_withdraw", invitation)
    return True


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_number(organisation: Organisation) -> None:
    """Whoever may invite must not be able to make a flood of e-mails of it."""
    waiting = organisation.invitations.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    today = EmailNotification.objects.filter(
        organisation=organisation, kind="invitation", created_at__gt=timezone.now() - timedelta(days=1)
    )
    if waiting.count() >= MOST_OPEN or today.count() >= MOST_A_DAY:
        raise TooMany(_("So many invitations are open that no more can be sent now. Withdraw some, or wait a day."))


def _send(invitation: Invitation, token: str, language: str, actor: Actor) -> None:
    take_back(_about(invitation))  # with a link that has ended
    with translation.override(language):
        role = str(invitation.get_role_display())
    queue_email(
        kind="invitation", recipient=invitation.email, language=language, organisation=invitation.organisation,
        dedupe_key=f"{_about(invitation)}{invitation.token_hash[:16]}",
        context={
            "organisation": invitation.organisation.name, "inviter": actor.name, "role": role,
            "url": site_url(reverse("organisations:invitation", args=[token])), "expires_at": invitation.expires_at,
        },
    )  # fmt: skip


def _about(invitation: Invitation) -> str:
    return f"invitation:{invitation.pk}:"


def masked(email: str) -> str:
    """The log is kept for ever, and people's addresses need not be."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}…@{host}"


def _record(actor: Actor, action: str, invitation: Invitation, **extra: str) -> None:
    audit.record(
        actor=actor, action=action, target=str(invitation.organisation), entity=invitation,
        extra={"to": masked(invitation.email), "role": invitation.role, **extra},
    )  # fmt: skip
