"""Take over AI models and their prices from a LiteLLM-compatible server."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock
from core.errors import BadInput, Misconfigured, Unavailable, UsageError
from subscriptions import asking, litellm
from subscriptions.services.sync import sync_models

PREFIX = "LITELLM_"  # no other setting is sent to a server


class Command(AppCommand):
    help = (
        "Read GET /model/info of a LiteLLM-compatible server: models and changed prices are taken over, what vanished"
        " is switched off. Exit 3: some entries were refused; 69: no server, or no answer that can be used."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", metavar="URL", help="address of the server (default: LITELLM_URL)")
        parser.add_argument(
            "--key-setting", metavar="NAME", default="LITELLM_API_KEY",
            help="setting or variable that holds its key; begins with LITELLM_ (default: LITELLM_API_KEY)",
        )  # fmt: skip
        parser.add_argument("--file", metavar="PATH", help="read a saved answer instead of asking")
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        url = (options["url"] or settings.LITELLM_URL).rstrip("/")
        if not url and not options["file"]:
            raise Misconfigured("LITELLM_URL is not set; set it, or give --url or --file.")
        with run_lock("sync_models"):
            body = _saved(options["file"]) if options["file"] else asking.ask(url=url, key=_key(options["key_setting"]))
            listing = litellm.read(_entries(body, saved=bool(options["file"])))
            result = sync_models(actor=SYSTEM, listing=listing, server=url or "file", dry_run=options["dry_run"])
        if result.refused:
            self.exit_code = EXIT_PARTIAL
        return result.as_json()

    def describe(self, result: dict[str, Any]) -> str:
        counts = [f"{name:<12} {value}" for name, value in result.items() if isinstance(value, int)]
        return "\n".join([*counts, *result["notes"]])


def _entries(body: bytes, *, saved: bool) -> list[Any]:
    """Raises for an empty list, too: a key that may see no models must not switch all of them off."""
    trouble = BadInput if saved else Unavailable
    try:
        entries = litellm.parse(body)
    except BadInput as error:
        raise trouble(f"The answer cannot be used: {error.message}.") from error
    if not entries:
        raise trouble("The answer names no model at all; nothing is changed. May the key see any?")
    return entries


def _saved(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            body = file.read(asking.LARGEST + 1)
    except OSError as error:
        raise UsageError(f"--file {path}: {error.strerror or error}") from error
    if len(body) > asking.LARGEST:
        raise BadInput(f"--file {path}: more than {asking.LARGEST} bytes.")
    return body


def _key(name: str) -> str:
    if not name.startswith(PREFIX):
        raise UsageError(f"--key-setting: a name that begins with {PREFIX} is wanted.")
    if hasattr(settings, name):
        return str(getattr(settings, name))
    try:
        return str(environ.FileAwareEnv().str(name)).strip()
    except (ImproperlyConfigured, OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{name}: neither a setting nor a variable that can be read.") from error
