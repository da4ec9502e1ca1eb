"""Rows read by columns are the rows read one by one: the quick way may never see anything else than the rule."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.usage.helpers import DATA, HEADER, row
from usage.batches import Batch, table_of
from usage.records import BadRow, JobRecord
from usage.sources import lines as physical
from usage.sources.blocks import TextReader
from usage.sources.lines import Lines
from usage.sources.text import Neighbours, RowReader, decoded, shown, split

ZONE = ZoneInfo("Europe/Berlin")  # with a repeated and a missing hour a year
Outcome = tuple[list[dict[str, Any]], int, list[BadRow]]


def quickly(text: bytes, *, delimiter: str = "|", quoted: bool = False) -> Outcome:
    lines = Lines(io.BytesIO(text))
    header = decoded(lines.next() or b"")
    reader = TextReader(header, delimiter, quoted=quoted, cluster="dflt", zone_of=lambda _name: ZONE)
    batches: list[Batch] = list(reader.batches(lines))
    jobs = [job for batch in batches for job in batch.jobs.to_pylist()]
    refused = [bad for batch in batches for bad in batch.refused]
    steps = sum(batch.steps for batch in batches)
    assert reader.seen == len(jobs) + len(refused) + steps, "every row is accounted for"
    return jobs, steps, refused


def one_by_one(text: bytes, *, delimiter: str = "|") -> Outcome:
    """The rule, applied to each line in turn."""
    first, *rest = text.split(b"\n")
    names = split(decoded(first.removesuffix(b"\r")), delimiter, quoted=False)
    reader = RowReader(names, cluster="dflt", zone_of=lambda _name: ZONE)
    neighbours = Neighbours(names)
    records, refused, steps = [], [], 0
    for number, line in enumerate(rest, start=2):
        cut = decoded(line.removesuffix(b"\r"))
        if not cut.strip():
            continue
        cells = split(cut, delimiter, quoted=False)
        item = neighbours.judge(reader.read(cells, shown(cut), number), len(cells), shown(cut), number)
        if isinstance(item, JobRecord):
            records.append(item)
        elif isinstance(item, BadRow):
            refused.append(item)
        else:
            steps += 1
    return table_of(records).to_pylist(), steps, refused


CAPTURES = sorted(DATA.rglob("*.psv*"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: str(path.relative_to(DATA)))
@pytest.mark.parametrize("block", [97, 4000, 1 << 20])
def test_every_captured_file_reads_the_same_both_ways_wherever_it_is_cut(
    path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical, "BLOCK", block)
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert quickly(text) == one_by_one(text)


ODD = {
    "JobIDRaw": ["7", "007", "0", "", "12.batch", "9" * 19, "9" * 18, " 5", "x", "1_2", "55"],
    "JobID": ["7", "1056_5", "1056_05", "1006_[5-20%3]", "1050+1", "7.extern", "1056_5.0", "1050+0.batch", "", "7_", "55"],
    "Cluster": ["c1", "", "c2 ", "ค", "x" * 65],
    "User": ["alice", "", " bob", "som.chai", "a\tb", "ผู้ใช้", "x" * 121, "façade"],
    "Account": ["physics", "", "x" * 121],
    "Submit": ["1789999000", "1790000050", "0", "", "Unknown", "99999999", "2026-10-25T02:30:00", "2026-03-29T02:30:00"],
    "Start": ["1790000000", "None", "00", "2026-10-31T23:59:59", "2026-10-31T24:00:00", "2026-02-29T00:00:00",
              "2024-02-29T12:00:00", "2026-10-31T10:00:00+07:00", "unknown", "9" * 20],
    "End": ["1790000100", "Unknown", "0", "2026-10-25T02:59:59", "2026-13-01T00:00:00", "x", "0000-01-01T00:00:00",
            "1789996500", "1789996499", "4102444799", "4102444800"],
    "ElapsedRaw": ["100", "0", "", "1.5", "00:10:00", "-5", "9" * 12, "9" * 13, "2147483648"],
    "TotalCPU": ["00:01:30", "01:05.753", "01:05.499", "00:00.000", "00:00:00", "1-02:03:04", "12-02:03:04", "", "00:61:00",
                 "100-00:00:01", "99:59.999", "123:00:00", "59", "1:2:3", "-1:00:00"],
    "ReqTRES": ["cpu=1,mem=1G", "", "cpu=x", "mem=62.50G"],
    "AllocTRES": ["cpu=2,mem=1G,node=1", "", "billing=9,cpu=4,gres/gpu:a100=2,gres/gpu=2,mem=8G,node=2", "cpu=4000000000",
                  "cpu=9223372036854775807", "mem=8000000T,cpu=1", "cpu=2,cpu=2", "cpu=2.5", "cpu=2.0", "gres/gpu:h\x01=1,cpu=1", "cpu=1K,mem=1.3K"],
    "State": ["COMPLETED", "CANCELLED by 1006", "RUNNING", "CD", "OUT_OF_ME+", "", "NEW_STATE", "PENDING"],
}  # fmt: skip
cells = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in ODD.items()})


@settings(max_examples=150)
@given(st.lists(cells, min_size=1, max_size=12))
def test_odd_cells_in_any_combination_read_the_same_both_ways(rows: list[dict[str, str]]) -> None:
    lines = [row(number, **changes) for number, changes in enumerate(rows, start=1)]
    text = "\n".join([HEADER, *lines]).encode() + b"\n"
    assert quickly(text) == one_by_one(text)


@pytest.mark.parametrize("name", list(ODD))
def test_each_odd_cell_beside_regular_rows_reads_the_same_both_ways(name: str) -> None:
    lines = [row(1)]
    for number, value in enumerate(ODD[name], start=2):
        lines += [row(number, **{name: value}), row(number + 1000)]
    text = "\r\n".join([HEADER, *lines]).encode()
    assert quickly(text) == one_by_one(text)


DROPPED = ["Submit", "JobIDRaw", "JobID", "Cluster", "Account", "TotalCPU", "AllocTRES", "Start", "ReqTRES"]


@pytest.mark.parametrize("name", DROPPED)
def test_files_without_a_column_read_the_same_both_ways(name: str) -> None:
    place = HEADER.split("|").index(name)
    lines = [HEADER, *(row(7, **{key: value}) for key, values in ODD.items() if key != name for value in values)]
    cut = ["|".join(cell for at, cell in enumerate(line.split("|")) if at != place) for line in lines]
    text = "\n".join(cut).encode()
    assert quickly(text) == one_by_one(text)


@settings(max_examples=60)
@given(st.data())
def test_bytes_changed_at_random_read_the_same_both_ways(data: st.DataObject) -> None:
    text = bytearray("\n".join([f"{HEADER}|JobName", *(f"{row(n)}|name {n}" for n in range(1, 30))]).encode())
    first = text.index(b"\n") + 1
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(first, len(text) - 1))
        text[place : place + 1] = data.draw(
            st.sampled_from([b"", b"|", b"\n", b"\r", b"\0", b"\xff", b"\xe0\xb8\x84", b"\x1f", b'"', b"7", b" "])
        )
    assert quickly(bytes(text)) == one_by_one(bytes(text))


def test_a_delimiter_of_several_characters_gives_the_same_records() -> None:
    plain = "\n".join([HEADER, row(1), row(2, User=""), row(3, JobID="7_1", State="RUNNING", End="Unknown")])
    other, _steps, refused = quickly(plain.replace("|", "^|^").encode(), delimiter="^|^")
    expected, _steps, _refused = quickly(plain.encode())
    assert [job | {"raw": ""} for job in other] == [job | {"raw": ""} for job in expected]
    assert [bad.reason for bad in refused] == ["no_user"]


def test_quoted_text_gives_the_records_of_plain_text() -> None:
    def quoted(line: str) -> str:
        return ",".join(f'"{cell}"' if "," in cell else cell for cell in line.split("|"))

    lines = [HEADER + "|JobName", row(1) + '|say ""hi""', row(2) + "|two\nlines", row(3) + '|"', row(4) + "|plain"]
    text = (
        "\n".join(quoted(line) for line in lines)
        .replace("two\nlines", '"two\nlines"')
        .replace('say ""hi""', '"say ""hi"""')
    )
    jobs, _steps, refused = quickly(text.encode(), delimiter=",", quoted=True)
    assert [(job["job_id"], job["job_name"], job["cpus"]) for job in jobs] == [
        (1, 'say "hi"', 2), (2, "two\nlines", 2), (4, "plain", 2),
    ]  # fmt: skip
    assert [(bad.reason, bad.line_no) for bad in refused] == [("open_quote", 5)]


