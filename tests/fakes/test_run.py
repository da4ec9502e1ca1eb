"""``make run`` offers every way to pay that the site knows, each with what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

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


def test_the_stand_ins_leave_the_port_of_the_site_alone(tmp_path: Path) -> None:
    """``make run PORT=8101`` found it taken, by what it had started itself."""
    given = started(tmp_path, PORT="8101")
    taken = {urlsplit(value).port for value in given.values() if value.startswith("http://")}
    assert taken
    assert 8101 not in taken
