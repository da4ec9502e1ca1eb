"""The outbox in the console: what was sent, what waits and why, and sending again."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import EmailNotification, EmailStatus
from accounts.services.outbox import send_again, without_secrets
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from core.context import Actor
from core.words.wording import moment_text

OVER = (EmailStatus.SENT, EmailStatus.FAILED)


def _send_again(actor: Actor, row: EmailNotification, text: str) -> bool:
    return send_again(actor=actor, email=row)


SEND_AGAIN = ConfirmedAction(
    name="send_again_action",
    title=_("Send again"),
    field_label="",
    status=OVER,
    headers=(_("to"), _("subject"), _("status"), _("created")),
    row=lambda row: (row.recipient_email, row.subject, row.get_status_display(), moment_text(row.created_at)),
    advice=_("They wait for the next sender, with all their tries. Whoever got one already gets it a second time."),
    button=lambda n: ngettext("Send %(n)d e-mail again", "Send %(n)d e-mails again", n) % {"n": n},
    done=lambda n: ngettext("%(n)d e-mail waits to be sent.", "%(n)d e-mails wait to be sent.", n) % {"n": n},
    run=_send_again,
)


@admin.register(EmailNotification)
class EmailAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("created_at", "recipient_email", "subject", "kind", "state", "attempts", "sent_at")
    list_filter = ("status", "language")
    search_fields = ("recipient_email", "subject", "kind")
    list_per_page = 50
    fields = (
        "recipient_email", "subject", "text", "files", "kind", "language", "organisation", "state", "attempts",
        "next_attempt_at", "claimed_until", "error_message", "message_id", "created_at", "sent_at",
    )  # fmt: skip
    actions = page_actions = ("send_again_action",)

    def has_page_action(self, obj: EmailNotification, name: str) -> bool:
        return obj.status in OVER

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_emailnotification")

    @admin.display(description=_("text"))
    def text(self, row: EmailNotification) -> str:
        """As it was sent, but for links that are as good as a password."""
        return without_secrets(row.body_text)

    @admin.display(description=_("attached files"))
    def files(self, row: EmailNotification) -> str:
        return ", ".join(each["name"] for each in row.attachments) or "–"

    @admin.action(description=_("Send again …"), permissions=["resend"])
    def send_again_action(self, request: HttpRequest, queryset: QuerySet[EmailNotification]) -> HttpResponse | None:
        return SEND_AGAIN.answer(self, request, queryset)
