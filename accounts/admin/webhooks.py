"""Webhook addresses and messages in the console: seen, switched off and on, sent again. Secrets are never shown."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from accounts.services.webhooks import kinds_of, replay, switch_off, switch_on
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, ReadOnlyInline
from core.words.wording import moment_text

OVER = (DeliveryStatus.SENT, DeliveryStatus.FAILED)

SEND_AGAIN = ConfirmedAction(
    name="send_again_action",
    title=_("Send again"),
    field_label="",
    status=OVER,
    headers=(_("kind"), _("message id"), _("webhook address"), _("status"), _("created")),
    row=lambda row: (
        row.event_type, row.message_id, str(row.endpoint), row.get_status_display(), moment_text(row.created_at),
    ),
    advice=_("They keep their ids: a receiver that has one already knows it for a repeat."),
    button=lambda n: ngettext("Send %(n)d message again", "Send %(n)d messages again", n) % {"n": n},
    done=lambda n: ngettext("%(n)d message waits to be sent.", "%(n)d messages wait to be sent.", n) % {"n": n},
    run=lambda actor, row, text: replay(actor=actor, delivery=row),
)  # fmt: skip
SWITCH_OFF = ConfirmedAction(
    name="switch_off_action",
    title=_("Switch off"),
    field_label="",
    status=(),
    headers=(_("address"), _("organisation"), _("user")),
    row=lambda row: (row.url, str(row.organisation or ""), str(row.user_id or "")),
    advice=_("Nothing is sent there any more, and what waits is given up."),
    button=lambda n: ngettext("Switch off %(n)d address", "Switch off %(n)d addresses", n) % {"n": n},
    done=lambda n: ngettext("%(n)d address is switched off.", "%(n)d addresses are switched off.", n) % {"n": n},
    run=lambda actor, row, text: switch_off(actor=actor, endpoint=row),
)
SWITCH_ON = ConfirmedAction(
    name="switch_on_action",
    title=_("Switch on"),
    field_label="",
    status=(),
    headers=(_("address"), _("organisation"), _("user")),
    row=lambda row: (row.url, str(row.organisation or ""), str(row.user_id or "")),
    button=lambda n: ngettext("Switch on %(n)d address", "Switch on %(n)d addresses", n) % {"n": n},
    done=lambda n: ngettext("%(n)d address is switched on.", "%(n)d addresses are switched on.", n) % {"n": n},
    run=lambda actor, row, text: switch_on(actor=actor, endpoint=row),
)


@admin.register(WebhookEndpoint)
class EndpointAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("url", "organisation", "user", "is_active", "failures", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("organisation", "user")
    search_fields = ("url", "organisation__name", "user__username")
    fields = (
        "url", "description", "wanted", "organisation", "user", "is_active", "failures", "old_secret_until",
        "created_by", "created_at",
    )  # fmt: skip
    actions = page_actions = ("switch_off_action", "switch_on_action")

    @admin.display(description=_("kinds of messages"))
    def wanted(self, row: WebhookEndpoint) -> str:
        return ", ".join(kinds_of(row)) or "–"

    def has_page_action(self, obj: WebhookEndpoint, name: str) -> bool:
        return obj.is_active == (name == "switch_off_action")

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_webhookendpoint")

    @admin.action(description=_("Switch off …"), permissions=["switch"])
    def switch_off_action(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        return SWITCH_OFF.answer(self, request, queryset)

    @admin.action(description=_("Switch on …"), permissions=["switch"])
    def switch_on_action(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        return SWITCH_ON.answer(self, request, queryset)


class AttemptInline(ReadOnlyInline):
    model = WebhookAttempt
    fields = readonly_fields = ("at", "status_code", "milliseconds", "error")
    show_change_link = False


@admin.register(WebhookDelivery)
class DeliveryAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("created_at", "event_type", "message_id", "endpoint", "state", "attempts", "sent_at")
    list_filter = ("status",)
    list_select_related = ("endpoint",)
    search_fields = ("message_id",)
    inlines = (AttemptInline,)
    actions = page_actions = ("send_again_action",)

    def has_page_action(self, obj: WebhookDelivery, name: str) -> bool:
        return obj.status in OVER

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_webhookdelivery")

    @admin.action(description=_("Send again …"), permissions=["resend"])
    def send_again_action(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        return SEND_AGAIN.answer(self, request, queryset)
