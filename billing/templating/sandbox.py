"""Asks the worker: a process of its own for each task, with a limit of time, and nothing of ours in its environment."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from billing.templating.problems import DOCUMENT, Problem, Refused

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90.0  # by the clock, for a busy machine; of the processor the worker itself takes 25 at most
MOST_OUT = 40_000_000
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "PATH": ""}


class Pdf(NamedTuple):
    content: bytes
    pages: int


class Pictures(NamedTuple):
    """The first pages as SVG; ``pages`` is how many there are."""

    svg: tuple[str, ...]
    pages: int


def check(html: str, css: str, kind: str = "invoice") -> None:
    """Raises ``Refused`` with everything that is wrong with a template of this kind."""
    if found := faults(html, css, kind):
        raise Refused(*found)


@lru_cache(maxsize=4)
def faults(html: str, css: str, kind: str = "invoice") -> tuple[Problem, ...]:
    """The same as a value, remembered for the last few."""
    try:
        _ask({"task": "check", "kind": kind, "html": html, "css": css})
    except Refused as refused:
        if refused.problems[0].code == "limits":  # a busy machine may be idle the next time
            raise
        return refused.problems
    return ()


def pdf(**task: Any) -> Pdf:
    """Keywords as the worker knows them. Raises ``Refused``."""
    answer = _ask({"task": "pdf", **task})
    return Pdf(base64.b64decode(answer["pdf"]), answer["pages"])


def pictures(**task: Any) -> Pictures:
    """The last few are remembered: the same task gives the same pages."""
    return _drawn(json.dumps({"task": "svg", **task}))


@lru_cache(maxsize=4)
def _drawn(task: str) -> Pictures:
    answer = _ask(json.loads(task))
    return Pictures(tuple(answer["svg"]), answer["pages"])


def _ask(task: dict[str, Any], *, seconds: float | None = None) -> dict[str, Any]:
    command = [sys.executable, "-E", "-s", "-m", "billing.templating.worker"]
    try:
        done = subprocess.run(
            command, input=json.dumps(task).encode(), capture_output=True, cwd=ROOT, env=ENVIRONMENT, check=False,
            timeout=SECONDS if seconds is None else seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Refused(Problem(DOCUMENT, 0, "limits")) from error
    if done.returncode or len(done.stdout) > MOST_OUT:
        raise Refused(Problem(DOCUMENT, 0, "limits"))
    answer: dict[str, Any] = json.loads(done.stdout)
    if "problems" in answer:
        raise Refused(*(Problem(*each) for each in answer["problems"]))
    return answer
