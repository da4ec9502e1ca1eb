"""``migrate`` runs alone: whoever comes meanwhile waits, and says so."""

from __future__ import annotations

import threading
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from core.database.locks import run_lock
from hpcbilling.management.commands import migrate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_a_second_one_waits_until_the_first_has_ended(monkeypatch: Any) -> None:
    monkeypatch.setattr(migrate, "PAUSE", 0.05)
    monkeypatch.setattr(migrate.migrate.Command, "handle", lambda *_a, **_o: migrated.set())
    migrated, said = threading.Event(), StringIO()

    def run() -> None:
        call_command("migrate", stderr=said)
        connections.close_all()

    second = threading.Thread(target=run)
    with run_lock("migrate"):
        second.start()
        assert not migrated.wait(1)
    assert migrated.wait(30)
    second.join()
    assert said.getvalue().count("Another migrate is under way") == 1


def test_one_that_waited_too_long_ends_with_75_and_words(monkeypatch: Any) -> None:
    monkeypatch.setattr(migrate, "PATIENCE", 0)
    with run_lock("migrate"):
        with pytest.raises(CommandError, match="Another run of migrate is under way") as refused:
            call_command("migrate", verbosity=0)
        call_command("migrate", plan=True, stdout=StringIO())
    assert refused.value.returncode == 75
