"""Every planned fault happens on the wire as it would at a provider: once, and with or without the deed done."""

from __future__ import annotations

import time

import pytest
import requests

from tests.fakes.providers import Providers
from tests.fakes.providers.faults import AFTER, BEFORE

ORDER = {"amount": 12345, "currency": "INR", "receipt": "PAY-1"}


def post(fakes: Providers, timeout: float = 5) -> requests.Response:
    auth = (fakes.razorpay.key_id, fakes.razorpay.key_secret)
    return requests.post(f"{fakes.razorpay.url}/v1/orders", json=ORDER, auth=auth, timeout=timeout)


def made(fakes: Providers) -> int:
    return len(fakes.razorpay.objects("checkouts"))


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER])
def test_a_fault_executes_or_does_not(fakes: Providers, kind: str) -> None:
    fakes.razorpay.faults.plan("POST", "/v1/orders", kind)
    try:
        answer = post(fakes, timeout=0.3 if kind.startswith("timeout") else 10)
        told = str(answer.status_code)
    except requests.RequestException as error:
        told = type(error).__name__
    expected = {
        "timeout_before": "ReadTimeout",
        "timeout_after": "ReadTimeout",
        "reset_before": "ConnectionError",
        "reset_after": "ConnectionError",
        "truncated": "ChunkedEncodingError",
        "500_before": "500",
        "500_after": "500",
        "html": "502",
        "html_200": "200",
    }
    assert told == expected.get(kind, kind)
    assert made(fakes) == (0 if kind in BEFORE else 1)
    assert post(fakes).status_code == 200


def test_a_reset_is_a_reset(fakes: Providers) -> None:
    fakes.razorpay.faults.plan("POST", "/v1/orders", "reset_after")
    with pytest.raises(requests.ConnectionError) as error:
        post(fakes)
    assert "ConnectionResetError" in repr(error.value)


def test_a_page_instead_of_json(fakes: Providers) -> None:
    fakes.razorpay.faults.plan("POST", "/v1/orders", "html_200")
    answer = post(fakes)
    assert answer.headers["Content-Type"] == "text/html"
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_fault_counts_matching_requests_only(fakes: Providers) -> None:
    fakes.razorpay.faults.plan("POST", "/v1/orders", "503", times=2)
    fakes.razorpay.faults.plan("GET", "/v1/orders", "429")
    assert [post(fakes).status_code for _ in range(3)] == [503, 503, 200]
    fakes.razorpay.faults.clear()
    assert fakes.razorpay.faults.planned == []
    with pytest.raises(ValueError, match="no such fault"):
        fakes.razorpay.faults.plan("POST", "/v1/orders", "earthquake")


def test_silence_ends_after_hold(fakes: Providers) -> None:
    fakes.razorpay.faults.hold = 0.1
    fakes.razorpay.faults.plan("POST", "/v1/orders", "timeout_after")
    begun = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        post(fakes)
    assert time.monotonic() - begun < 2


def test_requests_are_recorded(fakes: Providers) -> None:
    post(fakes)
    method, path, headers, body = fakes.razorpay.requests[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/orders", "application/json")
    assert b"PAY-1" in body


def test_an_unknown_address_is_not_found(fakes: Providers) -> None:
    for fake in (fakes.stripe, fakes.omise, fakes.razorpay):
        assert requests.get(f"{fake.url}/v2/unknown", timeout=5).status_code == 404
        assert requests.get(f"{fake.url}/healthz", timeout=5).text == "ok"
