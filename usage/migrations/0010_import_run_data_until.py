"""How far each import goes. Of earlier ones: a live source's window, and of files, whose rows are not kept, the moment
they were read, as pages have said so far."""

from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Coalesce, Least


def fill(apps, schema_editor):
    good = apps.get_model("usage", "ImportRun").objects.using(schema_editor.connection.alias).filter(
        status__in=("done", "partial"), finished_at__isnull=False
    )
    until = Least(Coalesce(F("window_end"), F("finished_at")), F("finished_at"))
    good.filter(data_until__isnull=True).exclude(source="quarantine").update(data_until=until)


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_partition_events")]
    operations = [
        migrations.AddField(
            "importrun", "data_until", models.DateTimeField(blank=True, null=True, verbose_name="data up to")
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
