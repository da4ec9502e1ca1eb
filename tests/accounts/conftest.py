from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.accounts.worlds import World, make_world
from tests.fakes.smtp import Sink


@pytest.fixture
def world(make_user: Any) -> World:
    return make_world(make_user)


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """A mail server that the site sends by."""
    with Sink() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.DEFAULT_FROM_EMAIL = "HPC ศูนย์ <billing@example.ac.th>"
        yield server
