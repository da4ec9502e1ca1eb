"""parse: accounting text to finished columns by the program, against csv.reader and the same arithmetic in Python."""

from __future__ import annotations

from bench import generate, reference
from bench.measure import Outcome, in_turn, rows, timed


def run() -> Outcome:
    number = rows(1_000_000)
    file = generate.file_of(number)
    found: dict[str, reference.Totals] = {}

    def ours() -> float:
        return timed(lambda: found.update(ours=_ours(str(file))))

    def plain() -> float:
        return timed(lambda: found.update(plain=reference.totals(file)))

    _ours(str(generate.file_of(100)))  # libraries are loaded once, whatever is read
    taken = in_turn(ours, plain)
    assert found["ours"] == found["plain"], found
    return Outcome(
        name="parse",
        ratio=taken.ratio(lambda ours, plain: plain / ours),
        goal=4.0,
        higher_is_better=True,
        limit="csv.reader and the same integer arithmetic in plain Python",
        figures=taken.figures("ours", "plain", number)
        | {"bytes": file.stat().st_size, "totals": found["ours"]._asdict()},
    )


def _ours(path: str) -> reference.Totals:
    from zoneinfo import ZoneInfo

    import pyarrow.compute as pc

    from usage.sources.base import SourceRequest
    from usage.sources.csvfile import CsvSource

    utc = ZoneInfo("UTC")
    source = CsvSource(SourceRequest(zone_of=lambda _name: utc, cluster="cluster1", file=path))
    total = [0] * len(reference.Totals._fields)
    for batch in source.batches():
        jobs = batch.jobs
        total[0] += len(jobs)
        for place, name in enumerate(reference.Totals._fields[1:], start=1):
            total[place] += pc.sum(jobs[name]).as_py() or 0
    return reference.Totals(*total)
