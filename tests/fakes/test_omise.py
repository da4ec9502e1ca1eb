"""Omise's own SDK believes the local server."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
import urllib.request
from typing import Any
from xml.etree import ElementTree

import omise
import pytest
import requests
import time_machine

from tests.fakes.conftest import Make
from tests.fakes.providers import Providers
from tests.fakes.providers.omise import qr


def types(fakes: Providers) -> list[str]:
    return [event.type for event in fakes.omise.events]


def test_promptpay_pays_a_charge(fakes: Providers, new_charge: Make) -> None:
    charge = new_charge()
    assert (charge.status, charge.paid, charge.currency, charge.source.flow) == ("pending", False, "THB", "offline")
    fakes.omise.pay(charge.id)
    charge.reload()
    assert (charge.status, charge.paid, charge.captured_amount) == ("successful", True, 12345)
    assert charge.metadata.reference == "PAY-1"
    assert types(fakes) == ["charge.create", "charge.complete"]
    assert fakes.omise.money() == {"captured": 12345, "refunded": 0}


def test_the_qr_is_a_picture_anyone_can_fetch(fakes: Providers, new_charge: Make) -> None:
    charge = new_charge()
    with urllib.request.urlopen(charge.source.scannable_code.image.download_uri) as answer:
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert ElementTree.fromstring(answer.read()).tag.endswith("svg")
    said = qr.text(charge.id, 12345)
    assert said.startswith("000201")
    assert "5406123.45" in said
    assert qr.checksum("123456789") == "29B1"


def test_charges_fail_and_expire(fakes: Providers, new_charge: Make) -> None:
    failed, expired, late = new_charge(), new_charge(), new_charge()
    fakes.omise.decline(failed.id)
    assert expired.expire().status == "expired"
    failed.reload()
    assert (failed.status, failed.failure_code) == ("failed", "payment_rejected")
    assert types(fakes)[-3:] == ["charge.complete", "charge.expire", "charge.complete"]
    with time_machine.travel(time.time() + 86401):
        late.reload()
        assert late.status == "expired"


def test_a_link_takes_cards(fakes: Providers, omise_sdk: Any) -> None:
    link = omise_sdk.Link.create(amount=12345, currency="thb", title="Invoice 1", description="PAY-1")
    fakes.omise.decline(link.id)
    link.reload()
    assert (link.used, link.charges.total) == (False, 1)
    paid = fakes.omise.pay(link.id)
    link.reload()
    assert (link.used, [charge.status for charge in link.charges]) == (True, ["failed", "successful"])
    assert omise_sdk.Charge.retrieve(paid).link == link.id
    with pytest.raises(NotImplementedError):
        fakes.omise.expire(link.id)


def test_refunds_never_exceed_the_charge(fakes: Providers, new_charge: Make) -> None:
    charge = new_charge()
    fakes.omise.pay(charge.id)
    assert charge.refund(amount=10000).status == "closed"
    with pytest.raises(omise.errors.FailedRefundError):
        charge.refund(amount=2346)
    fakes.omise.refund_in_dashboard(charge.id, 2345)
    charge.reload()
    assert (charge.refunded_amount, charge.refundable) == (12345, False)
    assert fakes.omise.money() == {"captured": 12345, "refunded": 12345}


def test_a_refund_may_wait_and_fail(fakes: Providers, new_charge: Make) -> None:
    charge = new_charge()
    fakes.omise.pay(charge.id)
    fakes.omise.refunds_pending = True
    refund = charge.refund(amount=1000)
    assert refund.status == "pending"
    fakes.omise.finish_refund(refund.id, succeeded=False)
    assert fakes.omise.money()["refunded"] == 0


def test_a_dispute_runs_its_course(fakes: Providers, omise_sdk: Any) -> None:
    link = omise_sdk.Link.create(amount=12345, currency="thb", title="Invoice 1", description="PAY-1")
    charge = fakes.omise.pay(link.id)
    dispute = fakes.omise.open_dispute(charge)
    assert omise_sdk.Dispute.retrieve(dispute).status == "open"
    fakes.omise.close_dispute(dispute, won=False)
    assert omise_sdk.Dispute.retrieve(dispute).status == "lost"
    assert types(fakes)[-3:] == ["dispute.create", "dispute.update", "dispute.close"]


@pytest.mark.parametrize(("amount", "currency"), [(1999, "thb"), (15_000_001, "thb"), (5000, "usd"), (5000, "xyz")])
def test_what_omise_refuses(omise_sdk: Any, amount: int, currency: str) -> None:
    with pytest.raises(omise.errors.InvalidChargeError):
        omise_sdk.Source.create(type="promptpay", amount=amount, currency=currency)


def test_a_source_serves_one_charge(omise_sdk: Any, new_charge: Make) -> None:
    charge = new_charge()
    with pytest.raises(omise.errors.InvalidChargeError):
        omise_sdk.Charge.create(amount=12345, currency="thb", source=charge.source.id)


def test_a_wrong_key_is_refused(omise_sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omise, "api_secret", "skey_test_wrong")
    with pytest.raises(omise.errors.AuthenticationFailureError):
        omise_sdk.Charge.retrieve("chrg_test_1")


def test_a_lost_charge_is_found_by_its_metadata(fakes: Providers, new_charge: Make) -> None:
    made = [new_charge(metadata={"reference": f"PAY-{number}"}).id for number in range(3)]
    asked = {"scope": "charge", "query": "PAY-1"}
    auth = (fakes.omise.secret_key, "")
    found = requests.get(f"{fakes.omise.url}/search", params=asked, auth=auth, timeout=5).json()
    assert [charge["id"] for charge in found["data"]] == [made[1]]
    page = {"limit": 2, "order": "reverse_chronological"}
    listing = requests.get(f"{fakes.omise.url}/charges", params=page, auth=auth, timeout=5).json()
    assert [charge["id"] for charge in listing["data"]] == made[:0:-1]
    assert listing["total"] == 3
    events = requests.get(f"{fakes.omise.url}/events", auth=auth, timeout=5).json()
    assert events["data"][0]["key"] == "charge.create"


def test_forms_are_read_as_well_as_json(fakes: Providers) -> None:
    body = {"amount": 5000, "currency": "thb", "source[type]": "promptpay", "metadata[reference]": "PAY-1"}
    auth = (fakes.omise.secret_key, "")
    charge = requests.post(f"{fakes.omise.url}/charges", data=body, auth=auth, timeout=5).json()
    assert charge["metadata"] == {"reference": "PAY-1"}
    changed = requests.patch(
        f"{fakes.omise.url}/charges/{charge['id']}", json={"metadata": {"a": "b"}}, auth=auth, timeout=5
    )
    assert changed.json()["metadata"] == {"a": "b"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_computes_our_signatures(fakes: Providers, new_charge: Make) -> None:
    new_charge()
    secrets = (fakes.omise.webhook_secret, fakes.omise.old_webhook_secret)
    body, headers = fakes.omise.sign(fakes.omise.events[0], secret=secrets)
    message = headers["Omise-Signature-Timestamp"].encode() + b"." + body
    for secret, signature in zip(secrets, headers["Omise-Signature"].split(","), strict=True):
        key = f"hexkey:{base64.b64decode(secret).hex()}"
        command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", key]
        told = subprocess.run(command, input=message, capture_output=True, check=True).stdout.decode()
        assert told.split()[-1] == signature
