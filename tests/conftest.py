"""The cast, the database and the guard against the network."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck, settings

from audit import triggers
from billing import triggers as rate_triggers
from tests import emptying
from tests.databases import _copies, django_db_createdb, django_db_keepdb, django_db_setup  # noqa: F401 - fixtures
from tests.shares import pytest_collection_modifyitems  # noqa: F401 - a hook
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401 - hooks

PASSWORD = "correct-horse-battery"

# A busy machine is no finding of a property test; what its fixtures hold is the same for every example.
settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("ours")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings: None) -> None:
    """SQLite tests use a file, so that threads see one database."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("db") / f"test_{worker}.sqlite3")


_plain_teardown = TransactionTestCase._fixture_teardown


def _teardown_without_triggers(self: TransactionTestCase) -> None:
    """What is quicker than emptying, or that: it needs the append-only triggers off, and its post_migrate puts them
    back.
    """
    if emptying.put_back():
        return
    triggers.remove(connection)
    rate_triggers.remove(connection)
    _plain_teardown(self)


TransactionTestCase._fixture_teardown = _teardown_without_triggers  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _english() -> None:
    """A page in Thai leaves its language to the thread; the next test begins in English all the same."""
    translation.activate("en")


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    """What an open page counts by address is kept in the process, over the end of a test."""
    cache.clear()


_connect = socket.socket.connect


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing leaves this machine."""

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise RuntimeError(f"test tried to reach {address}")
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def make_user(db: None) -> Any:
    """``make_user("alice", groups=["Finance"], role="admin")``; every password is ``PASSWORD``."""
    from django.contrib.auth.models import Group

    from accounts.models import User

    def make(username: str, *, groups: list[str] | None = None, **fields: Any) -> User:
        user = User.objects.create_user(username, PASSWORD, **fields)
        user.groups.set(Group.objects.filter(name__in=groups or []))
        return user

    return make


@pytest.fixture
def alice(make_user: Any) -> Any:
    """A researcher; owns what the tests look at."""
    return make_user("alice")


@pytest.fixture
def bob(make_user: Any) -> Any:
    """Another researcher, who must not see what is Alice's."""
    return make_user("bob")


@pytest.fixture
def finance(make_user: Any) -> Any:
    return make_user("fin", role="admin", groups=["Finance"])


@pytest.fixture
def auditor(make_user: Any) -> Any:
    return make_user("aud", role="admin", groups=["Auditor"])


@pytest.fixture
def superuser(make_user: Any) -> Any:
    return make_user("root", role="admin", is_superuser=True)


@pytest.fixture
def data_dir() -> Path:
    return Path(__file__).parent / "data"
