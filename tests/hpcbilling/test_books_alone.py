"""check_books and seed_demo on small worlds: an empty database, or one receipt."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Approval, Tier
from billing import triggers as rate_triggers
from billing.models import RateVersion, Receipt
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts
from core.context import Actor
from hpcbilling import books
from tests.factories import account_tier, make_job
from usage.models import ImportRun, Job

pytestmark = pytest.mark.django_db


def test_a_version_of_rates_without_its_entry_or_an_entry_without_its_version_is_named(db: None) -> None:
    made = set_rates(actor=Actor("fin"), tier=Tier.objects.get(pk="mu"), rates=NewRates(*(Decimal(9),) * 3))
    connection.check_constraints()
    rate_triggers.remove(connection)
    RateVersion.objects.filter(pk=made.pk).update(id=made.pk + 1)
    gone, unknown = books.audit_rates()
    assert gone.startswith(f"rate version {made.pk} of entry #")
    assert unknown == f"rate version {made.pk + 1} was set by nobody"


def test_an_older_receipt_priced_by_rates_that_were_not_the_newest_is_named(alice: Any, settings: Any) -> None:
    account_tier("physics", "mu")
    make_job(end_at=timezone.now())
    old = create_receipts(actor=Actor("fin"), username="alice")[0]
    set_rates(actor=Actor("fin"), tier=Tier.objects.get(pk="mu"), rates=NewRates(*(Decimal(9),) * 3))
    assert books.receipt_rates() == []
    Receipt.objects.filter(pk=old.pk).update(rates_locked_at=timezone.now())
    assert "was not the newest" in books.receipt_rates()[0]
    Receipt.objects.filter(pk=old.pk).update(price_at="job_end")
    assert books.receipt_rates() == []
    Job.objects.update(end_at=timezone.now())
    assert "was not in force when its jobs ended" in books.receipt_rates()[0]


def test_a_record_whose_text_is_written_in_another_way_is_no_forgery(alice: Any) -> None:
    """Short states, blanks around a name, quotes and JSON: looked at before they are called wrong."""
    account_tier("phy*", "mu")
    make_job(raw="7| alice |physics|CD")
    make_job(
        raw='{"association":{"user":"alice","account":"phy\\"s"},"state":{"current":["NODE_FAIL"]}}', account='phy"s'
    )
    ImportRun.objects.update(columns=["JobID", "User", "Account", "State"])
    create_receipts(actor=Actor("fin"), username="alice")
    assert books.billed_jobs() == []
    Job.objects.filter(account="physics").update(state="NODE_FAIL")
    Job.objects.exclude(account="physics").update(state="BOOT_FAIL")
    assert len(books.billed_jobs()) == 2


def test_an_unknown_invariant_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="receipt_totals") as error:
        call_command("check_books", "nothing")
    assert error.value.returncode == 2


def test_the_demo_world_is_never_made_over_real_data(settings: Any) -> None:
    settings.DEBUG = True
    make_job()
    with pytest.raises(CommandError, match="empty"):
        call_command("seed_demo")
    call_command("seed_demo", if_empty=True, stdout=StringIO())
    assert Job.objects.count() == 1


def test_the_demo_world_cannot_be_made_in_production(settings: Any) -> None:
    settings.DUMMY_PROVIDER_ALLOWED = False
    with pytest.raises(CommandError, match="DEBUG") as error:
        call_command("seed_demo")
    assert error.value.returncode == 78
    assert not Job.objects.exists()


def test_a_site_that_wants_two_people_has_its_demo_world_too(settings: Any) -> None:
    """What one of finance may not do alone waits there for a second one, as ever."""
    settings.FOUR_EYES_ABOVE = Decimal(1)
    call_command("seed_demo", stdout=StringIO())
    assert Approval.objects.filter(act="pay_invoice").exists()
    call_command("check_books", stdout=StringIO())
