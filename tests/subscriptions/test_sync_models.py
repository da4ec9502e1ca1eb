"""Models and prices from a LiteLLM-compatible server, over real HTTP."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditLog
from hpcbilling.periodic import TASKS
from subscriptions import asking
from subscriptions.models import AiModel, AiModelPrice
from subscriptions.services.catalogue import ModelPrices, change_model, create_model, set_price
from tests.subscriptions.conftest import FIN, PRICES, ModelServer, entry

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of ``sync_models``; of a refusal its words."""
    out, code = StringIO(), 0
    try:
        call_command("sync_models", "--format", "json", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, {"error": str(error)}
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    return code, json.loads(out.getvalue())


@pytest.fixture
def sync(server: ModelServer, settings: Any) -> Any:
    settings.LITELLM_URL, settings.LITELLM_API_KEY = server.url, ""
    return run


def counts(result: dict[str, Any]) -> tuple[int, ...]:
    return tuple(result[name] for name in ("created", "updated", "unchanged", "deactivated", "refused"))


def price(name: str = "gpt-4o") -> AiModelPrice:
    return AiModelPrice.objects.filter(model=name).latest("effective_from")


# --- taking over ----------------------------------------------------------------------
def test_a_model_is_taken_over_with_exact_prices_in_dollars(server: ModelServer, sync: Any) -> None:
    server.entries = [entry()]
    assert counts(sync()[1]) == (1, 0, 0, 0, 0)
    row = AiModel.objects.get()
    assert (row.pk, row.name, row.provider, row.context_length, row.currency) == (
        "gpt-4o", "gpt-4o", "openai", 128000, "USD",
    )  # fmt: skip
    assert row.capabilities == ["chat", "function_calling", "vision"]
    assert (row.input_price_per_1k, row.output_price_per_1k) == (Decimal("0.0025"), Decimal("0.01"))
    found = price()
    assert (found.cached_input_per_1k, found.reasoning_per_1k) == (Decimal("0.00125"), None)
    assert (found.source, found.set_by) == ("litellm", "system")
    assert "10.1.1.1" not in json.dumps(row.metadata), "where deployments run is nobody's business"
    assert server.asked[0][0] == "/model/info"


@pytest.mark.parametrize(
    ("written", "per_1k"),
    [
        ("1.5e-07", "0.00015"), ("2.5E-6", "0.0025"), ("0.00000059", "0.00059"), ('"0.0000025"', "0.0025"),
        ("3e-12", "0.000000003"), ("1", "1000"), ("7.999999999999999e-07", "0.0008"), ("1.23456789e-6", "0.001234568"),
    ],
)  # fmt: skip
def test_costs_are_read_as_decimals_however_they_are_written(
    server: ModelServer, sync: Any, written: str, per_1k: str
) -> None:
    text = json.dumps({"data": [entry(input_cost_per_token="@@")]})
    server.text = text.replace('"@@"', written).encode()
    assert sync()[0] == 0
    assert price().input_per_1k == Decimal(per_1k)


def test_a_second_run_changes_nothing(server: ModelServer, sync: Any) -> None:
    server.entries = [entry(), entry("other")]
    sync()
    told = AuditLog.objects.count()
    assert counts(sync()[1]) == (0, 0, 2, 0, 0)
    assert (AiModelPrice.objects.count(), AuditLog.objects.count()) == (2, told)


def test_a_changed_price_is_a_new_row_and_an_unchanged_one_is_none(server: ModelServer, sync: Any) -> None:
    server.entries = [entry(), entry("other")]
    sync()
    server.entries = [entry(output_cost_per_token=1.2e-05), entry("other")]
    assert counts(sync()[1]) == (0, 1, 1, 0, 0)
    rows = AiModelPrice.objects.filter(model="gpt-4o").order_by("effective_from")
    assert [row.output_per_1k for row in rows] == [Decimal("0.01"), Decimal("0.012")]
    assert AiModel.objects.get(pk="gpt-4o").output_price_per_1k == Decimal("0.012")
    assert AiModelPrice.objects.filter(model="other").count() == 1


def test_several_deployments_are_one_model_that_costs_what_the_dearest_does_and_can_do_what_all_can(
    server: ModelServer, sync: Any
) -> None:
    server.entries = [
        entry(max_input_tokens=64000),
        entry(behind="azure/gpt-4o-eu", litellm_provider="azure", input_cost_per_token=2.75e-06, supports_vision=None),
        entry(behind="local/none", litellm_provider="azure", input_cost_per_token=0, output_cost_per_token=0),
    ]
    code, result = sync()
    assert (code, counts(result)) == (0, (1, 0, 0, 0, 0))
    row = AiModel.objects.get()
    assert (row.provider, row.context_length) == ("azure, openai", 64000)
    assert row.capabilities == ["chat", "function_calling"]
    assert row.metadata["sync"]["behind"] == ["azure/gpt-4o-eu", "local/none", "openai/gpt-4o"]
    assert (price().input_per_1k, price().output_per_1k) == (Decimal("0.00275"), Decimal("0.01"))
    assert result["notes"] == ["gpt-4o: its deployments differ in price; the highest is taken"]


def test_what_has_no_price_is_listed_without_one_and_not_free_of_charge(server: ModelServer, sync: Any) -> None:
    server.entries = [entry("unknown", input_cost_per_token=0, output_cost_per_token=None)]
    code, result = sync()
    assert (code, counts(result)) == (0, (1, 0, 0, 0, 0))
    assert "no price" in result["notes"][0]
    assert AiModel.objects.get().input_price_per_1k is None
    assert not AiModelPrice.objects.exists()


def test_a_price_that_turns_to_nought_stays_as_it_was(server: ModelServer, sync: Any) -> None:
    server.entries = [entry()]
    sync()
    server.entries = [entry(input_cost_per_token=0.0, output_cost_per_token=0.0)]
    _code, result = sync()
    assert "gpt-4o: its prices stay (the server has none)" in result["notes"]
    assert price().input_per_1k == Decimal("0.0025")


def test_an_embedding_has_no_output_to_pay(server: ModelServer, sync: Any) -> None:
    server.entries = [entry("embed", mode="embedding", output_cost_per_token=0, input_cost_per_token=2e-08)]
    assert sync()[0] == 0
    assert (price("embed").input_per_1k, price("embed").output_per_1k) == (Decimal("0.00002"), 0)


def test_higher_prices_for_long_contexts_are_named(server: ModelServer, sync: Any) -> None:
    server.entries = [entry(input_cost_per_token_above_200k_tokens=5e-06)]
    assert sync()[1]["notes"] == ["gpt-4o: input_cost_per_token_above_200k_tokens is not taken over"]


# --- what staff have set --------------------------------------------------------------
def test_names_restrictions_and_prices_of_staff_stay(server: ModelServer, sync: Any) -> None:
    server.entries = [entry()]
    sync()
    row = AiModel.objects.get()
    change_model(actor=FIN, model=row, name="GPT for all", description="Ours", restricted=True)
    set_price(actor=FIN, model=row, prices=PRICES)
    server.entries = [entry(input_cost_per_token=9e-06, litellm_provider="azure")]
    _code, result = sync()
    assert counts(result) == (0, 1, 0, 0, 0)
    row.refresh_from_db()
    assert (row.name, row.description, row.restricted, row.provider) == ("GPT for all", "Ours", True, "azure")
    assert (row.input_price_per_1k, row.currency) == (PRICES.input, "THB")
    assert result["notes"] == ["gpt-4o: its prices stay (set by staff)"]


def test_a_model_that_vanished_is_switched_off_and_on_again_when_it_is_back(server: ModelServer, sync: Any) -> None:
    create_model(actor=FIN, id="ours")
    server.entries = [entry(), entry("other")]
    sync()
    server.entries = [entry()]
    assert counts(sync()[1]) == (0, 0, 1, 1, 0)
    assert counts(sync()[1]) == (0, 0, 1, 0, 0)
    assert dict(AiModel.objects.values_list("pk", "is_active")) == {"ours": True, "gpt-4o": True, "other": False}
    server.entries = [entry(), entry("other")]
    assert counts(sync()[1]) == (0, 1, 1, 0, 0)
    assert AiModel.objects.get(pk="other").is_active


def test_a_model_that_staff_switched_off_stays_off(server: ModelServer, sync: Any) -> None:
    server.entries = [entry()]
    sync()
    change_model(actor=FIN, model=AiModel.objects.get(), is_active=False)
    assert counts(sync()[1]) == (0, 0, 1, 0, 0)
    assert not AiModel.objects.get().is_active


def test_one_server_does_not_switch_off_what_another_lists(server: ModelServer, sync: Any, tmp_path: Path) -> None:
    server.entries = [entry()]
    sync()
    saved = tmp_path / "answer.json"
    saved.write_text(json.dumps({"data": [entry("other")]}))
    assert counts(run("--file", str(saved), "--url", "http://second.example")[1]) == (1, 0, 0, 0, 0)
    assert AiModel.objects.filter(is_active=True).count() == 2


# --- refusals -------------------------------------------------------------------------
ODD = [
    {"input_cost_per_token": -1e-06}, {"input_cost_per_token": True}, {"input_cost_per_token": "cheap"},
    {"input_cost_per_token": [1]}, {"output_cost_per_token": 0}, {"output_cost_per_token": None},
    {"input_cost_per_token": None}, {"input_cost_per_token": 1e300}, {"input_cost_per_token": 1e-300},
    {"cache_read_input_token_cost": "NaN"}, {"output_cost_per_reasoning_token": "Infinity"},
    {"input_cost_per_token": "0.000_1"},
]  # fmt: skip


@pytest.mark.parametrize("info", ODD, ids=str)
def test_an_entry_of_no_sense_is_refused_and_the_others_are_taken(
    server: ModelServer, sync: Any, info: dict[str, Any]
) -> None:
    server.entries = [entry("odd", **info), entry()]
    code, result = sync()
    assert (code, counts(result)) == (3, (1, 0, 0, 0, 1))
    assert result["notes"][0].startswith("odd: refused, ")
    assert list(AiModel.objects.values_list("pk", flat=True)) == ["gpt-4o"]


def test_a_refused_model_is_not_taken_for_one_that_vanished(server: ModelServer, sync: Any) -> None:
    server.entries = [entry(), entry("other")]
    sync()
    server.entries = [entry(input_cost_per_token=-1), entry("other")]
    assert counts(sync()[1]) == (0, 0, 1, 0, 1)
    server.entries = [{"model_name": None}, "x", entry("other")]
    code, result = sync()
    assert (code, counts(result)) == (3, (0, 0, 1, 0, 2))
    assert AiModel.objects.filter(is_active=True).count() == 2


@pytest.mark.parametrize("info", [{}, None, {"input_cost_per_token": None}])
def test_a_bare_entry_is_a_model_without_a_price(server: ModelServer, sync: Any, info: Any) -> None:
    server.entries = [{"model_name": "bare", "litellm_params": None, "model_info": info}]
    assert counts(sync()[1]) == (1, 0, 0, 0, 0)
    assert (AiModel.objects.get().context_length, AiModel.objects.get().provider) == (None, "")


@pytest.mark.parametrize("tokens", [0, -1, 1.5, "many", True, 10**30])
def test_an_odd_context_length_is_none(server: ModelServer, sync: Any, tokens: Any) -> None:
    server.entries = [entry(max_input_tokens=tokens, max_tokens=None)]
    assert sync()[0] == 0
    assert AiModel.objects.get().context_length is None


BROKEN = [
    b"", b"<html>down</html>", b"[]", b"{}", b'{"data": {}}', b'{"data": []}', b'{"data": [NaN]}', b"[" * 100_000,
    b'{"data": [' + b"9" * 10_000 + b"]", b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:20]))
