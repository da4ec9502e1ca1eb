"""Where an organisation is written to about its bills. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from accounts.membership import BILLING, RIGHTS
from accounts.models import Member, Organisation
from accounts.services.outbox import checked_address
from core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Contact:
    address: str
    language: str


def bill_contacts(organisations: Iterable[Organisation]) -> dict[int, Contact]:
    """By the organisation's key: its address for bills, else that of the first owner or billing manager who has given
    one; in the language of the first of them. Organisations without any are left out. One statement."""
    places = {each.pk: each for each in organisations}
    roles = [role for role, rights in RIGHTS.items() if BILLING in rights]
    rows = Member.objects.filter(organisation__in=list(places), role__in=roles, user__is_active=True)
    people: dict[int, list[tuple[str, str]]] = {}
    fields = ("organisation_id", "user__identity__email", "user__language")
    for organisation, email, language in rows.order_by("-role", "pk").values_list(*fields):  # owners first
        people.setdefault(organisation, []).append((email or "", language or ""))
    found = {}
    for key, organisation in places.items():
        known = people.get(key, [])
        addresses = (organisation.billing_email, *(email for email, _language in known))
        address = next((each for each in addresses if _good(each)), "")
        if address:
            language = next((language for _email, language in known if language), settings.LANGUAGE_CODE)
            found[key] = Contact(address, language)
    return found


def _good(address: str) -> bool:
    try:
        return bool(checked_address(address))
    except BadInput:
        return False
