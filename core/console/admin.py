"""What the admin classes of all apps share: read-only lists, and actions that ask before they act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers, widgets
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import format_lazy, smart_split
from django.utils.translation import gettext, gettext_lazy, ngettext

from core.console import stale
from core.context import Actor, actor_of
from core.errors import AppError
from core.templatetags.hpc import status_chip
from core.words.wording import about

LONGEST_TEXT = 255
MOST_ROWS = 500  # of one act: a preview longer than this is not read, and a form takes 1,000 fields
MOST_WORDS = 10  # of one search
ACCEPTED = 202
PATTERNS = {"regex", "iregex"}  # one of them can keep SQLite busy for ever


def console_day(value: date | datetime | None) -> str:
    """A day as Django writes dates in the console, so that one page shows one era."""
    if isinstance(value, datetime):
        value = timezone.localtime(value, timezone.get_default_timezone()).date()
    return date_format(value) if value else ""


def name_parts(field: forms.Field) -> forms.Field:
    """The two boxes of a moment say what each is for: one label cannot belong to both."""
    if isinstance(field.widget, widgets.AdminSplitDateTime):
        for box, part in zip(field.widget.widgets, (gettext_lazy("date"), gettext_lazy("time")), strict=True):
            box.attrs["aria-label"] = format_lazy("{}: {}", field.label, part)
    return field


class KnownChoice(widgets.AutocompleteSelect):
    """Django's own asks the database for whatever text was sent, and breaks on what no key can be; and nobody who
    cannot see the page learns what is chosen there."""

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["admin/js/autocomplete.js", "hpcbilling/choices.js"])

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        field = self.choices.field
        return super().optgroups(name, [each for each in value if self._is_known(field, each)], attr)

    @staticmethod
    def _is_known(field: Any, key: str) -> bool:
        try:
            field.to_python(key)
        except ValidationError:
            return False
        return True


class CappedPaginator(Paginator):
    """Counts to a limit only: nobody reads page 200, and counting millions of rows takes seconds."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class ConsoleAdmin(admin.ModelAdmin):
    """Lists that stay quick among millions of rows: counted to a limit, and no counts beside filters."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    also_asked: tuple[str, ...] = ()  # columns that no list shows, and links of ours ask for

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """What a list reads beside its rows, the page of one row shows, too."""
        rows = super().get_queryset(request)
        beside = self.list_select_related
        return rows if isinstance(beside, bool) else rows.select_related(*beside)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Each word is looked for in each column: a thousand keep the database busy for many minutes."""
        if len(list(smart_split(search_term))) <= MOST_WORDS:
            return super().get_search_results(request, queryset, search_term)
        if request.resolver_match is None or request.resolver_match.url_name != "autocomplete":
            words = gettext("At most %(n)d words can be looked for; put words that belong together in quotes.")
            messages.error(request, words % {"n": MOST_WORDS})
        return queryset.none(), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list shows or filters by. Django lets every column be asked for, also one that no page shows
        (a hash, a link that lets somebody in), and whether a row is found says letter by letter what stands there."""
        first, *rest = lookup.split(LOOKUP_SEP)
        if PATTERNS & set(rest) or not super().lookup_allowed(lookup, value, request):
            return False
        try:
            field: Any = self.opts.pk if first == "pk" else self.opts.get_field(first)
        except FieldDoesNotExist:
            return True  # the name of nothing
        return field.is_relation or field.primary_key or first in self._in_the_list(request)

    def _in_the_list(self, request: HttpRequest) -> set[str]:
        filters = [each[0] if isinstance(each, (tuple, list)) else each for each in self.get_list_filter(request)]
        names = [getattr(each, "parameter_name", each) for each in (*self.get_list_display(request), *filters)]
        return {name.split(LOOKUP_SEP)[0] for name in (*names, *self.also_asked) if isinstance(name, str)}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        return name_parts(field) if field else field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", KnownChoice(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        opened = request.POST.get(stale.NAME, "") if change and obj is not None else ""
        return stale.guarded(form, obj, opened) if opened else form

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        if row is not None and self.has_change_permission(request, row):
            form = context["adminform"].form
            context |= {"seen_name": stale.NAME, "seen": request.POST.get(stale.NAME) or stale.seen(form, row)}
        return super().render_change_form(request, context, *args, **kwargs)

    def action_checkbox(self, obj: Any) -> SafeString:
        """As Django's, without rendering a form's widget for each row: a seventh of the time of a long list."""
        words = format_html(gettext("Select this object for an action - {}"), str(obj))
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            helpers.ACTION_CHECKBOX_NAME, obj.pk, words,
        )  # fmt: skip

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: Any) -> str:
        """For rows with a ``status``: its word and its icon."""
        return status_chip(row.status, row.get_status_display())


class ReadOnlyAdmin(ConsoleAdmin):
    """Seen, never edited: changes go through services."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    """What hangs on a row, to be read beside it."""

    template = "admin/readonly_inline.html"
    can_delete = False
    extra = max_num = 0
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EditInline(admin.TabularInline):
    """What belongs to a row and is edited with it."""

    template = "admin/edit_inline.html"
    extra = 1

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return stale.guarded_rows(super().get_formset(request, obj, **kwargs))


class PageActions(ConsoleAdmin):
    """Actions of the list that the page of a single row offers, too; each asks before it acts."""

    page_actions: tuple[str, ...] = ()
    change_form_template = "admin/page_actions.html"

    def has_page_action(self, obj: Any, name: str) -> bool:
        """Whether the action ``name`` makes sense for this row now."""
        return True

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read once for a page that is only looked at; an act reads anew."""
        if request.method != "GET":
            return super().get_object(request, object_id, from_field)
        kept = request.__dict__.setdefault("_console_rows", {})
        key = (self.opts.label, str(object_id), from_field)
        if key not in kept:
            kept[key] = super().get_object(request, object_id, from_field)
        return kept[key]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row, allowed = self.get_object(request, object_id), self.get_actions(request)
        offered = [
            (name, found[2])
            for name in self.page_actions
            if (found := allowed.get(name)) and row is not None and self.has_page_action(row, name)
        ]
        context = {**(extra_context or {}), "page_actions": offered, "checkbox_name": helpers.ACTION_CHECKBOX_NAME}
        return super().change_view(request, object_id, form_url, context)


