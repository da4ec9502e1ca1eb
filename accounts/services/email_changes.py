"""Another e-mail address for a user: it counts once a link that was sent there has been opened.

Until then the old one stays in force. A link that has not left yet is taken back by the next one, and does not count.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import EmailChange, EmailNotification, Identity, User
from accounts.services.identities import set_email
from accounts.services.outbox import checked_address, queue_email, site_url, take_back
from audit import services as audit
from core.context import Actor
from core.errors import AppError, Busy

KIND = "email_change"
VALID = timedelta(days=1)
TOKEN_BYTES = 32  # 256 bits
MOST_A_DAY = 5  # links of one user, and links to one address


class TooManyLinks(Busy):
    """Neither may a user flood somebody with links, nor many users one address."""

    code = "too_many_links"
    http_status = 429
    exit_code = 1


class LinkGone(AppError):
    """Used, run out, overtaken, or another user's: which of them is nobody's to learn."""

    code = "not_found"
    http_status = 404


@transaction.atomic
def ask_email(*, actor: Actor, user: User, email: str, language: str) -> EmailChange | None:
    """Send a link to ``email``; the former link ends. None where nothing is to be confirmed.

    That is so when the address stands already (what waited is given up) or is empty (it is forgotten at once).
    Raises ``BadInput``, ``TooManyLinks``.
    """
    address = checked_address(email) if email.strip() else ""
    User.objects.select_for_update().get(pk=user.pk)
    current = Identity.objects.filter(user=user).values_list("email", flat=True).first() or ""
    if address in ("", current):
        give_up(user)
        set_email(actor=actor, user=user, email=address)
        return None
    _check_number(user, address)
    take_back(_about(user))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    values = {"email": address, "token_hash": hash_of(token), "expires_at": timezone.now() + VALID}
    change, _made = EmailChange.objects.update_or_create(user=user, defaults=values)
    queue_email(
        kind=KIND, recipient=address, language=language, dedupe_key=f"{_about(user)}{change.token_hash[:16]}",
        context={
            "user": user.username, "expires_at": change.expires_at,
            "url": site_url(reverse("profile_email", args=[token])),
        },
    )  # fmt: skip
    audit.record(actor=actor, action="email_change", target=user.username, entity=user)
    return change


def find(token: str, user: User) -> EmailChange | None:
    """What the link confirms, while it may: the user's own alone."""
    open_ones = EmailChange.objects.filter(user=user, expires_at__gt=timezone.now())
    return open_ones.filter(token_hash=hash_of(token)).first()


@transaction.atomic
def confirm_email(*, actor: Actor, token: str) -> str:
    """The address is the user's from now on; the link works once. Raises ``LinkGone``."""
    user = User.objects.select_for_update().filter(pk=actor.name, is_active=True).first()
    change = find(token, user) if user is not None else None
    if user is None or change is None:
        raise LinkGone(_("This link does not lead anywhere any more."))
    address = change.email
    change.delete()
    set_email(actor=actor, user=user, email=address)
    return address


def waiting(user: User) -> EmailChange | None:
    """The address that the user has still to confirm."""
    return EmailChange.objects.filter(user=user, expires_at__gt=timezone.now()).first()


def give_up(user: User) -> bool:
    """The link ends; the e-mail is taken back where it has not left yet."""
    take_back(_about(user))
    return bool(EmailChange.objects.filter(user=user).delete()[0])


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _about(user: User) -> str:
    return f"{KIND}:{user.username}:"


def _check_number(user: User, address: str) -> None:
    today = EmailNotification.objects.filter(kind=KIND, created_at__gt=timezone.now() - timedelta(days=1))
    alike = (today.filter(dedupe_key__startswith=_about(user)), today.filter(recipient_email__iexact=address))
    if any(each.count() >= MOST_A_DAY for each in alike):
        raise TooManyLinks(_("So many links were sent today that no more can be. Wait a day."), field="email")
