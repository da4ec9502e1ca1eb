"""My subscriptions: list, ask in two steps, read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from core.context import actor_of
from core.errors import AppError
from core.registry import load
from subscriptions.forms import RequestForm
from subscriptions.holders import check_payer, manages, visible_to
from subscriptions.models import LIVE, Plan, Subscription, SubscriptionStatus
from subscriptions.services.subscriptions import request_subscription
from subscriptions.wording import act_in_words, fees_in_words, limits_in_words, reason_in_words, state_in_words

PAGE_SIZE = 25
BESIDE = ("organisation", "plan__ai_model", "next_plan", "price")
TONES = {
    SubscriptionStatus.ACTIVE: "good", SubscriptionStatus.TRIAL: "good", SubscriptionStatus.PENDING: "warn",
    SubscriptionStatus.SUSPENDED: "warn", SubscriptionStatus.PAST_DUE: "warn", SubscriptionStatus.CANCELED: "bad",
    SubscriptionStatus.EXPIRED: "bad",
}  # fmt: skip


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    rows = _mine(request).prefetch_related("plan__limits").order_by("-id")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    shown = [(row, state_in_words(row), limits_in_words(row.plan)) for row in page]
    context = {"page": page, "rows": shown, "open": Plan.objects.filter(is_active=True).exists()}
    return render(request, "subscriptions/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Step 1 names plan and holder, step 2 shows what would be asked for; only POST asks."""
    asked = request.POST if request.method == "POST" else request.GET if "plan" in request.GET else None
    form = RequestForm(asked, user=_reader(request))
    checked = asked is not None and form.is_valid()
    if checked and request.method == "POST":
        return _ask(request, form)
    plans = list(form.fields["plan"].queryset.prefetch_related("limits", "prices"))  # type: ignore[attr-defined]
    for plan in plans:
        plan.words, plan.fees = limits_in_words(plan), fees_in_words(plan)
    context: dict[str, Any] = {"form": form, "plans": plans}
    if checked:
        chosen = form.cleaned_data["plan"]
        shown = next(plan for plan in plans if plan == chosen)
        fees = fees_in_words(shown, form.cleaned_data["billing_cycle"])
        context |= {"plan": shown, "holder": form.chosen, "fees": fees}
    return render(request, "subscriptions/new.html", context, status=400 if form.errors else 200)


@require_safe
@login_required
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    row = _find(request, uuid)
    steps = [
        {
            "what": act_in_words(each.action),
            "tone": TONES.get(SubscriptionStatus(each.to_status), ""),
            "each": each,
            "reason": reason_in_words(each),
        }
        for each in row.changes.all()
    ]
    may_cancel = row.status in LIVE and manages(request.user, row)
    context: dict[str, Any] = {
        "subscription": row,
        "limits": limits_in_words(row.plan),
        "state": state_in_words(row),
        "steps": steps,
        "may_cancel": may_cancel,
        "denied": row.changes.filter(action="deny").first(),
    }
    for name in settings.SUBSCRIPTION_PANELS:
        context |= load("SUBSCRIPTION_PANELS", name)(request, row)
    return render(request, "subscriptions/detail.html", context)


def _ask(request: HttpRequest, form: RequestForm) -> HttpResponse:
    data, holder = form.cleaned_data, form.chosen
    try:
        check_payer(data["plan"], holder.organisation)
        row = request_subscription(
            actor=actor_of(request), plan=data["plan"], user=holder.user, organisation=holder.organisation,
            billing_cycle=data["billing_cycle"], reason=data["reason"],
        )  # fmt: skip
    except AppError as error:
        messages.error(request, error.message)
        return redirect("subscriptions:index")
    if row.status == SubscriptionStatus.PENDING:
        messages.success(request, _("Your request is on its way. It begins when somebody has approved it."))
    else:
        messages.success(request, _("It has begun; you can use it now."))
    return redirect("subscriptions:detail", row.uuid)


def _reader(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - the page asks to sign in
    return user


def _mine(request: HttpRequest) -> QuerySet[Subscription]:
    return visible_to(request.user).select_related(*BESIDE)


def _find(request: HttpRequest, uuid: UUID) -> Subscription:
    """Staff who may see subscriptions may open any."""
    rows = _mine(request)
    if request.user.is_staff and request.user.has_perm("subscriptions.view_subscription"):
        rows = Subscription.objects.select_related(*BESIDE)
    row = rows.filter(uuid=uuid).first()
    if row is None:
        raise Http404(_("There is no such subscription."))
    return row
