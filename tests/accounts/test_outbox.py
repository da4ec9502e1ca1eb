"""The outbox: written with what it tells of, sent once, tried again, and never more than was meant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone, translation

from accounts.models import EmailNotification
from accounts.services import sending
from accounts.services.outbox import queue_email
from accounts.services.sending import PAUSES, send_due
from core.errors import BadInput
from tests.fakes.smtp import Sink
from tests.races import at_once

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t" * 43


def queue(**given: Any) -> EmailNotification:
    context = {
        "organisation": "Faculty of Science & <b>Art</b>", "inviter": "alice", "role": "viewer",
        "url": f"http://testserver/invitations/{TOKEN}/", "expires_at": timezone.now() + timedelta(days=7),
        **given.pop("context", {}),
    }  # fmt: skip
    return queue_email(**{
        "kind": "invitation", "recipient": "bob@example.ac.th", "language": "en", "context": context, **given,
    })  # fmt: skip


def command(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, code = StringIO(), 0
    try:
        call_command("send_emails", *arguments, format="json", stdout=out)
    except SystemExit as leaving:
        code = int(str(leaving.code))
    return code, json.loads(out.getvalue())


def make_due(**values: Any) -> None:
    """As if the time of the next try had come."""
    EmailNotification.objects.filter(status="pending").update(next_attempt_at=timezone.now(), **values)


# --- queueing ----------------------------------------------------------------------
def test_everything_is_rendered_when_it_is_queued_in_the_recipients_language() -> None:
    with translation.override("en"):
        row = queue(language="th")
    assert row.subject == "alice เชิญคุณเข้าร่วม Faculty of Science & <b>Art</b>"
    assert "ลิงก์นี้ใช้ได้ครั้งเดียว" in row.body_text
    assert str(timezone.now().year + 543) in row.body_text, "days carry the Buddhist year"
    assert '<html lang="th">' in row.body_html
    assert (row.status, row.attempts, row.language) == ("pending", 0, "th")
    assert row.message_id.endswith("@testserver>")


def test_names_are_text_in_text_and_escaped_in_the_page() -> None:
    row = queue()
    assert "Faculty of Science & <b>Art</b>" in row.body_text
    assert "<b>Art</b>" not in row.body_html
    assert "Faculty of Science &amp; &lt;b&gt;Art&lt;/b&gt;" in row.body_html


def test_an_unknown_language_is_the_sites(settings: Any) -> None:
    settings.LANGUAGE_CODE = "th"
    assert queue(language="de").language == "th"


@pytest.mark.parametrize("kind", ["invitation", "email_change", "subscription", "quota", "alert"])
@pytest.mark.parametrize("language", ["en", "th"])
def test_every_kind_has_its_texts_in_both_languages(kind: str, language: str) -> None:
    for ending in ("subject.txt", "txt", "html"):
        assert (ROOT / "templates" / "emails" / f"{kind}.{language}.{ending}").is_file()


def test_the_page_loads_nothing_from_anywhere() -> None:
    page = queue().body_html
    assert not any(word in page for word in ("<img", "<script", "<link", "url(", "src="))
    assert page.count("https://") + page.count("http://") == page.count("http://testserver")


def test_what_is_about_the_same_is_queued_once() -> None:
    first = queue(dedupe_key="invoice:5:overdue:7")
    assert queue(dedupe_key="invoice:5:overdue:7", recipient="carol@example.ac.th") == first
    assert queue(dedupe_key="invoice:5:overdue:14") != first
    assert queue() != queue(), "without a key nothing is the same"
    longer = "x" * 500
    assert queue(dedupe_key=longer + "1") != queue(dedupe_key=longer + "2")
    assert queue(dedupe_key=longer + "1") == queue(dedupe_key=longer + "1")


@pytest.mark.django_db(transaction=True)
def test_of_two_that_queue_the_same_at_once_one_row_is_made() -> None:
    rows = at_once(6, lambda n: queue(dedupe_key="same").pk)
    assert len(set(rows)) == EmailNotification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_stands_or_falls_with_the_change_that_it_tells_of() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        queue()
        raise RuntimeError
    assert not EmailNotification.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["", "bob", "bob@", "bob@example.ac.th\nBcc: all@example.org", "bob@example.ac.th, carol@example.ac.th",
     "Bob <bob@example.ac.th>", "bob@example.ac.th\0", "b" * 300 + "@example.ac.th"],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput):
        queue(recipient=address)
    assert not EmailNotification.objects.exists()


def test_a_name_cannot_begin_a_header(sink: Sink) -> None:
    row = queue(context={"inviter": "eve\r\nBcc: all@example.org\r\n\r\nhello", "organisation": "O" * 400})
    assert row.subject.startswith("eve Bcc: all@example.org hello invites you to OOO")
    assert len(row.subject) == 255
    assert send_due()["sent"] == 1
    (letter,) = sink.letters
    assert letter.recipients == ("bob@example.ac.th",)
    assert letter.message["Bcc"] is None


def test_a_header_that_was_smuggled_into_the_row_is_not_sent(sink: Sink) -> None:
    EmailNotification.objects.filter(pk=queue().pk).update(subject="hello\nBcc: all@example.org")
    assert send_due() == {"sent": 0, "retried": 1, "failed": 0}
    assert not sink.letters


# --- sending -----------------------------------------------------------------------
def test_what_waits_is_sent_with_both_parts_and_kept_as_sent(sink: Sink) -> None:
    row = queue(language="th")
    assert command() == (0, {"sent": 1, "retried": 0, "failed": 0, "waiting": 0})
    (letter,) = sink.letters
    assert letter.sender == "billing@example.ac.th"
    assert letter.recipients == ("bob@example.ac.th",)
    assert letter.message["Message-ID"] == row.message_id
    assert letter.message["From"] == "HPC ศูนย์ <billing@example.ac.th>"
    assert letter.message["Subject"].strip() == row.subject
    assert "เชิญคุณ" in letter.part("plain")
    assert "เชิญคุณ" in letter.part("html")
    row.refresh_from_db()
    assert (row.status, row.attempts, row.claimed_until, row.sent_at is not None) == ("sent", 1, None, True)
    assert command() == (0, {"sent": 0, "retried": 0, "failed": 0, "waiting": 0})
    assert len(sink.letters) == 1


def test_one_connection_carries_all(sink: Sink) -> None:
    for _each in range(5):
        queue()
    assert send_due()["sent"] == 5
    assert sink.connections == 1


def test_what_is_as_good_as_a_password_is_forgotten_once_it_is_sent(sink: Sink) -> None:
    row = queue()
    assert TOKEN in row.body_text
    send_due()
    assert TOKEN in sink.letters[0].part("plain")
    row.refresh_from_db()
    assert TOKEN not in row.body_text + row.body_html


def test_a_dry_run_counts_and_sends_nothing(sink: Sink) -> None:
    queue()
    assert command("--dry-run") == (0, {"due": 1, "waiting": 1})
    assert (sink.letters, sink.connections) == ([], 0)


def test_nothing_to_send_asks_no_server(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    assert command()[0] == 0


def test_a_server_that_is_away_costs_no_try_and_ends_with_69(sink: Sink, settings: Any) -> None:
    row = queue()
    settings.EMAIL_PORT = 1  # nobody listens there
    with pytest.raises(CommandError) as refused:
        call_command("send_emails")
    assert refused.value.returncode == 69
    assert "EMAIL_URL" in str(refused.value)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.claimed_until) == ("pending", 0, None)
    settings.EMAIL_PORT = sink.port
    assert send_due()["sent"] == 1


def test_a_refused_message_is_tried_five_times_more_and_then_given_up(sink: Sink) -> None:
    row = queue()
    message_id = row.message_id
    sink.faults.refuse = lambda address: "450 try later"
    for number, pause in enumerate(PAUSES, 1):
        assert command() == (3, {"sent": 0, "retried": 1, "failed": 0, "waiting": 1})
        row.refresh_from_db()
        assert (row.status, row.attempts, row.message_id) == ("pending", number, message_id)
        assert pause - timedelta(minutes=1) < row.next_attempt_at - timezone.now() <= pause
        assert "450" in row.error_message
        assert send_due() == {"sent": 0, "retried": 0, "failed": 0}, "not before its time"
        make_due()
    assert [int(pause.total_seconds() // 60) for pause in PAUSES] == [1, 5, 30, 120, 720]
    assert command() == (3, {"sent": 0, "retried": 0, "failed": 1, "waiting": 0})
    row.refresh_from_db()
    assert (row.status, row.attempts, row.claimed_until) == ("failed", 6, None)


def test_one_that_is_refused_keeps_none_of_the_others_from_going(sink: Sink) -> None:
    for name in ("bob", "gone", "carol"):
        queue(recipient=f"{name}@example.ac.th")
    sink.faults.refuse = lambda address: "550 no such user" if address.startswith("gone") else ""
    assert send_due() == {"sent": 2, "retried": 1, "failed": 0}
    assert {letter.recipients[0] for letter in sink.letters} == {"bob@example.ac.th", "carol@example.ac.th"}


def test_a_connection_that_breaks_is_opened_again_for_the_next(sink: Sink) -> None:
    first, second = queue(), queue()
    sink.faults.hang_up = True
    assert send_due() == {"sent": 0, "retried": 2, "failed": 0}
    sink.faults.hang_up = False
    make_due()
    assert send_due()["sent"] == 2
    assert [letter.message["Message-ID"] for letter in sink.letters] == [first.message_id, second.message_id] * 2
    # Nobody can know whether a message was kept whose answer never came; by its id the other side can.


def test_it_is_sent_outside_of_any_transaction_of_ours(transactional_db: None, sink: Sink, monkeypatch: Any) -> None:
    queue()
    seen = []
    plain = sending._Post.send
    monkeypatch.setattr(
        sending._Post, "send", lambda self, message: (seen.append(connection.in_atomic_block), plain(self, message))
    )
    send_due()
    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_senders_that_race_send_each_message_once(sink: Sink) -> None:
    for number in range(24):
        queue(recipient=f"user{number}@example.ac.th")
    counts = at_once(4, lambda n: send_due()["sent"])
    assert sum(counts) == len(sink.letters) == 24
    assert len({letter.recipients for letter in sink.letters}) == 24
    assert set(EmailNotification.objects.values_list("status", "attempts")) == {("sent", 1)}


@pytest.mark.django_db(transaction=True)
def test_a_slow_sender_whose_claim_was_taken_over_writes_nothing_more(sink: Sink, monkeypatch: Any) -> None:
    row = queue()
    plain, again = sending._Post.send, []

    def slow(self: Any, message: Any) -> None:
        if not again:
            again.append(1)
            EmailNotification.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
            assert send_due()["sent"] == 1
            raise OSError("and now the first hears of a lost connection")
        plain(self, message)

    monkeypatch.setattr(sending._Post, "send", slow)
    send_due()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.error_message, len(sink.letters)) == ("sent", 2, "", 1)


@pytest.mark.django_db(transaction=True)
def test_the_message_of_a_killed_sender_is_taken_over_after_its_lease(sink: Sink) -> None:
    row = queue()
    sink.faults.pause = 60
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}" if connection.vendor == "sqlite" else _postgres_url(database)
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "send_emails"],
        env={**os.environ, "DATABASE_URL": url, "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert sink.faults.arrived.wait(60), "the child never came to send"
        time.sleep(0.2)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    sink.faults.pause = 0
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("pending", 1)
    assert send_due() == {"sent": 0, "retried": 0, "failed": 0}, "its claim still stands"
    EmailNotification.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))  # ten minutes later
    assert send_due()["sent"] == 1
    assert {letter.message["Message-ID"] for letter in sink.letters} == {row.message_id}


def _postgres_url(database: dict[str, Any]) -> str:
    from urllib.parse import quote, urlsplit

    plain = urlsplit(os.environ["DATABASE_URL"])
    return plain._replace(path=plain.path.rpartition("/")[0] + "/" + quote(database["NAME"])).geturl()


def test_printed_emails_keep_out_of_the_commands_own_output(settings: Any, capsys: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    queue()
    call_command("send_emails", format="json")
    printed = capsys.readouterr()
    assert json.loads(printed.out)["sent"] == 1
    assert "Subject:" in printed.err


# --- again, back, and old ones -----------------------------------------------------
