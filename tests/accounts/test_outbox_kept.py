"""E-mails that were sent or given up: again, back, forgotten, counted, and in the console."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import EmailNotification, EmailStatus, Organisation
from accounts.services.outbox import send_again, take_back
from accounts.services.sending import send_due
from audit.models import AuditLog
from core.context import Actor
from core.errors import Conflict
from tests.accounts.test_outbox import TOKEN, queue
from tests.fakes.smtp import Sink
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db


def test_one_that_was_given_up_is_sent_again_with_all_its_tries(sink: Sink) -> None:
    row = queue()
    EmailNotification.objects.update(status="failed", attempts=6, error_message="refused")
    assert send_again(actor=Actor("fin"), email=row)
    assert (row.status, row.attempts, row.error_message) == ("pending", 0, "")
    assert not send_again(actor=Actor("fin"), email=row), "it waits already"
    assert AuditLog.objects.get(action="email_resend").actor == "fin"
    assert send_due()["sent"] == 1


def test_one_that_was_sent_goes_out_again_as_another_message(sink: Sink) -> None:
    row = queue()
    EmailNotification.objects.update(kind="notice")
    send_due()
    before = row.message_id
    assert send_again(actor=Actor("fin"), email=row)
    assert row.message_id != before


def test_one_whose_secret_is_gone_is_not_sent_again(sink: Sink) -> None:
    row = queue()
    send_due()
    with pytest.raises(Conflict):
        send_again(actor=Actor("fin"), email=row)


def test_what_is_out_of_date_is_taken_back_while_nobody_sends_it() -> None:
    queue(dedupe_key="invitation:1:a")
    held, other = queue(dedupe_key="invitation:1:b"), queue(dedupe_key="invitation:11:a")
    EmailNotification.objects.filter(pk=held.pk).update(claimed_until=timezone.now() + timedelta(minutes=5))
    assert take_back("invitation:1:") == 1
    assert set(EmailNotification.objects.values_list("pk", flat=True)) == {held.pk, other.pk}


def test_pruning_forgets_text_and_address_and_what_waits_is_kept(sink: Sink) -> None:
    keyed, plain, waiting = queue(dedupe_key="invoice:5"), queue(), queue()
    old = timezone.now() - timedelta(days=100)
    EmailNotification.objects.exclude(pk=waiting.pk).update(status="sent", created_at=old)
    EmailNotification.objects.filter(pk=waiting.pk).update(created_at=old)
    for dry in (True, False):
        out = StringIO()
        call_command("prune", what="emails", dry_run=dry, format="json", stdout=out)
        assert json.loads(out.getvalue()) == {"emails": 2}
    keyed.refresh_from_db()
    assert (keyed.recipient_email, keyed.subject, keyed.body_text, keyed.body_html) == ("", "", "", "")
    assert queue(dedupe_key="invoice:5") == keyed, "the same is not sent a second time"
    assert not EmailNotification.objects.filter(pk=plain.pk).exists()
    assert EmailNotification.objects.get(pk=waiting.pk).body_text


def test_waiting_and_failed_ones_are_counted_for_monitoring(transactional_db: None) -> None:
    queue()
    EmailNotification.objects.filter(pk=queue().pk).update(status="failed")
    lines = Client().get("/metrics").content.decode().splitlines()
    assert 'hpcbilling_emails{status="pending"} 1.0' in lines
    assert 'hpcbilling_emails{status="failed"} 1.0' in lines


def test_without_a_server_a_real_site_keeps_its_emails_and_the_doctor_says_so(settings: Any, sink: Sink) -> None:
    from hpcbilling.diagnosis import examine
    from hpcbilling.periodic import mail_goes_out

    def finding() -> tuple[str, str]:
        found = next(each for each in examine() if each.name == "e-mail")
        return found.level, found.message

    assert mail_goes_out()
    assert finding()[0] == "ok"
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    settings.DEBUG = False
    assert not mail_goes_out()
    assert finding() == ("note", "No mail server: e-mails wait in the database. Set EMAIL_URL to send them.")
    settings.DEBUG = True
    assert mail_goes_out()
    settings.EMAIL_FILE_PATH = "/srv/mail"
    fates = {"console": "are printed", "filebased": "are written to files in /srv/mail", "dummy": "are thrown away",
             "locmem": "stay in the memory"}  # fmt: skip
    for kind, fate in fates.items():
        settings.EMAIL_BACKEND = f"django.core.mail.backends.{kind}.EmailBackend"
        assert f"No mail server: e-mails {fate}" in finding()[1]


# --- in the console ----------------------------------------------------------------
@pytest.fixture
def as_finance(finance: Any) -> Client:
    client = Client()
    client.force_login(finance)
    return client


def test_the_console_shows_an_email_without_its_secret_and_changes_nothing(as_finance: Client) -> None:
    row = queue(organisation=Organisation.objects.create(name="Science"))
    page = text(as_finance.get(f"/admin/accounts/emailnotification/{row.pk}/change/"))
    assert "bob@example.ac.th" in page
    assert "/invitations/…" in page
    assert TOKEN not in as_finance.get(f"/admin/accounts/emailnotification/{row.pk}/change/").content.decode()
    as_finance.post(f"/admin/accounts/emailnotification/{row.pk}/change/", {"subject": "x"})
    assert as_finance.get("/admin/accounts/emailnotification/add/").status_code == 403
    assert EmailNotification.objects.get().subject == row.subject


def test_finance_sends_again_after_being_asked_and_the_auditor_may_not(as_finance: Client, auditor: Any) -> None:
    row = queue()
    EmailNotification.objects.update(status="failed", attempts=6)
    fields = {"action": "send_again_action", "_selected_action": row.pk}
    looking = Client()
    looking.force_login(auditor)
    looking.post("/admin/accounts/emailnotification/", {**fields, "confirm": "1"})
    assert EmailNotification.objects.get().status == EmailStatus.FAILED
    assert "Send 1 e-mail again" in as_finance.post("/admin/accounts/emailnotification/", fields).content.decode()
    assert EmailNotification.objects.get().status == EmailStatus.FAILED
    as_finance.post("/admin/accounts/emailnotification/", {**fields, "confirm": "1"})
    assert EmailNotification.objects.get().status == EmailStatus.PENDING
