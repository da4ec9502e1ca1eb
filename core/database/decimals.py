"""Decimals that stay exact on both databases.

PostgreSQL keeps ``numeric``. SQLite would keep a float from the 16th digit on, so there the digits are kept as text,
and sums and extremes are taken by functions of our own (``install``), never by its arithmetic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal, localcontext
from typing import Any, ClassVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

PLACES = 9
DIGITS = 80  # of sums on their way: Python's own 28 would round them


class ExactDecimalField(models.DecimalField):
    """A metered quantity: up to 31 digits before the point and 9 behind it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 40, "decimal_places": PLACES, **kwargs})

    def get_internal_type(self) -> str:
        return "ExactDecimalField"  # Django's converter for decimals makes floats of them on SQLite

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "text" if connection.vendor == "sqlite" else f"numeric({self.max_digits}, {self.decimal_places})"

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str:
        return self.db_type(connection)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if connection.vendor == "sqlite" and not hasattr(value, "resolve_expression"):
            value = self.to_python(value)
            return None if value is None else plain(value)
        return super().get_db_prep_value(value, connection, prepared)

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        return [_from_text] if connection.vendor == "sqlite" else super().get_db_converters(connection)


def plain(value: Decimal) -> str:
    """Digits without an exponent and without noughts at the end: ``1000``, ``0.5``."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(value: Decimal) -> tuple[int, int]:
    """How many digits before the point a finite number has, and how many places behind it, without noughts at the
    ends; exact where ``normalize`` would round."""
    _sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or not any(digits):
        return 0, 0
    text = "".join(map(str, digits))
    whole = len(text.lstrip("0")) + exponent
    exponent += len(text) - len(text.rstrip("0"))
    return max(whole, 0), max(-exponent, 0)


def _from_text(value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Decimal | None:
    return None if value is None else Decimal(str(value))


class _Exact(models.Aggregate):
    """An aggregate over an ``ExactDecimalField``; on SQLite by the function ``exact_<name>``."""

    output_field = ExactDecimalField()
    sqlite_name: ClassVar[str]

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function=self.sqlite_name, **context)


class ExactSum(_Exact):
    function = "SUM"
    name = "ExactSum"
    sqlite_name = "exact_sum"


class ExactMax(_Exact):
    function = "MAX"
    name = "ExactMax"
    sqlite_name = "exact_max"


class ExactMin(_Exact):
    function = "MIN"
    name = "ExactMin"
    sqlite_name = "exact_min"


class _Collect(ABC):
    def __init__(self) -> None:
        self.found: Decimal | None = None

    def step(self, text: Any) -> None:
        if text is not None:
            value = Decimal(str(text))
            self.found = value if self.found is None else self.fold(self.found, value)

    def finalize(self) -> str | None:
        return None if self.found is None else plain(self.found)

    @staticmethod
    @abstractmethod
    def fold(one: Decimal, other: Decimal) -> Decimal:
        """What two values come to."""


class _Sum(_Collect):
    @staticmethod
    def fold(one: Decimal, other: Decimal) -> Decimal:
        with localcontext(prec=DIGITS):
            return one + other


class _Max(_Collect):
    @staticmethod
    def fold(one: Decimal, other: Decimal) -> Decimal:
        return max(one, other)


class _Min(_Collect):
    @staticmethod
    def fold(one: Decimal, other: Decimal) -> Decimal:
        return min(one, other)


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Receiver of ``connection_created``: teach SQLite the exact aggregates."""
    if connection.vendor == "sqlite":
        for name, kind in (("exact_sum", _Sum), ("exact_max", _Max), ("exact_min", _Min)):
            connection.connection.create_aggregate(name, 1, kind)
