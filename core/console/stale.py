"""A form of the console that was opened before somebody else saved is not saved over what they did."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import connection
from django.db.models import Model
from django.forms.models import model_to_dict
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

NAME = "_seen"  # of the hidden field: what each column of the form held when it was opened
ROW_NAME = "seen"  # of the same in each row that hangs on the form
SALT = "core.console.stale"


def seen(form: type[forms.BaseForm] | forms.BaseForm, row: Model) -> str:
    """``column:fingerprint`` for each column of ``row`` that the form writes, comma-separated."""
    return ",".join(f"{name}:{mark}" for name, mark in sorted(_marks(form, row).items()))


def guarded(form: type[forms.ModelForm[Any]], row: Model, opened: str) -> type[forms.ModelForm[Any]]:
    """``form`` that refuses to be saved when ``row`` differs from what it was when the page was ``opened``."""

    class Guarded(form):  # type: ignore[misc,valid-type]
        def clean(self) -> Any:
            cleaned = super().clean()
            if refusal := _refusal(self, row, opened):
                self.add_error(None, refusal)
            return cleaned

    return Guarded


class _Seen(forms.CharField):
    """Says nothing about whether its row was changed."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


def guarded_rows(rows: type[forms.BaseInlineFormSet[Any, Any, Any]]) -> type[forms.BaseInlineFormSet[Any, Any, Any]]:
    """``rows`` of a form, of which each carries what it held, and is refused when that is not what it holds now."""

    class GuardedRows(rows):  # type: ignore[misc,valid-type]
        def add_fields(self, form: Any, index: int | None) -> None:
            super().add_fields(form, index)
            if form.instance.pk:
                form.fields[ROW_NAME] = _Seen(required=False, initial=seen(self.form, form.instance))

        def clean(self) -> None:
            for form in self.initial_forms:
                opened = str(form.data.get(form.add_prefix(ROW_NAME)) or "")
                if refusal := _refusal(form, form.instance, opened):
                    if self._should_delete_form(form):  # whose own errors nobody asks for
                        raise refusal
                    form.add_error(None, refusal)
            super().clean()

    return GuardedRows


def _refusal(form: forms.ModelForm[Any], row: Model, opened: str) -> forms.ValidationError | None:
    if not (names := _changed(type(form), row, opened)):
        return None
    labels = ", ".join(str(form.fields[name].label or name) for name in names if name in form.fields)
    words = gettext(
        "This was changed after you had opened the page (%(fields)s). Nothing was saved. Open the page"
        " again, look, and make your change there."
    )
    return forms.ValidationError(words % {"fields": labels})


def _changed(form: type[forms.ModelForm[Any]], row: Model, opened: str) -> list[str]:
    before = dict(pair.split(":", 1) for pair in opened.split(",") if ":" in pair)
    rows = type(row)._base_manager.filter(pk=row.pk)
    if connection.in_atomic_block:  # whoever saves at the same moment waits, and is then told
        rows = rows.select_for_update(no_key=True)
    stored = rows.first()
    now = _marks(form, stored) if stored else {}
    return [name for name in before if name in now and now[name] != before[name]]


def _marks(form: Any, row: Model) -> dict[str, str]:
    names = [name for name, field in form.base_fields.items() if not field.disabled]
    values = model_to_dict(row, fields=names) if names else {}
    return {name: salted_hmac(SALT, _text(value)).hexdigest()[:12] for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, Model) for each in value):
        return repr(sorted(str(each.pk) for each in value))
    return repr(value)
