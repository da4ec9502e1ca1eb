"""Ways to pay that are half set up: refused at start, named by ``check``, told by ``doctor``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import timezone

from hpcbilling.checks import payments as payment_checks
from hpcbilling.diagnosis import payments as payment_diagnosis
from hpcbilling.unsafe import OFFICIAL
from payments.models import PaymentEvent
from tests.ops.test_configuration import GOOD
from tests.starts import manage

NEEDS = [(name, needed) for name, all_needed in project.PAYMENT_PROVIDER_NEEDS.items() for needed in all_needed]
REAL = [name for name in project.PAYMENT_PROVIDERS if name != "dummy"]
RANDOM = "b2Nk81hdYQwm4Tq9ZbX2vKd7"
BANK = {"ORG_BANK_NAME": "Bank", "ORG_BANK_ACCOUNT": "123"}
LIVE = {"STRIPE_SECRET_KEY": "sk_live_", "RAZORPAY_KEY_ID": "rzp_live_", "OMISE_SECRET_KEY": "skey_"}
# As for real money: each begins as its provider's own do.
KEYS = {needed: LIVE.get(needed, "") + RANDOM for _provider, needed in NEEDS} | BANK
OWN = {**OFFICIAL, "SITE_BASE_URL": "https://billing.example.ac.th"}


@pytest.fixture
def sound(settings: Any) -> Any:
    """All real ways to pay, set up for real money."""
    settings.PAYMENT_PROVIDER_NAMES = REAL
    settings.PAYMENT_LIMITS = {}
    for name, value in {**KEYS, **OWN}.items():
        setattr(settings, name, value)
    return settings


def ids(found: Any) -> list[str]:
    return [message.id for message in found]


# --- start -------------------------------------------------------------------
@pytest.mark.parametrize(("provider", "needed"), NEEDS)
def test_the_start_is_refused_without_what_a_provider_needs_and_names_it(provider: str, needed: str) -> None:
    given = {name: value for name, value in KEYS.items() if name != needed}
    done = manage("check", **GOOD, **given, PAYMENT_PROVIDER=f"manual,{provider}")
    assert done.returncode == 78
    assert f"{needed}: PAYMENT_PROVIDER names {provider}, which needs it" in done.stderr
    assert not any(f"{name}: PAYMENT_PROVIDER" in done.stderr for name in given)
    assert RANDOM not in done.stderr


def test_all_that_is_missing_is_named_at_once() -> None:
    done = manage("check", **GOOD, PAYMENT_PROVIDER=",".join(REAL))
    assert {needed for _provider, needed in NEEDS if f"{needed}: PAYMENT_PROVIDER" in done.stderr} == set(KEYS)


def test_a_full_list_starts_and_passes_the_deployment_check() -> None:
    real = {**KEYS, "PAYMENT_PROVIDER": ",".join(REAL)}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **GOOD, **real)
    assert done.returncode == 0, done.stderr


def test_test_keys_are_told_by_the_deployment_check() -> None:
    done = manage("check", "--deploy", **GOOD, **KEYS | {"STRIPE_SECRET_KEY": "sk_test_x"}, PAYMENT_PROVIDER="stripe")
    assert ("hpcbilling.W013" in done.stderr, "STRIPE_SECRET_KEY" in done.stderr) == (True, True)


# --- check -------------------------------------------------------------------
def test_nothing_is_said_of_a_sound_configuration(sound: Any) -> None:
    assert [*payment_checks.always(), *payment_checks.production()] == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"PAYMENT_PROVIDER_NAMES": ["stripe", "dummy"]}, "E004", "dummy"),
        *[({needed: ""}, "E011", needed) for _provider, needed in NEEDS],
        ({"STRIPE_API_URL": "http://api.stripe.com"}, "E012", "STRIPE_API_URL"),
        ({"OMISE_API_URL": "https://api.omise.co.evil.example"}, "E012", "OMISE_API_URL"),
        ({"RAZORPAY_API_URL": "http://127.0.0.1:12111"}, "E012", "RAZORPAY_API_URL"),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, "W013", "STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": "rk_test_x"}, "W013", "STRIPE_SECRET_KEY"),
        ({"OMISE_SECRET_KEY": "skey_test_x"}, "W013", "OMISE_SECRET_KEY"),
        ({"RAZORPAY_KEY_ID": "rzp_test_x"}, "W013", "RAZORPAY_KEY_ID"),
        ({"SITE_BASE_URL": "http://billing.example.ac.th"}, "E016", "SITE_BASE_URL"),
    ],
)
def test_each_weakness_of_production_has_its_word(sound: Any, change: dict[str, Any], code: str, words: str) -> None:
    for name, value in change.items():
        setattr(sound, name, value)
    found = list(payment_checks.production())
    assert ids(found) == [f"hpcbilling.{code}"]
    assert words in found[0].msg
    assert not any(value and value in f"{found[0].msg}{found[0].hint}" for value in ("sk_test_x", RANDOM))


def test_addresses_of_tests_are_no_matter_on_a_desk(sound: Any) -> None:
    sound.STRIPE_API_URL, sound.SITE_BASE_URL = "http://127.0.0.1:9", "http://127.0.0.1:8000"
    assert list(payment_checks.always()) == []


LIMIT = (Decimal(20), Decimal(150000))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"paypal": {"THB": LIMIT}}, "there is no provider paypal"),
        ({"omise.cash": {"THB": LIMIT}}, "omise has no method cash"),
        ({"omise": {"XYZ": LIMIT}}, "XYZ is no currency"),
        ({"omise": {"THB": (Decimal("0.001"), Decimal(5))}}, "THB has 2 decimal places"),
        ({"stripe.card": {"JPY": (Decimal("0.5"), Decimal(5))}}, "JPY has 0 decimal places"),
        ({"stripe": {"KWD": (Decimal("0.0001"), Decimal(5))}}, "KWD has 3 decimal places"),
    ],
)
def test_limits_of_no_sense_are_named(sound: Any, limits: dict[str, Any], words: str) -> None:
    sound.PAYMENT_LIMITS = limits
    found = list(payment_checks.always())
    assert ids(found) == ["hpcbilling.E014"]
    assert words in found[0].msg


def test_limits_that_make_sense_are_taken(sound: Any) -> None:
    sound.PAYMENT_LIMITS = {
        "omise": {"THB": LIMIT}, "omise.promptpay": {"THB": (Decimal("20.50"), Decimal(150000))},
        "stripe.card": {"JPY": LIMIT, "KWD": (Decimal("0.001"), Decimal(5))},
    }  # fmt: skip
    assert list(payment_checks.always()) == []


def test_a_currency_that_nobody_takes_is_a_warning(sound: Any) -> None:
    sound.PAYMENT_PROVIDER_NAMES = ["omise"]
    sound.PAYMENT_CURRENCY = "EUR"
    assert ids(payment_checks.always()) == ["hpcbilling.W015"]
    sound.PAYMENT_LIMITS = {"omise.card": {"EUR": LIMIT}}
    assert list(payment_checks.always()) == []
    sound.PAYMENT_LIMITS, sound.PAYMENT_PROVIDER_NAMES = {}, ["omise", "manual"]
    assert list(payment_checks.always()) == [], "one way that takes it is enough"


# --- doctor ------------------------------------------------------------------
def told() -> dict[str, tuple[str, str]]:
    return {name: (level, message) for name, level, message in payment_diagnosis.examine()}


@pytest.mark.django_db
def test_doctor_tells_mode_address_and_last_message_of_each_provider(sound: Any) -> None:
    PaymentEvent.objects.create(
        provider="stripe", external_event_id="e", signature_ok=True, outcome="processed", received_at=timezone.now()
    )
    sound.OMISE_SECRET_KEY = "skey_test_x"
    found = told()
    assert list(found) == [f"payments by {name}" for name in REAL]
    level, words = found["payments by stripe"]
    assert level == "ok"
    for part in ("real money (card, promptpay)", "https://billing.example.ac.th/payments/webhooks/stripe/",
                 "The last good message came"):  # fmt: skip
        assert part in words
    assert found["payments by omise"][0] == "note"
    assert "test money" in found["payments by omise"][1]
    assert "No good message has come yet" in found["payments by razorpay"][1]
    assert found["payments by manual"][0] == "ok"
    assert "webhooks" not in found["payments by manual"][1]
    assert not any(RANDOM in words for _level, words in found.values())


@pytest.mark.django_db
def test_a_rejected_message_is_no_good_one(sound: Any) -> None:
    PaymentEvent.objects.create(provider="stripe", external_event_id="e", signature_ok=False, outcome="rejected")
    assert "No good message has come yet" in told()["payments by stripe"][1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        ({"OMISE_WEBHOOK_SECRET": ""}, "omise", "OMISE_WEBHOOK_SECRET is not set"),
        ({"ORG_BANK_ACCOUNT": ""}, "manual", "ORG_BANK_ACCOUNT is not set"),
        ({"PAYMENT_PROVIDER_NAMES": ["cash"]}, "cash", "not known"),
        ({"PAYMENT_LIMITS": {"omise": {"THB": (Decimal("0.001"), Decimal(1))}}}, "omise", "more decimal places"),
    ],
)
def test_doctor_says_what_keeps_a_provider_from_working(
    sound: Any, change: dict[str, Any], name: str, words: str
) -> None:
    for key, value in change.items():
        setattr(sound, key, value)
    level, message = told()[f"payments by {name}"]
    assert level == "problem"
    assert words in message


def test_doctor_says_that_payment_is_off(settings: Any) -> None:
    settings.PAYMENT_PROVIDER_NAMES = []
    assert told()["payments"][0] == "note"
