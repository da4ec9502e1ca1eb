"""Which migrations may run while the former version still serves: expand first, contract a release later.

While both versions run, the former one reads and writes the new schema. So a migration may add, and must not take away,
rename, or demand what the former version does not write; and it must not hold a lock on a big table for long.
A migration that does (the contract step, when no running code needs the old) says why it may::

    class Migration(migrations.Migration):
        contract = "no code since 0.3 reads receipts.old_total"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

# Tables that grow with every job, event or action: an index is built beside the writers, or they wait.
BIG = frozenset(
    {"jobs", "usage_events", "usage_aggregates", "audit_log", "receipt_items", "invoice_line_items", "payment_events"}
)


def faults(migration: Migration, before: ProjectState) -> list[str]:
    """What of the migration would hurt the former version, in words; empty when it only adds, or says ``contract``."""
    if getattr(migration, "contract", "") or migration.initial or migration.replaces:
        return []
    state, found = before.clone(), []
    made: set[str] = set()
    for operation in migration.operations:
        if isinstance(operation, operations.CreateModel):
            made.add(operation.name_lower)
        if getattr(operation, "model_name_lower", "") not in made:
            found += [f"{migration}: {words}" for words in _words(operation, state, migration)]
        operation.state_forwards(migration.app_label, state)
    return found


def pending() -> Iterator[tuple[Migration, list[str]]]:
    """Migrations that ``migrate`` would run now, each with its faults."""
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    plan = executor.migration_plan(graph.leaf_nodes())
    state = executor.loader.project_state([node for node in executor.loader.applied_migrations if node in graph.nodes])
    for migration, _backwards in plan:
        yield migration, faults(migration, state)
        state = migration.mutate_state(state)


def unknown() -> list[str]:
    """Migrations of our apps that the database has and this code has not: a newer version has migrated it."""
    loader = MigrationLoader(connection)
    replaced = {node for migration in loader.disk_migrations.values() for node in migration.replaces}
    ours = (node for node in loader.applied_migrations if node[0] in loader.migrated_apps)
    return sorted(".".join(node) for node in ours if node not in loader.disk_migrations and node not in replaced)


def _words(operation: Any, state: ProjectState, migration: Migration) -> Iterator[str]:
    kind, name = type(operation).__name__, operation.describe()
    if isinstance(
        operation, operations.DeleteModel | operations.RenameModel | operations.RemoveField | operations.RenameField
    ):
        yield f"{name}: the former version still uses it; stop using it, release, then remove it with contract"
    elif isinstance(operation, operations.AlterModelTable):
        yield f"{name}: the former version knows the table by its old name"
    elif isinstance(operation, operations.AddField):
        yield from _added(operation.field, name)
    elif isinstance(operation, operations.AlterField):
        yield from _altered(operation, state, migration, name)
    elif kind in ("AddIndex", "AddConstraint") and _table(operation, state, migration) in BIG:
        yield from _on_big(kind, name)
    elif isinstance(operation, operations.RunSQL | operations.RunPython) and not operation.reversible:
        yield f"{name}: cannot be taken back; give it a reverse, migrations.RunPython.noop at least"


def _added(field: models.Field[Any, Any], name: str) -> Iterator[str]:
    if field.many_to_many or field.null:
        return
    if field.db_default is NOT_PROVIDED and getattr(field, "generated", False) is False:
        yield f"{name}: NOT NULL without db_default; a row that the former version writes is refused"


def _altered(operation: Any, state: ProjectState, migration: Migration, name: str) -> Iterator[str]:
    old = state.models[migration.app_label, operation.model_name_lower].fields[operation.name]
    new = operation.field
    if old.null and not new.null and new.db_default is NOT_PROVIDED:
        yield f"{name}: becomes NOT NULL; the former version may still write NULL"
    if type(old) is not type(new):
        yield f"{name}: another kind of column rewrites the table and may refuse what the former version writes"
    old_length, new_length = (getattr(field, "max_length", None) for field in (old, new))
    if old_length is not None and new_length is not None and new_length < old_length:
        yield f"{name}: becomes shorter than what the former version writes"


def _table(operation: Any, state: ProjectState, migration: Migration) -> str:
    options = state.models[migration.app_label, operation.model_name_lower].options
    return str(options.get("db_table", ""))


def _on_big(kind: str, name: str) -> Iterator[str]:
    if kind == "AddIndex":
        yield f"{name}: locks a big table while it is built; use AddIndexConcurrently with atomic = False"
    else:
        yield f"{name}: reads a big table under a lock; use AddConstraintNotValid, and validate it later"
