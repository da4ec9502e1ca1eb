"""Heads that are there and not believed: said as it is, with what to do, by every one who looks at them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import Client

from audit import keys
from hpcbilling.books import trail
from hpcbilling.diagnosis import site as site_diagnosis
from tests.audit.test_heads import sign
from tests.audit.worlds import Signed, verify, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_heads_by_a_key_that_is_not_trusted_are_not_called_gone_wherever_they_are_spoken_of(
    signed: Signed, tmp_path: Path, settings: Any, superuser: Any
) -> None:
    """The key was changed without a line that says so, and AUDIT_PUBLIC_KEYS does not name the former one."""
    write(2)
    sign()
    assert verify()[0] == 0
    keys.make_key(tmp_path / "next.pem")
    settings.AUDIT_SIGNING_KEY = (tmp_path / "next.pem").read_text()
    words, books = verify()[1], " ".join(trail.audit_chain())
    doctor = " ".join(message for _name, _level, message in site_diagnosis.examine(migrated=True))
    with pytest.raises(CommandError) as refusal:
        sign()
    for told in (words, books, doctor, str(refusal.value)):
        assert f"signed by the key {signed.key.id}, which is not trusted" in told
        assert ("AUDIT_PUBLIC_KEYS" in told, "gone" in told, "no head yet" in told) == (True, False, False)
    client = Client()
    client.force_login(superuser)
    for language, sentence in (("en", "which is not trusted here"), ("th", "ซึ่งระบบนี้ไม่เชื่อถือ")):
        page = client.get("/admin/audit/auditlog/", headers={"Accept-Language": language}).content.decode()
        assert (signed.key.id in page, sentence in page) == (True, True), language
        assert "changed or is gone" not in page
    settings.AUDIT_PUBLIC_KEYS = [signed.public]
    assert verify()[0] == 0, "as the words said"


def test_a_line_that_was_changed_and_kept_its_key_is_called_changed(signed: Signed) -> None:
    write(2)
    sign()
    signed.heads.write_text(keys.compact({**json.loads(signed.heads.read_text()), "hash": "0" * 64}) + "\n")
    assert "the signature of line 1 is wrong" in verify()[1]
