"""A receipt's PDF in one of the two languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from django.utils import translation

from billing.documents import fonts
from billing.documents.faces import Builtin
from billing.documents.paper import Line, Paper
from billing.documents.receipt_pdf import render
from billing.documents.text import Typeface
from billing.models import Receipt
from billing.selectors.documents.paper import paper_of

LANGUAGES = ("en", "th")
TELL = 50  # jobs between two words of progress


def receipt_pdf(*, receipt: Receipt, language: str, on_progress: Callable[[int, int], None] | None = None) -> bytes:
    """The whole document. The same receipt in the same state gives the same bytes. ``on_progress`` is told the jobs
    that are set and how many there are.

    Raises ``fonts.NoThaiFont`` when Thai is asked for and no Thai typeface is here; English
    does without one and shows what it cannot set as question marks.
    """
    regular, bold = typefaces(language)
    with translation.override(language):
        paper = paper_of(receipt)
        if on_progress:
            paper = replace(paper, lines=partial(_told, paper, on_progress))
        return render(paper, regular=regular, bold=bold)


def _told(paper: Paper, on_progress: Callable[[int, int], None]) -> Iterator[Line]:
    for number, line in enumerate(paper.lines(), 1):
        if number % TELL == 0:
            on_progress(number, paper.jobs)
        yield line


def typefaces(language: str) -> tuple[Typeface, Typeface]:
    """Regular and bold. English is set in the reader's own Helvetica, and Thai names in it in the Thai face."""
    plain, heavy = Builtin("Helvetica"), Builtin("Helvetica-Bold")
    if language == "th":
        pair = fonts.thai()
        return Typeface(pair.regular, plain), Typeface(pair.bold, heavy)
    found = fonts.thai_or_none()
    if found is None:
        return Typeface(plain), Typeface(heavy)
    return Typeface(plain, found.regular), Typeface(heavy, found.bold)
