"""The examples of ``docs/examples.md`` do what stands under them, in the order in which a reader tries them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from tests.factories import make_project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "examples.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUNNERS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


def holds(said: Any, found: Any) -> bool:
    """Everything that is said is there; ``…`` is anything."""
    if isinstance(said, dict):
        return isinstance(found, dict) and all(name in found and holds(v, found[name]) for name, v in said.items())
    if isinstance(said, list):
        return isinstance(found, list) and len(said) == len(found) and all(map(holds, said, found))
    return said in ("…", found)


def test_what_counts_as_the_answer_that_the_page_shows() -> None:
    assert holds({"a": "…", "b": [1]}, {"a": 5, "b": [1], "c": 2})
    assert not holds({"a": 1}, {"a": 2})
    assert not holds({"a": 1}, {})
    assert not holds([1, 2], [1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.django_db(transaction=True)
def test_every_example_prints_what_the_page_says(live_server: Any) -> None:
    key = issue_key(
        actor=SYSTEM, name="docs", scopes=["events:write", "usage:read", "billing:read"], project=make_project()
    )
    environment = {**os.environ, "HPCB": live_server.url, "KEY": key.secret, "NOW": datetime.now(UTC).isoformat()}
    blocks = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    ran = 0
    for (language, code), (shown_as, shown) in zip(blocks[::2], blocks[1::2], strict=True):
        assert shown_as == "json", f"under this block stands no answer: {code}"
        done = subprocess.run(
            [*RUNNERS[language], code], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        assert holds(json.loads(shown), json.loads(done.stdout)), f"{code}\nprints\n{done.stdout}"
        ran += 1
    assert ran >= 8
