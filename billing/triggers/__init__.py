"""What the database itself keeps as it was written: versions of rates, on which documents rest
(``core.database.append_only``), finalized invoices (``billing.triggers.invoices``), what credits or pays them, and
the journal (``billing.triggers.journal``), versions of templates (``billing.triggers.templates``)."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from billing.triggers import invoices, journal, templates
from core.database.append_only import AppendOnly

RATE_VERSIONS = AppendOnly(
    "rates_versioned", same="id = NEW.id OR (tier = NEW.tier AND effective_at = NEW.effective_at)"
)
OF_INVOICES = (
    AppendOnly("credit_notes", same="id = NEW.id OR number = NEW.number"),
    AppendOnly("credit_note_lines", same="id = NEW.id OR (note_id = NEW.note_id AND line_id = NEW.line_id)"),
    AppendOnly("credit_entries", same="id = NEW.id"),
    AppendOnly("invoice_payments", same="id = NEW.id"),
    AppendOnly(
        "invoice_documents",
        same="id = NEW.id OR (invoice_id = NEW.invoice_id AND language = NEW.language AND state_hash = NEW.state_hash)",
    ),
    AppendOnly("credit_note_documents", same="id = NEW.id OR (note_id = NEW.note_id AND language = NEW.language)"),
    AppendOnly("stored_files", same="sha256 = NEW.sha256"),
    AppendOnly("invoice_returns", same="id = NEW.id"),
)
ALL = (RATE_VERSIONS, *OF_INVOICES, *journal.OF_JOURNAL)


def install(connection: BaseDatabaseWrapper) -> None:
    for table in ALL:
        table.install(connection)
    invoices.install(connection)
    journal.install(connection)
    templates.install(connection)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off: for test databases that must be emptied, tamper tests, and migrations of rows."""
    for table in ALL:
        table.remove(connection)
    invoices.remove(connection)
    journal.remove(connection)
    templates.remove(connection)


def install_after_migrate(using: str, **kwargs: Any) -> None:
    connection = connections[using]
    known = set(connection.introspection.table_names())
    for table in ALL:
        if table.table in known:
            table.install(connection)
    if set(invoices.TABLES) <= known:
        invoices.install(connection)
        templates.install(connection)
    if set(journal.TABLES) <= known:
        journal.install(connection)
