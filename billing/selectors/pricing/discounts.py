"""Which discounts an organisation has. A month has those of its first day, as it has its prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db.models import Q, QuerySet

from accounts.models import Organisation
from billing.models import Discount


def in_force(day: date) -> QuerySet[Discount]:
    """The first and the last day of each included."""
    return Discount.objects.filter(Q(effective_to__isnull=True) | Q(effective_to__gte=day), effective_from__lte=day)


def discounts_for(organisation: Organisation, month_start: date) -> list[Discount]:
    """In the order in which they were given."""
    return discount_tables([organisation.pk], month_start)[organisation.pk]


def discount_tables(organisations: Iterable[int], month_start: date) -> dict[int, list[Discount]]:
    """The same for many organisations, by their id, in one query."""
    found: dict[int, list[Discount]] = {number: [] for number in organisations}
    for row in in_force(month_start).filter(organisation__in=found).order_by("pk"):
        found[row.organisation_id].append(row)
    return found
