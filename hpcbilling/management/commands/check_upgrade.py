"""Say whether the migrations that wait may run while the former version still serves."""

from __future__ import annotations

from typing import Any

from core.commands import AppCommand
from hpcbilling.upgrades import pending, unknown


class Command(AppCommand):
    help = "Look at the migrations that wait: exit 1 when one must not run while the former version still serves."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        found = [(str(migration), faults) for migration, faults in pending()]
        stopping = [words for _name, faults in found for words in faults]
        self.exit_code = 1 if stopping else 0
        return {"pending": [name for name, _faults in found], "stop_first": stopping, "unknown": unknown()}

    def describe(self, result: dict[str, Any]) -> str:
        if result["stop_first"]:
            return "\n".join(["Stop the web servers and the runner before migrate:", *result["stop_first"]])
        waiting, newer = result["pending"], result["unknown"]
        lines = [
            f"{len(waiting)} migrations wait and may run while the former version serves."
            if waiting
            else "No migration waits."
        ]
        if newer:
            lines.append(f"A newer version has migrated this database; this code does not know {', '.join(newer)}.")
        return "\n".join(lines)
