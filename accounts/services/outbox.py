"""E-mail is written into the database with the change that it tells of; ``send_emails`` sends it afterwards."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import IntegrityError, transaction
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import EMAIL_TRANSITIONS, EmailNotification, EmailStatus, Organisation
from audit import services as audit
from core.context import Actor
from core.errors import BadInput, Conflict
from core.states import transition

KIND = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
LONGEST_SUBJECT = 255
LONGEST_ADDRESS = 254
LONGEST_KEY = 120
# Kinds whose text holds a link that is as good as a password: once sent, the text is forgotten.
SECRET_KINDS = frozenset({"invitation", "email_change", "password_reset", "password_first"})
SECRET = re.compile(r"(/invitations/|/account/email/|/accounts/reset/[\w-]{1,300}/)[\w-]{20,}")


class Attachment(NamedTuple):
    """``name`` is what the recipient saves it as, ``sha256`` its name in the store, ``type`` its media type."""

    name: str
    sha256: str
    type: str = "application/pdf"


def site_url(path: str) -> str:
    """The full address of a page of ours, for the texts of e-mails."""
    return f"{settings.SITE_BASE_URL}{path}"


@transaction.atomic
def queue_email(
    *,
    kind: str,
    recipient: str,
    language: str,
    context: Mapping[str, Any],
    organisation: Organisation | None = None,
    invoice_id: int | None = None,
    payment_id: int | None = None,
    dedupe_key: str | None = None,
    attachments: Sequence[Attachment] = (),
) -> EmailNotification:
    """Render ``templates/emails/<kind>.<language>.{subject.txt,txt,html}`` now, queue it in the caller's transaction.

    The templates see ``context`` and ``site_name``, ``site_url``, ``language``, ``subject``. An unknown language is
    the site's. What is about the same (``dedupe_key``) is queued once: the row that there is comes back, whatever
    became of it. ``attachments`` are files of ``services.files``.

    Raises ``BadInput`` for an address that is none.
    """
    address = checked_address(recipient)
    key = _key(dedupe_key)
    if key and (known := EmailNotification.objects.filter(dedupe_key=key).first()):
        return known
    language = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    subject, text, page = _render(kind, language, context)
    try:
        with transaction.atomic():
            return EmailNotification.objects.create(
                kind=kind, recipient_email=address, language=language, organisation=organisation, subject=subject,
                invoice_id=invoice_id, payment_id=payment_id, body_text=text, body_html=page, dedupe_key=key,
                message_id=new_message_id(), next_attempt_at=timezone.now(),
                attachments=[each._asdict() for each in attachments],
            )  # fmt: skip
    except IntegrityError:  # the same at the same moment
        stored = EmailNotification.objects.filter(dedupe_key=key).first() if key else None
        if stored is None:
            raise
        return stored


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail of a set; fields as ``queue_email`` has them. ``dedupe_key`` is wanted here."""

    kind: str
    recipient: str
    language: str
    context: Mapping[str, Any]
    dedupe_key: str
    organisation_id: int | None = None
    invoice_id: int | None = None


def queue_emails(letters: Iterable[Letter]) -> int:
    """``queue_email`` for a set, in the caller's transaction and one statement. How many were handed over; what was
    queued under its key before stays as it is. Raises ``BadInput`` for an address that is none."""
    now, rows = timezone.now(), []
    for letter in letters:
        language = letter.language if letter.language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        subject, text, page = _render(letter.kind, language, letter.context)
        rows.append(EmailNotification(
            kind=letter.kind, recipient_email=checked_address(letter.recipient), language=language, subject=subject,
            organisation_id=letter.organisation_id, invoice_id=letter.invoice_id, body_text=text, body_html=page,
            dedupe_key=_key(letter.dedupe_key), message_id=new_message_id(), next_attempt_at=now,
        ))  # fmt: skip
    EmailNotification.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def send_again(*, actor: Actor, email: EmailNotification) -> bool:
    """Put one that was sent, or given up, back among those that wait, with all its tries. False when it waits already.

    Raises ``Conflict`` where the text is gone: it held a secret, or was pruned.
    """
    email.refresh_from_db()
    if email.status == EmailStatus.PENDING:
        return False
    if not email.body_text or (email.kind in SECRET_KINDS and email.status == EmailStatus.SENT):
        raise Conflict(_("Its text is no longer kept. Do again what it came from."))
    fresh = {"message_id": new_message_id()} if email.status == EmailStatus.SENT else {}
    before = email.status
    moved = transition(
        email, EmailStatus.PENDING, table=EMAIL_TRANSITIONS, attempts=0, next_attempt_at=timezone.now(),
        claimed_until=None, error_message="", sent_at=None, **fresh,
    )  # fmt: skip
    if moved:
        audit.record(
            actor=actor, action="email_resend", target=str(email.pk), entity=email,
            changes={"status": [before, EmailStatus.PENDING]}, extra={"kind": email.kind},
        )  # fmt: skip
    return moved


def take_back(dedupe_prefix: str) -> int:
    """Delete what still waits under keys that begin so: its news is out of date. Not what a sender holds."""
    waiting = EmailNotification.objects.filter(dedupe_key__startswith=dedupe_prefix, status=EmailStatus.PENDING)
    return waiting.exclude(claimed_until__gt=timezone.now()).delete()[0]


def without_secrets(text: str) -> str:
    return SECRET.sub(r"\1…", text)


def new_message_id() -> str:
    """Kept with the row: however often it is tried, the recipient's side knows it for the same message."""
    return f"<{uuid.uuid4().hex}@{urlsplit(settings.SITE_BASE_URL).hostname or 'localhost'}>"


def checked_address(recipient: str) -> str:
    """One address and nothing else: neither a second one nor a header goes in here."""
    address = recipient.strip()
    try:
        validate_email(address)
        MaxLengthValidator(LONGEST_ADDRESS)(address)
    except ValidationError as error:
        raise BadInput(_("This is no e-mail address."), field="email") from error
    return address


def _key(dedupe_key: str | None) -> str | None:
    if dedupe_key is None or len(dedupe_key) <= LONGEST_KEY:
        return dedupe_key or None
    digest = hashlib.sha256(dedupe_key.encode()).hexdigest()
    return f"{dedupe_key[: LONGEST_KEY - 65]}:{digest}"


def _render(kind: str, language: str, context: Mapping[str, Any]) -> tuple[str, str, str]:
    if not KIND.match(kind):
        raise ValueError(f"{kind!r} is no kind of e-mail")
    values: dict[str, Any] = {
        "site_name": settings.ORG_NAME, "site_url": settings.SITE_BASE_URL, "site_email": settings.ORG_EMAIL,
        "language": language, **context,
    }  # fmt: skip
    name = f"emails/{kind}.{language}"
    with translation.override(language):
        subject = _one_line(_plain(f"{name}.subject.txt", values))
        values["subject"] = subject
        page: str = get_template(f"{name}.html").render(values)
        return subject, _plain(f"{name}.txt", values).strip() + "\n", page


def _plain(name: str, values: Mapping[str, Any]) -> str:
    """Plain text has nothing to escape, whatever the engine does to pages."""
    template: Any = get_template(name)
    return str(template.template.render(Context(dict(values), autoescape=False)))


def _one_line(text: str) -> str:
    """A subject is one line of printable text: what is in a name cannot begin a header."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1] + "…"
