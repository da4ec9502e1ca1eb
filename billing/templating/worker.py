"""The process in which templates are read and set: ``python -m billing.templating.worker``, JSON in, JSON out.

It knows nothing of the site: no Django, no settings, no environment, no database. Memory, processor time and files are
limited by the system before anything is read, and from then on Python itself refuses to open files other than its own
code, to reach the network and to start programs. What an editor writes is data to it all the same; this is the second
wall, for faults of the libraries that read it.

In: ``{"task": "check"|"pdf"|"svg", "kind", "html", "css", "values", "language", "fonts", "meta", "across", "annex",
"pages"}``.
Out: ``{"ok": true, "pdf": base64, "pages": 2}``, ``{"ok": true, "svg": [...]}`` or
``{"problems": [[part, line, code, name]]}``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

MEMORY = 700 * 1024 * 1024
SECONDS = 25
FILES = 64
BANNED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "os.startfile",
          "shutil.", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink",
          "os.listdir", "os.scandir", "os.kill", "os.putenv", "ftplib.", "urllib.", "http.", "smtplib.",
          "ctypes.dlopen", "glob.", "tempfile.",
          "webbrowser.")  # fmt: skip


def main() -> int:
    _limit()
    task = json.load(sys.stdin.buffer)
    faces = _faces(task.get("fonts") or [])
    _warm(faces)
    sys.addaudithook(_refuse)
    sys.stdout.buffer.write(json.dumps(_answer(task, faces)).encode())
    return 0


def _answer(task: dict[str, Any], faces: Any) -> dict[str, Any]:
    from billing.templating import document, painting
    from billing.templating.problems import DOCUMENT, Problem, Refused

    kind = task.get("kind", "invoice")
    try:
        if task["task"] == "check":
            document.check_readable(task["html"], task["css"], faces, kind)
            return {"ok": True}
        annex = document.Annex(**task["annex"]) if task.get("annex") else None
        leading = document.leading_of(thai=task["language"] == "th")
        pages = document.compose(
            task["html"], task["css"], task["values"], faces, leading=leading, annex=annex, kind=kind,
            readable=task["task"] == "pdf",
        )  # fmt: skip
        if task["task"] == "svg":
            shown = pages[: task.get("pages", 3)]
            return {"ok": True, "svg": [painting.svg(marks, across=task["across"]) for marks in shown],
                    "pages": len(pages)}  # fmt: skip
        meta = {**task["meta"], "made": datetime.fromtimestamp(task["meta"]["made"], tz=UTC)}
        content = painting.pdf(pages, faces, language=task["language"], across=task["across"], **meta)
    except Refused as refused:
        return {"problems": [list(each) for each in refused.problems]}
    except (MemoryError, RecursionError):
        return {"problems": [list(Problem(DOCUMENT, 0, "limits"))]}
    except Exception as fault:  # noqa: BLE001 - of a library, on what somebody wrote: told, not shown
        return {"problems": [list(Problem(DOCUMENT, 0, "fault", type(fault).__name__))]}
    return {"ok": True, "pdf": base64.b64encode(content).decode(), "pages": len(pages)}


def _limit() -> None:
    """Where the system knows such limits; the wall clock is the parent's."""
    try:
        import resource
    except ImportError:
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, 0),
                       (resource.RLIMIT_NOFILE, FILES), (resource.RLIMIT_CORE, 0)):  # fmt: skip
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _faces(fonts: list[str]) -> Any:
    """``fonts``: regular and bold Thai file or none, and which of Thai and Latin comes first."""
    from pathlib import Path

    from billing.documents.faces import Builtin, TrueType
    from billing.documents.text import Typeface
    from billing.templating.inline import Faces

    plain, heavy, typed = Builtin("Helvetica"), Builtin("Helvetica-Bold"), Builtin("Courier")
    if not fonts:
        return Faces(Typeface(plain), Typeface(heavy), Typeface(typed))
    regular, bold, first = fonts
    thai = TrueType(Path(regular))
    thick = thai if bold == regular else TrueType(Path(bold))
    if first == "thai":
        return Faces(Typeface(thai, plain), Typeface(thick, heavy), Typeface(typed, thai))
    return Faces(Typeface(plain, thai), Typeface(heavy, thick), Typeface(typed, thai))


def _warm(faces: Any) -> None:
    """Every library that draws is loaded and used once, before files are closed to us."""
    from billing.documents import qr
    from billing.templating import document, painting  # noqa: F401
    from billing.templating.images import Image
    from billing.templating.strips import Box, Code, Picture, Words

    tiny = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
    )
    qr.encode("x")
    marks = [Box(0, 0, 9, 9, "#000000", 2), Words(0, 9, "a ก", 9, False, False, "#000000", 9), Code(0, 0, 9, "x"),
             Words(0, 9, "a", 9, True, True, "#000000", 9), Picture(0, 0, 9, 9, Image(tiny, 1, 1))]  # fmt: skip
    painting.pdf([marks], faces, language="en", title="", author="", subject="", made=datetime.fromtimestamp(0, tz=UTC))  # type: ignore[list-item]


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, mode, flags = (*arguments, None, None, None)[:3]
        read_only = mode in ("r", "rb", None) and not (isinstance(flags, int) and flags & 3)
        if not (read_only and str(path).endswith((".py", ".pyc", ".so"))):
            raise PermissionError("files are closed here")
    elif event.startswith(BANNED):
        raise PermissionError(f"{event} is refused here")


if __name__ == "__main__":
    sys.exit(main())
