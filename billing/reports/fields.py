"""A month as forms ask for it."""

from __future__ import annotations

from typing import Any

from django import forms


class MonthField(forms.DateField):
    """``2026-10``; its first day."""

    widget = forms.DateInput(attrs={"type": "month"}, format="%Y-%m")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m"], required=False, **kwargs)
