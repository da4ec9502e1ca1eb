"""Changed records of jobs that stand: what is stored, what the source says now, what that means in money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.selectors.jobs.adjustments import Difference, difference_of, differences, of_closed_months
from billing.services.months import accept_change
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, console_day
from core.words.wording import NARROW_SPACE, decimal_text, moment_text, money_text
from usage.admin.quarantine import StatusFilter
from usage.models import Adjustment, Job, ReviewStatus
from usage.services.adjustments import SHOWN, dismiss_adjustment

_TIMES = ("start_at", "end_at")


def value_text(name: str, value: Any) -> str:
    """A stored value as people read it."""
    if value in (None, "", {}):
        return "–"
    if name in _TIMES:
        return moment_text(datetime.fromtimestamp(value, UTC))
    if isinstance(value, dict):
        return ", ".join(f"{kind}: {number}" for kind, number in sorted(value.items()))
    return decimal_text(Decimal(value), 0) if isinstance(value, int) else str(value)


@admin.register(Adjustment)
class AdjustmentAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("id", "state", "job_id_display", "username", "document_link", "changed", "money", "noted_on")
    list_filter = (StatusFilter, ("created_at", admin.DateFieldListFilter))
    list_select_related = ("job",)
    list_per_page = 50
    search_fields = ("=job__job_id_display", "=job__username", "=document", "note")
    search_help_text = _("Job id, user, document (receipt:12) or a piece of the note")
    actions = page_actions = ("accept_action", "dismiss_action")
    fieldsets = (
        (None, {"fields": ("state", "job_link", "username", "document_link", "comparison", "cost", "advice")}),
        (_("Decision"), {"fields": ("note", "decided_by", "decided_at", "closed_by_run")}),
        (_("Where it comes from"), {"fields": ("run", "created_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Adjustment]:
        return super().get_queryset(request).select_related("job", "run", "closed_by_run")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The money of all rows of the page at once."""
        page = super().get_changelist_instance(request)
        found = differences(page.result_list)
        for each in page.result_list:
            each.__dict__["_difference"] = found.get(each.pk)
        return page

    @admin.display(description=_("job"), ordering="job__job_id_display")
    def job_id_display(self, adjustment: Adjustment) -> str:
        return adjustment.job.job_id_display

    @admin.display(description=_("user"), ordering="job__username")
    def username(self, adjustment: Adjustment) -> str:
        return adjustment.job.username

    @admin.display(description=_("job"))
    def job_link(self, adjustment: Adjustment) -> str:
        where = reverse("admin:usage_job_change", args=[adjustment.job_id])
        return format_html('<a href="{}">{}</a>', where, adjustment.job.job_id_display)

    @admin.display(description=_("billed on"), ordering="document")
    def document_link(self, adjustment: Adjustment) -> str:
        if not adjustment.document:
            return gettext("none: its month is closed")
        kind, _colon, number = adjustment.document.partition(":")
        if kind != "receipt" or not number.isdigit():
            return adjustment.document
        where = reverse("admin:billing_receipt_change", args=[number])
        return format_html('<a href="{}">{}</a>', where, gettext("receipt %(number)s") % {"number": number})

    @admin.display(description=_("what changed"))
    def changed(self, adjustment: Adjustment) -> str:
        names = [name for name in SHOWN if name in adjustment.after]
        return ", ".join(_label(name) for name in names[:3]) + (" …" if len(names) > 3 else "")  # noqa: PLR2004 - room

    @admin.display(description=_("difference"))
    def money(self, adjustment: Adjustment) -> str:
        found = adjustment.__dict__.get("_difference")
        return format_html('<span class="num">{}</span>', _difference_text(found))

    @admin.display(description=_("noted"), ordering="created_at")
    def noted_on(self, adjustment: Adjustment) -> str:
        return console_day(adjustment.created_at)

    @admin.display(description=_("what changed"))
    def comparison(self, adjustment: Adjustment) -> str:
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
            (
                (_label(name), value_text(name, adjustment.before[name]), value_text(name, adjustment.after[name]))
                for name in SHOWN
                if name in adjustment.after
            ),
        )
        is_open = adjustment.status == ReviewStatus.OPEN
        stored = gettext("as billed") if adjustment.document else gettext("as stored")
        heads = ("", stored, gettext("at the source now") if is_open else gettext("at the source then"))
        head = format_html_join("", '<th scope="col">{}</th>', ((each,) for each in heads))
        return format_html('<table class="cells"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', head, rows)

    @admin.display(description=_("in money, at the receipt's own prices"))
    def cost(self, adjustment: Adjustment) -> str:
        found = difference_of(adjustment)
        if found is None or found.changed is None:
            return found.why if found else "–"
        currency = found.receipt.currency
        words = gettext("billed %(billed)s, now %(now)s: difference %(difference)s. %(why)s")
        sums = {"billed": money_text(found.billed, currency), "now": money_text(found.changed, currency)}
        return (words % {**sums, "difference": _difference_text(found), "why": found.why}).strip()

    @admin.display(description=_("what to do"))
    def advice(self, adjustment: Adjustment) -> str:
        if adjustment.status != ReviewStatus.OPEN:
            return gettext("This is decided; nothing is left to do.")
        if adjustment.job.claimed_by:
            return gettext(
                "While the receipt stands, the job stays as it was billed. Void the receipt and accept the change, or"
                " dismiss the change with a note (for example: credited by hand)."
            )
        if of_closed_months([adjustment]):
            return gettext(
                "Its month is closed. Accept the change to write it with a dated correction of that month (what it then"
                " costs is billed as late usage), or dismiss it with a note."
            )
        return gettext("No document bills the job now: accept the change to write it, or dismiss it with a note.")

    def has_page_action(self, adjustment: Adjustment, name: str) -> bool:
        is_free = not adjustment.job.claimed_by
        return adjustment.status == ReviewStatus.OPEN and (is_free or name != "accept_action")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_adjustment")

    @admin.action(description=_("Accept: write the new record …"), permissions=["decide"])
    def accept_action(self, request: HttpRequest, queryset: QuerySet[Adjustment]) -> HttpResponse | None:
        if not request.user.has_perm("billing.adjust_closedmonth") and of_closed_months(queryset):
            raise PermissionDenied
        return ACCEPT.answer(self, request, queryset)

    @admin.action(description=_("Dismiss …"), permissions=["decide"])
    def dismiss_action(self, request: HttpRequest, queryset: QuerySet[Adjustment]) -> HttpResponse | None:
        return DISMISS.answer(self, request, queryset)


