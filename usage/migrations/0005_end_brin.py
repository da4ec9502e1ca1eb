"""A block range index on the end of jobs: months and days are read among millions without a scan, at no cost to imports.

PostgreSQL only; SQLite has no such index, and too few rows to need it.
"""

from django.db import migrations


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX idx_jobs_end_brin ON jobs USING brin (end_at) WITH (pages_per_range = 32, autosummarize = on)"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX idx_jobs_end_brin")


class Migration(migrations.Migration):
    dependencies = [("usage", "0004_unbilled_index")]
    operations = [migrations.RunPython(create, drop)]
