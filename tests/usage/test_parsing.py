"""Readers of Slurm's notation: every form is read exactly, everything else is refused with a reason."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.frames import hms
from usage.parsing import (
    RowError,
    Tres,
    job_key,
    join_states,
    parse_duration,
    parse_job_id,
    parse_memory,
    parse_state,
    parse_time,
    parse_tres,
    weak_job_key,
)  # fmt: skip

UTC = ZoneInfo("UTC")


def reason(function: object, *args: object) -> str:
    with pytest.raises(RowError) as caught:
        function(*args)  # type: ignore[operator]
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "mib"),
    [("1024", 1024), ("8G", 8192), ("3410M", 3410), ("62.50G", 64000), ("2048K", 2), ("1T", 1 << 20), ("2P", 2 << 30),
     ("0", 0), ("512K", 1), ("511K", 0), ("0.5T", 524288), ("8g", 8192)],
)  # fmt: skip
def test_memory_of_every_unit_becomes_whole_mebibytes(text: str, mib: int) -> None:
    assert parse_memory(text) == mib


@pytest.mark.parametrize("text", ["8X", "-1G", "1.2.3G", "G", "８G", "1 G", "1e3", "nan"])
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    assert reason(parse_memory, text) == "bad_tres"


def test_the_untyped_gpu_row_already_holds_the_typed_ones() -> None:
    tres = parse_tres("billing=42,cpu=8,gres/gpu:a100=4,gres/gpu=4,mem=8G,node=2")
    assert tres == Tres(cpus=8, gpus=4, gpu_types=(("a100", 4),), mem_mib=8192, nodes=2, billing=42)


def test_typed_gpu_rows_alone_are_summed_and_other_tres_ignored() -> None:
    tres = parse_tres("cpu=1,gres/gpu:a100=2,gres/gpu:1g.5gb=3,gres/shard=9,energy=77,fs/disk=5,license/x=1")
    assert (tres.gpus, tres.gpu_types) == (5, (("1g.5gb", 3), ("a100", 2)))


@pytest.mark.parametrize("text", ["cpu", "cpu=", "cpu=1,cpu=2", "=4", "cpu=two", "mem=-1M"])
def test_a_tres_text_that_is_not_sound_is_refused_whole(text: str) -> None:
    assert reason(parse_tres, text) == "bad_tres"


def test_no_tres_is_nothing_at_all() -> None:
    assert parse_tres("") == Tres()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:01:17", 77), ("52-10:31:03", 4530663), ("25-12:51:10", 2206270), ("03:08.125", 188), ("00:00.500", 1),
     ("00:00.499", 0), ("77", 77), ("1-02", 93600), ("1-02:03", 93780), ("90:00", 5400), ("100:00:00", 360000)],
)  # fmt: skip
def test_every_form_of_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-00:01", "00:61:00", "00:00:60", "1-00:00:99", "UNLIMITED", "1.5h"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    assert reason(parse_duration, text) == "bad_duration"


@pytest.mark.parametrize("text", ["", "Unknown", "None", "N/A", "0", " unknown "])
def test_words_for_no_time_are_no_time(text: str) -> None:
    assert parse_time(text, UTC) is None


def test_local_text_is_read_in_its_zone_and_an_offset_or_epoch_needs_none() -> None:
    bangkok = ZoneInfo("Asia/Bangkok")
    assert parse_time("2026-11-20T22:04:12", bangkok) == 1795187052
    assert parse_time("2026-11-20T15:04:12Z", bangkok) == 1795187052
    assert parse_time("1795187052", bangkok) == 1795187052


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00", "yesterday", "20261001", "1795187052000", "-5", "9" * 30])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    assert reason(parse_time, text, UTC) == "bad_time"


@pytest.mark.parametrize(
    ("text", "state"),
    [("CANCELLED by 1006", "CANCELLED"), ("COMPLETED", "COMPLETED"), ("CD", "COMPLETED"),
     ("OUT_OF_ME+", "OUT_OF_MEMORY"), ("SOME_STATE_OF_SLURM_99", "SOME_STATE_OF_SLURM_99"), ("X" * 99, "X" * 40)],
)  # fmt: skip
def test_states_lose_their_decoration_and_unknown_ones_are_kept(text: str, state: str) -> None:
    assert parse_state(text) == state


@pytest.mark.parametrize(
    ("states", "word"),
    [(["COMPLETED"], "COMPLETED"), (["PENDING", "REQUEUED"], "REQUEUED"), (["PENDING", "RESIZING"], "RESIZING"),
     (["RUNNING", "COMPLETING"], "COMPLETING"), (["FAILED", "LAUNCH_FAILED"], "FAILED")],
)  # fmt: skip
def test_a_list_of_states_is_the_word_that_sacct_would_print(states: list[str], word: str) -> None:
    assert join_states(states) == word


def test_no_state_is_refused() -> None:
    assert reason(parse_state, "  ") == reason(join_states, []) == "no_state"


@pytest.mark.parametrize(
    ("text", "base", "task", "offset", "is_array", "is_step"),
    [
        ("123", 123, None, None, False, False),
        ("1056_5", 1056, 5, None, True, False),
        ("1006_[5-20%3]", 1006, None, None, True, False),
        ("1006_[1,3,5,...", 1006, None, None, True, False),
        ("1050+1", 1050, None, 1, False, False),
        ("123.batch", 123, None, None, False, True),
        ("123.0", 123, None, None, False, True),
        ("123_4.extern", 123, 4, None, True, True),
        ("1050+0.batch", 1050, None, 0, False, True),
        ("2147483649000001", 2147483649000001, None, None, False, False),
    ],
)
def test_job_ids_tell_array_het_and_step_apart(
    text: str, base: int, task: int | None, offset: int | None, is_array: bool, is_step: bool
) -> None:
    read = parse_job_id(text)
    assert (read.base, read.task, read.offset, read.is_array, read.is_step) == (base, task, offset, is_array, is_step)


@pytest.mark.parametrize("text", ["", "abc", "lines", "12a", "1_2_3", "-1", "１２", "99999999999999999999", "=1+1"])
def test_what_is_not_a_job_id_is_refused(text: str) -> None:
    assert reason(parse_job_id, text) == "bad_job_id"


def test_keys_are_cluster_id_and_submit_or_else_end() -> None:
    assert job_key("c", 5, 1795187052) == "c:5:1795187052"
    assert weak_job_key("c", "5_1", 1795187052) == "c:5_1:1795187052"


@given(st.integers(0, 10**7), st.integers(0, 999), st.sampled_from("KMGTP"))
def test_memory_equals_the_same_sum_in_decimals(whole: int, thousandths: int, unit: str) -> None:
    exact = (Decimal(whole) + Decimal(thousandths) / 1000) * Decimal(1024) ** ("KMGTP".index(unit) - 1)
    assert parse_memory(f"{whole}.{thousandths:03}{unit}") == exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)


@given(st.integers(0, 10**9))
def test_a_duration_that_was_written_reads_back(seconds: int) -> None:
    assert parse_duration(hms(seconds)) == seconds


@given(st.integers(100_000_000, 4_000_000_000), st.sampled_from(["UTC", "Asia/Bangkok", "Asia/Kathmandu"]))
def test_a_local_time_without_summer_time_reads_back(epoch: int, zone: str) -> None:
    from datetime import datetime

    text = datetime.fromtimestamp(epoch, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")
    assert parse_time(text, ZoneInfo(zone)) == epoch


@given(
    st.integers(0, 10**6), st.dictionaries(st.from_regex(r"[a-z][a-z0-9.]{0,9}", fullmatch=True), st.integers(0, 64)),
    st.integers(0, 10**7), st.booleans(), st.randoms(),
)  # fmt: skip
def test_a_tres_text_in_any_order_reads_the_same(cpus: int, types: dict, mem: int, plain: bool, random: object) -> None:
    parts = [f"cpu={cpus}", f"mem={mem}M", *(f"gres/gpu:{name}={count}" for name, count in types.items())]
    total = sum(types.values())
    parts += [f"gres/gpu={total}"] if plain else []
    random.shuffle(parts)  # type: ignore[attr-defined]
    read = parse_tres(",".join(parts))
    assert (read.cpus, read.gpus, read.mem_mib, dict(read.gpu_types)) == (cpus, total, mem, types)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_reason_and_never_crashes(text: str) -> None:
    for reader in (parse_tres, parse_duration, parse_state, parse_job_id, lambda each: parse_time(each, UTC)):
        try:
            reader(text)
        except RowError as error:
            assert error.reason  # noqa: PT017
