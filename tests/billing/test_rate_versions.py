"""Versions of rates are never changed, and every receipt uses the newest that was in force at its moment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, models, transaction
from django.utils import translation

from accounts.models import Tier
from billing import triggers
from billing.models import RateVersion, Receipt
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts
from core.context import SYSTEM
from core.database.append_only import AppendOnly
from hpcbilling.books import INVARIANTS
from tests.factories import account_tier, make_job

pytestmark = pytest.mark.django_db
NINE = NewRates(Decimal(9), Decimal(9), Decimal(9))


REPLACE = """INSERT OR REPLACE INTO rates_versioned (id, effective_at, cpu, gpu, mem, cpu_basis, set_by, note, created_at,
    tier) SELECT id, effective_at, 9, gpu, mem, cpu_basis, set_by, note, created_at, tier FROM rates_versioned"""

OVERWRITE = """INSERT INTO rates_versioned (id, effective_at, cpu, gpu, mem, cpu_basis, set_by, note, created_at, tier)
    SELECT id, effective_at, 9, gpu, mem, cpu_basis, set_by, note, created_at, tier FROM rates_versioned
    ON CONFLICT (id) DO UPDATE SET cpu = EXCLUDED.cpu"""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rates_versioned SET cpu = 9",
        "UPDATE rates_versioned SET note = 'as agreed' WHERE tier = 'mu'",
        "DELETE FROM rates_versioned WHERE tier = 'mu'",
        pytest.param("TRUNCATE rates_versioned CASCADE", marks=pytest.mark.postgres),
        OVERWRITE,
    ],
)
def test_the_database_refuses_to_change_a_version(statement: str) -> None:
    if connection.vendor == "sqlite":  # which has a way of its own to write over a row
        statement = statement.replace(OVERWRITE, REPLACE)
    before = list(RateVersion.objects.order_by("pk").values())
    with pytest.raises(DatabaseError, match="rates_versioned is append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert list(RateVersion.objects.order_by("pk").values()) == before


def test_new_versions_are_still_taken() -> None:
    version = set_rates(actor=SYSTEM, tier=Tier.objects.get(pk="mu"), rates=NINE)
    assert RateVersion.objects.filter(pk=version.pk, cpu=9).exists()


@pytest.mark.django_db(transaction=True)
def test_a_migration_may_alter_the_table_and_the_triggers_come_back_after_it() -> None:
    before = list(RateVersion.objects.order_by("pk").values())
    plain, longer = RateVersion._meta.get_field("note"), models.CharField(max_length=300, blank=True)
    longer.set_attributes_from_name("note")
    longer.model = RateVersion
    with connection.schema_editor() as editor:
        editor.alter_field(RateVersion, plain, longer)
    assert list(RateVersion.objects.order_by("pk").values()) == before
    triggers.install_after_migrate("default")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        RateVersion.objects.update(note="x")
    with connection.schema_editor() as editor:
        editor.alter_field(RateVersion, longer, plain)
    triggers.install_after_migrate("default")


def test_a_table_that_is_not_there_yet_is_left_alone() -> None:
    AppendOnly("no_such_table", same="id = NEW.id").install_after_migrate("default")


@pytest.mark.postgres  # SQLite has one writer at a time
@pytest.mark.django_db(transaction=True)
def test_a_receipt_waits_for_rates_that_are_being_set(alice: Any) -> None:
    """The rates begin before the receipt's moment but are not committed yet: the receipt must not use the old ones."""
    account_tier("physics", "mu")
    make_job()
    is_set, may_commit = threading.Event(), threading.Event()

    def change() -> None:
        with transaction.atomic():
            set_rates(actor=SYSTEM, tier=Tier.objects.get(pk="mu"), rates=NINE)
            is_set.set()
            may_commit.wait(30)
        connections.close_all()

    def bill() -> None:
        create_receipts(actor=SYSTEM, username="alice")
        connections.close_all()

    setting, billing = threading.Thread(target=change), threading.Thread(target=bill)
    setting.start()
    assert is_set.wait(30)
    billing.start()
    billing.join(1)
    assert billing.is_alive()
    assert not Receipt.objects.exists()
    may_commit.set()
    setting.join(30)
    billing.join(30)
    assert Receipt.objects.get().rate_cpu == 9
    assert INVARIANTS["receipt_rates"]() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_receipts_of_different_people_do_not_wait_for_each_other(alice: Any, bob: Any) -> None:
    from core.database.locks import lock_for_transaction

    def hold() -> None:
        with transaction.atomic():
            lock_for_transaction("rates", shared=True)
            held.set()
            done.wait(30)
        connections.close_all()

    held, done = threading.Event(), threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(30)
    account_tier("physics", "mu")
    make_job()
    with transaction.atomic():
        connection.cursor().execute("SET LOCAL lock_timeout = '2s'")
        assert create_receipts(actor=SYSTEM, username="alice")
    done.set()
    other.join(30)


def test_a_version_is_called_by_the_time_of_the_site_and_the_era_of_the_reader() -> None:
    version = RateVersion(tier_id="mu", effective_at=datetime(2026, 11, 26, 19, 10, tzinfo=UTC))
    assert str(version) == "mu 27 Nov 2026, 02:10 UTC+7"
    with translation.override("th"):
        assert str(version).startswith("mu 27 พ.ย. 2569 02:10")
