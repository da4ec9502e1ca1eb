from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.access.outcomes import clients
from tests.access.world import World, build


@pytest.fixture
def world(make_user: Any, settings: Any) -> World:
    settings.VERIFY_MAX_PER_MINUTE = 10_000
    settings.OIDC_ENABLED = False  # its own tests are in tests/accounts/sso
    return build(make_user)


@pytest.fixture
def browsers(world: World) -> dict[str, Client]:
    """A client for each column of the table."""
    return clients(world)
