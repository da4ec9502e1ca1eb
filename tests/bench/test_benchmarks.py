"""Every benchmark runs, on few rows, and says what it found in one line. Whether a goal is met is for real sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from bench import generate, reference
from bench.__main__ import BENCHMARKS
from bench.measure import Outcome, Pairs, in_turn

ROOT = Path(__file__).resolve().parents[2]


def run_bench(folder: Path, *names: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BENCH_DIR": str(folder), "BENCH_ROWS": "300", "BENCH_PAIRS": "1", **variables}
    environment.pop("SLURM_CONF", None)
    return subprocess.run(
        [sys.executable, "-m", "bench", *names], cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip


@pytest.mark.postgres
def test_every_benchmark_prints_its_line(tmp_path: Path) -> None:
    settings = connection.settings_dict
    user, word = quote(settings["USER"]), quote(settings["PASSWORD"])
    host, port = settings["HOST"], settings["PORT"] or 5432
    url = f"postgres://{user}:{word}@/{host}/postgres"
    if not host.startswith("/"):
        url = f"postgres://{user}:{word}@{host}:{port}/postgres"
    done = run_bench(tmp_path, BENCH_DATABASE_URL=url)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    away = {"sacct"} | ({"pdf"} if "pdf left out: there is no Thai font here" in done.stderr else set())
    assert [each["name"] for each in found] == [name for name in BENCHMARKS if name not in away], done.stderr
    assert "sacct left out: there is no running Slurm here" in done.stderr
    for each in found:
        assert list(each) == ["name", "ratio", "goal", "higher_is_better", "ok", "limit", "figures"]
        assert (each["ratio"] > 0, each["goal"] > 0, bool(each["limit"])) == (True, True, True)
        assert isinstance(each["ok"], bool)
        assert each["figures"]["rows"] in (300, [300, 1500])


def test_an_unknown_name_is_exit_two_and_says_which_there_are(tmp_path: Path) -> None:
    done = run_bench(tmp_path, "abacus")
    assert (done.returncode, done.stdout) == (2, "")
    assert "abacus" in done.stderr
    assert "reimport" in done.stderr


def test_the_sides_take_turns_and_the_median_pair_counts() -> None:
    order: list[str] = []

    def side(name: str, seconds: list[float]) -> Callable[[], float]:
        def take() -> float:
            order.append(name)
            return seconds.pop(0)

        return take

    found = in_turn(side("a", [1, 1, 1]), side("b", [2, 9, 3]), 3)
    assert order == ["a", "b"] * 3
    assert found.ratio(lambda ours, limit: limit / ours) == 3
    assert Pairs([1.0], [4.0]).figures("import", "copy", 8)["copy_rows_per_second"] == 2


@pytest.mark.parametrize(
    ("ratio", "higher", "also", "ok"),
    [(0.5, True, True, True), (0.49, True, True, False), (0.5, False, True, True), (0.51, False, True, False),
     (0.5, True, False, False)],
)  # fmt: skip
def test_a_goal_is_met_or_not(ratio: float, higher: bool, also: bool, ok: bool) -> None:
    outcome = Outcome("x", ratio, goal=0.5, higher_is_better=higher, limit="y", also=also)
    assert json.loads(outcome.line())["ok"] is ok is outcome.ok


def test_the_text_is_the_same_each_time_and_like_a_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DIR", str(tmp_path))
    lines = generate.file_of(5000).read_text().splitlines()
    assert [lines[0], *(line.rstrip("\n") for line in generate.lines(5000))] == lines
    assert lines[0].count("|") == 19
    assert len(lines) == 1 + 5000 + 50
    assert 180 < sum(map(len, lines)) / len(lines) < 260
    text = "\n".join(lines)
    for part in ("CANCELLED by ", "gres/gpu:a100=", ",gres/gpu=1,mem", "|None|"):
        assert part in text, part
    assert reference.totals(generate.file_of(5000)).rows == 5050
