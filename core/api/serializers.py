"""What the API's descriptions share: bodies that refuse unknown fields, pages, problems, money as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from itertools import islice
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from core.money import HOUR_PLACES, RATE_PLACES
from core.numerals import written

PROBLEM = "application/problem+json"
PAGE_SIZE = 50
LARGEST_PAGE = 200
MOST_NAMES = 20  # of wrong fields that are told at once: the answer is no longer than a question deserves


def _strict(read: Callable[[Any, Any], Any], *, exponent: bool = False) -> Callable[[Any, Any], Any]:
    """Text where a number is wanted is a plain number or refused; programs write small decimals with an exponent."""

    @wraps(read)
    def to_internal_value(field: Any, data: Any) -> Any:
        try:
            data = written(data, exponent=exponent)
        except ValueError:
            field.fail("invalid")
        return read(field, data)

    return to_internal_value


# Here and not in fields of our own: no field of a later API may forget it.
serializers.IntegerField.to_internal_value = _strict(serializers.IntegerField.to_internal_value)  # type: ignore[method-assign,assignment]
serializers.DecimalField.to_internal_value = _strict(  # type: ignore[method-assign,assignment]
    serializers.DecimalField.to_internal_value, exponent=True
)


class StrictSerializer(serializers.Serializer):
    """A field that we do not know is an error: a typing slip must not change what is asked for.

    So is a parameter of a query that is given twice: which of its values counts would be a guess.
    """

    def to_internal_value(self, data: Any) -> Any:
        refuse_repeats(data)
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = list(islice((str(name)[:60] for name in data if name not in known), MOST_NAMES))
            if unknown:
                raise serializers.ValidationError({name: [_("There is no such field.")] for name in unknown})
        return super().to_internal_value(data)


def refuse_repeats(query: Any) -> None:
    """Raises by parameter; a body cannot repeat one. All our parameters take one value."""
    if not isinstance(query, QueryDict):
        return
    if twice := list(islice((name[:60] for name, values in query.lists() if len(values) > 1), MOST_NAMES)):
        raise serializers.ValidationError({name: [_("Give this parameter once.")] for name in twice})


class TextField(serializers.CharField):
    """Text in a body: a number or a truth value that slipped in is refused, not turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class MomentField(serializers.DateTimeField):
    """An instant in a body or query. At either end of the calendar the one without a zone breaks its parent."""

    default_error_messages = {"overflow": gettext_lazy("A day from 1990 to 2199 is wanted.")}

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            return super().enforce_timezone(value)
        except OverflowError:
            self.fail("overflow")


class PageQuery(StrictSerializer):
    """Parameters of every list."""

    cursor = serializers.CharField(required=False, max_length=400, help_text="From `next` of the page before.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_PAGE, default=PAGE_SIZE)


class ProblemSerializer(serializers.Serializer):
    """RFC 9457. `code` is stable, `title` is for people and in their language. Facts may stand beside."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong by field of the body or query; `non_field_errors` is about the whole.",
    )


def problems(*statuses: int) -> dict[Any, Any]:
    """Responses of a description: these statuses answer with a problem."""
    return {(status, PROBLEM): ProblemSerializer for status in statuses}


def page_of(each: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The description of a page of ``each``."""
    fields = {
        "next": serializers.URLField(allow_null=True, help_text="Address of the next page; null on the last one."),
        "results": each(many=True),
    }
    return type(f"{each.__name__.removesuffix('Serializer')}Page", (serializers.Serializer,), fields)


class MoneyField(serializers.DecimalField):
    """Decimal text with 2 places; its currency stands beside it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 40, "decimal_places": 2, **kwargs})


class HoursField(serializers.DecimalField):
    """Decimal text with 4 places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 40, "decimal_places": HOUR_PLACES, **kwargs})


class RateField(serializers.DecimalField):
    """Decimal text with 6 places: money per hour."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 12, "decimal_places": RATE_PLACES, **kwargs})
