"""``python -m tests.translations [--update]``: is every text of the product there in Thai?

Texts are collected from a copy of the sources by Django's own ``makemessages``
(which needs GNU gettext), so the check never touches the working tree. ``--update``
merges new texts into ``locale/*/LC_MESSAGES/django.po``, for a person to translate.

The console's scripts have a catalogue of their own, ``djangojs.po``: it holds by hand
what Django's own Thai for them lacks.
"""

from __future__ import annotations

import argparse
import calendar
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
APPS = ("accounts", "audit", "billing", "core", "hpcbilling", "payments", "subscriptions", "usage", "templates")
LANGUAGES = ("en", "th")
# Header lines that would change with every run, or say nothing.
NOISE = re.compile(r'^"(Project-Id|Report-Msgid|POT-Crea|PO-Rev|Last-Tr|Language-Team|Generated-By).*\n', re.MULTILINE)
# Ours would also be said where Django writes the month, the weekday or the hour of the day: such a text needs a context.
DATE_TEXTS = {
    *calendar.day_name, *calendar.day_abbr, *calendar.month_name[1:], *map(str.lower, calendar.month_abbr[1:]),
    "midnight", "noon", "a.m.", "p.m.", "AM", "PM",
}  # fmt: skip
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%[sd]")


def po_path(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def load(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as source:
        return read_po(source, locale=language)


def collect() -> dict[str, Catalog]:
    """Every text of the sources, in a catalogue for each language, translated as far as the po files go."""
    with tempfile.TemporaryDirectory() as folder:
        for app in APPS:
            if (ROOT / app).exists():
                ignored = shutil.ignore_patterns("migrations", "__pycache__", "node_modules")
                shutil.copytree(ROOT / app, Path(folder, app), ignore=ignored)
        shutil.copytree(ROOT / "locale", Path(folder, "locale"))
        arguments = ["--no-obsolete", "--no-location", "--no-wrap", "--ignore", "tests/*"]
        command = [sys.executable, "-m", "django", "makemessages", *(f"-l{code}" for code in LANGUAGES), *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return {code: load(Path(folder, "locale", code, "LC_MESSAGES", "django.po"), code) for code in LANGUAGES}


def texts(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def faults(message: Message) -> Iterator[str]:
    """What is wrong with one translation."""
    sources, targets = texts(message.id), texts(message.string)
    if message.fuzzy:
        yield "is a guess (fuzzy)"
    if not all(targets):
        yield "has no translation"
        return
    # A plural form may leave the number out ("one receipt"), but may not name what the source does not.
    known = set().union(*(placeholders(text) for text in sources))
    for target in targets:
        if placeholders(target) - known or (len(sources) == 1 and placeholders(target) != known):
            yield f"has other placeholders: {target!r}"
    if sources[0].startswith("\n") != targets[0].startswith("\n"):
        yield "begins with a line break on one side only"


def check_dates(found: Catalog) -> list[str]:
    words = [message.id for message in found if not message.context and message.id in DATE_TEXTS]
    return [f"{word!r} is a word of Django's dates, which it would change too: give it a context" for word in words]


def check(found: Catalog) -> list[str]:
    complaints = []
    for message in found:
        if message.id:
            complaints += [f"{texts(message.id)[0]!r} {fault}" for fault in faults(message)]
    return complaints


def check_scripts() -> list[str]:
    """Texts of the console's scripts that are Thai neither in Django's catalogue nor in ours."""
    admin = Path(django.__file__).parent / "contrib" / "admin" / "locale"
    ours = load(po_path("th").with_name("djangojs.po"), "th")
    theirs = load(admin / "th" / "LC_MESSAGES" / "djangojs.po", "th")
    complaints = check(ours)
    for message in load(admin / "en" / "LC_MESSAGES" / "djangojs.po", "en"):
        known = [catalog.get(message.id, message.context) for catalog in (ours, theirs)]
        if message.id and not any(found and all(texts(found.string)) for found in known):
            complaints.append(f"{texts(message.id)[0]!r} of the console's scripts has no translation")
    return complaints


def update(found: dict[str, Catalog]) -> None:
    for code, catalog in found.items():
        catalog.header_comment = "# Texts of hpcbilling. New ones are merged in by `make messages`."
        catalog.fuzzy = False
        for message in catalog:
            if message.id and message.fuzzy:
                message.string = "" if isinstance(message.id, str) else ("",) * catalog.num_plurals
                message.flags.discard("fuzzy")
            message.previous_id = []
            message.user_comments = [line for line in message.user_comments if not line.startswith("|")]
        path = po_path(code)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        write_po(buffer, catalog, width=0, sort_output=True)
        path.write_text(NOISE.sub("", buffer.getvalue().decode()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="merge new texts into the po files")
    options = parser.parse_args()
    missing = [tool for tool in ("xgettext", "msgmerge") if not shutil.which(tool)]
    if missing:
        print(f"GNU gettext is missing ({', '.join(missing)}): install the package gettext.", file=sys.stderr)  # noqa: T201
        return 1
    found = collect()
    if options.update:
        update(found)
    complaints = check(found["th"]) + check_dates(found["th"]) + check_scripts()
    for complaint in complaints:
        print(complaint)  # noqa: T201
    print(f"{len(found['th'])} texts, {len(complaints)} to mend in Thai")  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
