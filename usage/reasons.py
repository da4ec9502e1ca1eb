"""Why a row was refused, in words."""

from __future__ import annotations

import re

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from core.words.said import Said, say

REASONS: dict[str, str | Promise] = {
    "field_count": _("the row has too many or too few fields"),
    "open_quote": _("a quotation mark is not closed"),
    "line_too_long": _("the line is too long"),
    "beside_broken_row": _("it follows a broken row and may have been typed as a job's name"),
    "no_user": _("it names no user"),
    "no_state": _("it has no state"),
    "bad_job_id": _("its job id cannot be read"),
    "bad_time": _("a time cannot be read"),
    "bad_duration": _("its elapsed time cannot be read"),
    "bad_clock": _("more time elapsed than lies between its start and its end"),
    "in_future": _("it ends in the future: a clock or a time zone is wrong"),
    "bad_tres": _("its resources cannot be read"),
    "bad_count": _("a number cannot be read"),
    "bad_encoding": _("a name is not valid text"),
    "too_long": _("a name is too long"),
    "out_of_range": _("an amount is too large"),
    "bad_record": _("a part of the record is missing"),
    "changed_after_billing": _("it differs from the record that was billed, or whose month is closed"),
    "key_clash": _("another kind of record has the same key"),
}


def said(reason: str) -> Said:
    """The same, to be kept for readers of any language."""
    with translation.override(None):
        english = str(REASONS.get(reason, reason))
    return say(english.replace("%", "%%"))


def in_words(reason: str) -> str:
    """The reason for people; a code that is not listed stays as it is."""
    return str(REASONS.get(reason, reason))


# What is said beside the reason is kept in English, as a program that reads it finds it; people read it in theirs.
_DETAILS = (
    gettext_noop("%(n)s fields, the header has %(width)s"),
    gettext_noop("the row names no user and is not a step"),
    gettext_noop("%(n)s s elapsed between times %(between)s s apart"),
    gettext_noop("%(name)s has %(n)s characters, %(most)s are allowed"),
    gettext_noop("%(name)s is not valid UTF-8"),
    gettext_noop("%(name)s holds a control character"),
    gettext_noop("an amount or a product does not fit into 64 bits"),
    gettext_noop("%(text)s is no whole number"),
    gettext_noop("%(text)s is not an amount"),
    gettext_noop("%(text)s is not a duration"),
    gettext_noop("%(text)s has more than 59 minutes or seconds"),
    gettext_noop("%(text)s is not a time"),
    gettext_noop("%(text)s is not an epoch time of a job"),
    gettext_noop("the state is empty"),
    gettext_noop("%(text)s is not a job id"),
    gettext_noop("%(text)s is not a number"),
    gettext_noop("%(text)s does not fit into 64 bits"),
    gettext_noop("a job is not a JSON object"),
)
_PATTERNS = [
    (re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(each)), re.DOTALL), each) for each in _DETAILS
]


def detail_in_words(detail: str) -> str:
    """``detail`` of a refused row for people; what is not known stays as it is."""
    for pattern, text in _PATTERNS:
        if found := pattern.fullmatch(detail):
            return gettext(text) % found.groupdict()
    return detail
