"""What bills hold fast of an organisation, for ``ORGANISATION_FIXED``."""

from __future__ import annotations

from accounts.models import Organisation, ProjectAccount
from billing.models import CreditEntry, Discount, Invoice, Receipt, SubscriptionCharge
from usage.models import Job


def fixed_fields(organisation: Organisation) -> tuple[str, ...]:
    """Once anything was billed for its projects, or a discount is an amount, the currency stands; once a fee was
    charged for days of its time zone, that does, and once a month was invoiced, both do."""
    if Invoice.objects.filter(organisation=organisation, invoice_number__isnull=False).exists():
        return ("currency", "time_zone")
    billed = Receipt.objects.filter(project__organisation=organisation).exists()
    billed = billed or Discount.objects.filter(organisation=organisation, amount__isnull=False).exists()
    charged = SubscriptionCharge.objects.filter(subscription__organisation=organisation).exists()
    return (*(("currency",) if billed else ()), *(("time_zone",) if charged else ()))


def has_past(organisation: Organisation) -> bool:
    """Whether it has a document, a draft, a fee or money in its favour, or jobs of its accounts are on one."""
    if Invoice.objects.filter(organisation=organisation).exists():
        return True
    if CreditEntry.objects.filter(organisation=organisation).exists():
        return True
    if Receipt.objects.filter(project__organisation=organisation).exists():
        return True
    if SubscriptionCharge.objects.filter(subscription__organisation=organisation).exists():
        return True
    accounts = ProjectAccount.objects.filter(project__organisation=organisation).values("account")
    return Job.objects.filter(account__in=accounts).exclude(claimed_by="").exists()
