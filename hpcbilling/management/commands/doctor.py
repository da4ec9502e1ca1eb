"""Look the installation over and say in words what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.commands import AppCommand
from hpcbilling.diagnosis import examine

EXIT_CONFIGURATION = 78


class Command(AppCommand):
    help = (
        "Check database, migrations, usage source, payments, address, time zone, texts. Exit 78 when something blocks."
    )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        findings = [asdict(finding) for finding in examine()]
        problems = sum(finding["level"] == "problem" for finding in findings)
        if problems:
            self.exit_code = EXIT_CONFIGURATION
        return {"findings": findings, "problems": problems}

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"{item['level']:<8} {item['name']}: {item['message']}" for item in result["findings"]]
        return "\n".join([*lines, f"{result['problems']} blocking"])
