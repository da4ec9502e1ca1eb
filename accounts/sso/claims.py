"""What the provider says about a person, by the names that the settings give; what is not on a list counts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.models.users import USERNAME_PATTERN, fold_username

MOST_GROUPS = 500


@dataclass(frozen=True, slots=True)
class Person:
    """``username`` is empty where the claim is none of a Slurm login's form; ``groups`` are names of our groups."""

    issuer: str
    subject: str
    username: str
    email: str
    groups: frozenset[str]
    second_factor: bool


def person_of(claims: Mapping[str, Any]) -> Person:
    name = claims.get(settings.OIDC_USERNAME_CLAIM)
    username = fold_username(name) if isinstance(name, str) and name.isascii() else ""
    if not re.match(USERNAME_PATTERN, username) or len(username) > 64:  # noqa: PLR2004 - as the column
        username = ""
    email = claims.get("email")
    verified = claims.get("email_verified") is True  # not "true", not 1: what is not said plainly is not verified
    amr = claims.get("amr")
    methods = {str(each) for each in amr} if isinstance(amr, list) else set()
    return Person(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        username=username,
        email=email if isinstance(email, str) and verified else "",
        groups=groups_of(claims.get(settings.OIDC_GROUPS_CLAIM)),
        second_factor=bool(set(settings.OIDC_SECOND_FACTOR_AMR) & methods),
    )  # fmt: skip


def groups_of(value: object) -> frozenset[str]:
    """Our groups for theirs, by ``OIDC_GROUP_ROLES`` alone. One group may come as text."""
    theirs = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    wanted: dict[str, str] = settings.OIDC_GROUP_ROLES
    return frozenset(wanted[each] for each in theirs[:MOST_GROUPS] if isinstance(each, str) and each in wanted)
