"""The guards: what keeps jobs from being billed twice, money from being counted or given back twice, records from being
changed, and people from what is not theirs. Each entry says how the guard is taken away, and which test must miss it."""

from __future__ import annotations

from tests.guards.taking import Guard

IMPORTS = "tests/usage/test_imports.py"
PAYING = "tests/payments/conformance/test_paying.py"
RETURNS = "tests/payments/conformance/test_returns.py"
SIGNATURES = "tests/payments/test_signatures.py"

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
        "closed_months_are_not_billed", "billing/selectors/billable.py",
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
        "finalized_invoices_stand", "billing/invoice_triggers.py",
        """WHEN OLD.status <> 'draft' AND (NEW.status = 'draft' OR {changed}) {refuse.format(verb="UPDATE")}""",
        """WHEN 1 = 0 AND (NEW.status = 'draft' OR {changed}) {refuse.format(verb="UPDATE")}""",
        ("tests/billing/test_invoice_documents.py::test_the_database_itself_keeps_finalized_documents_as_they_are",),
    ),
    Guard(
        "states_move_by_compare_and_set", "core/states.py",
        "manager.filter(pk=row.pk, status__in=allowed).update(", "manager.filter(pk=row.pk).update(",
        ("tests/core/test_core.py::test_a_transition_happens_once_and_never_against_the_table",),
    ),
)  # fmt: skip

