"""Guards of the audit log and its chain."""

from __future__ import annotations

from tests.guards.taking import Guard

RECORD = (
    Guard(
        "sqlite_keeps_the_log_as_it_is", "core/database/append_only.py",
        'for statement in self._postgresql() if connection.vendor == "postgresql" else self._sqlite():',
        'for statement in self._postgresql() if connection.vendor == "postgresql" else ():',
        ("tests/audit/test_chain.py::test_the_database_refuses_update_and_delete",),
    ),
    Guard(
        "sqlite_replaces_no_entry", "core/database/append_only.py",
        "WHEN EXISTS (SELECT 1 FROM {table} WHERE {self.same})", "WHEN 1 = 0 AND EXISTS (SELECT 1 FROM {table} WHERE {self.same})",
        ("tests/audit/test_chain.py::test_sqlite_refuses_replace_too",),
    ),
    Guard(
        "postgresql_keeps_the_log_as_it_is", "core/database/append_only.py",
        "FOR EACH ROW EXECUTE FUNCTION", "FOR EACH ROW WHEN (false) EXECUTE FUNCTION",
        ("tests/audit/test_chain.py::test_the_database_refuses_update_and_delete",), "postgres",
    ),
    Guard(
        "the_chain_hashes_what_it_says", "audit/chain.py",
        'chain_hash(row["prev_hash"], row)', 'row["hash"]',
        ("tests/audit/test_chain.py::test_a_changed_or_removed_row_is_named",),
    ),
    Guard(
        "the_chain_has_no_gap", "audit/chain.py",
        'if row["id"] != expected_id:', "if False:",
        ("tests/audit/test_chain.py::test_a_changed_or_removed_row_is_named",),
    ),
    Guard(
        "a_rewritten_row_breaks_the_next", "audit/chain.py",
        'if row["prev_hash"] != prev_hash:', "if False:",
        ("tests/faults/test_chain.py::test_a_row_that_was_hashed_anew_no_longer_fits_the_next",),
    ),
    Guard(
        "heads_are_signed", "audit/chain.py",
        "any(hmac.compare_digest(signature.encode(),", "any(True or hmac.compare_digest(signature.encode(),",
        ("tests/audit/test_chain.py::test_a_forged_head_is_refused",),
    ),
    Guard(
        "one_writer_of_the_chain", "audit/services.py",
        'lock_for_transaction("audit")', "pass",
        ("tests/audit/test_chain.py::test_fifty_writers_of_forty_rows_never_fork_the_chain",), "postgres",
    ),
)  # fmt: skip
