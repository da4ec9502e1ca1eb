"""What is wrong with a bank statement, in words: the row, the column, and what is wanted there."""

from __future__ import annotations

from django.utils.translation import gettext as _

from payments.statements.reading import HEADER_WITHIN, Fault


def fault_text(fault: Fault) -> str:
    words = {"row": fault.row, "column": fault.column, "found": fault.found or "–", "wanted": _wanted(fault.code)}
    if not fault.column:
        return _("Row %(row)d: %(wanted)s.") % words
    return _("Row %(row)d, column %(column)s: %(wanted)s; found %(found)s.") % words


def _wanted(code: str) -> str:
    return {
        "day": _("a day such as 31/10/2026, 2026-10-31 or 31 Oct 2026 is wanted"),
        "future": _("a day that is not in the future is wanted (day first, then month)"),
        "amount": _("an amount such as 1,234.50 is wanted"),
        "places": _("an amount with no more decimal places than the currency has is wanted"),
        "twice": _("one amount is wanted; another column of this kind holds a different one"),
        "both": _("only one of deposit and withdrawal may hold an amount"),
        "currency": _("a currency code of three letters is wanted"),
        "side": _("debit or credit (D, C, DR, CR) is wanted"),
        "cells": _("the row has more cells than the header; a text with the delimiter in it needs quotes"),
        "quotes": _("a quotation mark is not closed, or stands in the middle of a cell"),
    }[code]


def file_text(code: str) -> str:
    """Why the whole file cannot be read."""
    return {
        "binary": _("This is not a text file. Please save the statement as CSV."),
        "encoding": _("The file is neither UTF-8 nor Thai (cp874); please name its encoding or save it as UTF-8."),
        "header": _(
            "No header was found in the first %(n)d rows: a date column, and a deposit (credit) or amount column."
        ) % {"n": HEADER_WITHIN},
    }[code]  # fmt: skip
