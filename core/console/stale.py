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
SALT = "core.console.stale"


def seen(form: type[forms.BaseForm] | forms.BaseForm, row: Model) -> str:
    """``column:fingerprint`` for each column of ``row`` that the form writes, comma-separated."""
    return ",".join(f"{name}:{mark}" for name, mark in sorted(_marks(form, row).items()))


def guarded(form: type[forms.ModelForm[Any]], row: Model, opened: str) -> type[forms.ModelForm[Any]]:
    """``form`` that refuses to be saved when ``row`` differs from what it was when the page was ``opened``."""

    class Guarded(form):  # type: ignore[misc,valid-type]
        def clean(self) -> Any:
            cleaned = super().clean()
            if names := _changed(form, row, opened):
                labels = ", ".join(str(self.fields[name].label or name) for name in names if name in self.fields)
                words = gettext(
                    "This was changed after you had opened the page (%(fields)s). Nothing was saved. Open the page"
                    " again, look, and make your change there."
                )
                self.add_error(None, words % {"fields": labels})
            return cleaned

    return Guarded


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