def test_a_product_that_leaves_64_bits_is_refused_and_never_wraps() -> None:
    def ran(job: int, seconds: int, tres: str) -> str:
        return row(job, Start=1790000000, End=1790000000 + seconds, ElapsedRaw=seconds, AllocTRES=tres)

    text = "\n".join([HEADER, ran(1, 10**9, "cpu=10000000000"), ran(2, 2 * 10**9, "mem=9000P"), row(3)])
    jobs, _steps, refused = quickly(text.encode())
    assert [bad.reason for bad in refused] == ["out_of_range", "out_of_range"]
    assert [job["job_id"] for job in jobs] == [3]
    (largest,), _steps, _refused = quickly("\n".join([HEADER, ran(1, 2 * 10**9, "cpu=4611686018")]).encode())
    assert largest["cpu_core_seconds"] == 4611686018 * 2 * 10**9


def test_regular_rows_are_never_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every test above could pass with the quick way switched off."""

    def refuse(*_args: object) -> None:
        raise AssertionError("read one by one")

    local = {"Submit": "2026-03-01T10:00:00", "Start": "2026-03-01T10:00:01", "End": "2026-03-01T10:01:41"}
    regular = [
        row(1), row(2, JobIDRaw=9, JobID="7_3"), row(3, **local), row(4, JobIDRaw="4.batch", JobID="4.batch"),
        row(5, State="RUNNING", End="Unknown"), row(6, State="CANCELLED by 77", AllocTRES="", TotalCPU="1-02:03:04"),
        row(7, User="ค", AllocTRES="billing=9,cpu=4,gres/gpu:a100=2,gres/gpu=2,mem=8G,node=2"),
    ]  # fmt: skip
    monkeypatch.setattr(RowReader, "read", refuse)
    jobs, steps, refused = quickly("\n".join([HEADER, *regular]).encode())
    assert (len(jobs), steps, refused) == (6, 1, [])
