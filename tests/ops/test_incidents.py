"""The recipes of docs/operations.md, followed to the letter: every command in them runs and ends as it should."""

from __future__ import annotations

import json
import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands

from tests.audit.worlds import tamper
from tests.factories import account_tier, make_job

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TYPED = ".venv/bin/python manage.py "  # in the folder of the project
WRONG = TEXT[TEXT.index("## When things go wrong") :]


def recipes() -> list[tuple[str, str]]:
    found = []
    for part in WRONG.split("\n### ")[1:]:
        title = part.split("\n", 1)[0]
        for block in re.findall(r"```\n(.*?)```", part, re.S):
            found += [(title, line) for line in block.splitlines() if line.startswith(TYPED)]
    return found


def test_each_of_the_five_incidents_has_its_recipe() -> None:
    titles = {title for title, _line in recipes()}
    assert titles == {
        "Webhooks are lost", "The importer is stuck", "The audit chain is broken", "A payment provider is down",
        "Wrong rates were published",
    }  # fmt: skip


def run(line: str, folder: Path) -> int:
    """Exit code of the command, with /tmp made a folder of the test."""
    name, *arguments = shlex.split(line.removeprefix(TYPED).replace("/tmp", str(folder)))
    assert name in get_commands()
    out = StringIO()
    try:
        call_command(name, *arguments, stdout=out, stderr=out)
    except SystemExit as leaving:
        return int(str(leaving.code or 0))
    except CommandError as refusal:
        return refusal.returncode
    return 0


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_line_that_is_to_be_typed_can_be_copied(page: Path) -> None:
    """Blocks between fences and blocks that are set in: a command of ours begins with the Python of the installation."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S))
    lines = [*blocks.splitlines(), *re.findall(r"^    (.+)", text, re.M)]
    bare = re.compile(r"(^|&& |; )(sudo |runuser -u hpcbilling -- )?(python3? )?manage\.py ")
    assert [line for line in lines if bare.search(line)] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("title", "line"), recipes())
def test_every_command_of_every_recipe_ends_well(
    title: str, line: str, tmp_path: Path, settings: Any, alice: Any
) -> None:
    from billing.services.receipts import create_receipts
    from core.context import Actor

    settings.DEBUG = True
    account_tier("physics", "mu")
    make_job()
    receipt = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)[0]
    settings.FALLBACK_CSV = str(tmp_path / "usage.txt")
    (tmp_path / "usage.txt").write_text(
        "JobIDRaw|JobID|User|Account|Submit|Start|End|ElapsedRaw|AllocCPUS|AllocTRES|State\n"
        "7001|7001|alice|physics|2026-10-02T08:00:00|2026-10-02T08:00:00|2026-10-02T09:00:00|3600|4|cpu=4,mem=4G|COMPLETED\n"
    )
    (tmp_path / "right-rates.json").write_text(json.dumps({"mu": {"cpu": "0.5", "gpu": "5", "mem": "0.1"}}))
    line = line.replace("receipt 1", f"receipt {receipt.pk}")
    code = run(line, tmp_path)
    assert code in ((0, 3) if "import_usage" in line or "reconcile" in line else (0,)), line


@pytest.mark.django_db(transaction=True)
def test_a_broken_chain_is_still_exported_as_evidence(tmp_path: Path) -> None:
    from tests.audit.worlds import write

    write(5)
    tamper("UPDATE audit_log SET actor = 'mallory' WHERE id = 3")
    assert run(f"{TYPED}verify_audit", tmp_path) == 1
    assert run(f"{TYPED}export_audit --out /tmp/audit-evidence.ndjson", tmp_path) == 0
    assert "mallory" in (tmp_path / "audit-evidence.ndjson").read_text()


def test_every_file_that_the_document_names_is_there() -> None:
    for name in set(re.findall(r"\b(?:deploy|tools)/[\w./-]+\w", TEXT)):
        assert (ROOT / name).exists(), name
    for script in re.findall(r"`(\w+\.sh)`", TEXT):
        assert (ROOT / "deploy" / script).exists()
