"""Take over exchange rates from a file or an address."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from billing.feeds import Reading
from billing.services.pricing.exchange import import_rates
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock
from core.errors import BadInput, Misconfigured, Unavailable, UsageError
from core.fetching import QUIET, Limits, NoAnswer, Why, fetch, is_address
from core.registry import load

DEADLINE = 60.0
LARGEST = 8 * 1024 * 1024  # bytes; the history of 90 days has about 100 kB


class Command(AppCommand):
    help = (
        "Import rates of the European Central Bank (or another of EXCHANGE_FEEDS) from --file or an address. What is"
        " there already stays. Exit 3: some entries were refused or differ from what is there; 69: no answer, or none"
        " that can be used."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--file", metavar="PATH", help="read this file")
        where.add_argument("--url", metavar="URL", help="ask this address (default: EXCHANGE_RATES_URL)")
        parser.add_argument("--feed", metavar="NAME", help="how to read it (default: EXCHANGE_RATES_FEED)")
        parser.add_argument("--dry-run", action="store_true", help="read and count; write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        name = options["feed"] or settings.EXCHANGE_RATES_FEED
        feed = load("EXCHANGE_FEEDS", name)
        url = options["url"] or settings.EXCHANGE_RATES_URL
        if not url and not options["file"]:
            raise Misconfigured("EXCHANGE_RATES_URL is not set; set it, or give --url or --file.")
        with run_lock("import_exchange_rates"):
            reading = _read(
                feed, _saved(options["file"]) if options["file"] else _ask(url, options), saved=options["file"]
            )
            done = import_rates(actor=SYSTEM, quotes=reading.quotes, source=name[:20], dry_run=options["dry_run"])
        if reading.refused or done.differing:
            self.exit_code = EXIT_PARTIAL
        days = sorted({quote.moment.date() for quote in reading.quotes})
        return {
            "feed": name, "first_day": str(days[0]), "last_day": str(days[-1]),
            "rates_read": len(reading.quotes) + reading.refused, "added": done.added, "unchanged": done.unchanged,
            "differing": done.differing, "refused": reading.refused, "notes": [*reading.notes, *done.notes],
        }  # fmt: skip

    def describe(self, result: dict[str, Any]) -> str:
        facts = [f"{name:<12} {value}" for name, value in result.items() if name != "notes"]
        return "\n".join([*facts, *result["notes"]])


def _read(feed: Any, body: bytes, *, saved: str | None) -> Reading:
    try:
        reading: Reading = feed(body)
    except BadInput as error:
        if saved:
            raise BadInput(f"--file {saved}: {error.message}.") from error
        raise Unavailable(f"The answer cannot be used: {error.message}.") from error
    return reading


def _saved(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            body = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--file {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(body) > LARGEST:
        raise BadInput(f"--file {path}: more than {LARGEST} bytes.")
    return body


def _ask(url: str, options: dict[str, Any]) -> bytes:
    if not is_address(url):
        name = "--url" if options["url"] else "EXCHANGE_RATES_URL"
        raise Misconfigured(f"{name}: an address such as https://rates.example.org/daily.xml is wanted.")
    try:
        return fetch(url, limits=Limits(DEADLINE, QUIET, LARGEST))
    except NoAnswer as error:
        why = {
            Why.UNREACHABLE: f"cannot be reached ({error.kind})",
            Why.STATUS: f"answered HTTP {error.status}",
            Why.LARGE: f"answered more than {LARGEST} bytes",
            Why.LATE: f"did not answer within {DEADLINE:.0f} seconds",
        }[error.why]
        raise Unavailable(f"{url} {why}.") from error
