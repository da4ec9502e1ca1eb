"""One person, or one project, gets so many pages and calls a minute: a script that runs wild does not stand in others' way."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from tests.factories import make_project


@pytest.fixture(autouse=True)
def three_a_minute(settings: Any) -> Any:
    cache.clear()
    settings.REQUESTS_PER_MINUTE = 3
    with time_machine.travel("2026-11-01T08:00:20+00:00", tick=False) as clock:
        yield clock
    cache.clear()


@pytest.mark.django_db
class TestPages:
    def test_the_fourth_in_a_minute_is_told_when_to_go_on(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        assert [client.get("/usage/").status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = client.get("/usage/")
        assert refused["Retry-After"] == "40"
        assert "40 seconds" in refused.content.decode()

    def test_in_thai(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        pages = [client.get("/usage/", headers={"Accept-Language": "th"}) for _ in range(4)]
        assert "40 วินาที" in pages[-1].content.decode()

    def test_the_next_minute_is_a_new_one(self, client: Client, alice: Any, three_a_minute: Any) -> None:
        client.force_login(alice)
        for _ in range(4):
            client.get("/usage/")
        three_a_minute.shift(40)
        assert client.get("/usage/").status_code == 200

    def test_others_are_not_held_back(self, client: Client, alice: Any, make_user: Any) -> None:
        client.force_login(alice)
        for _ in range(4):
            client.get("/usage/")
        other = Client()
        other.force_login(make_user("bob"))
        assert other.get("/usage/").status_code == 200
        assert Client().get("/accounts/login/").status_code == 200

    def test_a_form_that_is_refused_did_nothing(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        for _ in range(3):
            client.get("/usage/")
        assert client.post("/accounts/password/", {"old_password": "x"}).status_code == 429
        assert "_auth_user_id" in client.session

    def test_signing_out_is_always_possible(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        for _ in range(5):
            client.get("/usage/")
        assert client.post("/accounts/logout/").status_code == 302
        assert "_auth_user_id" not in client.session

    def test_nought_is_no_limit(self, client: Client, alice: Any, settings: Any) -> None:
        settings.REQUESTS_PER_MINUTE = 0
        client.force_login(alice)
        assert {client.get("/usage/").status_code for _ in range(8)} == {200}


@pytest.mark.django_db
class TestTheApi:
    def test_is_limited_together_with_the_pages_and_says_so_as_a_problem(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        client.get("/usage/")
        client.get("/usage/")
        assert client.get("/api/v1/jobs").status_code == 200
        refused = client.get("/api/v1/jobs")
        assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "too_many_requests", "40")
        assert refused["Content-Type"] == "application/problem+json"

    def test_more_keys_are_no_more_requests(self, make_key: Any) -> None:
        first, second, other = make_key("usage:read"), make_key("usage:read"), make_key("usage:read", project="other")
        assert [_read(first), _read(second), _read(first), _read(second)] == [200, 200, 200, 429]
        assert _read(other) == 200

    def test_a_persons_key_counts_with_their_pages(self, client: Client, alice: Any) -> None:
        from accounts.services.api_keys import issue_key
        from core.context import SYSTEM

        key = issue_key(actor=SYSTEM, user=alice, name="k", scopes=["usage:read"]).secret
        client.force_login(alice)
        client.get("/usage/")
        assert [_read(key) for _ in range(3)] == [200, 200, 429]
        assert client.get("/usage/").status_code == 429

    @pytest.mark.parametrize("in_a_batch", [False, True])
    def test_metering_goes_on(self, make_key: Any, in_a_batch: bool) -> None:
        sender = {"Authorization": f"Bearer {make_key('events:write')}"}
        for number in range(8):
            event = {"metric_name": "ocr.page", "metric_value": 3, "timestamp": "2026-11-01T08:00:00Z",
                     "idempotency_key": f"page-{number}"}  # fmt: skip
            body = [event] if in_a_batch else event
            answer = Client().post("/api/v1/events", body, content_type="application/json", headers=sender)
            assert answer.json()["accepted"] == 1, answer.content

    def test_nobody_is_asked_for_a_name_first(self) -> None:
        assert [Client().get("/api/v1/jobs").status_code for _ in range(5)] == [401] * 5


def _read(key: str) -> int:
    return int(Client().get("/api/v1/events", headers={"Authorization": f"Bearer {key}"}).status_code)


@pytest.fixture
def make_key(db: None) -> Any:
    from accounts.services.api_keys import issue_key
    from core.context import SYSTEM

    def make(*scopes: str, project: str = "imaging") -> str:
        return issue_key(actor=SYSTEM, project=make_project(name=project), name="k", scopes=list(scopes)).secret

    return make
