"""Upgrades without a pause: migrations add first, and the former version goes on reading and writing meanwhile."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ModelState, ProjectState

from hpcbilling.diagnosis import examine
from hpcbilling.upgrades import faults

APPS = {"hpcbilling", "payments", "billing", "usage", "subscriptions", "accounts", "audit"}
# The first release: what is newer must be fit for an upgrade without a pause.
RELEASED = {
    "accounts": "0016_bills_by_email", "audit": "0002_action_index", "billing": "0017_payments_taken_back",
    "hpcbilling": "0003_saved_filters", "payments": "0006_invoices", "subscriptions": "0003_next_cycle",
    "usage": "0009_partition_events",
}  # fmt: skip


def state() -> ProjectState:
    """A table of ours and a big one."""
    found = ProjectState()
    for name, table in (("thing", "things"), ("job", "jobs")):
        fields = [("id", models.BigAutoField(primary_key=True)), ("note", models.CharField(max_length=20, null=True))]
        found.add_model(ModelState("usage", name, fields, options={"db_table": table}))
    return found


def migration(*operations: Any, **more: Any) -> migrations.Migration:
    made = type("Migration", (migrations.Migration,), {"operations": list(operations), **more})
    return made("0099_test", "usage")  # type: ignore[no-any-return]


index = models.Index(fields=["note"], name="x")
check = models.CheckConstraint(condition=models.Q(id__gt=0), name="x")


@pytest.mark.parametrize(("operation", "word"), [
    (migrations.RemoveField("thing", "note"), "former version still uses"),
    (migrations.RenameField("thing", "note", "text"), "former version still uses"),
    (migrations.DeleteModel("Thing"), "former version still uses"),
    (migrations.RenameModel("Thing", "Item"), "former version still uses"),
    (migrations.AlterModelTable("thing", "items"), "old name"),
    (migrations.AddField("thing", "n", models.IntegerField(default=0)), "db_default"),
    (migrations.AddField("thing", "n", models.IntegerField()), "db_default"),
    (migrations.AlterField("thing", "note", models.CharField(max_length=20)), "NOT NULL"),
    (migrations.AlterField("thing", "note", models.CharField(max_length=10, null=True)), "shorter"),
    (migrations.AlterField("thing", "note", models.IntegerField(null=True)), "another kind"),
    (migrations.AddIndex("job", index), "AddIndexConcurrently"),
    (migrations.AddConstraint("job", check), "NotValid"),
    (migrations.RunSQL("SELECT 1"), "taken back"),
    (migrations.RunPython(lambda apps, editor: None), "taken back"),
])  # fmt: skip
def test_what_would_hurt_the_former_version_is_named(operation: Any, word: str) -> None:
    (words,) = faults(migration(operation), state())
    assert word in words
    assert "0099_test" in words
    assert faults(migration(operation, contract="nothing reads it since 0.2"), state()) == []


@pytest.mark.parametrize("operations", [
    (migrations.AddField("thing", "n", models.IntegerField(null=True)),),
    (migrations.AddField("thing", "n", models.IntegerField(db_default=0)),),
    (migrations.AlterField("thing", "note", models.CharField(max_length=30, null=True)),),
    (migrations.AddIndex("thing", index),),
    (migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
     migrations.AddField("new", "n", models.IntegerField(default=0))),
    (migrations.RunPython(lambda apps, editor: None, migrations.RunPython.noop),),
])  # fmt: skip
def test_what_only_adds_may_run_while_the_former_version_serves(operations: tuple[Any, ...]) -> None:
    assert faults(migration(*operations), state()) == []


def after_release() -> list[tuple[str, str]]:
    """Our migrations that are newer than the first release, in the order in which they run."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    plan: list[tuple[str, str]] = []
    for leaf in sorted(loader.graph.leaf_nodes()):
        plan += [node for node in loader.graph.forwards_plan(leaf) if node not in plan]
    return [node for node in plan if node[0] in APPS and node[1] > RELEASED[node[0]]]


def test_every_migration_since_the_first_release_may_run_while_the_former_version_serves() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    newer = after_release()
    assert ("audit", "0003_checkpoints_and_verifications") in newer
    for node in newer:
        before = loader.project_state([(each[0], each[1]) for each in loader.graph.node_map[node].parents], at_end=True)
        assert faults(loader.disk_migrations[node], before) == [], node


@pytest.mark.django_db
def test_the_models_of_the_release_read_and_write_the_schema_of_today() -> None:
    """What a web server of the former version does while the new one has migrated already."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    newer = set(after_release())
    old = [node for node in loader.graph.nodes if node not in newer]
    apps = loader.project_state(old).apps
    read = 0
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label in APPS and model._meta.managed:
            list(model._default_manager.all()[:3])
            read += 1
    assert read > 60
    tier = apps.get_model("accounts", "Tier")
    before = tier.objects.count()
    tier.objects.create(code="old-code", name="Old", position=99)
    assert tier.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_the_operator_is_told_what_waits() -> None:
    recorder = MigrationRecorder(connection)
    node = ("audit", "0003_checkpoints_and_verifications")
    out = StringIO()
    call_command("check_upgrade", format="json", stdout=out)
    assert json.loads(out.getvalue()) == {"pending": [], "stop_first": [], "unknown": []}
    recorder.record_unapplied(*node)
    try:
        out = StringIO()
        call_command("check_upgrade", format="json", stdout=out)
        assert json.loads(out.getvalue()) == {"pending": [".".join(node)], "stop_first": [], "unknown": []}
    finally:
        recorder.record_applied(*node)


@pytest.mark.django_db(transaction=True)
def test_a_database_of_a_newer_version_is_known_for_one() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("audit", "9999_of_tomorrow")
    recorder.record_applied("an_app_that_is_switched_off", "0001_initial")
    try:
        out = StringIO()
        call_command("check_upgrade", stdout=out)
        said = next(finding for finding in examine() if finding.name == "migrations")
    finally:
        recorder.record_unapplied("audit", "9999_of_tomorrow")
        recorder.record_unapplied("an_app_that_is_switched_off", "0001_initial")
    words = "A newer version has migrated this database; this code does not know audit.9999_of_tomorrow."
    assert out.getvalue().splitlines() == ["No migration waits.", words]
    assert (said.level, said.message.startswith(words)) == ("note", True)