def test_an_answer_that_is_none_ends_with_69_and_changes_nothing(server: ModelServer, sync: Any, body: bytes) -> None:
    server.entries = [entry()]
    sync()
    server.text = body
    code, _result = sync()
    assert code == 69
    assert AiModel.objects.get().is_active


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_error_of_the_server_ends_with_69(server: ModelServer, sync: Any, status: int) -> None:
    server.status, server.entries = status, [entry()]
    code, result = sync()
    assert code == 69
    assert str(status) in result["error"]
    assert not AiModel.objects.exists()


def test_a_redirect_is_not_followed(server: ModelServer, sync: Any) -> None:
    server.status, server.headers = 302, {"Location": "/model/info"}
    server.entries = [entry()]
    assert sync()[0] == 69
    assert len(server.asked) == 1


def test_nobody_listens(settings: Any) -> None:
    settings.LITELLM_URL = "http://127.0.0.1:9"
    assert run()[0] == 69


@pytest.mark.parametrize("slow", [{"drip": 0.05}, {"slow_head": 0.05}])
def test_an_answer_that_drips_is_given_up(
    server: ModelServer, sync: Any, monkeypatch: pytest.MonkeyPatch, slow: dict[str, float]
) -> None:
    monkeypatch.setattr(asking, "DEADLINE", 0.5)
    server.entries = [entry()]
    for name, value in slow.items():
        setattr(server, name, value)
    began = time.monotonic()
    assert sync()[0] == 69
    assert time.monotonic() - began < 3


