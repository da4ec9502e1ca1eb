"""Sending what waits in the outbox: one row at a time, claimed in the database, outside of any transaction."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import EMAIL_TRANSITIONS, EmailNotification, EmailStatus
from accounts.services.files import FileDamaged, read_file
from accounts.services.outbox import SECRET_KINDS, without_secrets
from core.errors import Unavailable
from core.states import transition

logger = logging.getLogger("accounts.outbox")
LEASE = timedelta(minutes=10)  # longer than every step of one sending together (EMAIL_TIMEOUT each)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))  # after the last, it is given up
BATCH = 100
LONGEST_ERROR = 500


def due(now: datetime | None = None) -> QuerySet[EmailNotification]:
    """What may be sent now: its time has come, and no sender holds it."""
    now = now or timezone.now()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    return EmailNotification.objects.filter(free, status=EmailStatus.PENDING, next_attempt_at__lte=now)


def send_due() -> dict[str, int]:
    """Send all that is due; counts by what became of it: ``sent``, ``retried`` (later), ``failed`` (given up).

    Raises ``Unavailable`` when the mail server cannot be reached: then nothing more is tried, and none of what
    waits loses a try. Any number of senders may run; each row is sent by the one that claims it.
    """
    counts = {"sent": 0, "retried": 0, "failed": 0}
    post = _Post()
    try:
        while pks := list(due().order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:BATCH]):
            for email in _claimed(pks, post):
                counts[_send(email, post)] += 1
    finally:
        post.close()
    return counts


def _claimed(pks: list[int], post: _Post) -> Iterator[EmailNotification]:
    """Each is claimed only when the server listens and its turn has come."""
    for pk in pks:
        post.open()
        email = _claim(pk)
        if email is not None:
            yield email


def _claim(pk: int) -> EmailNotification | None:
    """The row, when this caller got it: the number of tries tells one claim from the next."""
    row = due().filter(pk=pk).first()
    if row is None:
        return None
    now = timezone.now()
    mine = due(now).filter(pk=pk, attempts=row.attempts)
    if not mine.update(claimed_until=now + LEASE, attempts=row.attempts + 1):
        return None
    row.attempts += 1
    return row


def _send(email: EmailNotification, post: _Post) -> str:
    try:
        post.send(_message(email))
    except (
        OSError,
        ValueError,
        FileDamaged,
    ) as error:  # what servers answer, lost connections, what cannot be written as a header
        logger.warning("e-mail %s was not sent: %r", email.pk, error)
        post.close()
        return _keep_failed(email, error)
    _end(email, EmailStatus.SENT, sent_at=timezone.now(), error_message="", **_forgotten(email))
    return "sent"


def _message(email: EmailNotification) -> EmailMultiAlternatives:
    """Django refuses a line break in any header."""
    message = EmailMultiAlternatives(
        email.subject, email.body_text, settings.DEFAULT_FROM_EMAIL, [email.recipient_email],
        headers={"Message-ID": email.message_id, "Auto-Submitted": "auto-generated"},
    )  # fmt: skip
    if settings.ORG_EMAIL:
        message.reply_to = [settings.ORG_EMAIL]
    if email.body_html:
        message.attach_alternative(email.body_html, "text/html")
    for each in email.attachments:
        message.attach(each["name"], read_file(each["sha256"]), each["type"])
    return message


def _forgotten(email: EmailNotification) -> dict[str, str]:
    if email.kind not in SECRET_KINDS:
        return {}
    return {"body_text": without_secrets(email.body_text), "body_html": ""}


def _keep_failed(email: EmailNotification, error: Exception) -> str:
    words = f"{type(error).__name__}: {error}".replace("\0", "")[:LONGEST_ERROR]
    if email.attempts > len(PAUSES):
        _end(email, EmailStatus.FAILED, error_message=words)
        return "failed"
    again = timezone.now() + PAUSES[email.attempts - 1]
    _held(email).update(next_attempt_at=again, claimed_until=None, error_message=words)
    return "retried"


def _held(email: EmailNotification) -> QuerySet[EmailNotification]:
    """The row, while this claim of it stands."""
    return EmailNotification.objects.filter(pk=email.pk, status=EmailStatus.PENDING, attempts=email.attempts)


@transaction.atomic
def _end(email: EmailNotification, status: EmailStatus, **values: Any) -> None:
    if _held(email).select_for_update().exists():
        transition(email, status, table=EMAIL_TRANSITIONS, claimed_until=None, **values)


class _Post:
    """One connection to the mail server, opened when there is something to send and again after it broke."""

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None

    def open(self) -> None:
        if self._connection is not None:
            return
        # Printed e-mails must not stand between the lines of a command's own output.
        console = settings.EMAIL_BACKEND.endswith(".console.EmailBackend")
        options: dict[str, Any] = {"stream": sys.stderr} if console else {}
        connection: BaseEmailBackend = get_connection(**options)
        try:
            connection.open()
        except OSError as error:
            words = _("The mail server does not take our e-mails (see EMAIL_URL): %(error)s")
            raise Unavailable(words % {"error": error}) from error
        self._connection = connection

    def send(self, message: EmailMultiAlternatives) -> None:
        assert self._connection is not None  # noqa: S101 - a row is claimed only behind open()
        self._connection.send_messages([message])

    def close(self) -> None:
        """A connection that broke may not even close."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None
