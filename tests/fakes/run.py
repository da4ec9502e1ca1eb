"""``python -m tests.fakes.run COMMAND …``: the command beside the local payment providers, set up to use them.

For ``make run``: every way to pay works in a browser, and no money moves. Does nothing but start the command
when payments are configured already (in the environment or in .env).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.fakes.providers import Providers
from tests.fakes.providers.__main__ import settings

PORT = 8100  # the first one's; the others take the next ones
BANK = {
    "ORG_BANK_NAME": "Demonstration Bank",
    "ORG_BANK_ACCOUNT": "000-0-00000-0",
    "ORG_BANK_HOLDER": "HPC Billing (demonstration)",
}


def main(command: list[str]) -> int:
    if _is_configured():
        return _run(command, {})
    site = int(os.environ.get("PORT", "8000"))
    with Providers(seed=os.getpid(), port=_free_port(len(Providers().all), site)) as fakes:
        fakes.pump.to(f"http://127.0.0.1:{site}/payments/webhooks/")
        names = ", ".join(name.capitalize() for name in fakes.all)
        sys.stdout.write(f"Local stand-ins of {names} (no money moves): {fakes.stripe.url}/\n")
        sys.stdout.flush()
        offered = {"PAYMENT_PROVIDER": ",".join(("dummy", *fakes.all, "manual"))}
        return _run(command, {**offered, **BANK, **settings(fakes)})


def _is_configured() -> bool:
    """The person who runs this has a provider of their own."""
    if os.environ.get("PAYMENT_PROVIDER"):
        return True
    dotenv = Path(".env")
    lines = dotenv.read_text(encoding="utf-8").splitlines() if dotenv.is_file() else []
    return any(line.strip().startswith("PAYMENT_PROVIDER=") for line in lines)


def _free_port(wanted: int, site: int) -> int:
    """The usual one, where it and as many neighbours as are wanted are free; or 0 for any that are. The ``site`` listens
    later than they do."""
    usual = range(PORT, PORT + wanted)
    for number in usual:
        if number == site:
            return 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                return 0
    return PORT


def _run(command: list[str], settings: dict[str, str]) -> int:
    """Run the command to its end; an interrupt goes to it first."""
    child = subprocess.Popen(command, env={**os.environ, **settings})
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal has told the child as well
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
