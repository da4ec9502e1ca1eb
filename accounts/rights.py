"""What a group may do, as people read it: by part of the product and by kind of row, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ACTS = {
    "view": gettext_lazy("view"), "add": gettext_lazy("add"),
    "change": gettext_lazy("change"), "delete": gettext_lazy("delete"),
}  # fmt: skip
Part = tuple[str, list[tuple[str, list[tuple[Permission, str]]]]]


def in_parts(permissions: QuerySet[Permission]) -> list[Part]:
    """Parts of the product, in each the kinds of rows, in each the permissions with their words: one query."""
    parts: dict[str, dict[str, list[tuple[Permission, str]]]] = {}
    ordered = permissions.select_related("content_type")
    for one in ordered.order_by("content_type__app_label", "content_type__model", "pk"):
        part, rows, act = _words(one)
        parts.setdefault(part, {}).setdefault(rows, []).append((one, act))
    return [(part, list(kinds.items())) for part, kinds in parts.items()]


def _words(permission: Permission) -> tuple[str, str, str]:
    """Part, kind of row and act. A permission whose model is gone keeps the words it was stored with."""
    kind = permission.content_type
    act, _line, _name = permission.codename.partition("_")
    own = permission.codename != f"{act}_{kind.model}"  # one that a model adds to the usual four
    try:
        config = apps.get_app_config(kind.app_label)
        rows = str(config.get_model(kind.model)._meta.verbose_name_plural)
    except LookupError:
        return kind.app_label, kind.model, permission.name
    return str(config.verbose_name), rows, _(permission.name) if own else str(ACTS.get(act, act))


def shown(permissions: QuerySet[Permission]) -> SafeString:
    """The rights as a list, to be read."""
    return format_html_join(
        "", '<h2 class="part">{}</h2><ul>{}</ul>',
        (
            (
                capfirst(part),
                format_html_join(
                    "", "<li><strong>{}</strong>: {}</li>",
                    ((capfirst(rows), ", ".join(words for _one, words in acts)) for rows, acts in kinds),
                ),
            )
            for part, kinds in in_parts(permissions)
        ),
    ) or mark_safe("–")  # fmt: skip


class _Parts(forms.models.ModelChoiceIterator):
    def __iter__(self) -> Iterator[Any]:
        for part, kinds in in_parts(self.queryset):
            for rows, acts in kinds:
                yield (part, rows), [(forms.models.ModelChoiceIteratorValue(one.pk, one), words) for one, words in acts]


class RightsBoxes(forms.CheckboxSelectMultiple):
    """A box for each right, set out by part and kind of row: no picker that needs a script."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        parts: dict[str, list[tuple[str, list[Any]]]] = {}
        for (part, rows), boxes, _index in self.get_context(name, value, attrs)["widget"]["optgroups"]:
            parts.setdefault(part, []).append((rows, boxes))
        return render_to_string("admin/auth/rights.html", {"parts": parts.items()})


class RightsField(forms.ModelMultipleChoiceField):
    widget = RightsBoxes
    iterator = _Parts
