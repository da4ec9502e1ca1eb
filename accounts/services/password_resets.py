"""A forgotten password, and a first one: a link to the address on record opens a page that sets a new one.

Whoever asks learns nothing of it, neither whether there is such a user nor whether a link was sent. The link works for
an hour and once: it is signed over the password hash, the address and the last sign-in, so that any of them ends it.
A second factor is asked for at the next sign-in as ever.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.models import EmailNotification, EmailStatus, Identity, User
from accounts.models.users import CHOSEN_BY_ITS_USER, FIRST_WEEK, fold_username
from accounts.services import throttle
from accounts.services.outbox import queue_email, site_url
from audit import services as audit
from core.context import Actor

KIND = "password_reset"
FIRST = "password_first"
PAUSE = timedelta(minutes=15)  # between two links of one user; the first still works then, whoever asked for it


class _Tokens(PasswordResetTokenGenerator):
    key_salt = "accounts.services.password_resets"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{_address(user)}"

    def make_lasting(self, user: User, lasts: timedelta) -> str:
        """Good for so long, by a check that knows ``PASSWORD_RESET_TIMEOUT`` alone: made later, as it were."""
        later = int(lasts.total_seconds()) - settings.PASSWORD_RESET_TIMEOUT
        made: str = self._make_token_with_timestamp(user, self._num_seconds(self._now()) + later, self.secret)
        return made


tokens = _Tokens()


@transaction.atomic
def ask_reset(*, actor: Actor, username: str) -> bool:
    """Send a link, where there is somebody to send it to and none was sent just now. True when one goes out, which is
    not for the caller to tell."""
    user = User.objects.select_for_update().filter(pk=fold_username(username)[:150], is_active=True).first()
    address = _address(user) if user is not None else ""
    if user is None or not address or not user.has_usable_password() or _sent_lately(user):
        return False
    lasts = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    _send(KIND, user, address, user.language, tokens.make_token(user), lasts)
    audit.record(actor=actor, action="password_reset_ask", target=user.username, entity=user)
    return True


@transaction.atomic
def send_first(*, actor: Actor, user: User, language: str) -> None:
    """A link by which a user, just made, chooses a password; it goes to the address on record, in the user's language
    or else in ``language``. Whoever lets it run out asks for another one, as for a forgotten password."""
    _send(FIRST, user, _address(user), user.language or language, tokens.make_lasting(user, FIRST_WEEK), FIRST_WEEK)
    audit.record(actor=actor, action="password_first_link", target=user.username, entity=user)


def _send(kind: str, user: User, address: str, language: str, token: str, lasts: timedelta) -> None:
    path, now = (
        reverse("accounts:password_reset", args=[urlsafe_base64_encode(force_bytes(user.pk)), token]),
        timezone.now(),
    )
    queue_email(
        kind=kind, recipient=address, language=language, dedupe_key=f"{_about(user, kind)}{now.isoformat()}",
        context={"user": user.username, "expires_at": now + lasts, "url": site_url(path)},
    )  # fmt: skip


def find(uid: str, token: str) -> User | None:
    """Whose password the link may set, while it may."""
    try:
        name = urlsafe_base64_decode(uid).decode()
    except ValueError:
        return None
    user = User.objects.filter(pk=name, is_active=True).first() if "\0" not in name else None
    return user if user is not None and user.has_usable_password() and tokens.check_token(user, token) else None


@transaction.atomic
def reset(*, form: SetPasswordForm, token: str, ip: str) -> bool:
    """The new password of a valid form; every session of the user ends, and so does the link. False when the link was
    used meanwhile."""
    user = User.objects.select_for_update().get(pk=form.user.pk)
    if not tokens.check_token(user, token):
        return False
    form.user = user
    form.save()
    User.objects.filter(pk=user.pk).update(**CHOSEN_BY_ITS_USER)
    throttle.clear(username=user.username, ip=ip)
    audit.record(actor=Actor(user.username), action="password_reset", target=user.username, entity=user)
    return True


def _about(user: User, kind: str = KIND) -> str:
    return f"{kind}:{user.username}:"


def _address(user: User) -> str:
    return Identity.objects.filter(user=user).values_list("email", flat=True).first() or ""


def _sent_lately(user: User) -> bool:
    recent = EmailNotification.objects.filter(kind=KIND, created_at__gt=timezone.now() - PAUSE)
    return recent.filter(dedupe_key__startswith=_about(user)).exclude(status=EmailStatus.FAILED).exists()
