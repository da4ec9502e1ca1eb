"""Rows that were changed, deleted, inserted, swapped or forked: each is found, and the first bad one named."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from audit import chain, keys
from audit.hashing import chain_hash
from audit.models import AuditLog
from tests.audit.test_heads import last
from tests.audit.worlds import Signed, tamper, verify, write
from tests.faults.seeds import times

pytestmark = pytest.mark.django_db(transaction=True)


# --- every bit (F15) -------------------------------------------------------------
def test_every_flipped_bit_of_exported_rows_is_found_in_its_row(signed: Signed) -> None:
    """``FLIPPED_ROWS`` of them."""
    from tools import verify_chain

    rows = times("FLIPPED_ROWS", 30)
    write(rows)
    lines = signed.export()[-rows:]
    first = json.loads(lines[0])["id"]
    previous, flips = json.loads(lines[0])["prev_hash"], 0
    for number, line in enumerate(lines):
        for place in range(len(line) - 1):
            for bit in range(8):
                flipped = bytearray(line)
                flipped[place] ^= 1 << bit
                log = verify_chain.Log(first + number - 1, previous)
                with pytest.raises(verify_chain.Broken) as broken:
                    log.walk([bytes(flipped)])
                assert log.first_bad == first + number, broken.value
                flips += 1
        previous = json.loads(line)["hash"]
    assert flips > 1_500 * rows


def test_rows_deleted_inserted_swapped_or_forked_are_found_where_it_happened(signed: Signed) -> None:
    from tools import verify_chain

    write(40)
    lines = signed.export()
    for place in range(len(lines) - 1):
        for changed, bad in (
            (lines[:place] + lines[place + 1 :], place + 1),
            ([*lines[: place + 1], lines[place], *lines[place + 1 :]], place + 2),
            ([*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]], place + 1),
        ):
            log = verify_chain.Log()
            with pytest.raises(verify_chain.Broken):
                log.walk(changed)
            assert log.first_bad == bad
    fork = json.loads(lines[20])
    fork["actor"] = "mallory"
    fork["hash"] = chain_hash(fork["prev_hash"], fork)
    log = verify_chain.Log()
    with pytest.raises(verify_chain.Broken):
        log.walk([*lines[:20], (keys.compact(fork) + "\n").encode(), *lines[21:]])
    assert log.first_bad == 22, "the forged row hashes well; the next does not follow it"


def text_columns() -> list[str]:
    return [
        "actor", "action", "target", "status", "ip", "user_agent", "request_id", "entity_type", "entity_id", "prev_hash",
        "hash",
    ]  # fmt: skip


def test_flipped_bits_in_the_database_are_found_with_the_first_bad_row(signed: Signed) -> None:
    """One bit of each text column of many rows, a microsecond of the time, a digit of the details."""
    write(60)
    number = 0
    for row in AuditLog.objects.order_by("id").values():
        for column in text_columns():
            text = row[column]
            place, bit = row["id"] % max(1, len(text)), row["id"] % 6
            flipped = text[:place] + chr(ord(text[place : place + 1] or "@") ^ 1 << bit) + text[place + 1 :]
            good, wrong = (value.replace("'", "''") for value in (text, flipped))
            tamper(f"UPDATE audit_log SET {column} = '{wrong}' WHERE id = {row['id']}")
            verdict = chain.verify()
            assert (verdict.ok, verdict.first_bad) == (False, row["id"]), (column, row["id"])
            tamper(f"UPDATE audit_log SET {column} = '{good}' WHERE id = {row['id']}")
            number += 1
    assert chain.verify().ok
    assert number > 600


@pytest.mark.parametrize("sql", [
    "UPDATE audit_log SET extra = '{{\"n\": 98}}' WHERE id = {n}",
    "UPDATE audit_log SET changes = '{{}}' WHERE id = {n}",
    "UPDATE audit_log SET id = 0 WHERE id = {n}",
    "UPDATE audit_log SET id = -5 WHERE id = {n}",
])  # fmt: skip
def test_other_columns_too(signed: Signed, sql: str) -> None:
    write(5)
    victim = last() - 1
    tamper(sql.format(n=victim))
    verdict = chain.verify()
    assert (verdict.ok, verdict.first_bad) in ((False, victim), (False, 0), (False, -5))


# a moment that is none is kept by SQLite alone: PostgreSQL has a type for moments
NO_MOMENT = [("ts", "x")] if connection.vendor == "sqlite" else []


@pytest.mark.parametrize(("column", "value"), [*NO_MOMENT, ("extra", '"x"'), ("changes", "7"), ("extra", "null")])
def test_what_cannot_even_be_read_is_a_bad_row_and_no_crash(signed: Signed, column: str, value: str) -> None:
    write(5)
    victim = last() - 2
    tamper(f"UPDATE audit_log SET {column} = '{value}' WHERE id = {victim}")
    verdict = chain.verify()
    assert (verdict.ok, verdict.first_bad) == (False, victim)
    assert verify()[0] == 1
