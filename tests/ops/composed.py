"""What ``docker compose`` makes of compose.yaml and an .env file: the environment of each container. No Docker is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Missing(Exception):
    """``${NAME:?words}`` and no NAME: compose starts nothing."""


def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"])


def environment(service: str, dot_env: str) -> dict[str, str]:
    """Of the container: the files of ``env_file`` first, then ``environment``, whose holes the .env file fills."""
    given = _read(dot_env)
    described = services()[service]
    files = described.get("env_file", [])
    assert files in ([], ".env"), "the one file that is read here"
    fixed = {name: _filled(str(value), given) for name, value in described["environment"].items()}
    return (given if files else {}) | fixed


def _read(dot_env: str) -> dict[str, str]:
    """Of a file without quotes, which is what .env.example is."""
    return dict(re.findall(r"^([A-Z][A-Za-z0-9_]*)=(.*)$", dot_env, re.M))


def _filled(text: str, given: Mapping[str, str]) -> str:
    """``${NAME}``, ``${NAME:-default}`` and ``${NAME:?words}``, one within another."""
    innermost = re.compile(r"\$\{(\w+)(?::([?-])([^${}]*))?\}")
    while hole := innermost.search(text):
        value = given.get(hole[1], "")
        if not value and hole[2] == "?":
            raise Missing(hole[3])
        text = text[: hole.start()] + (value or hole[3] or "") + text[hole.end() :]
    return text
