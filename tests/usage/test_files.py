"""Text from files: every layout reads the same, and what cannot be used says why."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import time
from pathlib import Path

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from core.context import Actor
from core.errors import BadInput, Misconfigured, UsageError
from tests.usage.helpers import HEADER, LIVE, keys, row, run_import, write
from usage.models import Cluster, ImportRun, Job, QuarantinedRow
from usage.services.quarantine import dismiss_row, release_row
from usage.sources import lines
from usage.sources.csvfile import CsvSource

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.txt"


@pytest.mark.parametrize("delimiter", ["|", "\x1f", "\t", ";", ","])
def test_the_delimiter_is_found_in_the_header(file: Path, delimiter: str) -> None:
    lines = [HEADER, row(1, AllocTRES='"cpu=2,mem=1G"' if delimiter == "," else "cpu=2,mem=1G", ReqTRES="")]
    file.write_text("\n".join(line.replace("|", delimiter) for line in lines))
    assert run_import(file).imported == 1
    assert Job.objects.get().cpus == 2


@pytest.mark.parametrize(("given_as", "real"), [("::", "::"), ("tab", "\t"), ("\\x1f", "\x1f"), ("^", "^")])
def test_any_delimiter_can_be_given(file: Path, given_as: str, real: str) -> None:
    file.write_text("\n".join(line.replace("|", real) for line in (HEADER, row(1))))
    assert run_import(file, delimiter=given_as).imported == 1


def test_gzip_bom_crlf_column_order_and_case_make_no_difference(file: Path) -> None:
    run_import(write(file, row(1)))
    before = Job.objects.values("job_key", "end_at", "cpus", "cpu_core_seconds").get()
    Job.objects.all().delete()
    names, cells = HEADER.upper().split("|"), row(1).split("|")
    text = "\r\n".join("|".join(reversed(line)) for line in (names, cells)) + "\r\n"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    run_import(file)
    assert Job.objects.values("job_key", "end_at", "cpus", "cpu_core_seconds").get() == before


def test_the_trailing_delimiter_of_parsable_is_no_column(file: Path) -> None:
    assert run_import(write(file, row(1) + "|", header=HEADER + "|")).imported == 1


def test_standard_input_is_read_once_and_its_digest_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (LIVE / "sacct-X-epoch.psv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    run_import("-")
    run = ImportRun.objects.get()
    assert (run.file_name, run.file_sha256) == ("standard input", hashlib.sha256(data).hexdigest())


def test_the_digest_is_that_of_the_file_as_it_lies_there(file: Path) -> None:
    file.write_bytes(gzip.compress(f"{HEADER}\n{row(1)}\n".encode()))
    run_import(file)
    assert ImportRun.objects.get().file_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_quoted_field_may_hold_the_delimiter_and_a_line_break(file: Path) -> None:
    names = "JobName," + HEADER.replace("|", ",")
    cells = '"a, ""b""\nc",' + row(1, AllocTRES='"cpu=2,mem=1G"', ReqTRES="").replace("|", ",")
    result = run_import(write(file, cells, header=names))
    assert result.imported == 1
    assert Job.objects.get().job_name == 'a, "b"\nc'


def test_an_open_quote_costs_its_own_line_only(file: Path) -> None:
    names = HEADER.replace("|", ";") + ";JobName"
    lines = [row(number).replace("|", ";") + ";x" for number in range(1, 80)]
    lines[3] = lines[3][:-1] + '"open'
    result = run_import(write(file, *lines, header=names))
    assert (result.imported, result.by_reason) == (78, {"open_quote": 1})
    assert QuarantinedRow.objects.get().line_no == 5


def test_cut_and_shifted_rows_are_refused_and_the_next_row_is_read(file: Path) -> None:
    result = run_import(write(file, row(1)[:-15], row(2), row(3) + "|x", row(4)))
    assert (result.imported, result.by_reason) == (2, {"field_count": 2})
    assert keys() == {"c1:2:1789999000", "c1:4:1789999000"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"User": ""}, "no_user"),
        ({"JobID": "x", "JobIDRaw": "x"}, "bad_job_id"),
        ({"End": "tomorrow"}, "bad_time"),
        ({"ElapsedRaw": "-5"}, "bad_duration"),
        ({"ElapsedRaw": ""}, "bad_duration"),
        ({"AllocTRES": "cpu=many"}, "bad_tres"),
        ({"State": ""}, "no_state"),
        ({"User": "u" * 121}, "too_long"),
        ({"Account": "a\x07b"}, "bad_encoding"),
        ({"AllocTRES": "gres/gpu:a\x00b=1"}, "bad_encoding"),
        ({"AllocTRES": "cpu=64,mem=9000P", "ElapsedRaw": 999999999, "End": 2789999999}, "out_of_range"),
        ({"AllocTRES": "cpu=2.5"}, "bad_tres"),
        ({"ElapsedRaw": 100 + 3601}, "bad_clock"),
        ({"End": 1790000000 - 3601}, "bad_clock"),
        ({"End": 99999999999}, "bad_time"),
    ],
)
def test_a_row_that_cannot_be_read_whole_is_refused_with_its_reason(file: Path, cells: dict, reason: str) -> None:
    text = row(1, **cells)
    result = run_import(write(file, text, row(2)))
    assert (result.imported, result.by_reason) == (1, {reason: 1})
    refused = QuarantinedRow.objects.get()
    assert (refused.raw, refused.line_no, refused.reason) == (text.replace("\0", "\\x00"), 2, reason)


def test_what_ends_after_now_is_refused_and_neither_billed_nor_taken_for_how_far_usage_is_known(file: Path) -> None:
    """A clock, or the zone that the import was told, is wrong: nobody pays before they have used."""
    now = int(time.time())
    result = run_import(write(file, row(1), row(2, End=now + 7200), row(3, End=now - 60), row(4, End=now + 1800)))
    assert (result.imported, result.by_reason) == (3, {"in_future": 1})
    refused = QuarantinedRow.objects.get()
    assert (refused.job_id_display, ImportRun.objects.get().quarantined) == ("2", 1)
    with pytest.raises(BadInput, match="ends in the future"):
        release_row(actor=Actor("finance"), row=refused, text=refused.raw)
    with time_machine.travel(now + 7200):
        assert release_row(actor=Actor("finance"), row=refused, text=refused.raw)
    assert Job.objects.count() == 4


def test_what_somebody_decided_about_it_stands_when_its_moment_has_come(file: Path) -> None:
    now = int(time.time())
    run_import(write(file, *(row(number, End=now + 7200) for number in (1, 2, 3))))
    ours, typed, waits = QuarantinedRow.objects.order_by("pk")
    dismiss_row(actor=Actor("finance"), row=ours, note="not ours")
    release_row(actor=Actor("finance"), row=typed, text=typed.raw.replace(str(now + 7200), str(now - 60)))
    with time_machine.travel(now + 9000):
        result = run_import(file)
    assert (result.imported, result.updated, result.duplicate) == (1, 0, 2)
    ends = {job.job_id: int(job.end_at.timestamp()) for job in Job.objects.all() if job.end_at}
    assert ends == {2: now - 60, 3: now + 7200}
    assert waits.job_id_display == "3"


def test_bytes_that_are_not_utf8_are_refused_in_a_user_and_replaced_in_a_job_name(file: Path) -> None:
    lines = [HEADER + "|JobName", row(1, User="al\udcffice") + "|x", row(2) + "|n\udcffme", row(3) + "|ชื่อ\u2028\x0bx"]
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    result = run_import(file)
    assert (result.imported, result.by_reason) == (2, {"bad_encoding": 1})
    assert "al\\xffice" in QuarantinedRow.objects.get().raw
    assert Job.objects.get(job_id=2).job_name == "n?me"
    assert Job.objects.get(job_id=3).job_name == "ชื่อ\u2028\x0bx"


def test_a_nul_in_a_name_does_not_reach_the_database(file: Path) -> None:
    result = run_import(write(file, row(1) + "|a\0b", row(2, User="x\0") + "|n", header=HEADER + "|JobName"))
    assert (result.imported, result.by_reason) == (1, {"bad_encoding": 1})
    assert "\0" not in Job.objects.get().job_name + QuarantinedRow.objects.get().raw


def test_a_line_without_end_is_refused_and_the_rest_read(file: Path) -> None:
    result = run_import(write(file, row(1), "x" * 3_000_000, row(2)))
    assert (result.imported, result.by_reason) == (2, {"line_too_long": 1})


def test_joined_files_repeat_their_header_and_that_is_said(file: Path) -> None:
    result = run_import(write(file, row(1), HEADER, row(2)))
    assert (result.rows_read, result.imported) == (2, 2)
    assert "1 repeated header" in result.notes[0]


def test_without_alloctres_in_the_input_the_request_is_billed_and_with_it_never(file: Path) -> None:
    run_import(write(file, row(1, AllocTRES="", ReqTRES="cpu=8")))
    assert (Job.objects.get().cpus, Job.objects.get().req_cpus) == (0, 8)
    header = HEADER.replace("|AllocTRES", "")
    line = row(2, ReqTRES="cpu=8,gres/gpu:a100=2").replace("|cpu=2,mem=1G,node=1", "")
    run_import(write(file, line, header=header))
    job = Job.objects.get(job_id=2)
    assert (job.cpus, job.gpus, job.gpu_types, job.gpu_seconds) == (8, 2, {"a100": 2}, 200)


def test_the_raw_record_is_the_line_and_its_run_names_the_columns(file: Path) -> None:
    file.write_bytes(f"{HEADER}\r\n{row(1)}\r\n{row(2, JobID='2+0')}".encode())
    run_import(file)
    assert list(Job.objects.order_by("job_id").values_list("raw", flat=True)) == [row(1), row(2, JobID="2+0")]
    run = ImportRun.objects.get()
    assert (run.columns, run.delimiter) == (HEADER.split("|"), "|")


def test_local_times_take_the_given_zone_then_the_clusters_then_the_sites(file: Path, settings: object) -> None:
    def end(**options: object) -> int:
        Job.objects.all().delete()
        times = {"Start": "2026-10-01T00:00:00", "End": "2026-10-01T00:01:40", "Submit": "2026-09-30T23:59:00"}
        run_import(write(file, row(1, **times)), **options)
        ended = Job.objects.get().end_at
        assert ended
        return int(ended.timestamp())

    utc = 1790812900
    assert end(timezone="UTC") == utc
    assert end(timezone="") == utc - 7 * 3600, "the site's zone is Asia/Bangkok"
    Cluster.objects.filter(name="c1").update(timezone="Asia/Tokyo")
    assert end(timezone="") == utc - 9 * 3600
    assert end(timezone="UTC") == utc


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"\n\n \n", ["is empty"]),
        (HEADER.encode() + b"\n\n", ["header and no rows"]),
        (b"<!DOCTYPE html>\n<html>502</html>", ["HTML page"]),
        (b'{"jobs": []}', ["JSON"]),
        (b"User^JobID^End\na^1^2", ["'User^JobID^End'", "missing: User, JobID / JobIDRaw", "--delimiter"]),
        (b"User|JobID|End|State\na|1|2|3", ["'User', 'JobID', 'End', 'State'", "ElapsedRaw / Elapsed, AllocTRES"]),
        (gzip.compress(f"{HEADER}\n{row(1)}\n".encode() * 500, mtime=0)[:200], ["cut off or damaged"]),
        (gzip.compress(b"", mtime=0), ["is empty"]),
    ],
)
def test_a_file_that_is_no_usage_is_an_error_and_never_no_usage(file: Path, content: bytes, words: list[str]) -> None:
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        run_import(file)
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.exit_code == 1


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            run_import(path)


def test_no_file_at_all_is_a_matter_of_configuration(settings: object) -> None:
    settings.FALLBACK_CSV = ""  # type: ignore[attr-defined]
    with pytest.raises(Misconfigured, match="FALLBACK_CSV"):
        run_import(source="csv")


def test_a_damaged_archive_keeps_what_was_read_and_marks_the_run_failed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 20_000)
    text = "\n".join([HEADER, *(row(n, Comment=0, User=f"u{n * 7919}") for n in range(1, 2000))])
    packed = gzip.compress(text.encode())
    file.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadInput, match="cut off"):
        run_import(file)
    run = ImportRun.objects.get()
    assert run.status == "failed"
    assert "cut off" in run.error
    assert 0 < run.imported == Job.objects.count() < 1999
    file.write_bytes(packed)
    result = run_import(file)
    assert (result.imported + result.duplicate, Job.objects.count()) == (1999, 1999)


def test_reading_takes_the_same_memory_for_ten_times_the_rows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(lines, "BLOCK", 20_000)

    from usage.services import opening

    def peak(rows: int) -> int:
        with file.open("w") as out:
            out.write(HEADER + "\n")
            out.writelines(row(number) + "\n" for number in range(1, rows))
        request = opening.make_request(
            file=str(file), start=None, end=None, user="", cluster="", delimiter="", zone="UTC"
        )
        tracemalloc.start()
        count = sum(len(batch) for batch in CsvSource(request).batches())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == rows - 1
        return most

    peak(100)
    assert peak(8_000) < 2 * peak(800) + 300_000


def test_a_block_has_a_bound_in_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a few bytes each would otherwise be hundreds of thousands at once, and memory without end."""
    monkeypatch.setattr(lines, "MOST_LINES", 7)
    whole = b"".join(b"%d\n" % number for number in range(100)) + b"the end"
    reader, blocks = lines.Lines(io.BytesIO(whole)), []
    while block := reader.block():
        blocks.append(block)
    assert b"".join(blocks) == whole
    assert max(block.count(b"\n") for block in blocks) == 7


