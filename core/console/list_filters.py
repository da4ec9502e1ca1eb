"""Filters of the console's lists. None reads a large table to find out which values there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from core.clock import of_tests, real

MANY = 12  # more than these are chosen from a menu, not from a list of links
Known = Iterable[str | tuple[str, str]]


class ValuesFilter(admin.AllValuesFieldListFilter):
    """Every value that there is, for small tables; the empty one has a name, so that it can be read and clicked."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or gettext("none")}


class KnownFilter(admin.SimpleListFilter):
    """Values that are known from elsewhere: ``known`` gives them, with their words where they have any."""

    template = "admin/known_filter.html"
    known: Callable[[], Known]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each, each) if isinstance(each, str) else each for each in type(self).known()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """The links, each with what a menu needs: names and values, and what else the list is asked for."""
        values = ["", *(str(value) for value, _label in self.lookup_choices)]
        kept = [pair for pair in changelist.params.items() if pair[0] != self.parameter_name]
        more = {"name": self.parameter_name, "kept": kept, "menu": len(values) > MANY}
        for value, choice in zip(values, super().choices(changelist), strict=True):
            yield {**choice, **more, "value": value}


class TestFilter(admin.SimpleListFilter):
    """Rows of real organisations, and of those with a test clock."""

    title, parameter_name = gettext_lazy("test clock"), "test"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", gettext("real documents")), ("yes", gettext("tests"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return {"no": real, "yes": of_tests}.get(self.value() or "", lambda rows: rows)(queryset)
