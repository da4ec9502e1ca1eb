"""What bills hold fast of an organisation, for ``ORGANISATION_FIXED``."""

from __future__ import annotations

from accounts.models import Organisation
from billing.models import Receipt


def fixed_fields(organisation: Organisation) -> tuple[str, ...]:
    """Once anything was billed for its projects, the currency stands."""
    billed = Receipt.objects.filter(project__organisation=organisation).exists()
    return ("currency",) if billed else ()
