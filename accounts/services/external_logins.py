"""Which user of ours somebody is whom the identity provider knows.

The link is (issuer, subject): neither a name nor an e-mail address that changes hands can take over a user. A user that
is here already is linked only where ``OIDC_LINK_USERS`` says that the provider's user names are the site's own, and
never a superuser. Nobody is ever found by an e-mail address.
"""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts.models import Role, User
from accounts.sso.claims import Person
from audit.services import record
from core.context import SYSTEM


class Refused(Exception):
    """``args[0]`` is a short code for the log."""


def provider_of(issuer: str) -> str:
    """The name under which allauth keeps links of this issuer: another issuer's subjects are other people."""
    return f"oidc-{hashlib.sha256(issuer.encode()).hexdigest()[:16]}"


@transaction.atomic
def user_for(*, person: Person) -> User:
    """Raises ``Refused``: unknown here and may not be made, name taken, name of no use, inactive."""
    from allauth.socialaccount.models import SocialAccount

    provider = provider_of(person.issuer)
    link = SocialAccount.objects.select_related("user").filter(provider=provider, uid=person.subject).first()
    if link is None:
        user = _first_time(person)
        try:
            with transaction.atomic():
                SocialAccount.objects.create(user=user, provider=provider, uid=person.subject)
        except IntegrityError as error:
            raise Refused("at_once") from error
    else:
        user = link.user
    if not user.is_active:
        raise Refused("inactive")
    _set_roles(user, person)
    return user


def _first_time(person: Person) -> User:
    from allauth.socialaccount.models import SocialAccount

    if not person.username:
        raise Refused("username")
    user = User.objects.select_for_update().filter(pk=person.username).first()
    if user is None:
        if not settings.OIDC_CREATE_USERS:
            raise Refused("unknown")
        user = User.objects.create_user(person.username)
        user.set_unusable_password()
        user.save(update_fields=["password"])
        how = "created"
    elif not settings.OIDC_LINK_USERS or user.is_superuser:
        raise Refused("name_taken")
    elif SocialAccount.objects.filter(user=user).exists():
        raise Refused("linked_to_another")
    else:
        how = "linked"
    record(
        actor=SYSTEM, action="sso_user", target=user.username, entity=user, extra={"how": how, "issuer": person.issuer}
    )
    return user


def _set_roles(user: User, person: Person) -> None:
    """Groups that ``OIDC_GROUP_ROLES`` names follow the provider at each sign-in; all others, and superusers, are left
    alone. Who has no group of ours any more is no administrator."""
    managed = set(settings.OIDC_GROUP_ROLES.values())
    if not managed or user.is_superuser:
        return
    present = set(user.groups.values_list("name", flat=True))
    wanted = (present - managed) | person.groups
    # a group that was given here does not bring back a role that was taken here
    role = Role.ADMIN if person.groups else Role(user.role) if wanted else Role.USER
    if wanted == present and role == user.role:
        return
    user.groups.set(Group.objects.filter(name__in=wanted))
    User.objects.filter(pk=user.pk).update(role=role)
    user.role = role
    changes = {"before": sorted(present), "after": sorted(wanted), "role": role}
    record(actor=SYSTEM, action="sso_roles", target=user.username, entity=user, extra=changes)
