"""PostgreSQL: cut ``usage_events`` by month. The table is new and empty, so it is made again, not converted."""

from django.db import migrations

from usage import partitions

STEPS = (
    "ALTER TABLE usage_events RENAME TO usage_events_plain",
    "CREATE TABLE usage_events (LIKE usage_events_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    " PARTITION BY RANGE (timestamp)",
    "DROP TABLE usage_events_plain",
    "ALTER TABLE usage_events ADD PRIMARY KEY (id, timestamp)",
    "CREATE INDEX idx_usage_events_org_time ON usage_events (organisation_id, project_id, timestamp)",
)


def cut(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for step in STEPS:
        schema_editor.execute(step)
    partitions.forget()
    partitions.ensure(partitions.usual_months())


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_metering")]
    operations = [migrations.RunPython(cut, migrations.RunPython.noop)]