def _label(name: str) -> str:
    return str(getattr(Job._meta.get_field(name), "verbose_name", name))


def _difference_text(found: Difference | None) -> str:
    if found is None or found.difference is None:
        return "–"
    currency, _space, amount = money_text(found.difference, found.receipt.currency).rpartition(NARROW_SPACE)
    return f"{currency}{NARROW_SPACE}{'+' if found.difference > 0 else ''}{amount}"


def _cells(adjustment: Adjustment) -> tuple[str, ...]:
    job, found = adjustment.job, difference_of(adjustment)
    return f"#{adjustment.pk}", job.job_id_display, job.username, adjustment.document, _difference_text(found)


ACCEPT = ConfirmedAction(
    name="accept_action",
    title=_("Accept changed records"),
    field_label=_("Note"),
    status=ReviewStatus.OPEN,
    headers=(_("adjustment"), _("job"), _("user"), _("billed on"), _("difference")),
    row=_cells,
    button=lambda n: ngettext("Write %(n)d record", "Write %(n)d records", n) % {"n": n},
    done=lambda n: ngettext("%(n)d change accepted.", "%(n)d changes accepted.", n) % {"n": n},
    run=lambda actor, adjustment, text: accept_change(actor=actor, adjustment=adjustment, note=text),
)
DISMISS = replace(
    ACCEPT,
    name="dismiss_action",
    title=_("Dismiss changed records"),
    field_label=_("Why nothing is changed (for example: credited by hand)"),
    button=lambda n: ngettext("Dismiss %(n)d change", "Dismiss %(n)d changes", n) % {"n": n},
    done=lambda n: ngettext("%(n)d change dismissed.", "%(n)d changes dismissed.", n) % {"n": n},
    run=lambda actor, adjustment, text: dismiss_adjustment(actor=actor, adjustment=adjustment, note=text),
)
