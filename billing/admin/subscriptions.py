"""Subscriptions as finance sees them: with their fees, and with buttons for plan and end that show amounts first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.charges import ChargeInline
from billing.forms.plans import LATER, PlanForm
from billing.selectors.fees import PARKED, credit_of, parked_words
from billing.selectors.subscription_fees import fee_words
from billing.services.subscriptions import plan_changes
from billing.views.subscriptions import has_wish, step_two
from billing.words.fees import convention_words
from core.clock import now_for
from core.console.admin import ConfirmedAction
from core.context import actor_of
from core.errors import AppError
from subscriptions.admin import subscriptions as base
from subscriptions.models import USABLE, Subscription, SubscriptionStatus

_S = SubscriptionStatus
PLAN = "plan_action"


class ParkedFilter(admin.SimpleListFilter):
    title, parameter_name = _("renewal"), "parked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("failed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(metadata__has_key=PARKED) if self.value() == "yes" else queryset


@admin.register(Subscription)
class BilledSubscriptionAdmin(base.SubscriptionAdmin):
    list_filter = (*base.SubscriptionAdmin.list_filter, ParkedFilter)
    list_select_related = ("organisation", "plan", "next_plan", "price", "user")
    inlines = (ChargeInline, *base.SubscriptionAdmin.inlines)
    page_actions = (
        *base.SubscriptionAdmin.page_actions, PLAN, "cancel_later_action", "keep_action",
    )  # fmt: skip
    actions = page_actions

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        fields = [*super().get_fields(request, obj)]
        place = fields.index("currency") + 1
        return [*fields[:place], "fee", *fields[place:], *(["trouble"] if obj and obj.metadata.get(PARKED) else [])]

    @admin.display(description=_("fee"))
    def fee(self, row: Subscription) -> str:
        return fee_words(row, now_for(row.organisation))

    @admin.display(description=_("why it was not renewed"))
    def trouble(self, row: Subscription) -> str:
        return parked_words(row)

    def has_page_action(self, obj: Subscription, name: str) -> bool:
        if name == PLAN:
            return obj.status in USABLE
        if name == CANCEL_LATER.name:
            return obj.status in CANCEL_LATER.status and not obj.cancel_at_period_end
        if name == KEEP.name:
            return obj.status in KEEP.status and has_wish(obj)
        return super().has_page_action(obj, name)

    @admin.action(description=_("Cancel now …"), permissions=["decide"])
    def cancel_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return CANCEL.answer(self, request, queryset)

    @admin.action(description=_("Cancel with the period …"), permissions=["decide"])
    def cancel_later_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return CANCEL_LATER.answer(self, request, queryset)

    @admin.action(description=_("Keep as it is …"), permissions=["decide"])
    def keep_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return KEEP.answer(self, request, queryset)

    @admin.action(description=_("Change the plan …"), permissions=["decide"])
    def plan_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        """Its amounts are of one subscription, so one is changed at a time."""
        rows = list(queryset[:2])
        if len(rows) != 1:
            self.message_user(request, gettext("Choose one subscription to change its plan."), messages.ERROR)
            return None
        return redirect("admin:billing_subscription_plan", rows[0].pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.plan_view)
        return [path("<int:pk>/plan/", view, name="billing_subscription_plan"), *super().get_urls()]

    def plan_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same two steps as on the page of its holder; finance may choose plans that need approval."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        here = reverse("admin:billing_subscription_plan", args=[pk])
        asked = request.POST if request.method == "POST" else request.GET if "plan" in request.GET else None
        form = PlanForm(asked, row=row, staff=True)
        context = {**self.admin_site.each_context(request), "opts": self.model._meta, "row": row, "form": form,
                   "title": gettext("Change the plan"), "convention": convention_words(), "here": here}  # fmt: skip
        if asked is None or not form.is_valid():
            status = 400 if form.errors else 200
            return TemplateResponse(request, "admin/billing/plan_change.html", context, status=status)
        try:
            if request.method == "POST":
                return self._change(request, row, form)
            return TemplateResponse(request, "admin/billing/plan_change.html", context | step_two(row, form))
        except AppError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(here)

    def _change(self, request: HttpRequest, row: Subscription, form: PlanForm) -> HttpResponse:
        later = form.cleaned_data["when"] == LATER
        plan_changes.change_plan(
            actor=actor_of(request), subscription=row, plan=form.cleaned_data["plan"], cycle=form.chosen_cycle,
            at_period_end=later, approved=True, expected="" if later else form.cleaned_data["expected"],
        )  # fmt: skip
        words = gettext("The plan changes with the next period.") if later else gettext("The plan is changed.")
        self.message_user(request, words, messages.SUCCESS)
        return redirect("admin:subscriptions_subscription_change", row.pk)


def _given_back(row: Subscription) -> tuple[Decimal, str]:
    credit = credit_of(row, now_for(row.organisation), ends=True)
    return (-credit.amount if credit else Decimal(0)), row.currency


CANCEL: ConfirmedAction = replace(
    base.CANCEL,
    advice=_("They end at once and for good; the total is given back for the rest of their periods."),
    money=_given_back,
)
CANCEL_LATER: ConfirmedAction = replace(
    base.CANCEL,
    name="cancel_later_action",
    title=_("Cancel subscriptions with their periods"),
    status=(*USABLE, _S.SUSPENDED),
    advice=_("They go on until their periods end, and cost nothing more. Until then each can be kept."),
    run=lambda actor, row, text: plan_changes.cancel(actor=actor, subscription=row, at_period_end=True, reason=text),
)
KEEP: ConfirmedAction = replace(
    base.RESUME,
    name="keep_action",
    title=_("Keep subscriptions as they are"),
    status=(*USABLE, _S.SUSPENDED),
    advice=_("What was to happen with the end of their periods does not."),
    button=lambda n: ngettext("Keep %(n)d subscription", "Keep %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription kept.", "%(n)d subscriptions kept.", n) % {"n": n},
    run=lambda actor, row, text: plan_changes.keep(actor=actor, subscription=row),
)
