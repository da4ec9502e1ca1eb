"""Files that commands write."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from core.files import ORDINARY, whole_file


def test_what_fails_half_way_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "head.json"
    place.write_text("proof")
    with pytest.raises(OSError, match="full"), whole_file(place) as file:
        file.write(b"half")
        raise OSError("the disk is full")
    assert (place.read_text(), list(tmp_path.iterdir())) == ("proof", [place])


def test_a_file_is_its_owners_alone_and_never_more_open_than_the_former_one(tmp_path: Path) -> None:
    with whole_file(tmp_path / "new") as file:
        file.write(b"1")
    with whole_file(tmp_path / "new", mode=ORDINARY) as file:
        file.write(b"2")
    assert ((tmp_path / "new").stat().st_mode & 0o777, (tmp_path / "new").read_text()) == (0o600, "2")


def test_a_link_stays_and_leads_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for text in ("1", "2"):
        with whole_file(tmp_path / "link") as file:
            file.write(text.encode())
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_text()) == (True, "2")


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as file:
        file.write(b"rows")
    reader.join(timeout=10)
    assert (read, pipe.is_fifo()) == (["rows"], True)
