"""Add up what the console's front page shows."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from core.commands import AppCommand
from hpcbilling.pages import morning


class Command(AppCommand):
    help = "Add up unbilled usage and the progress of the latest months for the console's front page."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return morning.note()

    def describe(self, result: dict[str, Any]) -> str:
        currency = settings.PAYMENT_CURRENCY
        months = [
            f"{each['month'][:7]}: {'closed' if each['closed'] else _done(each['done'])}" for each in result["months"]
        ]
        return "\n".join([f"not billed: {result['jobs']} jobs, {result['cost']} {currency}", *months])


def _done(percent: int | None) -> str:
    return "nothing to bill" if percent is None else f"{percent} % billed"
