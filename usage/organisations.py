"""What counted usage holds fast of an organisation, for ``ORGANISATION_FIXED``."""

from __future__ import annotations

from accounts.models import Organisation
from usage.models import UsageAggregate


def fixed_fields(organisation: Organisation) -> tuple[str, ...]:
    """Hours, days and months are cut by its time zone: once some are counted, it stands."""
    counted = UsageAggregate.objects.filter(organisation=organisation).exists()
    return ("time_zone",) if counted else ()


def has_past(organisation: Organisation) -> bool:
    """Whether events of its projects were counted."""
    return UsageAggregate.objects.filter(organisation=organisation).exists()
