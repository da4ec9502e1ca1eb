"""Lines of the file of heads that are no heads: counted and passed over, by the site and by the tool alike."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit import heads, keys
from audit.models import AuditVerification
from hpcbilling.books import trail
from hpcbilling.diagnosis import site as site_diagnosis
from tests.audit.test_heads import sign, tool
from tests.audit.worlds import Signed, verify, write
from tools import verify_chain

pytestmark = pytest.mark.django_db(transaction=True)
DEEP = b"[" * 200_000 + b"\n"


def odd_files(lines: list[bytes]) -> dict[str, tuple[bytes, int | None]]:
    """Content and how many damaged lines are passed over; None where the file is to be called broken."""
    whole, newest = b"".join(lines), json.loads(lines[-1])

    def changed(**fields: Any) -> bytes:
        return keys.compact({**newest, **fields}).encode() + b"\n"

    return {
        "whole": (whole, 0),
        "nothing": (b"", None),
        "blank lines only": (b"\n\r\n\n", None),
        "an empty object": (whole + b"{}\n", 1),
        "empty objects only": (b"{}\n" * 3, None),
        "one between two": (lines[0] + b"{}\n" + b"".join(lines[1:]), 1),
        "a list, a text, a number, null": (whole + b'[]\n"head"\n7\nnull\n', 4),
        "deep lists": (DEEP + whole + DEEP, 2),
        "deep objects": (whole + b'{"a":' * 100_000 + b"\n", 1),
        "a deep value in a head": (whole + changed(x=json.loads("[" * 300 + "]" * 300)), 1),
        "a number of 5,000 digits": (whole + b"9" * 5000 + b"\n" + changed(id=7).replace(b"7", b"9" * 5000), 2),
        "a number of 70 bits": (whole + changed(id=2**70), 1),
        "no UTF-8": (whole + b"\xff\xfe\x80\n" + changed(at="?").replace(b"?", b"\xff"), 2),
        "NUL bytes": (whole + b"\0" * 40 + b"\n\0\n", 2),
        "lone surrogates": (whole + b'{"kind":"\\ud800"}\n' + changed(at="?").replace(b"?", b"\xed\xa0\x80"), 2),
        "a field of another kind": (whole + changed(id="7") + changed(id=True) + changed(key=["a"]), 3),
        "a field that is missing": (whole + changed(x=1).replace(b'"signature"', b'"signed"'), 1),
        "an unknown kind": (whole + changed(kind="heads") + changed(kind=[]), 2),
        "spaces": (whole + json.dumps(newest, sort_keys=True).encode() + b"\n", 1),
        "a name that stands twice": (whole + lines[-1].replace(b"{", b'{"id":1,', 1), 1),
        "line ends of another system": (whole.replace(b"\n", b"\r\n"), 0),
        "line ends of a third one": (whole.replace(b"\n", b"\r"), None),
        "a mark of the byte order": (b"\xef\xbb\xbf" + whole, None),
        "the last line without its end": (whole[:-1], 0),
        "the last line cut off": (whole[:-9], 1),
        "the middle one cut off": (lines[0] + lines[1][:-9] + b"\n" + lines[2], None),
        "a long line": (b"x" * 300_000 + b"\n" + whole + lines[-1][:-1] + b" " * 70_000, 2),
        "a line of the longest kind": (whole + b"x" * heads.LONGEST + b"\n" + b"x" * heads.LONGEST + b"\r\n", 2),
        "a number that was changed": (lines[0] + lines[1] + changed(id=999), None),
        "a line once more": (whole + lines[-1], None),
        "another key": (whole[: -len(lines[-1])] + changed(key="0" * 16), None),
        "a rotation to no key": (whole + changed(kind="rotation", new="../x"), 1),
    }


def test_the_site_and_the_tool_say_the_same_of_every_odd_file(signed: Signed) -> None:
    for _ in range(3):
        write(1)
        sign()
    assert verify()[0] == 0
    lines = signed.heads.read_bytes().splitlines(keepends=True)
    signed.export()
    for name, (content, damaged) in odd_files(lines).items():
        signed.heads.write_bytes(content)
        AuditVerification.objects.update(signed_id=1)  # the site knows hardly more than the tool
        code, words = verify()
        outside, told = tool("--log", signed.log, "--heads", signed.heads, "--key", signed.public)
        assert (code, outside) == ((1, 1) if damaged is None else (0, 0)), (name, words, told)
        assert ("BROKEN" in words, "BROKEN" in told) == (damaged is None, damaged is None), (name, words, told)
        if damaged is not None:
            counted = [re.findall(r"; (\d+) damaged lines? (?:is|are) passed over", text) for text in (words, told)]
            assert counted == [[str(damaged)] if damaged else []] * 2, (name, words, told)


def test_a_damaged_line_breaks_no_page_no_command_and_no_signing(signed: Signed, superuser: Any) -> None:
    write(2)
    sign()
    with signed.heads.open("ab") as handle:
        handle.write(DEEP)
    client = Client()
    client.force_login(superuser)
    assert client.get("/admin/audit/auditlog/").status_code == 200
    levels = {name: level for name, level, _words in site_diagnosis.examine(migrated=True)}
    assert levels["audit heads"] == "ok"
    out = StringIO()
    call_command("verify_audit", format="json", stdout=out)
    assert (json.loads(out.getvalue())["ok"], json.loads(out.getvalue())["damaged"]) == (True, 1)
    write(1)
    sign()
    log = heads.load()
    assert log is not None
    assert (log.faults, log.damaged, len(log.lines)) == ([], 1, 2)


def test_heads_of_which_only_damage_is_left_are_no_proof_before_the_first_verification_either(signed: Signed) -> None:
    write(1)
    signed.heads.write_bytes(b"{}\n{}\n")
    code, words = verify()
    assert (code, "2 damaged lines are" in words) == (1, True)
    assert ["2 damaged lines are" in fault for fault in trail.audit_chain()] == [True]
    sign()
    assert verify()[0] == 0


@pytest.mark.parametrize("content", [DEEP, b"\xff\n", b"\0" * 100, b"[]", b"9" * 5000])
def test_a_sealed_head_that_is_none_is_refused_in_words(signed: Signed, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sealed.json").write_bytes(content)
    for name in (
        {"name": "verify_audit", "head": tmp_path / "sealed.json"},
        {"name": "seal_audit", "out": tmp_path / "sealed.json"},
    ):
        with pytest.raises(CommandError, match=r"[Tt]he head file"):
            call_command(name.pop("name"), stdout=StringIO(), **name)


def test_a_line_without_end_is_never_in_memory_as_a_whole(signed: Signed) -> None:
    write(1)
    sign()
    line = signed.heads.read_bytes()
    with signed.heads.open("ab") as handle:
        handle.truncate(40_000_000)
    log = heads.load()
    assert log is not None
    assert (len(log.lines), log.damaged) == (1, 1)
    for reader in (lambda file: heads.read(file, keys.trusted_keys()), read_as_the_tool(signed)):
        with signed.heads.open("rb") as file:
            tracemalloc.start()
            reader(file)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 4_000_000
    assert heads.read(io.BytesIO(line), keys.trusted_keys()).damaged == 0


def read_as_the_tool(signed: Signed) -> Any:
    public = bytes.fromhex(signed.public)
    return lambda file: verify_chain.read_heads(file, {verify_chain.identity(public): public})


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/bash\n", b"", b"\xff\xfe", b"QUJD", None])
def test_the_tool_names_the_option_and_the_file_of_a_key_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    code, words = tool("--log", file, "--heads", file, "--key", file)
    assert (code, f"--key {file}" in words, "Traceback" in words) == (2, True, False)
    assert ("64 hexadecimal digits" in words) == (content is not None)


def test_the_tool_takes_no_private_key_for_a_public_one_and_does_not_repeat_it(signed: Signed, tmp_path: Path) -> None:
    private = (tmp_path / "key.pem").read_text()
    code, words = tool("--log", signed.log, "--heads", signed.heads, "--key", private)
    assert (code, "--key is no public key" in words, private.splitlines()[1] in words) == (2, True, False)
