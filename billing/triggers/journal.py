"""The database keeps the journal: nothing in it changes or goes, no entry grows, none is dated in a closed period.

That an entry balances needs no trigger: a posting is one amount with the account on either side of it."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from core.database.append_only import AppendOnly

OF_JOURNAL = (
    AppendOnly(
        "journal_entries",
        same="id = NEW.id OR (kind = NEW.kind AND source_id = NEW.source_id AND part = NEW.part"
        " AND sequence = NEW.sequence)",
    ),
    AppendOnly("journal_postings", same="id = NEW.id OR (entry_id = NEW.entry_id AND position = NEW.position)"),
    AppendOnly("write_offs", same="id = NEW.id"),
    AppendOnly("journal_exports", same="id = NEW.id"),
    AppendOnly("journal_exported_entries", same="id = NEW.id OR entry_id = NEW.entry_id"),
)
TABLES = ("journal_entries", "journal_postings", "accounting_periods")
_CLOSED = "EXISTS (SELECT 1 FROM accounting_periods p WHERE p.status = 'closed' AND p.month >= {first_of_month})"


def install(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in _postgresql() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for table, name in (("journal_entries", "journal_open_period"), ("journal_postings", "journal_no_growth")):
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _postgresql() -> tuple[str, ...]:
    closed = _CLOSED.format(first_of_month="date_trunc('month', e.date)::date")
    return (
        f"""CREATE OR REPLACE FUNCTION journal_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
        IF EXISTS (SELECT 1 FROM added e WHERE {closed}) THEN
            RAISE EXCEPTION 'the accounting period is closed: no entry may be dated in it'; END IF;
        RETURN NULL; END $$""",
        """CREATE OR REPLACE TRIGGER journal_open_period AFTER INSERT ON journal_entries
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION journal_open_period()""",
        """CREATE OR REPLACE FUNCTION journal_no_growth() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
        IF EXISTS (SELECT 1 FROM added a JOIN journal_entries e ON e.id = a.entry_id
                   WHERE a.position > e.postings_count) THEN
            RAISE EXCEPTION 'a journal entry has all of its postings already'; END IF;
        RETURN NULL; END $$""",
        """CREATE OR REPLACE TRIGGER journal_no_growth AFTER INSERT ON journal_postings
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION journal_no_growth()""",
    )


def _sqlite() -> tuple[str, ...]:
    closed = _CLOSED.format(first_of_month="substr(NEW.date, 1, 7) || '-01'")
    return (
        f"""CREATE TRIGGER IF NOT EXISTS journal_open_period BEFORE INSERT ON journal_entries WHEN {closed}
        BEGIN SELECT RAISE(ABORT, 'the accounting period is closed: no entry may be dated in it'); END""",
        """CREATE TRIGGER IF NOT EXISTS journal_no_growth BEFORE INSERT ON journal_postings
        WHEN NEW.position > (SELECT postings_count FROM journal_entries WHERE id = NEW.entry_id)
        BEGIN SELECT RAISE(ABORT, 'a journal entry has all of its postings already'); END""",
    )
