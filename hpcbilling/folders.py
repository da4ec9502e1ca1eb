"""Whether the folder of style sheets and scripts holds nothing else: all that lies in it is served to everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DEPTH = 3  # parts of the shortest path that is taken: /srv/static; /srv and /static are the system's
SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "sbin", "sys"})
SHARED = frozenset({"home", "usr", "var", "Users"})  # each folder in them is somebody's, or a part of the system
SOURCES = frozenset({"deploy", "docs", "locale", "static", "templates", "tools"})  # ours that are no packages
KEPT = (".env", ".git", "manage.py")  # of this program or of another


def refusals(found: Mapping[str, Any]) -> Iterator[str]:
    """``STATIC_ROOT``, where collectstatic would pour files over others, or the site give others away."""
    root, project = Path(os.path.realpath(found["STATIC_ROOT"])), Path(os.path.realpath(found["BASE_DIR"]))
    is_inside = root.is_relative_to(project)
    if why := (_of_the_project(root, project) if is_inside else _elsewhere(root, project)) or _holds(root, found):
        yield f"STATIC_ROOT: {why}; name a folder of its own, such as staticfiles: all that is in it is served"


def _of_the_project(root: Path, project: Path) -> str:
    if root == project:
        return "it is empty, or the project's own folder"
    top = project / root.relative_to(project).parts[0]
    is_ours = top.name.startswith(".") or top.name in SOURCES or (top / "__init__.py").exists()
    return "the program's own files are in this folder" if is_ours else ""


def _elsewhere(root: Path, project: Path) -> str:
    if project.is_relative_to(root):
        return "the project is in this folder"
    depth, top = len(root.parts), "".join(root.parts[1:2])
    if depth < DEPTH or top in SYSTEM or (top in SHARED and depth == DEPTH) or root == Path.home():
        return "this folder is the system's or somebody's"
    return "the files of a program are in this folder" if any((root / name).exists() for name in KEPT) else ""


def _holds(root: Path, found: Mapping[str, Any]) -> str:
    """Files of ours that nobody outside may read."""
    database = found["DATABASES"]["default"]
    kept = {
        "the database": database["NAME"] if database["ENGINE"].endswith("sqlite3") else "",
        "AUDIT_HEADS_FILE": found["AUDIT_HEADS_FILE"],
        "AUDIT_ARCHIVE_FOLDER": found["AUDIT_ARCHIVE_FOLDER"],
    }
    inside = [name for name, path in kept.items() if path and Path(os.path.realpath(path)).is_relative_to(root)]
    return f"{inside[0]} is in this folder" if inside else ""
