"""Our counters. Every label value exists from the start, so that a rate over a quiet hour is 0 and not nothing."""

from __future__ import annotations

from prometheus_client import Counter

LOGINS = Counter("hpcbilling_logins", "Sign-in attempts by result", ["result"])
LOCKOUTS = Counter("hpcbilling_lockouts", "Lockouts by event", ["event"])

for _result in ("success", "failure", "refused"):
    LOGINS.labels(result=_result)
for _event in ("start", "active", "end"):
    LOCKOUTS.labels(event=_event)
