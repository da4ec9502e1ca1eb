"""Whom decisions about a subscription are told, in which language, and that each is told once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import EmailNotification, Identity, Member, Organisation
from core.context import SYSTEM, Actor
from subscriptions.models import Plan, Subscription, SuspendedFor
from subscriptions.services.subscriptions import (
    approve_subscription,
    deny_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db
ADDRESS = "alice@institute.example"


@pytest.fixture
def pending(plan: Plan, alice: Any) -> Subscription:
    Identity.objects.create(user=alice, email=ADDRESS)
    return request_subscription(actor=Actor("alice"), plan=plan, user=alice)


def told() -> list[EmailNotification]:
    return list(EmailNotification.objects.order_by("id"))


def test_asking_is_told_nobody_and_approval_once(pending: Subscription) -> None:
    assert told() == []
    for _repeat in range(2):
        approve_subscription(actor=FIN, subscription=pending)
    (email,) = told()
    assert (email.recipient_email, email.kind) == (ADDRESS, "subscription")
    assert email.subject == f"{pending.plan.name}: approved"
    assert f"/subscriptions/{pending.uuid}/" in email.body_text


def test_a_denial_says_why_in_one_line(pending: Subscription) -> None:
    deny_subscription(actor=FIN, subscription=pending, reason="no budget\nthis <b>year</b>")
    (email,) = told()
    assert email.subject == f"{pending.plan.name}: denied"
    assert "Reason: no budget this <b>year</b>\n" in email.body_text
    assert "no budget this &lt;b&gt;year&lt;/b&gt;" in email.body_html


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [("en", "suspended", "(tokens)"), ("th", "ระงับการใช้งาน", "ถูกใช้หมดแล้ว")],
)
def test_a_quota_that_is_used_up_and_its_end_are_told_in_the_readers_language(
    pending: Subscription, alice: Any, language: str, subject: str, words: str
) -> None:
    approve_subscription(actor=FIN, subscription=pending)
    alice.language = language
    alice.save()
    mine = Subscription.objects.get(pk=pending.pk)
    reset = timezone.now()
    suspend_subscription(actor=SYSTEM, subscription=mine, cause=SuspendedFor.QUOTA, reason="tokens", reset_at=reset)
    resume_subscription(actor=SYSTEM, subscription=mine, cause=SuspendedFor.QUOTA)
    assert not resume_subscription(actor=SYSTEM, subscription=mine, cause=SuspendedFor.QUOTA)
    _approved, suspended, resumed = told()
    assert {suspended.language, resumed.language} == {language}
    assert subject in suspended.subject
    assert words in suspended.body_text
    assert ("tokens" in suspended.body_text) == (language == "en")
    assert ("goes on" in resumed.body_text) == (language == "en")


def test_of_an_organisation_its_bills_address_its_owners_and_who_asked(plan: Plan, make_user: Any) -> None:
    organisation = Organisation.objects.create(name="Institute", billing_email="bills@institute.example")
    chief, asker = make_user("chief"), make_user("asker")
    Member.objects.create(organisation=organisation, user=chief, role="owner")
    Member.objects.create(organisation=organisation, user=asker, role="billing_manager")
    for user in (chief, asker):
        Identity.objects.create(user=user, email=f"{user}@institute.example")
    row = request_subscription(actor=Actor("asker"), plan=plan, organisation=organisation)
    deny_subscription(actor=FIN, subscription=row, reason="no")
    assert {email.recipient_email for email in told()} >= {
        "bills@institute.example", "chief@institute.example", "asker@institute.example",
    }  # fmt: skip
    assert {email.organisation for email in told()} == {organisation}


def test_who_gave_no_address_is_told_nothing(plan: Plan, alice: Any) -> None:
    row = request_subscription(actor=Actor("alice"), plan=plan, user=alice)
    assert approve_subscription(actor=FIN, subscription=row)
    assert told() == []


def test_what_is_undone_is_not_told(pending: Subscription) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        approve_subscription(actor=FIN, subscription=pending)
        raise RuntimeError
    assert told() == []
