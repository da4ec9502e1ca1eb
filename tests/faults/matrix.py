"""What is done to the site on purpose, which tests do it, and how often: ``docs/faults.md`` is written from this table.

``python -m tests.faults.matrix`` writes the page anew; a test holds it, and every test that is named, against what is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
PAYMENTS, CONFORMANCE, USAGE, FAULTS = "tests/payments", "tests/payments/conformance", "tests/usage", "tests/faults"
OPS = "tests/ops"


@dataclass(frozen=True, slots=True)
class Fault:
    """``few``: how often in ``make test``; ``many``: in ``make faults``, with ``variables`` that say so. ``rest``: what
    is not done, or is done elsewhere, and why."""

    number: int
    what: str
    tests: tuple[str, ...]
    few: str
    many: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    rest: str = ""


MATRIX = (
    Fault(1, "kill -9 of an importer at random moments",
          (f"{USAGE}/test_killed.py::test_a_run_that_is_killed_at_any_moment_loses_nothing_and_the_next_one_completes",),
          "6", "200", {"KILLS": "200"}),
    Fault(2, "kill -9 of web workers while a receipt is made",
          (f"{FAULTS}/test_workers.py::test_a_receipt_is_made_whole_or_not_at_all_when_its_worker_is_killed",),
          "2", "100", {"WORKER_KILLS": "100"}),
    Fault(3, "the same 10,000 jobs, 50 clients",
          ("tests/billing/test_receipts.py::test_fifty_clients_over_the_same_jobs_bill_each_job_once_without_an_error",
           "tests/scenarios/test_a_month_from_sbatch_to_bill.py::test_fifty_browsers_order_the_same_ten_thousand_jobs"),
          "1 run each", "1 run each", rest="Five runs are five calls of the test; its time is measured by `make bench`."),
    Fault(4, "database connection cut before every statement",
          (f"{FAULTS}/test_cuts.py::test_receipts_are_whole_or_none",
           f"{FAULTS}/test_cuts.py::test_imports_keep_whole_batches",
           f"{FAULTS}/test_cuts.py::test_invoices_are_final_with_a_number_or_drafts_without",
           f"{PAYMENTS}/test_cuts.py::test_a_settlement_cut_at_any_statement",
           f"{PAYMENTS}/test_cuts.py::test_a_refund_cut_at_any_statement",
           f"{PAYMENTS}/test_cuts.py::test_a_checkout_cut_at_any_statement"),
          "payments: every 3rd statement; billing and imports: every 5th", "every statement, billing and imports 10 times",
          {"CUT_EVERY": "1", "CUT_ROUNDS": "10"},
          "On SQLite the statement fails; on PostgreSQL the server's process is ended."),
    Fault(5, "database stopped at once (`pg_ctl -m immediate`) under load",
          (f"{FAULTS}/test_restarts.py::test_what_was_answered_outlives_a_database_that_is_stopped_at_once",),
          "1", "10", {"DB_RESTARTS": "10"}, "Needs PostgreSQL's own programs; left out where only the wheel is."),
    Fault(6, "webhooks doubled, shuffled, reordered",
          (f"{PAYMENTS}/test_storms.py::test_a_storm_of_doubled_and_shuffled_calls_pays_once",
           f"{PAYMENTS}/test_webhooks.py::test_a_thousand_shuffled_duplicates_make_one_paid_transition"),
          "60 calls x 3 providers x 1 seed", "1,000 x 3 x 20", {"STORM_CALLS": "1000", "STORM_SEEDS": "20"}),
    Fault(7, "all orders of five events of a payment",
          (f"{PAYMENTS}/test_storms.py::test_every_order_of_the_events_of_one_payment_ends_the_same",),
          "24 x 3 providers", "120 x 3", {"ORDERS": "120"}),
    Fault(8, "a webhook before our own row is committed",
          (f"{PAYMENTS}/test_webhooks.py::test_a_call_that_overtakes_our_record_of_the_checkout_still_settles",
           f"{CONFORMANCE}/test_returns.py::test_a_refund_made_at_the_provider_is_found_by_its_call"),
          "1 of each", "1 of each", rest="The order is forced, not met by chance: repeating it 200 times adds nothing."),
    Fault(9, "provider: timeout, reset or 500 after it has acted",
          (f"{CONFORMANCE}/test_outside.py::test_whatever_breaks_while_a_checkout_is_opened_there_is_one_in_the_end",
           f"{CONFORMANCE}/test_outside.py::test_whatever_breaks_during_a_refund_it_is_given_back_once",
           f"{CONFORMANCE}/test_outside.py::test_when_the_record_cannot_be_read_the_call_is_kept_and_worked_on_later"),
          "every fault x every provider", "the same; many more by chance in F35"),
    Fault(10, "every webhook is lost",
          (f"{PAYMENTS}/test_storms.py::test_with_every_call_lost_one_run_finds_all_payments",),
          "12 payments x 3 providers", "100 x 3", {"LOST": "100"}),
    Fault(11, "forged or altered signatures",
          (f"{PAYMENTS}/test_signatures.py::test_no_altered_body_is_believed",
           f"{PAYMENTS}/test_signatures.py::test_no_altered_header_is_believed",
           f"{PAYMENTS}/test_signatures.py::test_calls_without_a_signature_are_refused"),
          "2,000 bits x 3 providers, every place of every header", "the same"),
    Fault(12, "old calls, calls from the future, calls again under another id",
          (f"{PAYMENTS}/test_signatures.py::test_a_call_is_good_for_five_minutes_to_both_sides",
           f"{PAYMENTS}/test_signatures.py::test_razorpay_signs_no_time_so_a_copy_with_a_new_event_id_is_known_by_its_bytes",
           f"{PAYMENTS}/test_signatures.py::test_razorpay_bodies_that_are_days_old_are_refused"),
          "18", "the same"),
    Fault(13, "another amount or currency, amounts that are none",
          (f"{PAYMENTS}/test_webhooks.py::test_wrong_money_is_never_paid_and_waits_for_review",
           f"{PAYMENTS}/test_webhooks.py::test_an_amount_that_is_no_integer_is_refused",
           f"{CONFORMANCE}/test_paying.py::test_another_amount_never_pays_and_waits_for_review",
           f"{CONFORMANCE}/test_paying.py::test_another_currency_never_pays"),
          "every provider", "the same"),
    Fault(14, "partial refunds at once, three times the payment in sum",
          (f"{PAYMENTS}/test_storms.py::test_partial_refunds_at_once_never_give_back_more_than_came_in",),
          "50 clients x 3 providers (20 on SQLite)", "the same"),
    Fault(15, "the audit log changed, cut, reordered, forked",
          ("tests/audit/test_chain.py::test_a_changed_or_removed_row_is_named",
           "tests/audit/test_chain.py::test_two_swapped_rows_are_named",
           "tests/audit/test_chain.py::test_a_cut_off_tail_is_found_with_a_sealed_head",
           f"{FAULTS}/test_chain.py::test_a_row_that_was_hashed_anew_no_longer_fits_the_next",
          "tests/audit/test_changed_rows.py::test_every_flipped_bit_of_exported_rows_is_found_in_its_row"),
          "each kind, every bit of 30 rows", "every bit of 200 rows", {"FLIPPED_ROWS": "200"},
          "Signed heads: the other files of `tests/audit`."),
    Fault(16, "many append to the audit log at once",
          (f"{FAULTS}/test_chain.py::test_of_many_writers_at_once_every_row_follows_the_one_before",
           "tests/audit/test_chain.py::test_fifty_writers_of_forty_rows_never_fork_the_chain"),
          "50 x 40", "50 x 100, at 200 rows a second or more", {"APPEND_WRITERS": "50", "APPENDS_EACH": "100"}),
    Fault(17, "passwords guessed: in a row, at once, from many addresses, under many names",
          ("tests/accounts/test_lockout.py::test_fifty_parallel_guesses_run_at_most_five_password_checks",
           "tests/accounts/test_lockout.py::test_spellings_of_one_name_share_one_counter",
           "tests/accounts/test_lockout.py::test_a_forged_forwarded_header_does_not_help",
           "tests/accounts/test_lockout.py::test_the_lock_ends_after_its_time_and_not_before",
           "tests/accounts/test_lockout.py::test_an_innocent_user_on_the_same_address_still_signs_in"),
          "50 each", "the same", rest="Spread guesses: tests/accounts."),
    Fault(18, "events sent by many, three in ten twice, workers killed",
          (f"{FAULTS}/test_workers.py::test_what_was_taken_of_events_is_there_once_when_workers_are_killed",
           f"{USAGE}/test_event_commands.py::test_a_kill_in_the_middle_loses_nothing_that_was_taken",
           f"{USAGE}/test_events_api.py::test_eight_clients_with_a_third_of_duplicates_leave_each_event_once"),
          "2,400 events, 8 clients, 1 run", "77,000 events (100,000 sent), 8 clients, 3 runs, 500 a second or more",
          {"INGEST_EVENTS": "77000", "INGESTS": "3"}),
    Fault(19, "schemathesis over the API's description",
          ("tests/hpcbilling/test_api_description.py::test_every_address_answers_as_it_is_described",),
          "3 calls x every operation x 4 readers", "40 x every operation x 4: more than 10,000 calls",
          {"API_EXAMPLES": "40"}, "Against the WSGI application itself; the server before it is in F2 and F18."),
    Fault(20, "any order of billing, paying, refunding, voiding and disputing, chosen by hypothesis",
          (f"{FAULTS}/test_stateful.py::test_no_order_of_acts_breaks_the_books",
           "tests/billing/test_books_machine.py::test_every_sequence_of_acts_keeps_the_books_in_order"),
          "3 runs x 25 steps, 5 x 14 of invoices", "300 x 30, 60 x 14",
          {"STATEFUL_RUNS": "300", "STATEFUL_STEPS": "30", "BOOKS_RUNS": "60"}),
    Fault(21, "every address by everybody who may not",
          ("tests/accounts/test_isolation.py::test_every_route_of_organisations_is_in_this_test",
           "tests/accounts/test_isolation.py::test_outsiders_find_nothing_and_change_nothing",
           "tests/pages/test_access.py::test_anothers_receipt_is_as_absent_as_one_that_never_was"),
          "all", "all", rest="The table of every address and reader: `tests/access`."),
    Fault(22, "mutated CSV, sacct and JSON",
          (f"{USAGE}/test_fuzz.py::test_mutated_text_is_read_to_its_end_and_every_row_has_a_verdict",
           f"{USAGE}/test_fuzz.py::test_mutated_json_is_read_to_its_end_and_every_job_has_a_verdict",
           f"{FAULTS}/test_large_inputs.py::test_a_line_without_end_costs_itself_alone"),
          "2,000 rows of each", "20,000 of each", {"FUZZ_ROWS": "20000"}),
    Fault(23, "input without end: packed, nested, in one line, in many columns",
          (f"{FAULTS}/test_large_inputs.py::test_a_packed_body_that_unpacks_without_end_is_refused_in_little_memory",
           f"{FAULTS}/test_large_inputs.py::test_nesting_and_length_beyond_reason_are_refused_in_words",
           f"{FAULTS}/test_large_inputs.py::test_fifty_megabytes_of_json_are_refused_unread",
           f"{FAULTS}/test_large_inputs.py::test_a_packed_file_that_unpacks_without_end_is_read_in_passing",
           f"{FAULTS}/test_large_inputs.py::test_ten_thousand_columns_in_a_header_are_no_usage",
           f"{FAULTS}/test_large_inputs.py::test_a_file_of_events_without_an_end_of_line_is_refused"),
          "24 MB files", "1 GB files", {"LARGE_MB": "1024"}),
    Fault(24, "rounding, tiers, months, clock changes: properties of money",
          ("tests/billing/test_pricing.py::test_the_database_prices_exactly_like_python",
           "tests/billing/test_pricing.py::test_fifty_thousand_lines_cost_to_the_last_satang_what_exact_fractions_say",
           "tests/billing/test_under_change.py::test_month_by_month_every_job_is_billed_exactly_once_across_clock_changes",
           "tests/billing/test_under_change.py::test_records_in_any_order_give_the_same_receipts",
           "tests/billing/test_invoice_documents.py::test_nothing_is_lost_when_an_amount_is_spread"),
          "more than 50,000 lines", "the same"),
    Fault(25, "the clock jumps, and hours that come twice or never",
          (f"{FAULTS}/test_chain.py::test_the_log_is_in_the_order_of_its_numbers_however_the_clock_jumps",
           "tests/billing/test_under_change.py::test_month_by_month_every_job_is_billed_exactly_once_across_clock_changes"),
          "80 jumps", "the same; and in F35",
          rest="The clock of the program jumps; that of the database server is not ours to set."),
    Fault(26, "addresses that lead inside",
          ("tests/accounts/test_outside.py::test_an_address_that_is_not_public_is_refused",
           "tests/accounts/test_outside.py::test_odd_spellings_of_addresses_are_refused_before_anybody_resolves_them",
           "tests/accounts/test_outside.py::test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked",
           "tests/accounts/test_outside.py::test_a_redirect_is_an_answer_and_is_not_followed",
           "tests/billing/test_hostile_templates.py::test_the_worker_has_none_of_our_secrets_and_opens_no_file"),
          "more than 60", "the same", rest="Of the templates of documents nothing is fetched, whatever they say."),
    Fault(27, "formulas in exports",
          ("tests/core/test_exports.py::test_a_csv_has_its_mark_stable_names_and_no_formula",
           "tests/core/test_exports.py::test_no_formula_and_no_foreign_markup_reach_the_file_itself",
           "tests/core/test_core.py::test_no_cell_of_a_csv_can_start_a_formula_and_every_cell_reads_back"),
          "any text, by hypothesis", "the same", rest="ODS is not written."),
    Fault(28, "headers and cookies of every page",
          ("tests/ops/test_requests.py::test_every_page_has_the_strict_policy",
           "tests/ops/test_packaging.py::test_a_production_site_starts_is_healthy_and_serves_its_pages"),
          "all", "all", rest="On every route: `tests/ops` and `tests/access`."),
    Fault(29, "secrets planted in keys, passwords and settings, looked for in logs, pages and database",
          (f"{FAULTS}/test_secrets.py::test_no_secret_is_logged_stored_or_shown",
           f"{USAGE}/test_slurmrestd.py::test_the_token_is_never_logged_stored_or_sent_to_a_redirect",
           f"{USAGE}/test_events_api.py::test_no_key_is_ever_logged"),
          "18 canaries", "the same"),
    Fault(30, "how long refusing a key or a sign-in takes",
          (f"{FAULTS}/test_timing.py::test_a_key_that_was_nearly_right_is_refused_as_fast_as_nonsense",
           f"{FAULTS}/test_timing.py::test_a_name_that_exists_is_refused_as_fast_as_one_that_does_not"),
          "2 x 40 keys, 2 x 8 sign-ins; 25 % or 2 ms", "2 x 2,000 keys, 2 x 200 sign-ins; 5 % or 1 ms",
          {"TIMED": "2000", "TIMED_LOGINS": "200"},
          "Processor time, not the clock on the wall. 2,000 sign-ins take half an hour of hashing and show no more."),
    Fault(31, "migrating is killed in the middle of a migration",
          (f"{FAULTS}/test_migrations.py::test_a_migration_that_is_killed_is_done_again_to_the_same_end",),
          "1 migration", "at least half of all, one after the other in one database", {"MIGRATION_KILLS": "0"},
          "From an empty database. Filled ones, and the old program beside the new schema: `tests/ops`. Django writes a "
          "migration down after its transaction where indexes follow: killed between the two, it is done and not written "
          "down, and migrating again says that something exists already; then `manage.py migrate --fake APP NAME`."),
    Fault(32, "backup, restore, proof",
          (f"{OPS}/test_backup.py::test_a_backup_that_is_restored_elsewhere_is_the_same_and_proves_it",
           f"{OPS}/test_backup.py::test_a_backup_that_was_changed_or_is_older_than_its_head_is_refused",
           f"{OPS}/test_backup.py::test_heads_that_were_signed_after_a_backup_do_not_make_it_a_broken_one"),
          "1 each", "1 each"),
    Fault(33, "the wire to the database is slow, narrow, cut, shut or dead",
          (f"{FAULTS}/test_wire.py::test_whatever_befalls_the_wire_it_is_said_and_gets_well",
           f"{FAULTS}/test_wire.py::test_many_at_once_over_a_slow_wire_end_without_a_deadlock"),
          "5 toxics x 1", "5 x 6", {"WIRE_ROUNDS": "6"},
          "There is no pool of connections to exhaust: each thread has its own."),
    Fault(34, "pgbouncer in transaction mode",
          (f"{OPS}/test_pooled.py::test_no_statement_of_ours_leaves_anything_in_a_session",
           f"{OPS}/test_pooled.py::test_a_run_lock_survives_whatever_other_transactions_do_meanwhile"),
          "1 each", "1 each", rest="`make test-pgbouncer` runs some 360 tests more through a real one."),
    Fault(35, "everything by chance: acts, jumps of the clock, a broken wire, a database that goes away",
          (f"{FAULTS}/test_simulator.py::test_the_books_hold_at_each_step_and_come_right_in_the_end",),
          "2 runs x 60 steps", "800 x 250: 200,000 steps", {"SIM_RUNS": "800", "SIM_STEPS": "250"},
          "Each run begins with an empty site, so that looking at all of it after every step stays affordable; the "
          "whole chain is read every tenth step."),
)  # fmt: skip

HEAD = """# Faults and abuse

