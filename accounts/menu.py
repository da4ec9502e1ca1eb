"""Which entries of the menu somebody needs: one query for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists

from accounts.membership import BILLING, VIEW, Person, memberships
from accounts.models import User
from accounts.projects import led_ids


@dataclass(frozen=True, slots=True)
class Menu:
    """``leads`` a project; ``belongs`` to an organisation; looks after the ``bills`` of one."""

    leads: bool = False
    belongs: bool = False
    bills: bool = False


def menu_of(user: Person) -> Menu:
    if not user.is_authenticated:
        return Menu()
    leads, belongs, bills = (
        Exists(led_ids(user.get_username())), Exists(memberships(user, VIEW)), Exists(memberships(user, BILLING))
    )  # fmt: skip
    found = User.objects.filter(pk=user.pk).values_list(leads, belongs, bills).first()
    return Menu(*found) if found else Menu()
