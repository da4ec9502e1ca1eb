"""What was written down of payments is kept in English and read in the language of the reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.utils import translation

from payments.details import in_words
from payments.models import PaymentEvent

HERE = Path(project.BASE_DIR) / "payments"
WRITTEN = re.compile(
    r'(?:Applied\(EventOutcome\.\w+, |WebhookRejected\(|_answer\([^"]*|Received\(200, [^"]*"\w+", '
    r'|\bwhy ?= ?|ValueError\((?="an? (?:amount|moment) ))f?"([^"]+)"'
)


def written() -> set[str]:
    """The reasons in the program, as they come out, for receipts and for invoices."""
    found = {text for path in HERE.rglob("*.py") for text in WRITTEN.findall(path.read_text())}
    texts = {re.sub(r"\{target\.kind\}", kind, text) for text in found for kind in ("receipt", "invoice")}
    return {re.sub(r"\{[^}]*\}", "paid", text) for text in texts} - {"duplicate"}


@pytest.mark.parametrize("text", sorted(written()))
def test_every_reason_that_is_written_down_is_known_to_its_readers(text: str) -> None:
    with translation.override("en"):
        assert in_words(text)
    from payments.details import _patterns

    assert any(pattern.fullmatch(text) for pattern, _text in _patterns()), text


def test_the_reasons_are_found() -> None:
    """The test above would pass over nothing."""
    assert {
        "still open",
        "the receipt is paid",
        "the invoice is paid",
        "the signature is missing or wrong",
        "another amount was chosen",
        "a bank transfer for the invoice was accepted",
        "an amount is larger than any that we can hold",
    } <= written()


@pytest.mark.parametrize(
    ("detail", "thai"),
    [
        ("an event of no interest", "an event"),
        ("the receipt is void", "void"),
        ("money arrived for a receipt that is paid", "money arrived"),
        ("amount: expected 40.14, got 40.00; currency: expected THB, got USD", "expected"),
    ],
)
def test_it_is_read_in_thai_with_its_figures(detail: str, thai: str) -> None:
    assert in_words(detail) == detail
    with translation.override("th"):
        said = in_words(detail)
    assert thai not in said
    for figure in re.findall(r"[0-9.]{4,}|THB|USD", detail):
        assert figure in said


@pytest.mark.parametrize(
    ("detail", "currency", "english", "thai"),
    [
        ("amount: expected 44145.35, got 0.01", "THB", "expected THB 44,145.35, got THB 0.01", "฿ 44,145.35"),
        ("amount: expected 44145.35, got 0.01", "", "expected 44,145.35, got 0.01", "44,145.35"),
        ("amount: expected 44145.35, got 0.015", "THB", "got THB 0.015", "฿ 0.015"),
        ("refund 7: asked for 1000.00, the provider has 900.00", "THB", "refund 7: asked for THB 1,000.00", "฿ 900.00"),
        (
            "amount: expected 4014.00, got 12; currency: expected THB, got USD",
            "THB",
            "expected 4,014.00, got 12;",
            "USD",
        ),
        ("reference: expected 1234567, got 7654321", "THB", "expected 1234567, got 7654321", "7654321"),
    ],
)
def test_a_sum_is_written_as_money_and_never_in_a_currency_that_is_in_doubt(
    detail: str, currency: str, english: str, thai: str
) -> None:
    assert english in in_words(detail, currency).replace("\u00a0", " ")
    with translation.override("th"):
        assert thai in in_words(detail, currency).replace("\u00a0", " ")


@pytest.mark.parametrize("detail", ["", "Your card was declined.", "the receipt is", "amount: expected"])
def test_words_of_others_stay_theirs(detail: str) -> None:
    with translation.override("th"):
        assert in_words(detail) == detail


def test_the_console_says_it_in_the_language_of_the_reader(client: Client, superuser: Any) -> None:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    event = PaymentEvent.objects.create(
        provider="manual", external_event_id="e1", outcome="ignored", detail="an event of no interest"
    )
    for path in ("", f"{event.pk}/change/"):
        for language in ("en", "th"):
            client.cookies[project.LANGUAGE_COOKIE_NAME] = language
            page = client.get(f"/admin/payments/paymentevent/{path}").text
            assert ("an event of no interest" in page) == (language == "en")
            assert ("ธนาคาร" in page) == (language == "th"), "the provider by its name"
