"""Alerts of mine and of my organisations: what was raised, and the rules that watch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.context import actor_of
from core.errors import AppError
from usage.alerts.forms import KINDS, BudgetForm, RuleForm, Subjects, initial_of
from usage.alerts.reach import changeable_rules, find_alert, find_rule, may_change, readable_alerts, readable_rules
from usage.alerts.wording import rule_text, sentence, subject_text, value_text, window_text
from usage.models import AlertHistory, AlertRule, AlertStatus, AlertType
from usage.services.alert_rules import change_rule, create_rule, switch_rule
from usage.services.alert_telling import acknowledge

RAISED_A_PAGE, MOST_RULES = 20, 200
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    changeable = set(changeable_rules(request.user).values_list("pk", flat=True))
    rules = readable_rules(request.user).order_by("-is_active", "-pk")[:MOST_RULES]
    alerts = readable_alerts(request.user)
    waiting = request.GET.get("show") == "new"
    if waiting:
        alerts = alerts.exclude(status=AlertStatus.ACKNOWLEDGED)
    page = Paginator(alerts, RAISED_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "rules": [(rule, rule_text(rule), rule.pk in changeable) for rule in rules],
        "page": page,
        "raised": [(row, sentence(row), window_text(row)) for row in page],
        "waiting": waiting,
    }
    return render(request, "alerts/index.html", context)


@form_page
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """``?kind=`` chooses the form."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else AlertType.USAGE_THRESHOLD.value
    form = RuleForm(request.POST or None, kind=kind, user=request.user, subjects=Subjects.of(request.user))
    if request.method == "POST" and form.is_valid() and (rule := _create(request, form)):
        return redirect("alerts:rule", rule.uuid)
    context = {"form": form, "kinds": KINDS, "kind": kind}
    return render(request, "alerts/new.html", context, status=400 if form.errors else 200)


@form_page
@login_required
def budget(request: HttpRequest) -> HttpResponse:
    form = BudgetForm(request.POST or None, subjects=Subjects.of(request.user))
    if request.method == "POST" and form.is_valid() and _create(request, form):
        return redirect("alerts:index")
    return render(request, "alerts/budget.html", {"form": form}, status=400 if form.errors else 200)


def _create(request: HttpRequest, form: RuleForm | BudgetForm) -> AlertRule | None:
    try:
        rule = create_rule(actor=actor_of(request), **form.rule_fields())
    except AppError as error:
        form.refuse(str(error.details.get("field", "")), error.message)
        return None
    messages.success(request, _("The alert is on: %(what)s.") % {"what": rule_text(rule)})
    return rule


@form_page
@login_required
def rule(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = find_rule(request.user, uuid)
    changeable = may_change(request.user, found)
    if request.method == "POST" and not changeable:
        raise PermissionDenied
    form = RuleForm(
        request.POST or None, kind=found.alert_type, user=request.user, subjects=None, initial=initial_of(found)
    )
    if request.method == "POST" and form.is_valid() and _change(request, found, form):
        return redirect("alerts:rule", uuid)
    page = Paginator(found.history.select_related("organisation", "project"), RAISED_A_PAGE).get_page(
        request.GET.get("page")
    )
    context: dict[str, Any] = {
        "rule": found, "text": rule_text(found), "form": form if changeable else None, "kind": KINDS[found.alert_type],
        "page": page, "raised": [(row, sentence(row), window_text(row)) for row in page],
    }  # fmt: skip
    return render(request, "alerts/rule.html", context, status=400 if form.errors else 200)


def _change(request: HttpRequest, found: AlertRule, form: RuleForm) -> bool:
    fields = form.rule_fields()
    if not fields["webhook"] and found.webhook and found.webhook.is_active and "webhook" not in request.POST:
        fields["webhook"] = found.webhook
    try:
        changed = change_rule(actor=actor_of(request), rule=found, **fields)
    except AppError as error:
        form.refuse(str(error.details.get("field", "")), error.message)
        return False
    messages.success(request, _("Saved.")) if changed else messages.info(request, _("Nothing was different."))
    return True


@require_POST
@login_required
def switch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = find_rule(request.user, uuid)
    if not may_change(request.user, found):
        raise PermissionDenied
    on = request.POST.get("on") == "1"
    switch_rule(actor=actor_of(request), rule=found, on=on)
    messages.success(request, _("The alert is on.") if on else _("The alert is off; what it raised stays."))
    return redirect("alerts:rule", uuid)


@require_safe
@login_required
def raised(request: HttpRequest, uuid: UUID) -> HttpResponse:
    row = find_alert(request.user, uuid)
    context = {
        "alert": row, "sentence": sentence(row), "window": window_text(row), "subject": subject_text(row),
        "actual": value_text(row, row.actual_value), "limit": value_text(row, row.threshold_value),
        "rule_text": rule_text(row.alert_rule), "CURRENCY": settings.PAYMENT_CURRENCY,
    }  # fmt: skip
    return render(request, "alerts/raised.html", context)


@require_POST
@login_required
def seen(request: HttpRequest, uuid: UUID) -> HttpResponse:
    row: AlertHistory = find_alert(request.user, uuid)
    if acknowledge(actor=actor_of(request), alert=row):
        messages.success(request, _("Noted: you have seen it."))
    else:
        messages.info(request, _("Somebody had seen it already."))
    return redirect("alerts:raised", uuid)
