"""Rules of the database in words: what a form says when a row would break one.

Django's own sentence names the rule: ``Constraint “discounts_one_kind” is violated.`` Words that stand on the
constraint itself would become migrations, and a new wording one more. So they stand beside its name.
"""

from __future__ import annotations

from django.db.models import BaseConstraint
from django.utils.functional import Promise

_WORDS: dict[str, Promise] = {}
_of_django = BaseConstraint.get_violation_error_message


def worded(name: str, words: Promise) -> str:
    """``name`` of a constraint. ``words`` name the field and say what to do."""
    _WORDS[name] = words
    return name


def is_worded(constraint: BaseConstraint) -> bool:
    return constraint.name in _WORDS


def _message(constraint: BaseConstraint) -> str:
    words = _WORDS.get(constraint.name)
    return str(_of_django(constraint) if words is None else words)


def install() -> None:
    BaseConstraint.get_violation_error_message = _message  # type: ignore[method-assign,assignment]
