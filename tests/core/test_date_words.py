"""A text of ours must not change how Django writes months, weekdays and hours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract
from django.utils import dates, translation

from tests.translations import APPS, DATE_TEXTS, ROOT

# babel names a context in place "1c"; the plain ones take the text first.
KEYWORDS = dict.fromkeys(("gettext", "gettext_lazy", "gettext_noop", "_", "ngettext", "ngettext_lazy")) | dict.fromkeys(
    ("pgettext", "pgettext_lazy"), ((1, "c"), 2)
)

TAG = re.compile(r"""{%\s*translate\s+["']([^"']+)["']\s*%}""")


def messages(path: Path) -> Iterator[str]:
    """Texts of a source that are translated without a context."""
    source = path.read_text()
    if path.suffix != ".py":
        yield from TAG.findall(source)
        return
    for _line, found, _comments, context in extract("python", io.BytesIO(source.encode()), KEYWORDS):
        if context is None:
            yield from [found] if isinstance(found, str) else found


def test_no_text_of_ours_is_a_word_of_djangos_dates_without_a_context() -> None:
    """``May`` (what a key is allowed) once made Thai pages write the fifth month as "allowed"."""
    sources = [
        path for app in APPS for path in (ROOT / app).rglob("*")
        if path.suffix in {".py", ".html", ".txt"} and "migrations" not in path.parts
    ]  # fmt: skip
    seen = {(path.relative_to(ROOT).as_posix(), text) for path in sources for text in messages(path)}
    assert len(seen) > 1000, "the texts are found at all"
    assert {pair for pair in seen if pair[1] in DATE_TEXTS} == set()


def test_the_words_are_those_that_django_writes() -> None:
    with translation.override("en"):
        ours = [
            *dates.WEEKDAYS.values(),
            *dates.WEEKDAYS_ABBR.values(),
            *dates.MONTHS.values(),
            *dates.MONTHS_3.values(),
        ]
        assert set(map(str, ours)) < DATE_TEXTS
