"""Block range indexes on job ids, which grow as jobs come in: a job is found by its number among millions.

PostgreSQL only, see the migration before.
"""

from django.db import migrations

COLUMNS = ("job_id", "array_job_id", "het_job_id")


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for column in COLUMNS:
            schema_editor.execute(
                f"CREATE INDEX idx_jobs_{column}_brin ON jobs USING brin ({column})"
                " WITH (pages_per_range = 32, autosummarize = on)"
            )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for column in COLUMNS:
            schema_editor.execute(f"DROP INDEX idx_jobs_{column}_brin")


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_end_brin")]
    operations = [migrations.RunPython(create, drop)]
