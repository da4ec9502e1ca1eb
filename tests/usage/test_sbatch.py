"""What Slurm allocates for an sbatch request: every notation, and the answers of a real Slurm 22.05."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.parsing import parse_duration, parse_tres
from usage.sbatch.partitions import read_partitions
from usage.sbatch.request import Request, SbatchError, parse
from usage.sbatch.values import count_array, read_gpus, read_gres, read_memory, read_nodes, read_time

ALLOCATIONS = json.loads((Path(__file__).parents[1] / "data/slurm/sbatch_allocations.json").read_text())
NODE = {"time": "1:00:00", "mem_per_cpu": "1G", "cpus_per_node": 32, "mem_per_node": "128G", "gpus_per_node": 4}
BENCH = read_partitions(json.dumps({"normal": {**NODE, "default": True}, "gpu": NODE}))


def asked(options: str, described: bool = True) -> Request:
    return parse(f"sbatch {options} job.sh", BENCH if described else None)


def codes(request: Request) -> list[str]:
    return [note.code for note in request.notes]


def refusal(text: str, **partitions: Any) -> SbatchError:
    with pytest.raises(SbatchError) as caught:
        parse(text, read_partitions(json.dumps(partitions)) if partitions else BENCH)
    return caught.value


def amounts(request: Request) -> tuple[int, ...]:
    return request.cpus, request.gpus, request.mem_mib, request.nodes, request.seconds, request.array_tasks


# --- a real Slurm ------------------------------------------------------------
def allocated(row: dict[str, Any]) -> tuple[int, ...]:
    tres = parse_tres(row["AllocTRES"])
    return tres.cpus, tres.gpus, tres.mem_mib, tres.nodes, parse_duration(row["Timelimit"]), row["records"]


@pytest.mark.parametrize("row", [row for row in ALLOCATIONS if "differs" not in row], ids=lambda row: row["asked"][:60])
def test_real_slurm_22_05_allocated_this(row: dict[str, Any]) -> None:
    assert amounts(parse(row["asked"], BENCH)) == allocated(row)


@pytest.mark.parametrize("row", [row for row in ALLOCATIONS if "differs" in row], ids=lambda row: row["asked"][:60])
def test_where_slurm_decides_otherwise_a_note_says_that_it_may(row: dict[str, Any]) -> None:
    request = parse(row["asked"], BENCH)
    assert amounts(request) != allocated(row), "no exception any more: move it to the other table"
    assert row["differs"] in codes(request)


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len([row for row in ALLOCATIONS if "differs" not in row]) > 100


# --- values ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("5:30", 330), ("5:61", 361), ("1:02:03", 3723), ("1:90:00", 9000), ("1-2", 93_600), ("1-", 86_400),
     ("1-2:30", 95_400), ("1-02:03:04", 93_784), ("0", -1), ("UNLIMITED", -1), ("infinite", -1), ("-1", -1),
     ("1.5", None), ("10:", None), (":30", None), ("1-:30", None), ("1-1:1:1:1", None), ("", None), ("soon", None),
     ("๑๐", None)],
)  # fmt: skip
def test_times(text: str, seconds: int | None) -> None:
    assert read_time(text) == seconds


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_every_form_of_one_time_reads_the_same(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    for text, exact in (
        (f"{days}-{hours:02}:{minutes:02}:{seconds:02}", total),
        (f"{days * 24 + hours}:{minutes:02}:{seconds:02}", total),
        (f"{(days * 24 + hours) * 60 + minutes}:{seconds:02}", total),
        (f"{days}-{hours}:{minutes}", total - seconds),
        (f"{days}-{hours}", total - seconds - minutes * 60),
        (f"{total // 60}", total - seconds),
    ):
        assert read_time(text) == (exact or -1), text


@pytest.mark.parametrize(
    ("text", "mib"),
    [("2500", 2500), ("4G", 4096), ("4g", 4096), ("1GB", 1024), ("1025K", 2), ("1kb", 1), ("2T", 2 << 20), ("0", 0),
     ("2.5G", None), ("1GiB", None), ("-1", None), ("", None), ("G", None)],
)  # fmt: skip
def test_memory(text: str, mib: int | None) -> None:
    assert read_memory(text) == mib


@given(st.integers(0, 10**5))
def test_units_of_memory_are_1024_times_each_other(number: int) -> None:
    assert read_memory(f"{number}T") == read_memory(f"{number * 1024}G") == read_memory(f"{number * 1024 * 1024}M")
    assert read_memory(f"{number * 1024}K") == read_memory(f"{number}") == number
    assert read_memory(f"{number * 1024 + 1}K") == number + 1, "a begun MiB is a whole one"


@pytest.mark.parametrize(
    ("text", "tasks"),
    [("5", 1), ("0-3%2", 4), ("1-10%2", 10), ("1,3,5-9:2", 5), ("1-3,7,9-20:5%2", 7), ("1,1,2", 2), ("1-9:4", 3),
     ("5-1", None), ("1-3:0", None), ("a", None), ("", None), ("1-3%0", None), ("0-100001", None)],
)  # fmt: skip
def test_arrays(text: str, tasks: int | None) -> None:
    assert count_array(text) == tasks


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 9)), min_size=1, max_size=6))
def test_an_array_has_as_many_tasks_as_it_names_indexes(parts: list[tuple[int, int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}:{step}" for first, more, step in parts)
    named = {index for first, more, step in parts for index in range(first, first + more + 1, step)}
    assert count_array(text) == len(named)


@pytest.mark.parametrize(
    ("text", "count", "types"),
    [("gpu", 1, ()), ("gpu:2", 2, ()), ("gpu:a100:4", 4, (("a100", 4),)), ("gpu:a100", 1, (("a100", 1),)), ("none", 0, ()),
     ("gpu:a100:1,gpu:v100:1", 2, (("a100", 1), ("v100", 1))), ("gpu:0", 0, ()), ("gres/gpu:2", 2, ())],
)  # fmt: skip
def test_generic_resources(text: str, count: int, types: tuple[Any, ...]) -> None:
    found = read_gres(text)
    assert found is not None
    assert (found.count, found.types) == (count, types)


@pytest.mark.parametrize("text", ["gpu:a100:1,gpu:2", "gpu:a100:x", "gpu=2", "gpu:-1", "", ":2"])
def test_generic_resources_that_slurm_refuses(text: str) -> None:
    assert read_gres(text) is None


def test_gpus_by_type_or_by_number() -> None:
    two = read_gpus("a100:1,v100")
    assert two is not None
    assert (two.count, two.types) == (2, (("a100", 1), ("v100", 1)))
    assert [read_gpus(text) for text in ("a100:x", "", "-2", "2,3")] == [None] * 4


def test_nodes() -> None:
    read = [read_nodes(text) for text in ("4", "2-4", "1k", "0", "4-2", "2,3", "x")]
    assert read == [(4, 4), (2, 4), (1024, 1024), None, None, None, None]


# --- notation ----------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    ["-n4", "-n 4", "--ntasks=4", "--ntasks 4", "--ntasks='4'", '-n "4"', "-Hn4", "-n 9 -n4", "-n=4", "--ntasks=9 -n4"],
)
def test_every_spelling_of_an_option_says_the_same(options: str) -> None:
    assert asked(options).cpus == 4


def test_a_header_is_read_as_slurm_reads_it() -> None:
    request = parse(
        "#!/bin/bash\n"
        "#SBATCH -n 4 # tasks\n"
        "##SBATCH -n 5\n"
        " #SBATCH -n 6\n"
        "#SBATCH\t--job-name='a # b' --mem-per-cpu=\"2G\"\n"
        "\n"
        "# a remark\n"
        "#SBATCH -A physics -p gpu -q fast -t 5\n"
        "module load x\n"
        "#SBATCH -n 7\n",
        BENCH,
    )
    assert amounts(request) == (4, 0, 8192, 1, 300, 1)
    assert (request.account, request.partition, request.qos) == ("physics", "gpu", "fast")
    assert codes(request)[:2] == ["indented", "after_commands"]


def test_line_ends_of_other_systems_do_not_matter() -> None:
    assert parse("#!/bin/bash\r\n#SBATCH -n2\r\n#SBATCH -c3\r\necho", BENCH).cpus == 6


def test_a_command_line_may_go_on_below_and_ends_at_the_script() -> None:
    request = parse("$ sbatch -n 4 \\\n  -c 2 \\\n  job.sh -n 100 --mem=1T", BENCH)
    assert (request.cpus, request.mem_mib) == (8, 8192)


def test_the_command_line_wins_over_the_header() -> None:
    assert parse("sbatch -n 2 job.sh\n#!/bin/bash\n#SBATCH -n 9\n#SBATCH -c 3\n", BENCH).cpus == 6


def test_options_alone_are_a_command_line_too() -> None:
    assert parse("-n 2 -c 3", BENCH).cpus == 6


def test_a_beginning_that_only_one_option_has_is_enough() -> None:
    assert asked("--part=gpu").partition == "gpu"
    assert (refusal("sbatch --nod=2 x").code, refusal("sbatch --nod=2 x").option) == ("ambiguous", "--nod")


def test_options_of_later_slurms_are_listed_and_do_no_harm() -> None:
    request = asked("--tres-per-task=cpu=2 -n 3")
    assert (request.cpus, request.unknown) == (3, ("--tres-per-task",))
    assert "unknown_options" in codes(request)
    assert parse("#SBATCH --oom-kill-step 1 -n 3", BENCH).cpus == 3
    assert refusal("sbatch --new thing -n 3").code == "unclear", "thing may be its value, or the script"


@pytest.mark.parametrize(
    ("text", "code", "option", "line"),
    [
        ("", "nothing", "", 0),
        ("echo hello", "nothing", "", 0),
        ("#!/bin/bash\n#SBATCH -n x", "bad_ntasks", "-n", 2),
        ("#!/bin/bash\n\n#SBATCH --mem=lots", "bad_mem", "--mem", 3),
        ("#SBATCH -n 2 job.sh", "stray", "#SBATCH", 1),
        ("#SBATCH -n", "no_value", "-n", 1),
        ("#SBATCH --time=", "bad_time", "--time", 1),
        ("#SBATCH -A ''", "no_value", "-A", 1),
        ("#SBATCH -J 'a", "quote", "#SBATCH", 1),
        ("sbatch -J 'a", "quote", "sbatch", 1),
        ("#SBATCH -n 2\n#SBATCH hetjob\n#SBATCH -n 3", "hetjob", "hetjob", 2),
        ("sbatch -n 2 : -n 3 job.sh", "hetjob", ":", 1),
        ("#SBATCH --mem=2G\n#SBATCH --mem-per-cpu=1G", "exclusive_options", "--mem-per-cpu", 2),
        ("sbatch --mem=1G job.sh\n#SBATCH --mem-per-cpu=1G", "exclusive_options", "--mem-per-cpu", 2),
        ("sbatch -G2 --cpus-per-gpu=3 -c 8 x", "exclusive_options", "--cpus-per-gpu", 1),
        ("sbatch --gpus=3 --gpus-per-node=2 x", "gpus_do_not_fit", "--gpus", 1),
        ("sbatch -N2 --gpus=2 --gpus-per-node=2 x", "gpus_do_not_fit", "--gpus", 1),
        ("sbatch -n3 --gpus-per-task=2 --gpus=4 x", "gpus_do_not_fit_tasks", "--gpus", 1),
        ("sbatch --gpus-per-task=2 x", "gpus_per_task_alone", "--gpus-per-task", 1),
        ("sbatch -N 2 -c 4 --gpus-per-task=1 x", "gpus_per_task_alone", "--gpus-per-task", 1),
        ("sbatch --mem-per-gpu=4G -n 2 x", "mem_per_gpu_alone", "--mem-per-gpu", 1),
        ("sbatch -N1 -n 4 --ntasks-per-node=2 x", "tasks_do_not_fit", "-n", 1),
        ("sbatch -t UNLIMITED x", "unlimited", "-t", 1),
        ("sbatch -t 0 x", "unlimited", "-t", 1),
        ("sbatch -a 5-1 x", "bad_array", "-a", 1),
        ("sbatch -N 4-2 x", "bad_nodes", "-N", 1),
        ("sbatch -c 1K x", "bad_cpus-per-task", "-c", 1),
        ("sbatch -n 0x10 x", "bad_ntasks", "-n", 1),
        ("sbatch -N 999999 --mem=999999999T -t 999999-0 x", "too_large", "", 0),
    ],
)
def test_what_slurm_refuses_is_an_error_that_names_option_and_line(
    text: str, code: str, option: str, line: int
) -> None:
    error = refusal(text)
    assert (error.code, error.option, error.line) == (code, option, line)


@given(st.text(max_size=80), st.booleans())
def test_any_text_is_read_or_refused_and_never_a_traceback(text: str, header: bool) -> None:
    with contextlib.suppress(SbatchError):
        assert parse(("#SBATCH " if header else "sbatch ") + text, BENCH).cpus


# --- defaults ----------------------------------------------------------------
def test_what_is_not_said_is_one_task_on_one_cpu_of_one_node_and_unknown_memory() -> None:
    request = asked("-t 10", described=False)
    assert amounts(request) == (1, 0, 0, 1, 600, 1)
    assert codes(request) == ["memory_not_known"]


def test_a_missing_time_is_asked_for_unless_the_partition_has_one() -> None:
    assert refusal("sbatch -n 1 x", normal={"default": True}).code == "no_time"
    assert asked("-n 1").seconds == 3600
    assert "default_time" in codes(asked("-n 1"))


def test_whole_nodes_need_the_size_of_a_node() -> None:
    error = refusal("sbatch --exclusive -t 5 x", normal={"default": True})
    assert (error.code, error.option) == ("exclusive_unknown", "--exclusive")
    request = asked("--mem=0 -t 5", described=False)
    assert (request.mem_mib, codes(request)) == (0, ["whole_memory_not_known"])


def test_the_first_of_several_partitions_is_taken_and_said() -> None:
    request = asked("-p gpu,normal")
    assert (request.partition, codes(request)[0]) == ("gpu", "first_partition")
    assert "partition_not_described" in codes(asked("-p elsewhere -t 5"))


def test_a_request_larger_than_its_nodes_is_priced_and_said() -> None:
    assert "does_not_fit" in codes(asked("-N1 -n 40"))
    assert "does_not_fit" not in codes(asked("-N2 -n 40"))


# --- SLURM_PARTITIONS ----------------------------------------------------------
def test_partitions_are_read_in_slurms_own_units() -> None:
    normal = BENCH["normal"]
    assert (normal.default, normal.time, normal.mem_per_cpu, normal.mem_per_node) == (True, 3600, 1024, 131_072)
    assert read_partitions(" ") == {}


@pytest.mark.parametrize(
    ("value", "named"),
    [({"time": "soon"}, "p.time"), ({"time": "UNLIMITED"}, "p.time"), ({"mem_per_cpu": "0"}, "p.mem_per_cpu"),
     ({"mem_per_node": True}, "p.mem_per_node"), ({"cpus_per_node": 0}, "p.cpus_per_node"), ({"speed": 1}, "p.speed"),
     ({"gpus_per_node": "2"}, "p.gpus_per_node"), ({"default": 1}, "p.default"), (5, "p: an object")],
)  # fmt: skip
def test_a_partition_that_cannot_be_used_is_refused_by_its_key(value: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read_partitions(json.dumps({"p": value}))


def test_there_is_one_default_partition() -> None:
    with pytest.raises(ValueError, match=r"b\.default: a is the default"):
        read_partitions('{"a": {"default": true}, "b": {"default": true}}')
