"""What a subscription costs, on its page; another plan in two steps with the amounts shown; the end, now or later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from billing.cycles import local_day
from billing.forms.plans import LATER, PlanForm
from billing.selectors.fees import zone_of
from billing.selectors.subscription_fees import fee_view, next_fee_words
from billing.services.subscriptions import plan_changes
from billing.words.fees import convention_words, how_words
from core.clock import now_for
from core.context import actor_of
from core.errors import AppError
from subscriptions.holders import manages, visible_to
from subscriptions.models import USABLE, BillingCycle, Subscription
from subscriptions.services.history import LONGEST_REASON


def has_wish(row: Subscription) -> bool:
    """Whether something is to happen with the end of the period."""
    return bool(row.cancel_at_period_end or row.next_plan_id or row.next_cycle)


def panel(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    """For ``SUBSCRIPTION_PANELS``: what the page of a subscription says of fees, and what its reader may do."""
    mine = manages(request.user, subscription)
    return {
        "fees": fee_view(subscription),
        "may_change": mine and subscription.status in USABLE and PlanForm(row=subscription).has_plans,
        "may_keep": mine and has_wish(subscription),
        "may_end_later": mine and subscription.next_billing_at is not None and not subscription.cancel_at_period_end,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Step 1 names the plan and when, step 2 shows what that comes to; only POST changes."""
    row = _find(request, uuid)
    asked = request.POST if request.method == "POST" else request.GET if "plan" in request.GET else None
    form = PlanForm(asked, row=row)
    context: dict[str, Any] = {"subscription": row, "form": form, "convention": convention_words()}
    if asked is None or not form.is_valid():
        return render(request, "billing/plan_change.html", context, status=400 if form.errors else 200)
    plan, later = form.cleaned_data["plan"], form.cleaned_data["when"] == LATER
    try:
        if request.method == "POST":
            plan_changes.change_plan(
                actor=actor_of(request), subscription=row, plan=plan, cycle=form.chosen_cycle, at_period_end=later,
                expected="" if later else form.cleaned_data["expected"],
            )  # fmt: skip
            messages.success(
                request, _("The plan changes with the next period.") if later else _("The plan is changed.")
            )
            return redirect("subscriptions:detail", row.uuid)
        return render(request, "billing/plan_change.html", context | step_two(row, form))
    except AppError as error:
        messages.error(request, error.message)
        return redirect("billing:plan_change", row.uuid)


def step_two(row: Subscription, form: PlanForm) -> dict[str, Any]:
    """What the chosen change comes to. Raises what the change itself would."""
    plan, later = form.cleaned_data["plan"], form.cleaned_data["when"] == LATER
    begins = row.next_billing_at or row.trial_end_at or now_for(row.organisation)
    context: dict[str, Any] = {"plan": plan, "later": later, "cycle": form.chosen_cycle}
    if form.chosen_cycle and form.chosen_cycle != row.billing_cycle:
        context["cycle_words"] = BillingCycle(form.chosen_cycle).label
    if not later:
        quote = plan_changes.quote_change(subscription=row, plan=plan, cycle=form.chosen_cycle)
        begins = quote.period_end or begins
        pairs = (each for each in (quote.credit, quote.charge) if each is not None)
        context |= {"quote": quote, "parts": [(each, how_words(each)) for each in pairs]}
    day = local_day(begins, zone_of(row))
    context |= {"begins": begins, "next_fee": next_fee_words(row, plan, day, form.chosen_cycle)}
    return context


@require_POST
@login_required
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    later = request.POST.get("when") == LATER
    reason = request.POST.get("reason", "")[:LONGEST_REASON]
    done, before = _("It is canceled."), _("It was canceled before.")
    if later:
        done = _("It ends with its period.")
    return _act(request, uuid, done, before, lambda row: plan_changes.cancel(
        actor=actor_of(request), subscription=row, at_period_end=later, reason=reason
    ))  # fmt: skip


@require_POST
@login_required
def keep(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _act(request, uuid, _("It goes on as it is."), _("It went on as it is before."),
                lambda row: plan_changes.keep(actor=actor_of(request), subscription=row))  # fmt: skip


def _act(request: HttpRequest, uuid: UUID, done: str, before: str, act: Callable[[Subscription], bool]) -> HttpResponse:
    row = _find(request, uuid)
    try:
        messages.success(request, done if act(row) else before)
    except AppError as error:
        messages.error(request, error.message)
    return redirect("subscriptions:detail", row.uuid)


def _find(request: HttpRequest, uuid: UUID) -> Subscription:
    """One that the reader manages; another is as absent as none. Staff act in the console."""
    rows = visible_to(request.user).select_related("organisation", "plan", "next_plan", "price")
    row = rows.filter(uuid=uuid).first()
    if row is None or not manages(request.user, row):
        raise Http404(_("There is no such subscription."))
    return row
