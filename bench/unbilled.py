"""unbilled: what one user has not been billed for, among ten million jobs, as the database sees it."""

from __future__ import annotations

from bench import joblist, world
from bench.measure import Outcome, rows

LIMIT_MS = 2.0
OPEN_SHARE = 50  # one job in so many is not billed yet


def run() -> Outcome:
    number = rows(10_000_000)
    joblist.fill(number, claimed=f"CASE WHEN n / {joblist.USERS} %% {OPEN_SHARE} = 0 THEN '' ELSE 'receipt:1' END")
    from billing.selectors.jobs.unbilled import unbilled_sum

    found = joblist.measure(lambda: unbilled_sum(joblist.USER))
    world.empty()
    return Outcome(
        name="unbilled",
        ratio=found["ms"] / LIMIT_MS,
        goal=1.0,
        higher_is_better=False,
        limit=f"{LIMIT_MS:g} ms in the database for all statements of the sum",
        figures={"rows": number, "users": joblist.USERS, "unbilled_share": f"1/{OPEN_SHARE}", **found},
    )
