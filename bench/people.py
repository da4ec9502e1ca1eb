"""Who calls the site in ``bench.mix``: researchers who read and sign in, meters, a payment provider. For locust.

What they know is in the file that ``LOAD_WORLD`` names: names and password of researchers, keys of projects, bodies of
webhook calls with the secret that signs them. Each asks at a pace of its own, whatever the others do.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import random
import re
import time
from pathlib import Path
from typing import Any

from locust import HttpUser, constant_throughput, task

from bench import metering
from bench.site import HEADERS

PAGES = ("/", "/usage/", "/usage/?view=aggregate", "/receipts/", "/account/")
WORLD: dict[str, Any] = json.loads(Path(os.environ["LOAD_WORLD"]).read_text())
BEFORE = "before: "  # not measured: all of them come at once
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_BATCH = 100
_turn = itertools.count()
_dice = random.Random(1)


class _User(HttpUser):
    abstract = True

    def expect(self, status: int, method: str, path: str, **how: Any) -> Any:
        """The answer; any other status, and any redirect, is a failure of the run."""
        name = how.pop("name")
        with self.client.request(
            method, path, name=name, allow_redirects=False, catch_response=True, **how
        ) as answer:  # fmt: skip
            if answer.status_code != status:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")
            return answer


class _Researcher(_User):
    """Cookies are carried by hand: they are for TLS alone, and the caller here stands where the proxy would."""

    abstract = True

    def sign_in(self, name: str, mark: str = "") -> dict[str, str]:
        """Headers of somebody who is signed in; ``mark`` stands before the names of the two calls."""
        page = self.expect(200, "GET", "/accounts/login/", headers=_headers({}), name=f"{mark}login page")
        token = _TOKEN.search(page.text)
        if token is None:
            raise RuntimeError(f"no form on the login page: {page.status_code}")
        form = {"username": name, "password": WORLD["password"], "csrfmiddlewaretoken": token[1]}
        headers = _headers(_cookies(page)) | {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.expect(302, "POST", "/accounts/login/", headers=headers, data=form, name=f"{mark}login")
        return _headers(_cookies(page) | _cookies(answer))


class Reader(_Researcher):
    """Signs in once and reads a page a second."""

    fixed_count = 8
    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        self.headers = self.sign_in(WORLD["names"][next(_turn) % len(WORLD["names"])], BEFORE)

    @task
    def read(self) -> None:
        self.expect(200, "GET", _dice.choice(PAGES), headers=self.headers, name="page")


class SignIn(_Researcher):
    """Somebody new signs in every two seconds."""

    fixed_count = 1
    wait_time = constant_throughput(0.5)

    @task
    def enter(self) -> None:
        self.client.cookies.clear()
        self.sign_in(_dice.choice(WORLD["names"]))


class Provider(_User):
    """Five signed calls a second; when all have been sent once, they come again."""

    fixed_count = 1
    wait_time = constant_throughput(5)

    @task
    def call(self) -> None:
        body = WORLD["bodies"][next(_turn) % len(WORLD["bodies"])]
        moment = int(time.time())
        signed = hmac.new(WORLD["webhook_secret"].encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {**HEADERS, "Stripe-Signature": f"t={moment},v1={signed}"}
        self.expect(200, "POST", "/payments/webhooks/stripe/", data=body.encode(), headers=headers, name="webhook")


class Meter(_User):
    """Ten single events a second, and one batch of a hundred."""

    fixed_count = 4
    wait_time = constant_throughput(11)

    def on_start(self) -> None:
        self.headers = {**HEADERS, "Authorization": f"Bearer {_dice.choice(WORLD['keys'])}"}

    @task(10)
    def one(self) -> None:
        self._send(1, "event")

    @task(1)
    def many(self) -> None:
        self._send(_BATCH, "batch")

    def _send(self, number: int, name: str) -> None:
        (body,) = metering.bodies(1, number, _dice)
        self.expect(202, "POST", "/api/v1/events", data=body, headers=self.headers, name=name)


def _headers(cookies: dict[str, str]) -> dict[str, str]:
    sent = {key: value for key, value in HEADERS.items() if key != "Content-Type"} | {"Referer": "https://localhost/"}
    return sent | ({"Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())} if cookies else {})


def _cookies(answer: Any) -> dict[str, str]:
    return {cookie.name: cookie.value for cookie in answer.cookies}
