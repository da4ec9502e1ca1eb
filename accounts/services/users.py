"""Making users: the first administrator and the demo cast."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Role, User
from accounts.models.users import CHOSEN_BY_ITS_USER
from accounts.roles import GROUPS
from audit.services import record
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import Misconfigured

ADMIN = "admin"


@transaction.atomic
def bootstrap_admin(*, actor: Actor, password: str, reset: bool = False, dry_run: bool = False) -> str:
    """Make sure the superuser ``admin`` exists. Returns ``created``, ``reset``, ``promoted`` or ``unchanged``.

    An existing administrator keeps the password unless ``reset``. ``dry_run`` does it
    and undoes it. Raises ``Misconfigured`` without a password (also to promote: a
    user who happens to be called admin must not become one by a restart), and
    outside DEBUG for a weak one.
    """
    lock_for_transaction("bootstrap_admin")  # of several at once the first makes the user, the others find it
    user = User.objects.select_for_update().filter(pk=ADMIN).first()
    complete = user is not None and user.is_superuser and user.is_active and user.role == Role.ADMIN
    if user is not None and complete and not reset:
        return "unchanged"
    _refuse_missing(password)
    if user is None or reset:
        _refuse_weak(password)
    if user is None:
        user, outcome = User.objects.create_superuser(ADMIN, password), "created"
    else:
        outcome = "reset" if reset else "promoted"
        user.role, user.is_superuser, user.is_active = Role.ADMIN, True, True
        if reset:
            user.set_password(password)
            for name, value in CHOSEN_BY_ITS_USER.items():
                setattr(user, name, value)
        user.save()
    record(actor=actor, action="user_bootstrap", target=ADMIN, entity=user, extra={"outcome": outcome})
    if dry_run:
        transaction.set_rollback(True)
    return outcome


def _refuse_missing(password: str) -> None:
    if not password:
        raise Misconfigured("ADMIN_PASSWORD is not set: give the first administrator a password.")


def _refuse_weak(password: str) -> None:
    if settings.DEBUG:
        return
    try:
        validate_password(password, User(username=ADMIN))
    except ValidationError as error:
        raise Misconfigured(f"ADMIN_PASSWORD is too weak: {' '.join(error.messages)}") from error


@dataclass(frozen=True, slots=True)
class DemoUser:
    """``role`` is user, admin, or a group in small letters with hyphens: finance, rates-editor, operator, auditor."""

    username: str
    password: str
    role: str


def demo_cast(entries: list[str]) -> list[DemoUser]:
    """Parse ``name:password:role`` entries; a password may hold colons. Raises ``Misconfigured`` naming the entry."""
    cast = []
    for entry in entries:
        name, _colon, rest = entry.strip().partition(":")
        password, _colon, role = rest.rpartition(":")
        if not (name and password and role in _groups()):
            known = ", ".join(_groups())
            raise Misconfigured(f"DEMO_USERS: {name or entry!r} is not name:password:role with a role of {known}.")
        cast.append(DemoUser(name, password, role))
    return cast


def _groups() -> dict[str, str]:
    """Role word of DEMO_USERS -> group ("" for an ordinary user)."""
    return {"user": "", **{name.lower().replace(" ", "-"): name for name in GROUPS}}


def create_demo_users(*, actor: Actor) -> list[DemoUser]:
    """Create the users of DEMO_USERS that do not exist yet.

    Returns the whole cast, so that a caller can print logins. Nothing happens, and
    the list is empty, unless DEBUG and SEED_DEMO_USERS are both on.
    """
    if not (settings.DEBUG and settings.SEED_DEMO_USERS):
        return []
    cast = demo_cast(settings.DEMO_USERS)
    for member in cast:
        _create_demo_user(actor, member)
    return cast


@transaction.atomic
def _create_demo_user(actor: Actor, member: DemoUser) -> None:
    if User.objects.filter(pk=member.username.casefold()).exists():
        return
    group = _groups()[member.role]
    role = Role.ADMIN if group else Role.USER
    user = User.objects.create_user(member.username, member.password, role=role)
    user.groups.set(Group.objects.filter(name=group))
    record(actor=actor, action="user_demo", target=user.username, entity=user, extra={"role": member.role})
