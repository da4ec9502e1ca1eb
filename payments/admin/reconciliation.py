"""What a provider says of a day beside what the books say."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyAdmin, console_day
from payments import attention
from payments.admin import parts
from payments.models import ReconciliationDay

_SHOWN = 3  # ids in a list; the page of the day has them all


class DiffersFilter(parts.ConditionFilter):
    title = _("result")
    parameter_name = "differs"
    conditions = {
        "yes": (_("differs"), attention.differs),
        "no": (_("agrees"), lambda: ~attention.differs()),
    }


@admin.register(ReconciliationDay)
class ReconciliationDayAdmin(ReadOnlyAdmin):
    list_display = (
        "date", "of_provider", "theirs", "theirs_back", "ours", "ours_back", "difference", "nobodys", "checked",
    )  # fmt: skip
    list_filter = (parts.ProviderFilter, DiffersFilter, "currency", ("day", admin.DateFieldListFilter))
    list_per_page = 62
    fieldsets = (
        (None, {"fields": ("date", "of_provider", "difference", "checked", "advice")}),
        (_("At the provider"), {"fields": ("provider_count", "theirs", "theirs_back")}),
        (_("Here"), {"fields": ("our_count", "ours", "ours_back")}),
        (_("Money of nobody"), {"fields": ("all_nobodys",)}),
    )

    @admin.display(description=_("day"), ordering="day")
    def date(self, row: ReconciliationDay) -> str:
        return console_day(row.day)

    @admin.display(description=_("received at the provider"), ordering="provider_cents")
    def theirs(self, row: ReconciliationDay) -> SafeString:
        return parts.money_cell(row.provider_cents, row.currency)

    @admin.display(description=_("given back at the provider"), ordering="provider_refunded_cents")
    def theirs_back(self, row: ReconciliationDay) -> SafeString:
        return parts.money_cell(row.provider_refunded_cents, row.currency)

    @admin.display(description=_("received here"), ordering="our_cents")
    def ours(self, row: ReconciliationDay) -> SafeString:
        return parts.money_cell(row.our_cents, row.currency)

    @admin.display(description=_("given back here"), ordering="our_refunded_cents")
    def ours_back(self, row: ReconciliationDay) -> SafeString:
        return parts.money_cell(row.our_refunded_cents, row.currency)

    @admin.display(description=_("difference"))
    def difference(self, row: ReconciliationDay) -> SafeString:
        if not row.difference_cents:
            return parts.num(parts.NOTHING)
        text = parts.signed_text(row.difference_cents, row.currency)
        return format_html('<span class="num delta-bad">{}</span>', text)

    @admin.display(description=_("money of nobody"))
    def nobodys(self, row: ReconciliationDay) -> SafeString | str:
        rest = len(row.unknown) - _SHOWN
        return _listed(row, row.unknown[:_SHOWN], f" +{rest}" if rest > 0 else "")

    @admin.display(description=_("money of nobody"))
    def all_nobodys(self, row: ReconciliationDay) -> SafeString | str:
        return _listed(row, row.unknown)

    @admin.display(description=_("what to do"))
    def advice(self, row: ReconciliationDay) -> str:
        if row.unknown:
            return gettext(
                "Look these ids up at the provider: money that no payment of ours holds was taken outside this site, or"
                " its payment was never written down here. Give it back there, or book it by hand."
            )
        if row.difference_cents:
            return gettext("Compare the day's payments one by one, and ask the provider about those that differ.")
        return gettext("Both sides agree.")

    of_provider = parts.provider_cell("provider")
    checked = parts.moment_cell("checked_at", _("checked"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).order_by("-day", "provider", "currency")


def _listed(row: ReconciliationDay, found: list[dict[str, Any]], rest: str = "") -> SafeString | str:
    if not found:
        return parts.NOTHING
    cells = ((each.get("id", ""), parts.minor_text(int(each.get("amount", 0)), row.currency)) for each in found)
    return format_html("{}{}", format_html_join("", '<div class="nobodys"><code>{}</code> {}</div>', cells), rest)
