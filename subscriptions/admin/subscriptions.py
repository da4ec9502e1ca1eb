"""Subscriptions for finance: read, and moved by buttons that ask before they act."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, ReadOnlyInline, console_day
from core.context import Actor
from core.words.wording import moment_text
from subscriptions.models import (
    LIVE,
    USABLE,
    Subscription,
    SubscriptionChange,
    SubscriptionKey,
    SubscriptionStatus,
    SuspendedFor,
)
from subscriptions.services import subscriptions as acts
from subscriptions.wording import act_in_words, reason_in_words, state_in_words

_S = SubscriptionStatus


class ChangeInline(ReadOnlyInline):
    model = SubscriptionChange
    fields = ("when", "what", "actor", "why")
    readonly_fields = fields
    show_change_link = False

    @admin.display(description=_("at"))
    def when(self, row: SubscriptionChange) -> str:
        return moment_text(row.at)

    @admin.display(description=_("what"))
    def what(self, row: SubscriptionChange) -> str:
        return act_in_words(row.action)

    @admin.display(description=_("reason"))
    def why(self, row: SubscriptionChange) -> str:
        return reason_in_words(row) or "–"


class KeyInline(ReadOnlyInline):
    model = SubscriptionKey
    fields = ("api_key",)
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionKey]:
        rows: QuerySet[SubscriptionKey] = super().get_queryset(request)
        return rows.select_related("api_key")


class SubscriptionAdmin(PageActions, ReadOnlyAdmin):
    """``billing`` registers it, with fees."""

    list_display = ("holder_name", "plan", "state", "rests_for", "asked_on", "start_at", "end_at")
    list_display_links = ("holder_name",)
    list_filter: ClassVar[Any] = ("status", "suspended_for", "plan", "billing_cycle")
    list_select_related: ClassVar[Any] = ("organisation", "plan")
    search_fields = ("user__username", "organisation__name", "plan__code", "plan__name")
    list_per_page = 50
    ordering = ("-id",)
    inlines: ClassVar[Any] = (ChangeInline, KeyInline)
    fields = (
        "state", "rests_for", "organisation", "user", "plan", "billing_cycle", "currency", "start_at", "end_at",
        "trial_end_at", "period_start", "period_end", "anchor_day", "next_billing_at", "cancel_at_period_end",
        "next_plan", "next_cycle", "reset_at", "payment_method", "created_at",
    )  # fmt: skip
    page_actions: tuple[str, ...] = (
        "approve_action", "deny_action", "suspend_action", "resume_action", "cancel_action",
    )  # fmt: skip
    actions = page_actions

    @admin.display(description=_("holder"), ordering="user")
    def holder_name(self, row: Subscription) -> str:
        return row.holder

    @admin.display(description=_("suspended for"), ordering="suspended_for")
    def rests_for(self, row: Subscription) -> str:
        return row.get_suspended_for_display() if row.suspended_for else "–"

    @admin.display(description=_("requested on"), ordering="created_at")
    def asked_on(self, row: Subscription) -> str:
        return console_day(row.created_at)

    def has_page_action(self, obj: Subscription, name: str) -> bool:
        wanted: dict[str, tuple[str, ...]] = {
            each.name: tuple(each.status) for each in (APPROVE, DENY, SUSPEND, RESUME, CANCEL)
        }
        return obj.status in wanted[name]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("subscriptions.decide_subscription")

    @admin.action(description=_("Approve …"), permissions=["decide"])
    def approve_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return APPROVE.answer(self, request, queryset)

    @admin.action(description=_("Deny …"), permissions=["decide"])
    def deny_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return DENY.answer(self, request, queryset)

    @admin.action(description=_("Suspend …"), permissions=["decide"])
    def suspend_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return SUSPEND.answer(self, request, queryset)

    @admin.action(description=_("Resume …"), permissions=["decide"])
    def resume_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return RESUME.answer(self, request, queryset)

    @admin.action(description=_("Cancel …"), permissions=["decide"])
    def cancel_action(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return CANCEL.answer(self, request, queryset)


def _cells(row: Subscription) -> tuple[str, ...]:
    return row.holder, row.plan.label, state_in_words(row), console_day(row.created_at)


def _suspend(actor: Actor, row: Subscription, text: str) -> bool:
    return acts.suspend_subscription(actor=actor, subscription=row, cause=SuspendedFor.STAFF, reason=text)


APPROVE = ConfirmedAction(
    name="approve_action",
    title=_("Approve subscriptions"),
    field_label="",
    status=(_S.PENDING,),
    headers=(_("holder"), _("plan"), _("status"), _("requested on")),
    row=_cells,
    advice=_("They begin at once, those with a trial with it."),
    button=lambda n: ngettext("Approve %(n)d subscription", "Approve %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription approved.", "%(n)d subscriptions approved.", n) % {"n": n},
    run=lambda actor, row, text: acts.approve_subscription(actor=actor, subscription=row),
)
DENY = replace(
    APPROVE,
    name="deny_action",
    title=_("Deny subscriptions"),
    field_label=_("Reason; those who asked can read it"),
    advice="",
    button=lambda n: ngettext("Deny %(n)d subscription", "Deny %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription denied.", "%(n)d subscriptions denied.", n) % {"n": n},
    run=lambda actor, row, text: acts.deny_subscription(actor=actor, subscription=row, reason=text),
)
SUSPEND = replace(
    DENY,
    name="suspend_action",
    title=_("Suspend subscriptions"),
    field_label=_("Reason; their holders can read it"),
    status=(*USABLE, _S.SUSPENDED),
    advice=_("Calls are refused from now on, until somebody resumes them. A new quota does not."),
    button=lambda n: ngettext("Suspend %(n)d subscription", "Suspend %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription suspended.", "%(n)d subscriptions suspended.", n) % {"n": n},
    run=_suspend,
)
RESUME = replace(
    APPROVE,
    name="resume_action",
    title=_("Resume subscriptions"),
    status=(_S.SUSPENDED,),
    advice=_("They go on in the state that they rested from, whatever they rest for."),
    button=lambda n: ngettext("Resume %(n)d subscription", "Resume %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription resumed.", "%(n)d subscriptions resumed.", n) % {"n": n},
    run=lambda actor, row, text: acts.resume_subscription(actor=actor, subscription=row),
)
CANCEL = replace(
    DENY,
    name="cancel_action",
    title=_("Cancel subscriptions"),
    field_label=_("Reason; their holders can read it"),
    status=LIVE,
    danger=True,
    advice=_("They end at once and for good; who wants it again must ask anew."),
    button=lambda n: ngettext("Cancel %(n)d subscription", "Cancel %(n)d subscriptions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d subscription canceled.", "%(n)d subscriptions canceled.", n) % {"n": n},
    run=lambda actor, row, text: acts.cancel_subscription(actor=actor, subscription=row, reason=text),
)
