"""Which entries of the menu somebody needs: one query for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists

from accounts.membership import VIEW, Person, memberships
from accounts.models import User
from accounts.projects import led_ids


@dataclass(frozen=True, slots=True)
class Menu:
    """``leads`` a project; ``belongs`` to an organisation."""

    leads: bool = False
    belongs: bool = False


def menu_of(user: Person) -> Menu:
    if not user.is_authenticated:
        return Menu()
    leads, belongs = Exists(led_ids(user.get_username())), Exists(memberships(user, VIEW))
    found = User.objects.filter(pk=user.pk).values_list(leads, belongs).first()
    return Menu(*found) if found else Menu()
