"""The first administrator and the demo cast."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.services.users import bootstrap_admin, create_demo_users
from audit.models import AuditLog
from core.context import SYSTEM
from core.errors import Misconfigured
from tests.races import at_once

pytestmark = pytest.mark.django_db
GOOD = "violet-harbour-93-kettle"


def bootstrap(**options: Any) -> str:
    out = StringIO()
    call_command("bootstrap_admin", format="json", stdout=out, **options)
    return str(json.loads(out.getvalue())["outcome"])


def test_the_first_administrator_is_made_once(settings: Any) -> None:
    settings.ADMIN_PASSWORD = GOOD
    assert [bootstrap(), bootstrap()] == ["created", "unchanged"]
    admin = User.objects.get(pk="admin")
    assert admin.is_superuser
    assert admin.is_staff
    assert admin.check_password(GOOD)
    assert AuditLog.objects.filter(action="user_bootstrap").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_makes_the_administrator_and_the_others_find_it() -> None:
    found = at_once(4, lambda _n: bootstrap_admin(actor=SYSTEM, password=GOOD))
    assert sorted(found) == ["created", "unchanged", "unchanged", "unchanged"]
    assert AuditLog.objects.filter(action="user_bootstrap").count() == 1


def test_a_password_that_was_changed_since_stays_unless_reset_is_asked(settings: Any) -> None:
    settings.ADMIN_PASSWORD = GOOD
    bootstrap()
    admin = User.objects.get(pk="admin")
    admin.set_password("changed-by-its-owner")
    admin.save()
    bootstrap()
    admin.refresh_from_db()
    assert admin.check_password("changed-by-its-owner")
    assert bootstrap(reset=True) == "reset"
    admin.refresh_from_db()
    assert admin.check_password(GOOD)


def test_an_ordinary_user_of_that_name_is_promoted_and_keeps_the_password(settings: Any, make_user: Any) -> None:
    settings.ADMIN_PASSWORD = GOOD
    user = make_user("admin")
    assert bootstrap() == "promoted"
    user.refresh_from_db()
    assert user.is_superuser
    assert not user.check_password(GOOD)


@pytest.mark.parametrize("reset", [False, True])
def test_without_a_password_nobody_becomes_an_administrator(settings: Any, make_user: Any, reset: bool) -> None:
    settings.ADMIN_PASSWORD = ""
    user = make_user("admin")
    with pytest.raises(CommandError, match="ADMIN_PASSWORD") as refused:
        bootstrap(reset=reset)
    assert refused.value.returncode == 78
    user.refresh_from_db()
    assert not user.is_superuser


def test_without_a_password_an_administrator_stays_one(settings: Any, make_user: Any) -> None:
    settings.ADMIN_PASSWORD = ""
    make_user("admin", role="admin", is_superuser=True)
    assert bootstrap() == "unchanged"


def test_a_dry_run_says_what_would_be_done_and_does_not_do_it(settings: Any, make_user: Any) -> None:
    settings.ADMIN_PASSWORD = GOOD
    assert bootstrap(dry_run=True) == "created"
    assert not User.objects.exists()
    user = make_user("admin")
    assert [bootstrap(dry_run=True), bootstrap(dry_run=True, reset=True)] == ["promoted", "reset"]
    user.refresh_from_db()
    assert not user.is_superuser
    assert not user.check_password(GOOD)
    assert not AuditLog.objects.filter(action="user_bootstrap").exists()


@pytest.mark.parametrize("weak", ["", "admin", "password", "12345678901", "short-1"])
def test_a_weak_password_is_refused_outside_debug_with_exit_78(settings: Any, weak: str) -> None:
    settings.DEBUG, settings.ADMIN_PASSWORD = False, weak
    with pytest.raises(CommandError, match="ADMIN_PASSWORD") as refused:
        bootstrap()
    assert refused.value.returncode == 78
    assert not User.objects.exists()


def test_the_demo_cast_is_made_once_with_roles_and_groups(settings: Any) -> None:
    settings.DEBUG = settings.SEED_DEMO_USERS = True
    settings.DEMO_USERS = ["anna:demo-1:user", "mona:with:colon:finance", "root:demo-3:admin"]
    for _ in range(2):
        assert len(create_demo_users(actor=SYSTEM)) == 3
    mona = User.objects.get(pk="mona")
    assert mona.check_password("with:colon")
    assert [group.name for group in mona.groups.all()] == ["Finance"]
    assert User.objects.get(pk="root").is_staff
    assert not User.objects.get(pk="anna").is_staff
    assert AuditLog.objects.filter(action="user_demo").count() == 3


@pytest.mark.parametrize(("debug", "seed"), [(False, True), (True, False)])
def test_no_demo_user_exists_outside_debug_or_unasked(settings: Any, debug: bool, seed: bool) -> None:
    settings.DEBUG, settings.SEED_DEMO_USERS, settings.DEMO_USERS = debug, seed, ["anna:demo-1:user"]
    assert create_demo_users(actor=SYSTEM) == []
    assert not User.objects.exists()


@pytest.mark.parametrize("entry", ["anna", "anna:pw", "anna:pw:king", ":pw:user", "anna::user"])
def test_a_demo_entry_that_cannot_be_read_is_named(settings: Any, entry: str) -> None:
    settings.DEBUG = settings.SEED_DEMO_USERS = True
    settings.DEMO_USERS = [entry]
    with pytest.raises(Misconfigured, match="DEMO_USERS"):
        create_demo_users(actor=SYSTEM)