def test_an_answer_that_is_too_large_is_given_up(
    server: ModelServer, sync: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LARGEST", 1000)
    server.entries = [entry()] * 10
    code, result = sync()
    assert (code, "1000" in result["error"]) == (69, True)


# --- the command ----------------------------------------------------------------------
def test_the_key_is_sent_and_never_shown(server: ModelServer, sync: Any, settings: Any) -> None:
    server.key, server.entries = "sk-right", [entry()]
    settings.LITELLM_API_KEY = "sk-wrong"
    code, result = sync()
    assert (code, "sk-wrong" in str(result)) == (69, False)
    settings.LITELLM_API_KEY = "sk-right"
    assert sync()[0] == 0


def test_another_key_comes_from_a_variable_or_its_file(
    server: ModelServer, sync: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.key, server.entries = "sk-two", [entry()]
    (tmp_path / "key").write_text("sk-two\n")
    monkeypatch.setenv("LITELLM_KEY_TWO_FILE", str(tmp_path / "key"))
    assert sync("--key-setting", "LITELLM_KEY_TWO")[0] == 0
    assert sync("--key-setting", "LITELLM_KEY_THREE")[0] == 78
    assert sync("--key-setting", "SECRET_KEY")[0] == 2, "no other secret is sent to a server"
    assert all("Authorization" not in str(headers) or "sk-two" in str(headers) for _path, headers in server.asked)


@pytest.mark.parametrize("url", ["", "ftp://x", "file:///etc/passwd", "http://", "http://u:p@127.0.0.1/"])
def test_without_an_address_it_says_which_setting_is_missing(settings: Any, url: str) -> None:
    settings.LITELLM_URL = url
    code, result = run()
    assert (code, "LITELLM_URL" in result["error"]) == (78, True)


def test_a_dry_run_counts_and_leaves_nothing(server: ModelServer, sync: Any) -> None:
    server.entries = [entry(), entry("odd", input_cost_per_token=-1)]
    code, result = sync("--dry-run")
    assert (code, counts(result)) == (3, (1, 0, 0, 0, 1))
    assert not AiModel.objects.exists()
    assert not AuditLog.objects.filter(action__startswith="ai_").exists()


def test_a_saved_answer_is_read_from_a_file(settings: Any, tmp_path: Path) -> None:
    settings.LITELLM_URL = ""
    saved = tmp_path / "answer.json"
    saved.write_text(json.dumps({"data": [entry()]}))
    assert counts(run("--file", str(saved))[1]) == (1, 0, 0, 0, 0)
    saved.write_text("not JSON")
    assert run("--file", str(saved))[0] == 1
    assert run("--file", str(tmp_path / "none"))[0] == 2


def test_it_runs_every_hour_where_a_server_is_set(settings: Any) -> None:
    (task,) = (task for task in TASKS if task.name == "sync_models")
    settings.LITELLM_URL = ""
    assert not task.wanted()
    settings.LITELLM_URL = "http://litellm.example"
    assert (task.wanted(), task.every.total_seconds()) == (True, 3600)


def test_a_price_set_by_hand_after_the_last_sync_is_the_one_in_force(server: ModelServer, sync: Any) -> None:
    server.entries = [entry("unknown", input_cost_per_token=0, output_cost_per_token=0)]
    sync()
    set_price(actor=FIN, model=AiModel.objects.get(), prices=ModelPrices(Decimal(0), Decimal(0), "THB"), free=True)
    server.entries = [entry("unknown")]
    sync()
    assert AiModel.objects.get().input_price_per_1k == 0
