"""``make run``: the web server and the periodic runner side by side, ended together."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import FrameType

PAUSE = "60"


def main(address: str) -> int:
    manage = [sys.executable, "manage.py"]
    runner = subprocess.Popen([*manage, "run_due", "--loop", "--pause", PAUSE], stdout=subprocess.DEVNULL)
    server = subprocess.Popen([*manage, "runserver", "--noreload", "--nostatic", address])

    def end(number: int, frame: FrameType | None) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        return server.wait()
    finally:
        runner.terminate()
        runner.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
