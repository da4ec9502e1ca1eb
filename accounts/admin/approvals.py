"""Second signatures in the console: seen by those who may see, decided by those who may do the act themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Approval, ApprovalStatus
from accounts.services.approvals import act_of, acts_of, approve, decline
from accounts.sign_in.step_up import ask_again
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.context import Actor
from core.words.wording import moment_text, money_text


class ActFilter(KnownFilter):
    title, parameter_name = _("act"), "act"
    known = staticmethod(lambda: [(name, str(act_of(name).label)) for name in settings.APPROVAL_ACTS])


@admin.register(Approval)
class ApprovalAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("what", "label", "sum", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("status", ActFilter)
    search_fields = ("label", "asked_by", "decided_by")
    list_per_page = 50
    fields = (
        "what", "label", "sum", "wanted", "state", "asked_by", "asked_at", "decided_by", "decided_at", "note",
    )  # fmt: skip
    actions = ("confirm_action", "decline_action")
    page_actions = ("confirm_action", "decline_action")

    @admin.display(description=_("act"), ordering="act")
    def what(self, row: Approval) -> str:
        return str(act_of(row.act).label)

    @admin.display(description=_("amount"), ordering="amount")
    def sum(self, row: Approval) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount, row.currency))

    @admin.display(description=_("details"))
    def wanted(self, row: Approval) -> str:
        found = [str(row.details[key]) for key in ("tx_ref", "reason", "note") if row.details.get(key)]
        if lines := row.details.get("lines"):
            found += [f"{_('line')} {number}: {amount or _('all')}" for number, amount in lines.items()]
        if row.details.get("cancel"):
            found.append(str(_("the invoice is canceled with it")))
        return " · ".join(found)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Nobody is offered to confirm what they asked for themselves."""
        actions: dict[str, Any] = super().get_actions(request)
        number = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        row = self.get_object(request, number) if number else None
        if row is not None and row.asked_by == request.user.get_username():
            actions.pop("confirm_action", None)
        return actions

    def has_page_action(self, obj: Approval, name: str) -> bool:
        return obj.status == ApprovalStatus.OPEN

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(acts_of(request.user))

    @admin.action(description=_("Confirm …"), permissions=["decide"])
    def confirm_action(self, request: HttpRequest, queryset: QuerySet[Approval]) -> HttpResponse | None:
        return ask_again(request) or self._answer(
            CONFIRM, request, queryset.exclude(asked_by=request.user.get_username())
        )

    @admin.action(description=_("Decline …"), permissions=["decide"])
    def decline_action(self, request: HttpRequest, queryset: QuerySet[Approval]) -> HttpResponse | None:
        return self._answer(DECLINE, request, queryset)

    def _answer(
        self, action: ConfirmedAction, request: HttpRequest, queryset: QuerySet[Approval]
    ) -> HttpResponse | None:
        mine = queryset.filter(act__in=acts_of(request.user))
        if not mine.exists():
            words = _("Somebody else, who may do this, must decide about what you asked for.")
            self.message_user(request, words, messages.WARNING)
            return None
        return action.answer(self, request, mine)


def _cells(row: Approval) -> tuple[str, ...]:
    return str(act_of(row.act).label), row.label, row.asked_by, moment_text(row.asked_at)


def _money(row: Approval) -> tuple[Decimal, str]:
    return row.amount, row.currency


def _confirm(actor: Actor, row: Approval, text: str) -> bool:
    approve(actor=actor, approval=row, note=text)
    return True


def _decline(actor: Actor, row: Approval, text: str) -> bool:
    decline(actor=actor, approval=row, note=text)
    return True


_SHARED: dict[str, Any] = {
    "status": ApprovalStatus.OPEN,
    "headers": (_("act"), _("about"), _("asked for by"), _("asked")),
    "row": _cells,
    "money": _money,
}
CONFIRM = ConfirmedAction(
    name="confirm_action",
    title=_("Confirm as the second person"),
    field_label="",
    button=lambda n: ngettext("Confirm %(n)d", "Confirm %(n)d", n) % {"n": n},
    done=lambda n: ngettext("%(n)d confirmed and done.", "%(n)d confirmed and done.", n) % {"n": n},
    run=_confirm,
    advice=_("It happens at once, in the name of the one who asked; the log names you both."),
    most=10,
    **_SHARED,
)
DECLINE = ConfirmedAction(
    name="decline_action",
    title=_("Decline"),
    field_label=_("Reason"),
    button=lambda n: ngettext("Decline %(n)d", "Decline %(n)d", n) % {"n": n},
    done=lambda n: ngettext("%(n)d declined.", "%(n)d declined.", n) % {"n": n},
    run=_decline,
    **_SHARED,
)
