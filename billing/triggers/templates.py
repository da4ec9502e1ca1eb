"""The database refuses to change what a version of a template says, which version a finalized invoice has, and the hash
of its PDF once that is known."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("invoice_templates", "invoices")
_WRITTEN = ("organisation_id", "kind", "name", "version", "html_content", "css_content", "created_by", "created_at")
_FROZEN = (
    "(OLD.status <> 'draft' AND OLD.template_id IS {differs} NEW.template_id)",
    "(OLD.pdf_hash <> '' AND OLD.pdf_hash <> NEW.pdf_hash)",
)
_RULES = {
    "invoice_templates": (
        " OR ".join(f"OLD.{name} IS {{differs}} NEW.{name}" for name in _WRITTEN),
        "a version of a template never changes",
    ),
    "invoices": (
        f"({' OR '.join(_FROZEN)})",
        "template and PDF of a finalized invoice never change",
    ),
}


def install(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            for statement in _postgresql(table) if connection.vendor == "postgresql" else _sqlite(table):
                cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off: for test databases that must be emptied, tamper tests, and migrations of rows."""
    with connection.cursor() as cursor:
        for table in TABLES:
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_look_kept{on}")
        on = " ON invoice_templates" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER IF EXISTS invoice_templates_look_stays{on}")


def _postgresql(table: str) -> list[str]:
    changed, words = _RULES[table]
    statements = [
        f"""CREATE OR REPLACE FUNCTION {table}_look_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
        IF TG_OP = 'DELETE' THEN RAISE EXCEPTION '{words}: DELETE refused'; END IF;
        IF {changed.format(differs="DISTINCT FROM")} THEN RAISE EXCEPTION '{words}'; END IF;
        RETURN NEW; END $$""",
        f"""CREATE OR REPLACE TRIGGER {table}_look_kept BEFORE UPDATE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {table}_look_kept()""",
    ]
    if table == "invoice_templates":
        statements.append(
            f"""CREATE OR REPLACE TRIGGER {table}_look_stays BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_look_kept()"""
        )
    return statements


def _sqlite(table: str) -> list[str]:
    changed, words = _RULES[table]
    statements = [
        f"""CREATE TRIGGER IF NOT EXISTS {table}_look_kept BEFORE UPDATE ON {table}
        WHEN {changed.format(differs="NOT")} BEGIN SELECT RAISE(ABORT, '{words}'); END"""
    ]
    if table == "invoice_templates":
        statements.append(
            f"""CREATE TRIGGER IF NOT EXISTS {table}_look_stays BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{words}: DELETE refused'); END"""
        )
    return statements
