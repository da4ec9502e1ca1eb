"""Quote = bill: the price of an sbatch request is what the finished job costs, to the last satang."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation

from accounts.models import BillingMode, Organisation, Project, ProjectAccount, Tier, TierOverride
from billing.models import CpuBasis, RateVersion, ReceiptItem
from billing.selectors.jobs.quote import MAX_TEXT, Quote, quote
from billing.selectors.pricing.rates import MissingRate
from billing.services.receipts import create_receipts
from billing.words import sbatch
from core.context import Actor
from core.errors import BadInput
from tests.factories import account_tier, change_versions, make_job
from usage.parsing import parse_duration, parse_tres
from usage.sbatch.partitions import read_partitions
from usage.sbatch.request import Note, SbatchError

ALLOCATIONS = json.loads((Path(__file__).parents[1] / "data/slurm/sbatch_allocations.json").read_text())
NODE = {"time": "1:00:00", "mem_per_cpu": "1G", "cpus_per_node": 32, "mem_per_node": "128G", "gpus_per_node": 4}
FULL = "#SBATCH -n 4 -c 2 -A physics -t 1:30:00 --mem=16G --gres=gpu:a100:2"


@pytest.fixture(autouse=True)
def partitions(settings: Any) -> None:
    settings.SLURM_PARTITIONS = read_partitions(json.dumps({"normal": {**NODE, "default": True}, "gpu": NODE}))


def run(answer: Quote, username: str = "alice") -> list[Any]:
    """The records that the quoted jobs would leave, all tasks, each for the whole time limit."""
    asked = answer.request
    return [
        make_job(
            username=username, account=asked.account, cpus=asked.cpus, gpus=asked.gpus, mem_mib=asked.mem_mib,
            nodes=asked.nodes, elapsed_seconds=asked.seconds,
        )
        for _task in range(asked.array_tasks)
    ]  # fmt: skip


def bill(username: str = "alice") -> list[Any]:
    return list(create_receipts(actor=Actor(username), username=username, start=None, end=None))


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        "#SBATCH -n 1 -t 7 -A physics --mem=3410M",
        "#SBATCH -n 3 -t 1 -A ministry --mem-per-cpu=333M",
        "#SBATCH -n 7 -t 11 -a 1-10%2 -A physics --mem-per-cpu=777M",
        "sbatch --exclusive -n1 -A ministry -t 1-02:03:04 job.sh",
        "sbatch -N2 --gpus-per-node=2 --cpus-per-gpu=2 -p gpu -A company job.sh",
    ],
)
def test_the_finished_job_costs_what_the_quote_said(alice: Any, settings: Any, text: str) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_RATE = True, Decimal("7")
    account_tier("physics", "mu")
    account_tier("ministry", "gov")
    answer = quote(text=text, username="alice")
    run(answer)
    (receipt,) = bill()
    items = list(ReceiptItem.objects.filter(receipt=receipt))
    assert {item.cost for item in items} == {answer.job.cost}
    assert len(items) == answer.request.array_tasks
    assert (receipt.pricing_tier_id, receipt.rate_version_id) == (answer.tier.code, answer.rate.version)
    assert (receipt.subtotal, receipt.tax_amount, receipt.total) == (answer.cost, answer.tax, answer.total)
    assert receipt.currency == answer.currency


@pytest.mark.parametrize(
    "row", [row for row in ALLOCATIONS if "differs" not in row][::6], ids=lambda row: row["asked"][:50]
)
def test_what_a_real_slurm_allocated_costs_what_the_quote_said(alice: Any, row: dict[str, Any]) -> None:
    answer = quote(text=row["asked"].replace("sbatch ", "sbatch -A physics ", 1), username="alice")
    held = parse_tres(row["AllocTRES"])
    for _record in range(row["records"]):
        make_job(
            account="physics", cpus=held.cpus, gpus=held.gpus, mem_mib=held.mem_mib, nodes=held.nodes,
            elapsed_seconds=parse_duration(row["Timelimit"]),
        )  # fmt: skip
    (receipt,) = bill()
    assert receipt.subtotal == answer.cost


def test_the_arithmetic_is_shown_and_adds_up(db: None) -> None:
    answer = quote(text=FULL, tier="mu")
    cpu, gpu, mem = answer.job.terms
    assert (cpu.hours, cpu.rate, cpu.product) == (Decimal("12.0000"), Decimal("1"), Decimal("12"))
    assert (gpu.hours, gpu.rate, gpu.product) == (Decimal("3.0000"), Decimal("5"), Decimal("15"))
    assert (mem.hours, mem.rate, mem.product) == (Decimal("24.0000"), Decimal("0.5"), Decimal("12"))
    assert (answer.job.exact + answer.job.rounding, answer.cost) == (Decimal("39.00"), Decimal("39.00"))
    assert answer.request.gpu_types == {"a100": 2}


def test_an_array_is_the_sum_of_its_rounded_tasks(db: None) -> None:
    one = quote(text="#SBATCH -n 1 -t 1 --mem=1M", tier="private")
    many = quote(text="#SBATCH -n 1 -t 1 --mem=1M -a 0-99", tier="private")
    assert (one.cost, many.cost) == (Decimal("0.08"), Decimal("8.00"))
    assert many.job.rounding != 0


# --- tier --------------------------------------------------------------------
def tier_of(**question: Any) -> tuple[str, str]:
    answer = quote(**{"text": FULL, **question})
    return answer.tier.code, answer.tier.source


def test_the_tier_is_that_of_the_user_and_the_account_in_the_script(db: None) -> None:
    account_tier("physics", "mu")
    assert tier_of(username="alice") == ("mu", "rule")
    assert tier_of(username="alice", text=FULL.replace("physics", "company")) == ("private", "default")
    TierOverride.objects.create(username="alice", tier_id="gov")
    assert tier_of(username="alice") == ("gov", "override")


def test_the_organisation_of_the_account_decides_first(db: None) -> None:
    lab = Organisation.objects.create(name="Lab", tier=Tier.objects.get(pk="gov"), billing_mode=BillingMode.RECEIPTS)
    ProjectAccount.objects.create(project=Project.objects.create(organisation=lab, name="One"), account="physics")
    answer = quote(text=FULL, username="alice")
    assert (answer.tier.code, answer.tier.source, answer.tier.reason) == ("gov", "organisation", "organisation Lab")


def test_without_an_account_the_newest_job_says_which_and_a_note_says_so(alice: Any) -> None:
    account_tier("physics", "mu")
    make_job(account="physics")
    answer = quote(text="#SBATCH -n 1 -t 5", username="alice")
    assert (answer.tier.code, answer.request.account) == ("mu", "physics")
    assert "account_of_newest_job" in [note.code for note in answer.notes]
    assert quote(text="#SBATCH -n 1 -t 5", username="alice", account="other").tier.code == "private"


def test_a_chosen_tier_wins_and_a_stranger_pays_the_default(db: None) -> None:
    account_tier("physics", "mu")
    assert tier_of(username="alice", tier="gov") == ("gov", "chosen")
    assert tier_of() == ("private", "default")


def test_a_tier_that_is_none_or_has_no_rate_is_an_error(db: None) -> None:
    with pytest.raises(BadInput, match="no tier nosuch"):
        quote(text=FULL, tier="nosuch")
    Tier.objects.create(code="new", name="New")
    with pytest.raises(MissingRate):
        quote(text=FULL, tier="new")


def test_a_price_by_cpu_time_used_is_the_most_it_can_be(db: None) -> None:
    change_versions(RateVersion.objects.filter(tier="mu"), cpu_basis=CpuBasis.USED)
    assert "cpu_used" in [note.code for note in quote(text=FULL, tier="mu").notes]


# --- words -------------------------------------------------------------------
def test_an_error_names_line_and_option_in_words_and_in_details(db: None) -> None:
    with pytest.raises(BadInput) as caught:
        quote(text="#!/bin/bash\n#SBATCH --mem=lots", tier="mu")
    error = caught.value
    assert error.message.startswith("Line 2, --mem: “lots” is no amount of memory")
    assert error.details == {"reason": "bad_mem", "line": 2, "option": "--mem"}


def test_a_text_beyond_all_headers_is_refused(db: None) -> None:
    with pytest.raises(BadInput, match="65,536"):
        quote(text="#" * (MAX_TEXT + 1))


def test_a_quote_is_json_by_asdict(db: None) -> None:
    body = json.loads(json.dumps(asdict(quote(text=FULL, tier="mu")), cls=DjangoJSONEncoder))
    assert (body["cost"], body["tier"]["code"], body["request"]["cpus"]) == ("39.00", "mu", 8)


FACTS = dict.fromkeys(("line", "asked", "partition", "nodes", "most", "tasks", "gres", "cpus", "mib", "minutes", "options", "value", "other", "other_line", "gpus", "per_node", "per_task"), "7")  # fmt: skip


@pytest.mark.parametrize("language", ["en", "th"])
def test_every_note_and_refusal_has_words_in_both_languages(language: str) -> None:
    with translation.override(language):
        said = [sbatch.note_text(Note.of(code, **FACTS)) for code in sbatch._NOTES]
        said += [
            sbatch.refusal(SbatchError(code, option="--mem", **{**FACTS, "line": 3})).message
            for code in sbatch._REFUSALS
        ]
    assert not any("%(" in words for words in said)
    if language == "th":
        assert all(any("\u0e00" <= letter <= "\u0e7f" for letter in words) for words in said)


def test_no_code_of_the_parser_is_without_words() -> None:
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "usage" / "sbatch").glob("*.py"))
    notes = set(re.findall(r'Note\.of\(\s*"(\w+)"', source))
    refusals = set(re.findall(r'(?:SbatchError|_refuse)\(\s*"(\w+)"', source))
    assert notes == set(sbatch._NOTES)
    assert refusals <= set(sbatch._REFUSALS)
    assert len(refusals) > 10
