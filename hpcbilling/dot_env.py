"""The file ``.env``, read as systemd reads it; what is no line of it is told by its number, never repeated."""

from __future__ import annotations

import io
import logging
import re
from difflib import get_close_matches
from pathlib import Path

from hpcbilling.environment import Environment

# A line of .env, with blanks where systemd, which reads the same file, takes them.
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_0-9]+)\s*=\s*(.*?)\s*")
log = logging.getLogger(__name__)


def unread(path: Path, known: set[str]) -> dict[str, str]:
    """Names in a file of variables that are none of ``known``, nor ``NAME_FILE`` of one, each with the nearest known
    one or an empty text. Raises ``OSError``, ``UnicodeDecodeError``."""
    lines = map(_LINE.fullmatch, path.read_text(encoding="utf-8-sig").splitlines())
    names = dict.fromkeys(match[1] for match in lines if match)
    strange = [name for name in names if name not in known and name.removesuffix("_FILE") not in known]
    return {name: "".join(get_close_matches(name.upper(), known, n=1)) for name in strange}


def read_dot_env(env: Environment, path: Path) -> None:
    """Take the variables of a file. A line that is none is told by its number: what it holds may be a secret."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError:  # said only where the start is refused: units bring the variables
        env.hint = f"{path} cannot be read by this user: type commands as the site's user (docs/operations.md)."
        return
    except UnicodeDecodeError:
        env.refused.append(f"{path} is not UTF-8 text: save it as such.")
        return
    found = [(number, line, _LINE.fullmatch(line)) for number, line in enumerate(lines, 1)]
    for number, line, match in found:
        if not match and line.strip() and line.lstrip()[0] not in "#;":
            log.warning("%s, line %s: NAME=value is wanted; the line is passed over.", path, number)
    env.read_env(io.StringIO("\n".join(f"{match[1]}={match[2]}" for _number, _line, match in found if match)))
