"""Passwords that came out in breaches, looked for in a file of the site's own (``BREACHED_PASSWORDS_FILE``)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

HASH = 40  # hexadecimal digits
LINE = re.compile(rb"[0-9A-Fa-f]{40}(:\d+)?\s*\Z")


class BreachedPasswordValidator:
    """Refuses what stands in the file, and everything while the file cannot be read. Without one it says nothing."""

    def validate(self, password: str, user: object = None) -> None:
        if not settings.BREACHED_PASSWORDS_FILE:
            return
        try:
            found = is_breached(password, Path(settings.BREACHED_PASSWORDS_FILE))
        except OSError as error:
            words = _("The list of breached passwords cannot be read; please tell those who run this site.")
            raise ValidationError(words, code="breaches_unreadable") from error
        if found:
            words = _("This password came out in a breach of some site and is tried first. Take another.")
            raise ValidationError(words, code="password_breached")

    def get_help_text(self) -> str:
        return _("A password that came out in a breach is not taken.") if settings.BREACHED_PASSWORDS_FILE else ""


def is_breached(password: str, path: Path) -> bool:
    """By halving: some forty reads of a file of any size. Its lines are SHA-1 in hexadecimal digits, in order, each
    with or without ``:count`` (the form in which Have I Been Pwned gives them out). Raises ``OSError``."""
    wanted = hashlib.sha1(password.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as handle:
        low, high = 0, path.stat().st_size
        while low < high:
            middle = (low + high) // 2
            begin, line = _line_from(handle, middle)
            if begin >= high:
                high = middle
            elif (found := line[:HASH].upper()) == wanted:
                return True
            elif found < wanted:
                low = begin + len(line)
            else:
                high = middle
    return False


def trouble(path: Path) -> str:
    """What is wrong with the file, as its first line and that in its middle show it; empty where nothing is."""
    try:
        with path.open("rb") as handle:
            lines = [handle.readline(), _line_from(handle, path.stat().st_size // 2)[1]]
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if not all(LINE.match(line) for line in lines if line) or not lines[0]:
        return "is no list of SHA-1 hashes, one a line"
    return "is not in the order of its hashes" if lines[1] and lines[1].upper() < lines[0].upper() else ""


def _line_from(handle: BinaryIO, place: int) -> tuple[int, bytes]:
    """The first line that begins at ``place`` or after, and where it begins."""
    handle.seek(max(place - 1, 0))
    if place:
        handle.readline()
    return handle.tell(), handle.readline()