Written by `python -m tests.faults.matrix` from `tests/faults/matrix.py`; a test compares them.

`make test` does each of these a few times (those that take long on one day of the week; `DB=both` all), `make faults` as often
as the third column says, on both databases; that takes hours. Everything that chance decides has a seed, which is printed: `make faults SEED=…` repeats it, and a variable named
below makes one number smaller or larger. `make faults ONLY=F20` does one row.

After each test of `tests/faults`, `tests/scenarios` and `tests/payments` these are looked at, by SQL of the tests' own
(`tests/invariants.py`):

| | Invariant |
|---|---|
{invariants}

`make guards` takes away, in a copy of the program and one at a time, every guard of `tests/guards` (a lock, a
constraint, a signature, a comparison, an escape) and demands that a named test fails. The suite itself checks that each
guard still stands where the table says, and takes some away.

| | Fault | Tests | In `make test` | In `make faults` | Not done, and why |
|---|---|---|---|---|---|
"""


def page() -> str:
    from tests.invariants import INVARIANTS

    rows = []
    for name, check in INVARIANTS.items():
        words = " ".join((check.__doc__ or "").split()).removeprefix(f"{name}: ")
        rows.append(f"| {name} | {words} |")
    lines = [HEAD.format(invariants="\n".join(rows))]
    for fault in MATRIX:
        tests = "<br>".join(f"`{test.removeprefix('tests/').replace('::', ' ')}`" for test in fault.tests)
        sizes = " ".join(f"`{name}={value}`" for name, value in fault.variables.items())
        many = f"{fault.many}<br>{sizes}" if sizes else fault.many
        lines.append(f"| F{fault.number} | {fault.what} | {tests} | {fault.few} | {many} | {fault.rest} |\n")
    return "".join(lines)


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")
    os.environ.setdefault("DEBUG", "1")
    django.setup()
    PAGE.write_text(page(), encoding="utf-8")
