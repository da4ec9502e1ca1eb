"""The Slurms that the tests of usage talk to; doctor asks them, too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.usage.conftest import no_sacct, sacct, slurmrestd

__all__ = ["no_sacct", "sacct", "slurmrestd"]


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client
