"""Django's form fields, keys in its addresses and page numbers take numbers as people write them (``numerals``)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import PageNotAnInteger, Paginator
from django.db import models

from core.numerals import key_of, written


def install() -> None:
    for field in (forms.IntegerField, forms.DecimalField):
        field.to_python = _strict(field.to_python)  # type: ignore[method-assign,assignment]
    forms.DecimalField.prepare_value = _without_exponent  # type: ignore[method-assign,assignment]
    forms.ModelChoiceField.to_python = _strict_choice(forms.ModelChoiceField.to_python)  # type: ignore[method-assign,assignment]
    models.IntegerField.to_python = _strict_key(models.IntegerField.to_python)  # type: ignore[method-assign,assignment]
    Paginator.validate_number = _strict_page(Paginator.validate_number)  # type: ignore[method-assign,assignment]


def _strict(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(read)
    def to_python(field: Any, value: Any) -> Any:
        if value not in field.empty_values and not field.localize:
            try:
                value = written(value)
            except ValueError as error:
                raise ValidationError(field.error_messages["invalid"], code="invalid") from error
        return read(field, value)

    return to_python


def _without_exponent(field: Any, value: Any) -> Any:
    """What is shown can be sent back: Python writes a nought with nine places as ``0E-9``."""
    return f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else value


def _strict_choice(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A choice among rows is sent as a key: ``1_0`` is none of them."""

    @wraps(read)
    def to_python(field: Any, value: Any) -> Any:
        meta = field.queryset.model._meta
        key = meta.get_field(field.to_field_name) if field.to_field_name else meta.pk
        if isinstance(value, str) and value and isinstance(key, models.IntegerField) and key_of(value) is None:
            words = field.error_messages["invalid_choice"]
            raise ValidationError(words, code="invalid_choice", params={"value": value})
        return read(field, value)

    return to_python


def _strict_key(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(read)
    def to_python(field: Any, value: Any) -> Any:
        try:
            return read(field, written(value))
        except ValueError as error:
            words = field.error_messages["invalid"]
            raise ValidationError(words, code="invalid", params={"value": value}) from error

    return to_python


def _strict_page(read: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
    @wraps(read)
    def validate_number(paginator: Any, number: Any) -> int:
        try:
            return read(paginator, written(number))
        except ValueError as error:
            raise PageNotAnInteger(paginator.error_messages["invalid_page"]) from error

    return validate_number
