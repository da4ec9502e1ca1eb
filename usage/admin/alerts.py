"""Alerts in the console: rules to switch off and on, and what they raised."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from core.words.wording import moment_text
from usage.alerts.wording import rule_text, sentence, subject_text
from usage.models import AlertHistory, AlertRule, AlertStatus
from usage.services.alert_rules import switch_rule
from usage.services.alert_telling import acknowledge

SEEN_FROM = (AlertStatus.PENDING, AlertStatus.SENT, AlertStatus.FAILED)

SWITCH_OFF = ConfirmedAction(
    name="switch_off_action",
    title=_("Switch off"),
    field_label="",
    status=(),
    headers=(_("name"), _("watched")),
    row=lambda row: (row.name, rule_text(row)),
    advice=_("They are looked at no more. What they raised stays."),
    button=lambda n: ngettext("Switch off %(n)d alert", "Switch off %(n)d alerts", n) % {"n": n},
    done=lambda n: ngettext("%(n)d alert is switched off.", "%(n)d alerts are switched off.", n) % {"n": n},
    run=lambda actor, row, text: switch_rule(actor=actor, rule=row, on=False),
)
SWITCH_ON = ConfirmedAction(
    name="switch_on_action",
    title=_("Switch on"),
    field_label="",
    status=(),
    headers=(_("name"), _("watched")),
    row=lambda row: (row.name, rule_text(row)),
    button=lambda n: ngettext("Switch on %(n)d alert", "Switch on %(n)d alerts", n) % {"n": n},
    done=lambda n: ngettext("%(n)d alert is switched on.", "%(n)d alerts are switched on.", n) % {"n": n},
    run=lambda actor, row, text: switch_rule(actor=actor, rule=row, on=True),
)
ACKNOWLEDGE = ConfirmedAction(
    name="acknowledge_action",
    title=_("Note as seen"),
    field_label="",
    status=SEEN_FROM,
    headers=(_("alert"), _("status"), _("created")),
    row=lambda row: (sentence(row), row.get_status_display(), moment_text(row.created_at)),
    button=lambda n: ngettext("Note %(n)d alert as seen", "Note %(n)d alerts as seen", n) % {"n": n},
    done=lambda n: ngettext("%(n)d alert is noted as seen.", "%(n)d alerts are noted as seen.", n) % {"n": n},
    run=lambda actor, row, text: acknowledge(actor=actor, alert=row),
)


@admin.register(AlertRule)
class AlertRuleAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("name", "watched", "waits_for", "is_active", "last_fired_at", "created_by")
    list_filter = ("is_active", "alert_type")
    list_select_related = ("organisation", "project")
    search_fields = ("name", "username", "organisation__name", "project__name")
    actions = page_actions = ("switch_off_action", "switch_on_action")

    @admin.display(description=_("watched"))
    def watched(self, row: AlertRule) -> str:
        return subject_text(row)

    @admin.display(description=_("waits for"))
    def waits_for(self, row: AlertRule) -> str:
        return rule_text(row)

    def has_page_action(self, obj: AlertRule, name: str) -> bool:
        return obj.is_active == (name == "switch_off_action")

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_alertrule")

    @admin.action(description=_("Switch off …"), permissions=["switch"])
    def switch_off_action(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> HttpResponse | None:
        return SWITCH_OFF.answer(self, request, queryset.select_related("organisation", "project"))

    @admin.action(description=_("Switch on …"), permissions=["switch"])
    def switch_on_action(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> HttpResponse | None:
        return SWITCH_ON.answer(self, request, queryset.select_related("organisation", "project"))


@admin.register(AlertHistory)
class AlertHistoryAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("created_at", "alert_rule", "seen_there", "state", "sent_at", "acknowledged_by")
    list_filter = ("status", "alert_type")
    list_select_related = ("alert_rule", "organisation", "project")
    search_fields = ("alert_rule__name", "username", "organisation__name")
    actions = page_actions = ("acknowledge_action",)

    @admin.display(description=_("seen"))
    def seen_there(self, row: AlertHistory) -> str:
        return sentence(row)

    def has_page_action(self, obj: AlertHistory, name: str) -> bool:
        return obj.status in SEEN_FROM

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_alerthistory")

    @admin.action(description=_("Note as seen …"), permissions=["acknowledge"])
    def acknowledge_action(self, request: HttpRequest, queryset: QuerySet[AlertHistory]) -> HttpResponse | None:
        return ACKNOWLEDGE.answer(self, request, queryset.select_related("alert_rule", "organisation", "project"))
