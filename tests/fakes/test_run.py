"""``make run`` offers every way to pay that the site knows, each with what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def started(folder: Path, **more: str) -> dict[str, str]:
    """What the command beside the stand-ins is given, in a folder without a .env."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(settings.BASE_DIR), **more}
    command = [sys.executable, "-m", "tests.fakes.run", sys.executable, "-c", SHOW]
    done = subprocess.run(command, env=clean, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    given: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return given


def test_every_provider_is_offered_and_has_what_it_needs(tmp_path: Path) -> None:
    given = started(tmp_path)
    assert set(given["PAYMENT_PROVIDER"].split(",")) == set(settings.PAYMENT_PROVIDERS)
    needed = {name for names in settings.PAYMENT_PROVIDER_NEEDS.values() for name in names}
    assert [name for name in sorted(needed) if not given.get(name)] == []


def test_who_has_a_provider_of_their_own_keeps_it(tmp_path: Path) -> None:
    assert "OMISE_SECRET_KEY" not in started(tmp_path, PAYMENT_PROVIDER="manual")
