"""What providers told us: read, and worked on again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from payments import attention
from payments.admin import parts
from payments.models import EventOutcome, PaymentEvent
from payments.services.webhooks import replay


class OutcomeFilter(parts.ConditionFilter):
    title = _("outcome")
    parameter_name = "outcome"
    conditions = {
        "waiting": (_("waiting for the next try"), attention.waiting),
        "stuck": (_("does not match, or failed for good"), attention.stuck),
        **{
            outcome.value: (outcome.label, lambda value=outcome.value: Q(outcome=value))  # type: ignore[misc]
            for outcome in EventOutcome
        },
    }


@admin.register(PaymentEvent)
class PaymentEventAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "id", "received", "sender", "event_type", "of_payment", "state", "told", "deliveries", "next",
    )  # fmt: skip
    list_filter = (OutcomeFilter, parts.ProviderFilter, "signature_ok", ("received_at", admin.DateFieldListFilter))
    search_fields = ("external_event_id", "event_type", "=payment__id", "=body_sha256")
    search_help_text = _("Event id of the provider, kind of event, number of the payment or SHA-256 of the body")
    list_select_related = ("payment",)
    list_per_page = 50
    actions = page_actions = ("replay_action",)
    fieldsets = (
        (None, {"fields": ("sender", "event_type", "external_event_id", "of_payment", "state", "told")}),
        (_("Work"), {"fields": ("received", "deliveries", "attempts", "next", "processed")}),
        (_("Content"), {"fields": ("signature_ok", "body_sha256", "payload")}),
    )

    @admin.display(description=_("payment"), ordering="payment")
    def of_payment(self, event: PaymentEvent) -> SafeString | str:
        return parts.payment_link(event.payment) if event.payment else parts.NOTHING

    @admin.display(description=_("payment"), ordering="payment")
    def named_payment(self, event: PaymentEvent) -> str:
        return str(event.payment or parts.NOTHING)

    @admin.display(description=_("outcome"), ordering="outcome")
    def state(self, event: PaymentEvent) -> SafeString:
        return parts.chip(event.outcome, event.get_outcome_display())

    sender = parts.provider_cell("provider")
    told = parts.detail_cell("detail", _("detail"))

    @admin.display(description=_("payload"))
    def payload(self, event: PaymentEvent) -> SafeString | str:
        if not event.raw_payload:
            return gettext("not kept")
        text = json.dumps(event.raw_payload, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="raw" tabindex="0">{}</pre>', text)

    received = parts.moment_cell("received_at", _("received"))
    next = parts.moment_cell("next_try_at", _("next try"))
    processed = parts.moment_cell("processed_at", _("processed at"))

    def get_fieldsets(self, request: HttpRequest, obj: PaymentEvent | None = None) -> Any:
        """What is inside a message is about people and money: for those who may see payments."""
        if request.user.has_perm("payments.view_payment"):
            return self.fieldsets
        (_name, about), work, _content = self.fieldsets
        fields: Any = about["fields"]
        return ((None, {"fields": _unlinked(fields)}), work)

    def get_list_display(self, request: HttpRequest) -> Any:
        """A link to the payment for those who may open it."""
        return (
            self.list_display
            if request.user.has_perm("payments.view_payment")
            else _unlinked(list(map(str, self.list_display)))
        )

    def has_page_action(self, event: PaymentEvent, name: str) -> bool:
        return event.outcome != EventOutcome.REJECTED and bool(event.raw_payload)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.replay_paymentevent")

    @admin.action(description=_("Work on it again …"), permissions=["replay"])
    def replay_action(self, request: HttpRequest, queryset: QuerySet[PaymentEvent]) -> HttpResponse | None:
        return REPLAY.answer(self, request, queryset)


REPLAY = ConfirmedAction(
    name="replay_action",
    title=_("Work on messages again"),
    field_label="",
    status=tuple(outcome for outcome in EventOutcome if outcome != EventOutcome.REJECTED),
    column="outcome",
    headers=(_("message"), _("event"), _("outcome"), _("detail")),
    row=lambda event: (
        str(event),
        event.event_type,
        event.get_outcome_display(),
        parts.told(event.detail, event.payment),
    ),
    advice=_(
        "Each message is worked on as if it came now: the provider's record is read and followed. What was done already"
        " is not done twice. Messages that were rejected are never believed."
    ),
    button=lambda n: ngettext("Work on %(n)d message", "Work on %(n)d messages", n) % {"n": n},
    done=lambda n: ngettext("%(n)d message worked on.", "%(n)d messages worked on.", n) % {"n": n},
    run=lambda actor, event, text: replay(actor=actor, event=event),
    say=lambda event, result: f"{_outcome(result.outcome)} · {parts.told(result.detail, event.payment)}",
    most=parts.MOST,
)


def _unlinked(names: Iterable[Any]) -> tuple[Any, ...]:
    return tuple("named_payment" if name == "of_payment" else name for name in names)


def _outcome(name: str) -> str:
    return str(EventOutcome(name).label) if name in EventOutcome.values else name
