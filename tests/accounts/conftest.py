from __future__ import annotations

from typing import Any

import pytest

from tests.accounts.worlds import World, make_world


@pytest.fixture
def world(make_user: Any) -> World:
    return make_world(make_user)
