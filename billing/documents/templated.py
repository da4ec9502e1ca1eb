"""An invoice or a credit note set by a template of finance's own. Everything that reads what they wrote
happens in the worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from billing.documents import fonts
from billing.documents.invoice_paper import Bill
from billing.documents.note_paper import NotePaper
from billing.documents.note_values import note_annex, note_values
from billing.documents.template_values import across_of, annex_of, values_of
from billing.templating import sandbox
from billing.templating.problems import Refused
from core.words import wording

LANGUAGES = ("en", "th")
Document = Bill | NotePaper


def template_pdf(*, bill: Document, html: str, css: str, language: str) -> sandbox.Pdf:
    """``bill`` in the same language. The same input gives the same bytes.

    Raises ``fonts.NoThaiFont`` when Thai is asked for and no Thai typeface is here, ``templating.problems.Refused``.
    """
    with translation.override(language):
        task = _task(bill, html, css, language)
    return sandbox.pdf(**task)


def template_pictures(
    *, bill: Callable[[], Document], html: str, css: str, pages: int = 3
) -> dict[str, sandbox.Pictures | Exception]:
    """The first pages in each language, for a preview; or what ``template_pdf`` would raise. ``bill`` is called in the
    language that it is for; the workers run at the same time."""
    asked: dict[str, dict[str, Any] | Exception] = {}
    for language in LANGUAGES:
        with translation.override(language):
            try:
                asked[language] = _task(bill(), html, css, language)
            except fonts.NoThaiFont as error:
                asked[language] = error
    with ThreadPoolExecutor(len(LANGUAGES)) as pool:
        return dict(zip(asked, pool.map(lambda task: _pictures(task, pages), asked.values()), strict=True))


def _pictures(task: dict[str, Any] | Exception, pages: int) -> sandbox.Pictures | Exception:
    if isinstance(task, Exception):
        return task
    try:
        return sandbox.pictures(**task, pages=pages)
    except Refused as refused:
        return refused


def _task(bill: Document, html: str, css: str, language: str) -> dict[str, Any]:
    if isinstance(bill, NotePaper):
        kind, title, values, annex = "credit_note", _("Credit note"), note_values(bill), note_annex(bill)
        across = _("TEST") if bill.is_test else ""
    else:
        kind, title, values, annex = "invoice", _("Invoice"), values_of(bill), annex_of(bill)
        across = across_of(bill)
    meta = {
        "title": f"{title} {bill.number}", "author": bill.seller.name,
        "subject": wording.month_text(bill.month), "made": int(bill.changed_at.timestamp()),
    }  # fmt: skip
    return {
        "kind": kind, "html": html, "css": css, "values": values, "language": language, "fonts": _fonts(language),
        "meta": meta, "across": across,
        "annex": {"title": annex.title, "columns": annex.columns, "rows": annex.rows} if annex else None,
    }  # fmt: skip


def _fonts(language: str) -> list[str]:
    """As ``receipts.typefaces`` chooses them: English in the reader's Helvetica, and Thai names in the Thai face."""
    pair = fonts.thai() if language == "th" else fonts.thai_or_none()
    if pair is None:
        return []
    return [str(pair.regular.path), str(pair.bold.path), "thai" if language == "th" else "latin"]
