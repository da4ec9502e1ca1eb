"""The key that signs heads of the audit chain: make one, show the public half, change it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from audit import heads, keys, services
from core.commands import AppCommand, file_name
from core.context import SYSTEM
from core.errors import AppError, Misconfigured, UsageError
from core.files import ORDINARY, whole_file


class Command(AppCommand):
    help = "Show the public key that signs heads of the audit chain; --new makes a key, --rotate changes to it."

    def add_options(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--new", type=file_name, metavar="FILE", help="make a key in a new file (mode 0600)")
        what.add_argument(
            "--rotate", metavar="FILE",
            help="say in AUDIT_HEADS_FILE, signed with the key in use, that the key in FILE follows",
        )  # fmt: skip
        what.add_argument("--out", type=file_name, metavar="FILE", help="write the public key as PEM, for auditors")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["new"]:
            return self._shown(keys.make_key(Path(options["new"])))
        own = keys.signing_key()
        if own is None:
            raise Misconfigured("AUDIT_SIGNING_KEY_FILE is not set; manage.py audit_key --new FILE makes a key.")
        if options["rotate"]:
            return self._rotate(own, keys.key_in(Path(options["rotate"])))
        if options["out"]:
            try:
                with whole_file(Path(options["out"]), mode=ORDINARY) as file:
                    file.write(keys.public_pem(own.public).encode())
            except OSError as error:
                raise AppError(f"The public key cannot be written: {error}") from error
        return self._shown(own)

    def _rotate(self, own: keys.SigningKey, new: keys.SigningKey) -> dict[str, Any]:
        if own == new:
            raise UsageError("This key is in use already.")
        heads.sign()
        heads.rotate(new)
        services.record(
            actor=SYSTEM, action="audit_key_rotation", target=new.id, extra={"old": own.id, "public": new.public.hex()}
        )
        return {**self._shown(new), "former": own.public.hex()}

    def _shown(self, key: keys.SigningKey) -> dict[str, Any]:
        return {"id": key.id, "public": key.public.hex()}

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"key    {result['id']}", f"public {result['public']}"]
        if "former" in result:
            lines.append("Now set AUDIT_SIGNING_KEY_FILE to the new file, and add to AUDIT_PUBLIC_KEYS:")
            lines.append(str(result["former"]))
        return "\n".join(lines)
