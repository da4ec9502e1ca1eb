"""Why a row was refused, in words."""

from __future__ import annotations

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.said import Said, say

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
