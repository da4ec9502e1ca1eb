"""What would a period have cost under other rates?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from billing.drafts import read_drafts
from billing.selectors.pricing.whatif import Change, simulate
from core.commands import AppCommand, day
from core.errors import BadInput, UsageError

TOP_USERS = 20
LARGEST = 1 << 20


class Command(AppCommand):
    help = "Price a past period under a draft rate table; writes nothing."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rates",
            required=True,
            metavar="FILE",
            help="JSON or CSV (tier,cpu,gpu,mem); - for stdin",
        )
        parser.add_argument("--start", type=day, metavar="D", help="first day of job ends, such as 2026-10-01")
        parser.add_argument("--end", type=day, metavar="D", help="last day, included")
        parser.add_argument(
            "--top",
            type=int,
            default=TOP_USERS,
            metavar="N",
            help=f"users shown (default {TOP_USERS})",
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            found = simulate(read_drafts(_text(options["rates"])), options["start"], options["end"])
        except BadInput as error:
            raise UsageError(error.message) from error
        return {
            "start": str(found.start or ""),
            "end": str(found.end or ""),
            "currency": found.currency,
            **_figures(found.total),
            "tiers": [_line(change) for change in found.tiers],
            "organisations": [_line(change) for change in found.organisations],
            "users": [_line(change) for change in found.users[: max(options["top"], 0)]],
            "users_total": len(found.users),
            "pay_less": found.gainers,
            "pay_more": found.losers,
        }

    def describe(self, result: dict[str, Any]) -> str:
        head = f"{'':<24} {'jobs':>9} {'current':>16} {'candidate':>16} {'difference':>16}   {result['currency']}"
        lines = [head, _row("all", result)]
        for name in ("tiers", "organisations", "users"):
            lines += ["", f"by {name.removesuffix('s')}", *(_row(row["name"], row) for row in result[name])]
        for when, name in (("now", "unpriced"), ("by the draft", "unpriced_candidate")):
            if result[name]:
                lines += ["", f"{result[name]} jobs have no price {when} (no rates, or unknown CPU time): in no sum."]
        lines += ["", f"{result['pay_less']} users would pay less, {result['pay_more']} more; nothing was written."]
        return "\n".join(lines)


def _text(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read(LARGEST)
        with Path(name).open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UsageError(f"{name} is larger than a rate table can be.")
        return content.decode()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error


def _figures(change: Change) -> dict[str, Any]:
    return {
        "jobs": change.jobs,
        "current": str(change.current),
        "candidate": str(change.candidate),
        "delta": str(change.delta),
        "unpriced": change.unpriced,
        "unpriced_candidate": change.unpriced_candidate,
    }


def _line(change: Change) -> dict[str, Any]:
    return {"name": change.name, **_figures(change)}


def _row(name: str, row: dict[str, Any]) -> str:
    return f"{name[:24]:<24} {row['jobs']:>9} {row['current']:>16} {row['candidate']:>16} {row['delta']:>16}"
