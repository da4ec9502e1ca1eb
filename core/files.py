"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PRIVATE, ORDINARY = 0o600, 0o666  # ORDINARY: for what tells of nobody; less what the umask takes away


@contextmanager
def whole_file(path: Path, *, mode: int = PRIVATE) -> Iterator[IO[bytes]]:
    """A file that appears, or takes the place of the former one, only when it is whole.

    A link stays and leads to it. What is no file (a device, a pipe) is written to and never replaced.
    Raises ``OSError``.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    place = Path(os.path.realpath(path))
    if place.exists():
        mode &= place.stat().st_mode  # as closed as the former one
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
