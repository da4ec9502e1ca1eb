"""Guards of money that comes, goes back and is decided about."""

from __future__ import annotations

from tests.guards.taking import Guard

PAYING = "tests/payments/conformance/test_paying.py"
RETURNS = "tests/payments/conformance/test_returns.py"
SIGNATURES = "tests/payments/test_signatures.py"

MONEY = (
    Guard(
        "nobody_decides_about_the_own_debt", "billing/debtors.py",
        "        if owes(name, document):\n", "        if False:\n",
        ("tests/billing/test_debtors.py::test_nobody_marks_the_own_receipt_as_paid",),
    ),
    Guard(
        "nobody_signs_for_the_own_debt", "billing/debtors.py",
        'second.decided_by if second is not None else ""', '""',
        ("tests/billing/test_debtors.py::test_the_second_signature_is_nobodys_who_owes_it",),
    ),
    Guard(
        "nobody_approves_the_own_subscription", "subscriptions/holders.py",
        "    if user is not None and (subscription.user_id == user.pk or manages(user, subscription)):\n", "    if False:\n",
        ("tests/subscriptions/test_around.py::test_nobody_approves_or_wakes_what_is_their_own",),
    ),
    Guard(
        "a_quota_that_was_used_is_not_had_anew", "usage/quotas.py",
        "            carry([there[key] for key in missing if key in there])\n", "",
        ("tests/usage/test_quotas_carried.py::test_what_was_used_before_counts_in_windows_that_are_open",),
    ),
    Guard(
        "who_has_left_changes_nothing", "billing/services/subscriptions/plan_changes.py",
        "    check_holder(row.user, row.organisation)\n", "",
        ("tests/billing/test_around_changes.py::test_who_has_left_the_organisation_changes_nothing_and_costs_it_nothing",),
    ),
    Guard(
        "one_trial_a_plan", "subscriptions/services/subscriptions.py",
        "plan.pk not in (last, first, *facts.get(TRIED, ()))", "plan.pk != last",
        ("tests/subscriptions/test_around.py::test_a_plan_that_was_tried_and_left_meanwhile_is_not_tried_again",),
    ),
    Guard(
        "the_first_day_is_paid", "billing/selectors/fees.py",
        " if ends else moment", " if False else moment",
        ("tests/billing/test_around_changes.py::test_who_cancels_on_the_first_day_pays_for_it",),
    ),
    Guard(
        "what_waits_is_kept_under_its_key", "accounts/idempotency.py",
        "            keep(waits.http_status, problem_of(waits))\n", "",
        ("tests/accounts/test_idempotency.py::test_what_waits_for_a_second_person_is_asked_for_once",),
    ),
    Guard(
        "a_fees_rest_comes_back_once", "billing/selectors/documents/credit_plans.py",
        "rest = max(rest - _standing(lefts, back[number], found), NOUGHT)", "pass",
        ("tests/billing/test_given_back_once.py::test_nor_is_more_of_a_line",),
    ),
    Guard(
        "kept_credits_that_were_used_stay", "billing/services/invoices/kept_credits.py",
        "if not less or (row.claimed_by and row.claimed_by not in drafts):", "if not less:",
        ("tests/billing/test_kept_credits.py::test_what_was_used_already_is_not_taken_away",),
    ),
    Guard(
        "credits_are_what_was_asked_for", "billing/invoicing/fees.py",
        "amount = before.of(charge.amount, charge.currency) if before else charge.amount", "amount = charge.amount",
        ("tests/billing/test_credits_after_discount.py::test_as_much_comes_back_as_was_asked_for",),
    ),
    Guard(
        "more_than_is_due_is_named", "billing/services/invoices/payments.py",
        "    if over != overpayment:", "    if over != overpayment and False:",
        ("tests/billing/test_payments_by_hand.py::test_more_than_is_due_has_to_be_said_to_the_unit",),
    ),
    Guard(
        "only_what_a_person_wrote_down_is_taken_back", "billing/services/invoices/payments.py",
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
