from django.db import migrations
from django.db.models import F


def settle(apps, schema_editor):
    """What succeeded before this was recorded came in as it was asked for, by our clock."""
    payments = apps.get_model("payments", "Payment").objects.filter(status="succeeded")
    payments.update(captured_cents=F("amount_cents"), captured_at=F("paid_at"), external_charge_id=F("external_payment_id"))


class Migration(migrations.Migration):
    """A migration of its own: PostgreSQL alters no table whose rows were changed in the same transaction."""

    dependencies = [("payments", "0002_returns")]

    operations = [migrations.RunPython(settle, migrations.RunPython.noop)]