@dataclass(frozen=True, slots=True)
class ConfirmedAction:
    """A change that shows what it will do, and to how much, before it does it.

    It touches rows whose ``column`` is (one of) ``status`` only; without a status, all. ``row`` gives the
    cells under ``headers``, ``money`` the amount and currency of a row, where it has one; ``run`` gets the text
    that was asked for, empty where ``field_label`` is. What ``run`` returns counts as done unless it is false;
    ``say`` makes a message of it for each row. ``most``: rows at a time, few for changes that ask somebody outside.
    ``danger``: what it takes away does not come back by another click; its button looks like it.
    """

    name: str
    title: str | Promise
    field_label: str | Promise
    status: str | tuple[str, ...]
    headers: tuple[str | Promise, ...]
    row: Callable[[Any], tuple[str, ...]]
    button: Callable[[int], str]
    done: Callable[[int], str]
    run: Callable[[Actor, Any, str], object]
    money: Callable[[Any], tuple[Decimal, str]] | None = None
    column: str = "status"
    advice: str | Promise = ""
    say: Callable[[Any, Any], str] | None = None
    most: int = MOST_ROWS
    danger: bool = False

    def answer(self, site: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """First POST shows the page, the second (with ``confirm``) acts on each row by itself."""
        if queryset.order_by()[: self.most + 1].count() > self.most:
            site.message_user(request, _too_many(self.most), messages.ERROR)
            return None
        rows = list(queryset.filter(**self._condition()).order_by("pk"))
        left_out = queryset.count() - len(rows)
        text = request.POST.get("text", "").strip()
        if "confirm" in request.POST and (0 < len(text) <= LONGEST_TEXT or not self.field_label):
            self._act(site, request, rows, text)
            if left_out:
                site.message_user(request, _untouched(left_out), messages.WARNING)
            return None
        sums: dict[str, Decimal] = {}
        for amount, currency in map(self.money, rows) if self.money else ():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
        context = {
            **site.admin_site.each_context(request),
            "title": self.title,
            "opts": site.model._meta,
            "action": self.name,
            "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
            "field_label": self.field_label,
            "advice": self.advice,
            "button": self.button(len(rows)),
            "danger": self.danger,
            "headers": self.headers,
            "rows": [self._line(row) for row in rows],
            "has_money": self.money is not None,
            "sums": sorted(sums.items()),
            "left_out": _untouched(left_out) if left_out else "",
            "missing": "confirm" in request.POST,
            "list_query": request.GET.urlencode(),  # the filter of the list that it came from
            "longest": LONGEST_TEXT,
        }
        return TemplateResponse(request, "admin/confirm.html", context, status=400 if context["missing"] else 200)

    def _line(self, row: Any) -> tuple[Any, list[tuple[str | Promise, str]], Decimal | None, str]:
        """Key, each cell under its header, amount and currency."""
        cells = list(zip(self.headers, self.row(row), strict=True))
        amount, currency = self.money(row) if self.money else (None, "")
        return row.pk, cells, amount, currency

    def _condition(self) -> dict[str, Any]:
        if isinstance(self.status, str):
            return {self.column: self.status}
        return {f"{self.column}__in": self.status} if self.status else {}

    def _act(self, site: admin.ModelAdmin, request: HttpRequest, rows: list[Any], text: str) -> None:
        done = told = 0
        for row in rows:
            try:
                result = self.run(actor_of(request), row, text)
            except AppError as error:
                waits = error.http_status == ACCEPTED  # a second person decides
                site.message_user(request, about(row, error.message), messages.INFO if waits else messages.ERROR)
                told += waits
                continue
            done += bool(result)
            if self.say and result:
                site.message_user(request, about(row, self.say(row, result)), messages.INFO)
        if done or not told:  # that nothing was done is no news beside why
            site.message_user(request, self.done(done), messages.SUCCESS if done else messages.WARNING)


def _too_many(most: int) -> str:
    words = ngettext("Choose %(n)d row at most.", "Choose %(n)d rows at most at a time.", most)
    return words % {"n": most}


def _untouched(number: int) -> str:
    words = ngettext(
        "%(n)d chosen row is in another state and stays as it is.",
        "%(n)d chosen rows are in other states and stay as they are.",
        number,
    )
    return words % {"n": number}