MONEY = (
    Guard(
        "what_waits_is_kept_under_its_key", "accounts/idempotency.py",
        "            idempotency.keep(row=row, status=waits.http_status, body=problem_of(waits))\n", "",
        ("tests/accounts/test_idempotency.py::test_what_waits_for_a_second_person_is_asked_for_once",),
    ),
    Guard(
        "a_fees_rest_comes_back_once", "billing/selectors/credit_plans.py",
        "rest = max(rest - _standing(lefts, back[number], found), NOUGHT)", "pass",
        ("tests/billing/test_given_back_once.py::test_nor_is_more_of_a_line",),
    ),
    Guard(
        "kept_credits_that_were_used_stay", "billing/services/kept_credits.py",
        "if not less or (row.claimed_by and row.claimed_by not in drafts):", "if not less:",
        ("tests/billing/test_kept_credits.py::test_what_was_used_already_is_not_taken_away",),
    ),
    Guard(
        "more_than_is_due_is_named", "billing/services/invoice_payments.py",
        "    if over != overpayment:", "    if over != overpayment and False:",
        ("tests/billing/test_payments_by_hand.py::test_more_than_is_due_has_to_be_said_to_the_unit",),
    ),
    Guard(
        "only_what_a_person_wrote_down_is_taken_back", "billing/services/invoice_payments.py",
        "    if payment.source:\n", "    if payment.source and False:\n",
        ("tests/billing/test_payments_by_hand.py::test_what_a_provider_brought_goes_back_there",),
    ),
    Guard(
        "refunds_within_what_is_left", "payments/services/refunds.py",
        "if not 0 < amount_minor <= left:", "if not 0 < amount_minor:",
        (f"{RETURNS}::test_a_refund_needs_a_reason_money_and_a_sensible_amount",),
    ),
    Guard(
        "refunds_are_reserved_under_lock", "payments/services/refunds.py",
        """    target, held = _locked(payment)
    _check_refund(held, amount_minor, reason, seen_minor)
""",
        """    target, held = payable_of(payment), Payment.objects.get(pk=payment.pk)
    _check_refund(held, amount_minor, reason, seen_minor)
""",
        ("tests/payments/test_storms.py::test_partial_refunds_at_once_never_give_back_more_than_came_in",), "postgres",
    ),
    Guard(
        "database_refuses_refunds_beyond", "payments/migrations/0002_returns.py",
        "('refunded_cents__lte', models.F('captured_cents'))", "('refunded_cents__lte', 10**15)",
        ("tests/payments/test_constraints.py::test_no_more_goes_back_than_came_in",),
    ),
    Guard(
        "database_knows_one_open_attempt", "payments/migrations/0001_initial.py",
        "condition=models.Q(('status__in', ('pending', 'authorized'))), fields=('receipt',)",
        "condition=models.Q(('status__in', ('pending', 'authorized'))), fields=('receipt', 'id')",
        ("tests/payments/test_constraints.py::test_a_receipt_has_one_open_attempt",),
    ),
    Guard(
        "database_knows_one_success", "payments/migrations/0001_initial.py",
        "condition=models.Q(('status', 'succeeded')), fields=('receipt',)",
        "condition=models.Q(('status', 'succeeded')), fields=('receipt', 'id')",
        ("tests/payments/test_constraints.py::test_a_receipt_is_paid_once",),
    ),
    Guard(
        "settlement_compares_the_amount", "payments/services/settlement.py",
        "enough = got == self.payment.amount_cents", "enough = True",
        ("tests/payments/test_webhooks.py::test_wrong_money_is_never_paid_and_waits_for_review",),
    ),
    Guard(
        "settlement_compares_the_currency", "payments/services/settlement.py",
        '("currency", self.payment.currency.upper(), self.state.currency.upper())', '("currency", "", "")',
        ("tests/payments/test_webhooks.py::test_wrong_money_is_never_paid_and_waits_for_review",),
    ),
    Guard(
        "settlement_compares_the_mode", "payments/services/settlement.py",
        '("mode", _mode(payment.live), _mode(state.live)),', "",
        (f"{PAYING}::test_real_money_for_a_test_checkout_never_pays",),
    ),
    Guard(
        "settlement_compares_the_reference", "payments/services/settlement.py",
        '("reference", payment.idempotency_key, state.reference),', "",
        (f"{PAYING}::test_a_record_with_another_reference_never_pays",),
    ),
    Guard(
        "no_money_for_what_is_void", "payments/services/settlement.py",
        "if not fault and not self.target.takes:", "if False:",
        ("tests/payments/test_webhooks.py::test_a_success_for_a_void_receipt_is_kept_for_review",),
    ),
    Guard(
        "calls_are_signed", "payments/providers/webhook.py", "    if not good:", "    if False:",
        (f"{SIGNATURES}::test_no_altered_body_is_believed", f"{SIGNATURES}::test_no_altered_header_is_believed"),
    ),
    Guard(
        "calls_are_fresh", "payments/providers/webhook.py",
        "if abs(now.timestamp() - int(timestamp)) > settings.PAYMENT_WEBHOOK_TOLERANCE_SEC:", "if False:",
        (f"{SIGNATURES}::test_a_call_is_good_for_five_minutes_to_both_sides",),
    ),
    Guard(
        "calls_name_nothing_twice", "payments/providers/webhook.py",
        "if len(found) != len(pairs):", "if False:",
        (f"{SIGNATURES}::test_a_body_that_names_anything_twice_is_refused_though_it_is_signed",),
    ),
    Guard(
        "events_are_known_again", "payments/services/webhooks.py",
        "if not new and not _claim(row):", "if False:",
        (f"{SIGNATURES}::test_razorpay_signs_no_time_so_a_copy_with_a_new_event_id_is_known_by_its_bytes",),
    ),
    Guard(
        "one_open_attempt_a_receipt", "payments/services/checkout.py",
        "    if attempt is not None:\n", "    if False:\n",
        ("tests/payments/test_checkout.py::test_starting_twice_finds_the_same_attempt",),
    ),
    Guard(
        "one_request_asks_the_provider", "payments/services/checkout.py",
        "if not mine.update(asked_at=now):", "if mine.update(asked_at=now) and False:",
        ("tests/payments/test_checkout.py::test_while_one_request_asks_the_provider_another_does_not",),
    ),
    Guard(
        "two_people_are_two", "accounts/services/approvals.py",
        "    if actor.name == approval.asked_by:\n", "    if False:\n",
        ("tests/payments/test_four_eyes.py::test_nobody_confirms_what_they_asked_for",),
    ),
    Guard(
        "large_refunds_need_two", "payments/services/refunds.py",
        "if needs_second(parts, payment.currency) or takes_second(alone):", "if False:",
        ("tests/payments/test_four_eyes.py::test_a_refund_waits_and_parts_count_together",),
    ),
    Guard(
        "parts_by_one_person_add_up", "accounts/services/approvals.py",
        "return needs_second(one.amount + _alone(one), one.currency)", "return needs_second(one.amount, one.currency)",
        ("tests/billing/test_parts_of_sums.py::test_parts_of_one_invoice_count_together_on_whatever_day",),
    ),
)  # fmt: skip

