"""Opening a file that somebody names: ``-`` is standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from core.errors import UsageError


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = Path(path).open("rb")  # noqa: SIM115 - closed below; only the opening may fail this way
    except OSError as error:
        words = _("The file %(path)s cannot be read: %(why)s.")
        raise UsageError(words % {"path": path, "why": error.strerror or error}) from error
    with handle:
        yield handle
