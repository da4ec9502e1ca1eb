"""Setting up, checking and removing the second factor.

Codes are six digits of half a minute (RFC 6238, SHA-1, as every app knows them), taken once, one step early or late;
recovery codes are 123 random bits, of which the SHA-256 is kept.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time

import pyotp
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from accounts.models import RecoveryCode, SecondFactor, Session, User
from audit.services import record
from core import sealing
from core.context import Actor
from core.errors import BadInput, Conflict

logger = logging.getLogger("accounts.second_factors")
STEP = 30  # seconds
APART = 1  # steps that a clock may be early or late
CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_LENGTH = 25  # characters: 123 bits


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def address_of(secret: str, username: str) -> str:
    """What an authenticator app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=settings.ORG_NAME)


def plain(code: str) -> str:
    """As people type it: without spaces and hyphens, in small letters."""
    return "".join(code.split()).replace("-", "").lower()


@transaction.atomic
def set_up(*, actor: Actor, user: User, secret: str, code: str, keep: str) -> list[str]:
    """The secret becomes the user's; other sessions than ``keep`` end. Returns the recovery codes: shown once.

    Raises ``BadInput`` when the code is not the secret's, ``Conflict`` when there is a second factor already.
    """
    User.objects.select_for_update().get(pk=user.pk)
    if SecondFactor.objects.filter(user=user).exists():
        raise Conflict(_("A second factor is set up already; remove it first."))
    step = _step_of(secret, plain(code), after=0)
    if step is None:
        raise BadInput(_("That is not the code that the app shows now."), field="code")
    SecondFactor.objects.create(user=user, secret=sealing.seal(secret), last_step=step)
    codes = _new_codes(user)
    Session.objects.filter(user=user).exclude(session_key=keep).delete()
    record(actor=actor, action="second_factor_on", target=user.username, entity=user)
    return codes


@transaction.atomic
def check(*, actor: Actor, user: User, code: str) -> bool:
    """Take a code of the app or a recovery code; each works once, also when sent twice at the same moment. Raises
    ``Conflict`` where codes of the app cannot be checked any more."""
    found = SecondFactor.objects.select_for_update().filter(user=user).first()
    text = plain(code)
    if found is None:
        return False
    if text.isdecimal() and text.isascii():
        step = _step_of(_seed_of(found), text, after=found.last_step)
        if step is None:
            return False
        found.last_step = step
        found.save(update_fields=["last_step"])
        record(actor=actor, action="second_factor_used", target=user.username, entity=user)
        return True
    unused = RecoveryCode.objects.filter(user=user, code_hash=_hash(text), used_at__isnull=True)
    if not unused.update(used_at=timezone.now()):
        return False
    left = RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
    record(actor=actor, action="recovery_code_used", target=user.username, entity=user, extra={"left": left})
    return True


def _seed_of(found: SecondFactor) -> str:
    try:
        return found.seed
    except sealing.Sealed as error:
        logger.error("The second factor of %s cannot be opened: %s", found.user_id, error)
        words = _("The site's key was changed: codes of the app are not known. Give a recovery code, or ask for help.")
        raise Conflict(words) from error


@transaction.atomic
def renew_codes(*, actor: Actor, user: User) -> list[str]:
    """New recovery codes; the old ones work no more."""
    SecondFactor.objects.select_for_update().get(user=user)
    codes = _new_codes(user)
    record(actor=actor, action="second_factor_codes", target=user.username, entity=user)
    return codes


@transaction.atomic
def remove(*, actor: Actor, user: User, keep: str) -> bool:
    """By the user. Other sessions than ``keep`` end. False when there was none."""
    return _remove(actor, user, "second_factor_off", keep)


@transaction.atomic
def reset(*, actor: Actor, user: User) -> bool:
    """By an administrator, for whoever lost the device and the codes: every session ends. False when there was none."""
    return _remove(actor, user, "second_factor_reset", "")


def _remove(actor: Actor, user: User, action: str, keep: str) -> bool:
    number, _rows = SecondFactor.objects.filter(user=user).delete()
    if not number:
        return False
    RecoveryCode.objects.filter(user=user).delete()
    Session.objects.filter(user=user).exclude(session_key=keep).delete()
    record(actor=actor, action=action, target=user.username, entity=user)
    return True


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    texts = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, code_hash=_hash(text)) for text in texts])
    return ["-".join(text[at : at + 5] for at in range(0, _LENGTH, 5)) for text in texts]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _step_of(secret: str, code: str, *, after: int) -> int | None:
    """The half minute that ``code`` is of, when it is a present one and later than ``after``. Every candidate is
    computed, so the time does not tell which one it was."""
    now, app, found = int(time.time()) // STEP, pyotp.TOTP(secret), None
    for step in range(now - APART, now + APART + 1):
        if constant_time_compare(app.generate_otp(step), code) and step > after:
            found = step
    return found