KINDS = ["cut", "pipe", "byte", "newline", "drop"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(KINDS)), max_size=4))
def test_a_mutated_row_is_read_or_refused_and_every_line_is_accounted_for(
    file: Path, mutations: list[tuple[int, str]]
) -> None:
    lines = [line.encode() for line in (row(1), row(2), row(3))]
    for place, kind in mutations:
        line = lines[place % 3]
        at = place % (len(line) or 1)
        change = {"cut": b"", "pipe": b"|" + line[at:], "byte": b"\xff" + line[at + 1 :], "newline": b"\n" + line[at:]}
        lines[place % 3] = line[:at] + change.get(kind, line[at + 1 :])
    file.write_bytes(HEADER.encode() + b"\n" + b"\n".join([*lines, row(4).encode()]))
    physical = [line for line in b"\n".join(lines).split(b"\n") if line.strip()]
    result = run_import(file)
    assert result.rows_read == len(physical) + 1
    assert Job.objects.filter(job_id=4).exists()


def test_two_columns_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(BadInput, match="User stands in the header twice"):
        run_import(write(file, row(1) + "|mallory", header=HEADER + "|User"))
    assert run_import(write(file, row(1) + "|a|b", header=HEADER + "|Other|Other")).imported == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("\n".join([HEADER, row(1)]).encode("utf-16"), "is UTF-16"),
        ("\r".join([HEADER, row(1)]).encode(), "CR only"),
        ((LIVE / "sacct-default.txt").read_bytes(), "write it with sacct -P"),
    ],
)
def test_files_in_other_clothes_are_told_what_they_are(file: Path, data: bytes, words: str) -> None:
    file.write_bytes(data)
    with pytest.raises(BadInput, match=words):
        run_import(file)


def test_a_width_behind_a_columns_name_is_no_part_of_it(file: Path) -> None:
    header = HEADER.replace("AllocTRES", "AllocTRES%60").replace("State", "State%-20")
    assert run_import(write(file, row(1), header=header)).imported == 1
