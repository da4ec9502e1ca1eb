from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("allauth", reason="single sign-on is an extra: requirements-sso.txt")


@pytest.fixture
def idp(db: None) -> Iterator[Any]:
    """The provider, signing in Alice as nobody else knows her. One at a time on this machine: its address is fixed."""
    from tests.accounts.sso.provider import Provider, serve

    with (Path(tempfile.gettempdir()) / "hpcbilling-test-idp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        provider = Provider(claims={"sub": "s-1", "preferred_username": "newcomer", "groups": ["staff"]})
        server = serve(provider)
        yield provider
        server.shutdown()
        server.server_close()
