"""F29: what must stay secret is planted everywhere that it goes, and looked for everywhere that it must not be."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from accounts.models import WebhookEndpoint
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from core.errors import AppError
from core.logs import JsonFormatter
from payments.services.reconciliation import sync_open
from tests.factories import make_project
from tests.fakes.providers import Providers
from tests.payments.rigs import RIGS, new_receipt
from tests.usage.events import body

pytestmark = pytest.mark.django_db
PLANTED = "canary"  # stands in every secret of these tests
SETTINGS = (
    "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_OLD", "OMISE_SECRET_KEY",
    "RAZORPAY_KEY_SECRET", "RAZORPAY_WEBHOOK_SECRET", "PAYMENT_WEBHOOK_SECRET", "METRICS_TOKEN", "SECRET_KEY",
)  # fmt: skip


class Kept(logging.Handler):
    """Everything that is logged, by anybody, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Kept]:
    kept, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    # what is printed in production is INFO and above; libraries that print bodies at DEBUG are no part of it
    kept.setLevel(logging.INFO)
    yield kept
    root.removeHandler(kept)
    root.setLevel(level)


@pytest.fixture
def planted(settings: Any, fakes: Providers) -> None:
    for name in SETTINGS:
        if name != "SECRET_KEY":
            setattr(settings, name, f"{PLANTED}-{name.lower()}-{'x' * 30}")
    settings.SECRET_KEY = f"{PLANTED}-secret-key-{'x' * 40}"
    fakes.stripe.secret_key = settings.STRIPE_SECRET_KEY


def stored() -> Iterator[tuple[str, str]]:
    """Every text and JSON value of the database, with its place."""
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        names = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField | models.BinaryField)
        ]
        for values in model._default_manager.values_list(*names) if names else ():
            for name, value in zip(names, values, strict=True):
                yield f"{model._meta.label}.{name}", value if isinstance(value, str) else repr(value)


def test_no_secret_is_logged_stored_or_shown(
    log: Kept,
    planted: None,
    fakes: Providers,
    alice: Any,
    superuser: Any,
    settings: Any,
) -> None:
    pages: list[str] = []
    client = Client(raise_request_exception=False)

    def keep(answer: Any) -> None:
        pages.append(answer.content.decode(errors="replace") + repr(dict(answer.headers)))

    # passwords: wrong, right, changed, and typed where the name belongs
    for name, password in (("alice", f"{PLANTED}-wrong"), (f"{PLANTED}-typed-as-name", "x"), ("root", f"{PLANTED}-x")):
        keep(client.post("/accounts/login/", {"username": name, "password": password}))
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    new = f"{PLANTED}-new-password-1"
    keep(
        client.post(
            "/accounts/password/", {"old_password": f"{PLANTED}-old", "new_password1": new, "new_password2": new}
        )
    )
    # keys of ours: good, wrong, in odd places
    secret = issue_key(actor=SYSTEM, name="g", scopes=["events:write"], project=make_project()).secret
    for text in (secret, f"hpcb_{PLANTED}_{'x' * 40}"):
        anybody = Client(raise_request_exception=False)
        keep(anybody.post("/api/v1/events", json.dumps([body()]), content_type="application/json",
                          HTTP_AUTHORIZATION=f"Bearer {text}"))  # fmt: skip
    keep(client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {PLANTED}-guess"))
    # the provider: each kind of trouble on the way, calls with a wrong signature, reconciliation
    for kind in ("500_before", "reset_after", "html", "truncated", "429"):
        fakes.stripe.faults.plan("POST", "/v1/checkout", kind)
        try:
            RIGS["stripe.card"](fakes).start(new_receipt())
        except AppError as error:
            pages.append(f"{error.message} {error.details}")
    sync_open()
    for provider in ("stripe", "omise", "razorpay", "dummy"):
        keep(client.post(f"/payments/webhooks/{provider}/", b"{}", content_type="application/json",
                         headers={"Stripe-Signature": f"t=1,v1={PLANTED}-signature"}))  # fmt: skip
    # an error of ours, on a page and at the API
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    for path in ("/admin/", "/receipts/", "/admin/accounts/user/", "/api/v1/receipts", "/nowhere"):
        keep(client.get(path))

    hits = [line for line in log.lines if PLANTED in line or secret in line]
    assert hits == [], "in the log"
    # a name that was typed is shown again to the one who typed it, and to nobody else
    shown = [page for page in pages if PLANTED in page.replace(f"{PLANTED}-typed-as-name", "")]
    assert shown == [], "on a page"
    kept = [where for where, text in stored() if PLANTED in text or secret in text]
    typed = {"accounts.AuthThrottle.username", "accounts.SignInPressure.key"}  # counters by name: prune deletes them
    assert set(kept) <= typed, "in the database"
    assert not WebhookEndpoint.objects.exists()
