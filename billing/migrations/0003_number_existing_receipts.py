"""Receipts from before documents had numbers get theirs, in the order in which they were made."""

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from billing import digest
from billing.selectors.documents.genuine import LINE_FIELDS, content_of
from core.periods import fiscal_year


def number(apps, schema_editor):
    receipts = apps.get_model("billing", "Receipt").objects
    counters = apps.get_model("billing", "DocumentCounter").objects
    last = {}
    for receipt in receipts.filter(document_number=None).order_by("id").iterator():
        receipt.issued_on = timezone.localdate(receipt.created_at, timezone.get_default_timezone())
        year = fiscal_year(receipt.issued_on, settings.FISCAL_YEAR_START_MONTH)
        last[year] = last.get(year, 0) + 1
        receipt.fiscal_year, receipt.serial = year, last[year]
        receipt.document_number = f"{settings.BILLING_RECEIPT_PREFIX}{year}-{last[year]:06d}"
        receipt.username = receipt.user_id  # what content_of reads of a receipt
        lines = receipt.items.order_by("id").values_list(*LINE_FIELDS).iterator(2000)
        receipt.digest = digest.document_hash(content_of(receipt), digest.lines_hash(lines))
        receipt.save()
    for year, serial in last.items():
        counters.create(series="receipt", fiscal_year=year, last=serial)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_documents_and_months")]
    operations = [migrations.RunPython(number, migrations.RunPython.noop)]
