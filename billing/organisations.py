"""What bills hold fast of an organisation, for ``ORGANISATION_FIXED``."""

from __future__ import annotations

from accounts.models import Organisation
from billing.models import Invoice, Receipt, SubscriptionCharge


def fixed_fields(organisation: Organisation) -> tuple[str, ...]:
    """Once anything was billed for its projects, the currency stands; once a fee was charged for days of its time zone,
    that does, and once a month was invoiced, both do."""
    if Invoice.objects.filter(organisation=organisation, invoice_number__isnull=False).exists():
        return ("currency", "time_zone")
    billed = Receipt.objects.filter(project__organisation=organisation).exists()
    charged = SubscriptionCharge.objects.filter(subscription__organisation=organisation).exists()
    return (*(("currency",) if billed else ()), *(("time_zone",) if charged else ()))
