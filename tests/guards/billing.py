"""Guards of what is billed: once, at the rates and in the months that stand."""

from __future__ import annotations

from tests.guards.taking import Guard

IMPORTS = "tests/usage/test_imports.py"

BILLING = (
    Guard(
        "claim_takes_unbilled_jobs_only", "usage/services/claims.py",
        'free = jobs.unbilled().order_by("pk").select_for_update()',
        'free = jobs.order_by("pk").select_for_update()',
        ("tests/usage/test_claims.py::test_a_claim_takes_only_what_nobody_has",),
    ),
    Guard(
        "claim_locks_its_rows", "usage/services/claims.py",
        'free = jobs.unbilled().order_by("pk").select_for_update()',
        'free = jobs.unbilled().order_by("pk")',
        ("tests/usage/test_claims.py::test_of_many_documents_at_once_each_job_goes_to_one",), "postgres",
    ),
    Guard(
        "one_live_line_a_job", "billing/migrations/0001_initial.py",
        "models.UniqueConstraint(condition=models.Q(('is_live', True)), fields=('job_key',), name='receipt_items_job",
        "models.UniqueConstraint(condition=models.Q(('is_live', True)), fields=('job_key', 'id'), name='receipt_items_job",
        ("tests/billing/test_receipts.py::test_the_database_itself_refuses_a_job_on_two_live_receipts",),
    ),
    Guard(
        "receipts_hold_the_rates", "billing/services/receipts.py",
        '    lock_for_transaction("rates", shared=True)', "    pass",
        ("tests/billing/test_under_change.py::test_rates_that_change_during_fifty_creations_never_mix_on_one_receipt",),
        "postgres",
    ),
    Guard(
        "receipts_hold_the_months", "billing/services/receipts.py",
        '    lock_for_transaction("months", shared=True)  # no month closes while it is being billed', "    pass",
        ("tests/billing/test_months.py::test_a_month_waits_for_a_receipt_that_is_being_made",),
        "postgres",
    ),
    Guard(
        # The lock and the counting inside the database: either of them alone keeps numbers apart.
        "numbers_are_counted_under_lock", "billing/services/numbers.py",
        '''    lock_for_transaction("numbers", series)
    counter, _made = DocumentCounter.objects.get_or_create(series=series, fiscal_year=year)
    DocumentCounter.objects.filter(pk=counter.pk).update(last=F("last") + many)
''',
        '''    counter, _made = DocumentCounter.objects.get_or_create(series=series, fiscal_year=year)
    DocumentCounter.objects.filter(pk=counter.pk).update(last=counter.last + many)
''',
        ("tests/billing/test_invoice_documents.py::test_of_many_who_finalize_at_once_one_does_and_numbers_have_no_gap",),
        "postgres",
    ),
    Guard(
        "closed_months_are_not_billed", "billing/selectors/jobs/billable.py",
        "        return jobs.exclude(off.closed)", "        return jobs",
        ("tests/billing/test_months.py::test_late_usage_of_a_closed_month_stays_off_ordinary_receipts_and_says_why",),
    ),
    Guard(
        "closed_months_are_not_voided", "billing/services/receipts.py",
        "if not adjusts and (months := closed_months_of(receipt)):", "if (months := closed_months_of(receipt)) and False:",
        ("tests/billing/test_months.py::test_a_receipt_with_jobs_of_a_closed_month_is_voided_by_an_adjustment_only",),
    ),
    Guard(
        "imports_leave_closed_months", "usage/services/staging.py",
        '*_ends_in(frozen, "j.end_at"), *_ends_in(frozen, "s.end_at")', "",
        ("tests/billing/test_closed_usage.py::test_an_import_changes_nothing_of_a_closed_month_and_leaves_it_to_finance",),
    ),
    Guard(
        "imports_leave_billed_jobs", "usage/services/staging.py",
        """stands = " OR ".join(["j.claimed_by <> ''",""", """stands = " OR ".join(["1 = 0",""",
        (f"{IMPORTS}::test_a_record_that_changed_after_it_was_billed_is_noted_for_review_and_the_job_untouched",),
    ),
    Guard(
        "finalized_invoices_stand", "billing/triggers/invoices.py",
        """WHEN OLD.status <> 'draft' AND (NEW.status = 'draft' OR {changed}) {refuse.format(verb="UPDATE")}""",
        """WHEN 1 = 0 AND (NEW.status = 'draft' OR {changed}) {refuse.format(verb="UPDATE")}""",
        ("tests/billing/test_invoice_documents.py::test_the_database_itself_keeps_finalized_documents_as_they_are",),
    ),
    Guard(
        "states_move_by_compare_and_set", "core/states.py",
        "manager.filter(pk=row.pk, status__in=allowed).update(", "manager.filter(pk=row.pk).update(",
        ("tests/core/test_core.py::test_a_transition_happens_once_and_never_against_the_table",),
    ),
    Guard(
        "templates_hide_nothing", "billing/templating/worker.py", "document.check_readable(", "(lambda *_: None)(",
        ("tests/billing/test_readable_templates.py::test_what_hides_the_total_is_not_saved_and_the_reason_is_told_in_words",),
    ),
    Guard(
        "ink_is_told_from_its_background", "billing/templating/legibility.py", "if contrast(mark.colour, behind) < LEAST_CONTRAST:",
        "if False:", ("tests/billing/test_readable_templates.py::test_a_style_sheet_that_hides_an_amount_is_refused",),
    ),
)  # fmt: skip