RECORD = (
    Guard(
        "sqlite_keeps_the_log_as_it_is", "core/append_only.py",
        'for statement in self._postgresql() if connection.vendor == "postgresql" else self._sqlite():',
        'for statement in self._postgresql() if connection.vendor == "postgresql" else ():',
        ("tests/audit/test_chain.py::test_the_database_refuses_update_and_delete",),
    ),
    Guard(
        "sqlite_replaces_no_entry", "core/append_only.py",
        "WHEN EXISTS (SELECT 1 FROM {table} WHERE {self.same})", "WHEN 1 = 0 AND EXISTS (SELECT 1 FROM {table} WHERE {self.same})",
        ("tests/audit/test_chain.py::test_sqlite_refuses_replace_too",),
    ),
    Guard(
        "postgresql_keeps_the_log_as_it_is", "core/append_only.py",
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

ACCESS = (
    Guard(
        "no_cell_is_a_formula", "core/exports.py",
        "if isinstance(value, str) and value.startswith(FORMULA_STARTS):", "if False:",
        ("tests/core/test_exports.py::test_a_csv_has_its_mark_stable_names_and_no_formula",),
    ),
    Guard(
        "only_public_addresses_are_called", "accounts/outside.py",
        "return address.is_global and not address.is_multicast and not inside", "return True",
        ("tests/accounts/test_outside.py::test_an_address_that_is_not_public_is_refused",),
    ),
    Guard(
        "every_address_of_a_name_is_public", "accounts/outside.py",
        "if not all(_allowed(address) or is_public(address) for address in found):",
        "if not any(_allowed(address) or is_public(address) for address in found):",
        ("tests/accounts/test_outside.py::test_one_inner_address_among_public_ones_is_enough_to_refuse",),
    ),
    Guard(
        "names_are_resolved_once", "accounts/outside.py",
        "socket.create_connection((address, target.port)", "socket.create_connection((target.host, target.port)",
        ("tests/accounts/test_outside.py::test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked",),
    ),
    Guard(
        "redirects_are_not_followed", "core/fetching.py", "allow_redirects=False", "allow_redirects=True",
        ("tests/subscriptions/test_sync_models.py::test_a_redirect_is_not_followed",),
    ),
    Guard(
        "revoked_keys_end", "accounts/services/api_keys.py",
        "AND k.is_active AND", "AND (k.is_active OR 1 = 1) AND",
        ("tests/accounts/test_api_keys.py::test_what_ends_a_key",),
    ),
    Guard(
        "keys_run_out", "accounts/services/api_keys.py",
        "(k.expires_at IS NULL OR k.expires_at > {now})", "(1 = 1 OR k.expires_at > {now})",
        ("tests/accounts/test_api_keys.py::test_what_ends_a_key",),
    ),
    Guard(
        "keys_end_with_their_owner", "accounts/services/api_keys.py",
        "(u.is_active OR (p.is_active AND o.is_active))",
        "(1 = 1 OR u.is_active OR (p.is_active AND o.is_active))",
        ("tests/accounts/test_api_keys.py::test_what_ends_a_key",),
    ),
    Guard(
        "keys_have_scopes", "accounts/api_auth.py",
        "if not open_to_it or (wanted not in key.scopes and Scope.ADMIN not in key.scopes):", "if False:",
        ("tests/accounts/test_api_keys.py::test_a_users_key_reads_what_is_theirs_within_its_scopes",),
    ),
    Guard(
        "keys_of_staff_are_no_staff", "accounts/api_auth.py",
        "if Scope.ADMIN not in key.scopes:", "if False:",
        ("tests/accounts/test_api_keys.py::test_a_key_of_staff_without_admin_has_none_of_their_rights",),
    ),
    Guard(
        "guesses_count_before_the_hash", "accounts/services/throttle.py",
        "THEN 1 ELSE auth_throttle.fail_count + 1 END", "THEN 1 ELSE auth_throttle.fail_count END",
        ("tests/accounts/test_lockout.py::test_fifty_parallel_guesses_run_at_most_five_password_checks",),
    ),
    Guard(
        "sessions_have_a_last_day", "accounts/sessions.py",
        "if now - since >= settings.SESSION_MAX_SEC:", "if False:",
        ("tests/accounts/test_session_limits.py::test_one_in_use_goes_on_until_its_last_day_and_no_longer",),
    ),
    Guard(
        "an_open_browser_does_not_sign", "accounts/step_up.py", "    if is_known(request):\n", "    if True:\n",
        ("tests/accounts/test_step_up.py::test_a_second_signature_asks_who_it_is",),
    ),
    Guard(
        "receipts_have_readers", "billing/views/reach.py",
        'openable(Receipt.objects.select_related("pricing_tier", "rate_version"), request.user)',
        'Receipt.objects.select_related("pricing_tier", "rate_version")',
        ("tests/pages/test_access.py::test_anothers_receipt_is_as_absent_as_one_that_never_was",),
    ),
    Guard(
        "jobs_have_readers", "billing/views/reach.py",
        "jobs = jobs.filter(Q(username=name) | Q(account__in=led_accounts(name)))", "jobs = jobs.all()",
        ("tests/pages/test_job_page.py::test_anothers_job_is_as_absent_as_one_that_does_not_exist",),
    ),
    Guard(
        "next_stays_here", "accounts/views.py",
        '''    template_name = "accounts/login.html"
    authentication_form = LoginForm
''',
        '''    template_name = "accounts/login.html"
    authentication_form = LoginForm

    def get_redirect_url(self) -> str:
        return str(self.request.POST.get("next", ""))
''',
        ("tests/accounts/test_sessions.py::test_next_leads_nowhere_but_here",),
    ),
    Guard(
        "forms_carry_a_token", "hpcbilling/settings.py", '    "django.middleware.csrf.CsrfViewMiddleware",\n', "",
        ("tests/payments/test_checkout.py::test_starting_needs_a_login_a_post_and_a_csrf_token",),
    ),
    Guard(
        "pages_carry_the_policy", "hpcbilling/settings.py", '    "csp.middleware.CSPMiddleware",\n', "",
        ("tests/ops/test_requests.py::test_every_page_has_the_strict_policy",),
    ),
    Guard(
        "looking_changes_nothing", "accounts/view_as.py",
        "if request.method not in READING or request.path_info.startswith(PRIVATE):", "if False:",
        ("tests/accounts/test_view_as.py::test_nothing_can_be_changed_meanwhile",),
    ),
    Guard(
        "names_are_escaped_in_mails", "accounts/services/outbox.py",
        'page: str = get_template(f"{name}.html").render(values)', 'page = _plain(f"{name}.html", values)',
        ("tests/accounts/test_outbox.py::test_names_are_text_in_text_and_escaped_in_the_page",),
    ),
    Guard(
        "messages_are_escaped", "payments/admin/events.py",
        """format_html('<pre class="raw" tabindex="0">{}</pre>', text)""",
        """__import__("django.utils.safestring").utils.safestring.mark_safe(f"<pre>{text}</pre>")""",
        ("tests/payments/console/test_messages.py::test_a_message_is_shown_readable_and_nothing_in_it_is_markup",),
    ),
    Guard(
        "names_begin_no_header", "accounts/services/outbox.py",
        '''" ".join("".join(each if each.isprintable() else " " for each in text).split())''', "text.strip()",
        ("tests/accounts/test_outbox.py::test_a_name_cannot_begin_a_header",),
    ),
)  # fmt: skip

METERING = (
    Guard(
        "quotas_are_read_under_lock", "usage/services/reservations.py",
        "windows = QuotaWindow.objects.select_for_update().filter(\n        subscription=",
        "windows = QuotaWindow.objects.filter(\n        subscription=",
        ("tests/usage/test_quotas.py::test_of_many_at_once_no_more_than_the_limit_get_through",), "postgres",
    ),
    Guard(
        "quotas_have_an_end", "usage/services/reservations.py",
        "if each.window.is_hard and each.left is not None and each.left < amounts[each.window.metric]", "if False",
        ("tests/usage/test_quotas.py::test_a_hard_limit_is_told_with_its_figures_and_when_it_begins_anew",),
    ),
    Guard(
        "another_event_under_a_key_is_refused", "usage/events/sqlite.py",
        "DUPLICATE if there == row.payload_hash else CONFLICT", "DUPLICATE",
        ("tests/usage/test_event_store.py::test_another_event_under_a_key_is_a_conflict_also_in_another_month",),
    ),
    Guard(
        "another_event_under_a_key_is_refused_on_postgresql", "usage/events/postgres.py",
        "verdicts[n] = DUPLICATE if same else CONFLICT", "verdicts[n] = DUPLICATE",
        ("tests/usage/test_event_store.py::test_another_event_under_a_key_is_a_conflict_also_in_another_month",),
        "postgres",
    ),
    Guard(
        "packed_events_have_a_size", "usage/api/events.py",
        "unpacker.decompress(body, most + 1)", "unpacker.decompress(body)",
        ("tests/faults/test_large_inputs.py::test_a_packed_body_that_unpacks_without_end_is_refused_in_little_memory",),
    ),
)  # fmt: skip

GUARDS: tuple[Guard, ...] = (*BILLING, *MONEY, *RECORD, *ACCESS, *METERING)
