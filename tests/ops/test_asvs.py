"""docs/security/asvs.md: every requirement of levels 1 and 2 stands there once, and what it names is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = ROOT / "docs/security/asvs.md"
STATUSES = ("met", "not met", "not applicable")
# Chapter and section of ASVS 5.0.0, and how many of its requirements are of level 1 or 2, in order from 1.
# Where one of level 3 stands between, the numbers themselves.
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2,
    "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2,
    "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11,
    "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2,
    "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip


def rows() -> list[list[str]]:
    found = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found]


def test_every_requirement_stands_there_once_and_in_order() -> None:
    wanted = [f"{section}.{number + 1}" for section, most in SECTIONS.items() for number in range(most)]
    assert len(wanted) == 253
    assert [row[0] for row in rows()] == wanted
    assert Counter(row[1] for row in rows()) == {"1": 70, "2": 183}


def test_each_has_a_status_and_a_reason_or_a_proof() -> None:
    assert {row[3] for row in rows()} == set(STATUSES)
    assert [row[0] for row in rows() if len(row) != 5 or not row[4]] == []


def test_what_is_named_as_proof_is_there() -> None:
    missing = []
    for number, _level, _what, status, proof in rows():
        if status != "met":
            continue
        path, name = re.fullmatch(r"`([\w./-]+?)(?:::?(.+))?`", proof).groups()  # type: ignore[union-attr]
        file = ROOT / path
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if not text or (name and (f"def {name}(" if name.startswith("test_") else name) not in text):
            missing.append((number, proof))
    assert missing == []


def test_the_counts_in_words_are_those_of_the_table() -> None:
    counts = Counter(row[3] for row in rows())
    words = f"{counts['met']} met, {counts['not met']} not met, {counts['not applicable']} not applicable"
    assert words in TABLE.read_text(encoding="utf-8")
    assert sum(counts.values()) == 253


def test_every_form_that_takes_a_file_is_on_the_list_with_its_size() -> None:
    """docs/security/inventory.md: a new upload needs its line."""
    from payments.admin.statement_import import MOST_BYTES as STATEMENT
    from payments.services.statements import MOST_BYTES as STATEMENT_BY_COMMAND
    from payments.services.transfers import SLIP_MAX_BYTES
    from usage.admin.upload import LARGEST

    apps = ("accounts", "audit", "billing", "core", "hpcbilling", "payments", "subscriptions", "usage")
    files = [path for app in apps for path in (ROOT / app).rglob("*.py")]
    forms = [path for path in files if "forms.FileField(" in path.read_text(encoding="utf-8")]
    assert sorted(str(path.relative_to(ROOT)) for path in forms) == [
        "payments/admin/statement_import.py", "payments/forms.py", "usage/admin/upload.py",
    ]  # fmt: skip
    text = (ROOT / "docs/security/inventory.md").read_text(encoding="utf-8")
    for size in (SLIP_MAX_BYTES, STATEMENT, STATEMENT_BY_COMMAND, LARGEST):
        assert f" {size >> 20} MB" in text
