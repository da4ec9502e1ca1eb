"""Test clocks in the console: made, bound, advanced. All through the service."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.clock_work import send
from accounts.models import Organisation, TestClock
from accounts.services.test_clocks import bind_organisation, clocks_allowed, create_clock
from core.commands import first_instant, moment
from core.console.add_only import AddOnlyAdmin, take_over
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyInline
from core.context import Actor, actor_of
from core.errors import BadInput
from core.words.wording import moment_text


class OrganisationInline(ReadOnlyInline):
    model = Organisation
    fields = ("name", "currency", "time_zone", "is_active")
    readonly_fields = fields


@admin.register(TestClock)
class TestClockAdmin(PageActions, AddOnlyAdmin):
    list_display = ("name", "stands_at", "state", "number", "created_by")
    list_filter = ("status",)
    search_fields = ("name", "organisations__name")
    inlines = (OrganisationInline,)
    actions = page_actions = ("advance_action", "bind_action")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TestClock]:
        rows: QuerySet[TestClock] = super().get_queryset(request)
        return rows.annotate(bound=Count("organisations"))

    def get_inlines(self, request: HttpRequest, obj: TestClock | None) -> Any:
        return self.inlines if obj is not None else ()

    def get_fields(self, request: HttpRequest, obj: TestClock | None = None) -> Any:
        if obj is None:
            return ("name", "frozen_time")
        return ("name", "stands_at", "state", "target_time", "failure", "created_by", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: TestClock | None = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return clocks_allowed() and super().has_add_permission(request)

    def has_advance_permission(self, request: HttpRequest) -> bool:
        return clocks_allowed() and request.user.has_perm("accounts.advance_testclock")

    def has_bind_permission(self, request: HttpRequest) -> bool:
        return clocks_allowed() and request.user.has_perm("accounts.change_testclock")

    @admin.display(description=gettext_lazy("stands at"), ordering="frozen_time")
    def stands_at(self, row: TestClock) -> str:
        return moment_text(row.frozen_time)

    @admin.display(description=gettext_lazy("organisations"))
    def number(self, row: Any) -> int:
        return int(row.bound)

    def save_model(self, request: HttpRequest, obj: TestClock, form: forms.ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in ("name", "frozen_time")}
        take_over(obj, create_clock(actor=actor_of(request), **values))

    @admin.action(description=gettext_lazy("Advance …"), permissions=["advance"])
    def advance_action(self, request: HttpRequest, queryset: QuerySet[TestClock]) -> HttpResponse | None:
        return ADVANCE.answer(self, request, queryset)

    @admin.action(description=gettext_lazy("Bind an organisation …"), permissions=["bind"])
    def bind_action(self, request: HttpRequest, queryset: QuerySet[TestClock]) -> HttpResponse | None:
        return BIND.answer(self, request, queryset)


def _advance(actor: Actor, clock: TestClock, text: str) -> bool:
    """At once where it is not far; else as long work, which the list of works shows."""
    send(actor=actor, clock=clock, to=_instant(text))
    return True


def _instant(text: str) -> datetime:
    try:
        found = first_instant(moment(text))
    except ArgumentTypeError as error:
        raise BadInput(_("Write a day (2026-10-31) or a time (2026-10-31T09:00).")) from error
    assert found is not None  # noqa: S101 - a text gives a moment
    return found


def _bind(actor: Actor, clock: TestClock, text: str) -> bool:
    organisation = Organisation.objects.filter(name=text).first()
    if organisation is None:
        raise BadInput(_("There is no organisation of this name."))
    return bind_organisation(actor=actor, clock=clock, organisation=organisation)


_HEADERS = (gettext_lazy("name"), gettext_lazy("stands at"), gettext_lazy("status"))


def _row(clock: TestClock) -> tuple[str, ...]:
    return (clock.name, moment_text(clock.frozen_time), str(clock.get_status_display()))


ADVANCE = ConfirmedAction(
    name="advance_action",
    title=gettext_lazy("Advance test clocks"),
    field_label=gettext_lazy("To (as 2026-10-31, its midnight, or 2026-10-31T09:00)"),
    status=(),
    headers=_HEADERS,
    row=_row,
    button=lambda n: ngettext("Advance %(n)d clock", "Advance %(n)d clocks", n) % {"n": n},
    done=lambda n: ngettext("%(n)d clock advances.", "%(n)d clocks advance.", n) % {"n": n},
    run=_advance,
    advice=gettext_lazy("Everything that would have happened until then happens. More than 31 days are long work."),
)
BIND = ConfirmedAction(
    name="bind_action",
    title=gettext_lazy("Bind an organisation"),
    field_label=gettext_lazy("Name of the organisation"),
    status=(),
    headers=_HEADERS,
    row=_row,
    button=lambda n: ngettext("Bind it to %(n)d clock", "Bind it to %(n)d clocks", n) % {"n": n},
    done=lambda n: ngettext("Bound to %(n)d clock.", "Bound to %(n)d clocks.", n) % {"n": n},
    run=_bind,
    advice=gettext_lazy("For good: it and all its documents are for tests from then on."),
)
