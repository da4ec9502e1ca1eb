"""Guards of what is whose: keys, sessions, pages, addresses outside, and text that is no markup."""

from __future__ import annotations

from tests.guards.taking import Guard

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
        "seeds_are_stored_encrypted", "accounts/services/second_factors.py",
        "SecondFactor.objects.create(user=user, secret=sealing.seal(secret)", "SecondFactor.objects.create(user=user, secret=secret",
        ("tests/accounts/test_stored_secrets.py::test_nothing_that_is_needed_again_lies_open_in_the_database",),
    ),
    Guard(
        "what_was_encrypted_is_whole", "core/sealing.py",
        "return _boxes(keys).decrypt(stored.removeprefix(MARK)).decode()",
        "return stored.removeprefix(MARK)",
        ("tests/core/test_sealing.py::test_what_was_changed_does_not_open",),
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
        "if wanted not in key.scopes and Scope.ADMIN not in key.scopes:", "if False:",
        ("tests/accounts/test_api_keys.py::test_a_users_key_reads_what_is_theirs_within_its_scopes",),
    ),
    Guard(
        "projects_keys_open_nothing_of_people", "accounts/api_auth.py",
        'if key.project_id is not None and not getattr(view, "takes_project_keys", False):', "if False:",
        ("tests/accounts/test_api_keys.py::test_a_projects_key_is_nobody_at_peoples_addresses",),
    ),
    Guard(
        "a_code_of_another_is_none", "accounts/views/second_factors.py",
        "        request.session.pop(PENDING, None)\n", "        pass\n",
        ("tests/accounts/test_second_factor.py::test_nobody_passes_with_the_code_of_somebody_else",),
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
        "sessions_have_a_last_day", "accounts/sign_in/sessions.py",
        "if now - since >= settings.SESSION_MAX_SEC:", "if False:",
        ("tests/accounts/test_session_limits.py::test_one_in_use_goes_on_until_its_last_day_and_no_longer",),
    ),
    Guard(
        "an_open_browser_does_not_sign", "accounts/sign_in/step_up.py", "    if is_known(request):\n", "    if True:\n",
        ("tests/accounts/test_step_up.py::test_a_second_signature_asks_who_it_is",),
    ),
    Guard(
        "lists_are_asked_for_what_they_show", "core/console/admin.py",
        "return field.is_relation or field.primary_key or first in self._in_the_list(request)", "return True",
        ("tests/pages/test_console_lookups.py::test_the_link_of_an_e_mail_cannot_be_guessed_letter_by_letter",),
    ),
    Guard(
        "lists_take_no_patterns", "core/console/admin.py", 'PATTERNS = {"regex", "iregex"}', "PATTERNS = set()",
        ("tests/pages/test_console_lookups.py::test_no_list_takes_a_pattern_or_a_hidden_column",),
    ),
    Guard(
        "an_older_page_undoes_nothing", "core/console/admin.py",
        "return stale.guarded(form, obj, opened) if opened else form", "return form",
        ("tests/accounts/test_stale_forms.py::test_who_was_switched_off_is_not_switched_on_again_by_an_older_page",),
    ),
    Guard(
        "what_was_answered_is_told_to_the_same_rights", "accounts/services/idempotency.py",
        "    if row.rights and row.rights != rights:", "    if False:",
        ("tests/accounts/test_idempotency.py::test_whoever_may_see_it_no_more_is_not_told_it_again",),
    ),
    Guard(
        "a_pending_code_ends_with_its_password", "accounts/views/second_factors.py",
        " or not _same_password(user, pending)", "",
        ("tests/accounts/test_second_factor.py::test_what_was_begun_with_the_old_password_ends_with_it",),
    ),
    Guard(
        "an_older_page_undoes_no_row", "core/console/admin.py",
        "return stale.guarded_rows(super().get_formset(request, obj, **kwargs))",
        "return super().get_formset(request, obj, **kwargs)",
        ("tests/accounts/test_stale_forms.py::test_a_row_that_was_changed_meanwhile_is_not_deleted",),
    ),
    Guard(
        "who_saves_second_waits", "core/console/stale.py", "if connection.in_atomic_block:", "if False:",
        ("tests/accounts/test_stale_forms.py::test_of_many_who_save_at_once_one_is_the_first",),
        database="postgres",
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
        "next_stays_here", "accounts/views/signing_in.py",
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
        "answers_carry_the_policy", "hpcbilling/headers.py",
        'response["Content-Security-Policy"] = self._policy()', "pass",
        ("tests/ops/test_headers.py::test_refusals_that_come_early_carry_them_too",),
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
    Guard(
        "links_of_passwords_work_once", "accounts/services/password_resets.py",
        "    if not tokens.check_token(user, token):\n        return False\n", "",
        ("tests/accounts/test_password_reset.py::TestTheLink::test_works_once_for_two_at_the_same_moment",),
        database="postgres",
    ),
    Guard(
        "another_address_ends_the_link", "accounts/services/password_resets.py",
        "timestamp)}{_address(user)}", "timestamp)}",
        ("tests/accounts/test_password_reset.py::TestTheLink::test_ends_with_a_sign_in_and_with_another_address",),
    ),
    Guard(
        "links_of_passwords_are_masked", "accounts/services/outbox.py", "|/accounts/reset/[\\w-]{1,300}/", "",
        ("tests/accounts/test_password_reset.py::TestWhatIsKept::test_the_request_log_masks_the_link",),
    ),
    Guard(
        "so_many_requests_a_person", "core/api/throttle.py", "        raise TooManyRequests(seconds)\n", "        pass\n",
        ("tests/core/test_person_limit.py::TestTheApi::test_more_keys_are_no_more_requests",),
    ),
)  # fmt: skip
