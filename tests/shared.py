"""A world that is made once for all tests of a file: each looks at it, or spoils it, within a savepoint of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction
from django.test import override_settings

T = TypeVar("T")
QUICK_PASSWORDS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@contextmanager
def shared_world(blocker: Any, **settings: Any) -> Iterator[Callable[[Callable[[], T]], T]]:
    """Gives a function that makes the world; it stays until the end of this block, and is gone then.

    For a fixture of the module, ``autouse``, that asks for ``django_db_setup`` and ``django_db_blocker``: a test that
    wants an empty database stands in another file. What a constraint leaves for the end of the transaction is checked
    before the first test.
    """

    def make(work: Callable[[], T]) -> T:
        with override_settings(PASSWORD_HASHERS=QUICK_PASSWORDS, **settings):
            made = work()
        connection.check_constraints()
        return made

    with blocker.unblock(), transaction.atomic():
        yield make
        transaction.set_rollback(True)
