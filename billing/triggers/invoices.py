"""The database refuses to change a finalized invoice, its lines and its taxes; only its state and what was paid or
credited of it move. See ``core.database.append_only`` for what is never changed at all."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

FROZEN = (
    "uuid", "organisation_id", "invoice_number", "fiscal_year", "serial", "month", "year", "currency", "subtotal",
    "discount", "tax", "total", "tax_inclusive", "original_currency", "exchange_rate", "conversion_date",
    "conversion_source", "issue_date", "due_date", "seller", "buyer", "notes", "notes_th", "problems", "watermark",
    "digest", "created_by", "created_at",
)  # fmt: skip
PARTS = ("invoice_line_items", "invoice_taxes")
TABLES = ("invoices", *PARTS)
_CHANGED = " OR ".join(f"OLD.{name} IS {{differs}} NEW.{name}" for name in FROZEN)


def install(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in _postgresql() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off: for test databases that must be emptied, tamper tests, and migrations of rows."""
    with connection.cursor() as cursor:
        for table in TABLES:
            for what in ("insert", "update", "delete"):
                on = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_frozen_{what}{on}")


def _postgresql() -> list[str]:
    changed = _CHANGED.format(differs="DISTINCT FROM")
    statements = [
        f"""CREATE OR REPLACE FUNCTION invoices_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
        IF OLD.status <> 'draft' AND (TG_OP = 'DELETE' OR NEW.status = 'draft' OR {changed}) THEN
            RAISE EXCEPTION 'a finalized invoice never changes: % refused', TG_OP; END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW; END $$""",
        # of a whole statement at once, so that writing many lines costs one look
        """CREATE OR REPLACE FUNCTION invoice_parts_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
        IF EXISTS (SELECT 1 FROM touched t JOIN invoices i ON i.id = t.invoice_id WHERE i.status <> 'draft') THEN
            RAISE EXCEPTION 'the lines of a finalized invoice never change: % refused', TG_OP; END IF;
        RETURN NULL; END $$""",
    ]
    statements += [
        f"""CREATE OR REPLACE TRIGGER invoices_frozen_{verb.lower()} BEFORE {verb} ON invoices
        FOR EACH ROW EXECUTE FUNCTION invoices_frozen()"""
        for verb in ("UPDATE", "DELETE")
    ]
    statements += [
        f"""CREATE OR REPLACE TRIGGER {table}_frozen_{verb.lower()} AFTER {verb} ON {table}
        REFERENCING {image} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION invoice_parts_frozen()"""
        for table in PARTS
        for verb, image in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD"))
    ]
    return statements


def _sqlite() -> list[str]:
    changed = _CHANGED.format(differs="NOT")
    refuse = "BEGIN SELECT RAISE(ABORT, 'a finalized invoice never changes: {verb} refused'); END"
    statements = [
        f"""CREATE TRIGGER IF NOT EXISTS invoices_frozen_update BEFORE UPDATE ON invoices
        WHEN OLD.status <> 'draft' AND (NEW.status = 'draft' OR {changed}) {refuse.format(verb="UPDATE")}""",
        f"""CREATE TRIGGER IF NOT EXISTS invoices_frozen_delete BEFORE DELETE ON invoices
        WHEN OLD.status <> 'draft' {refuse.format(verb="DELETE")}""",
    ]
    statements += [
        f"""CREATE TRIGGER IF NOT EXISTS {table}_frozen_{verb.lower()} BEFORE {verb} ON {table}
        WHEN EXISTS (SELECT 1 FROM invoices WHERE id = {image}.invoice_id AND status <> 'draft')
        {refuse.format(verb=verb)}"""
        for table in PARTS
        for verb, image in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD"))
    ]
    return statements
