"""Models, plans, an organisation with members of every role, and a model server on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from accounts.models import Member, Organisation
from core.context import Actor
from subscriptions.models import AiModel, Plan
from subscriptions.services.catalogue import ModelPrices, create_model
from tests.pages.conftest import as_alice, as_bob, as_finance

__all__ = ["as_alice", "as_bob", "as_finance"]

FIN = Actor("fin")
PRICES = ModelPrices(Decimal("0.1"), Decimal("0.4"), "THB")


@dataclass
class ModelServer:
    """A LiteLLM proxy as far as ``GET /model/info`` goes. ``text`` is the body where it is not made of ``entries``."""

    url: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    key: str = ""
    status: int = 200
    text: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0  # seconds between two bytes of the body
    slow_head: float = 0  # seconds between two lines of the head
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def body(self) -> bytes:
        return self.text if self.text is not None else json.dumps({"data": self.entries}).encode()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    fake = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append((self.path, dict(self.headers)))
            status, body = fake.status, fake.body()
            if fake.key and self.headers.get("Authorization") != f"Bearer {fake.key}":
                status, body = 401, b'{"error":{"message":"Authentication Error","code":"401"}}'
            elif self.path != "/model/info":
                status, body = 404, b'{"detail":"Not Found"}'
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                for number in range(100 if fake.slow_head else 0):
                    self.send_header(f"X-Slow-{number}", "1")
                    self.flush_headers()
                    time.sleep(fake.slow_head)
                self.end_headers()
                for place in range(len(body)) if fake.drip else ():
                    self.wfile.write(body[place : place + 1])
                    time.sleep(fake.drip)
                self.wfile.write(b"" if fake.drip else body)

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    fake.url = f"http://127.0.0.1:{httpd.server_port}"
    yield fake
    httpd.shutdown()
    httpd.server_close()


def entry(name: str = "gpt-4o", behind: str = "openai/gpt-4o", **info: Any) -> dict[str, Any]:
    """One deployment as LiteLLM writes it."""
    return {
        "model_name": name,
        "litellm_params": {"model": behind, "api_base": "http://10.1.1.1", "use_in_pass_through": False},
        "model_info": {
            "id": "e889baacd17f591cce4c63639275ba5e", "db_model": False, "key": "gpt-4o", "max_tokens": 16384,
            "max_input_tokens": 128000, "max_output_tokens": 16384, "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
            "output_cost_per_reasoning_token": None, "litellm_provider": "openai", "mode": "chat",
            "supports_vision": True, "supports_function_calling": True, "supports_pdf_input": False, **info,
        },
    }  # fmt: skip


@pytest.fixture
def model(db: None) -> AiModel:
    return create_model(actor=FIN, id="typhoon-2", provider="scb10x", prices=PRICES)


@pytest.fixture
def secret_model(db: None) -> AiModel:
    return create_model(actor=FIN, id="thai-med", provider="local", restricted=True, prices=PRICES)


@pytest.fixture
def plan(model: AiModel) -> Plan:
    """Of the open model; somebody approves it."""
    row = Plan.objects.create(code="typhoon", name="Typhoon", name_th="ไต้ฝุ่น", ai_model=model)
    row.limits.create(metric="tokens", limit=1_000_000)
    return row


@pytest.fixture
def quick_plan(secret_model: AiModel) -> Plan:
    """Of the restricted model; it begins at once, with a trial."""
    return Plan.objects.create(
        code="med", name="Medicine", ai_model=secret_model, requires_approval=False, trial_days=7
    )


@pytest.fixture
def open_plan(db: None) -> Plan:
    """Of no model; it begins at once."""
    return Plan.objects.create(code="basic", name="Basic", requires_approval=False)


@pytest.fixture
def lab(make_user: Any, alice: Any, bob: Any) -> Organisation:
    """Alice owns it, Bob is a member, Bill pays its bills, Vera looks on. Mallory has nothing to do with it."""
    place = Organisation.objects.create(name="Lab", currency="USD")
    make_user("mallory")
    for user, role in ((alice, "owner"), (bob, "member"), (make_user("vera"), "viewer"),
                       (make_user("bill"), "billing_manager")):  # fmt: skip
        Member.objects.create(organisation=place, user=user, role=role)
    return place
