"""``make screenshots``: every page of the demo world as a picture, in both languages, narrow and wide, light and dark.

Into ``screenshots/`` (or the folder named as the argument), for people to look at; nothing is asserted here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.browser.addresses import ARGUMENTS, CHROMIUM, CONSOLE, PAGES
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "hpc-demo"
STRANGER = ["/accounts/login/", "/accounts/forgotten/", "/accounts/reset/YWxpY2U/ended/", "/verify/", "/nowhere/"]
OWN = ["/account/", "/accounts/password/", "/usage/?period=all", "/receipts/1/"]
MORE = [
    "/admin/search/?q=7",
    "/admin/payments/refund/", "/admin/payments/paymentevent/", "/admin/payments/banktransfer/",
    "/admin/billing/receipt/1/change/", "/admin/payments/payment/1/change/", "/admin/exports/usage/",
    "/admin/usage/quarantinedrow/",
]  # fmt: skip
LOOKS = [("en", 1440, "light"), ("th", 1440, "light"), ("en", 390, "light"), ("th", 390, "dark")]


def main(folder: Path) -> int:
    if not CHROMIUM.exists():
        sys.stderr.write(f"No Chromium at {CHROMIUM} (Debian: apt install chromium).\n")
        return 1
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with demo() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for language, width, theme in LOOKS:
            for username, paths in (("", STRANGER), ("alice", [*PAGES, *OWN]), ("admin", [*CONSOLE, *MORE])):
                _take(browser, base, folder, (language, width, theme), username, paths)
        browser.close()
    sys.stdout.write(f"{len(list(folder.glob('*.png')))} pictures in {folder}/\n")
    return 0


def _take(browser: Any, base: str, folder: Path, look: tuple[str, int, str], username: str, paths: list[str]) -> None:
    language, width, theme = look
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    if username:
        page.goto(f"{base}/accounts/login/")
        page.fill("#id_username", username)
        page.fill("#id_password", PASSWORD)
        page.click("main button[type=submit]")
    context.add_cookies([{"name": "django_language", "value": language, "url": base}])
    for path in paths:
        page.goto(base + path)
        name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"
        page.screenshot(path=folder / f"{name}.{language}.{width}.{theme}.png", full_page=True)
    if username and not username.startswith("admin"):  # a job of one's own
        page.goto(f"{base}/usage/?period=all")
        page.click("tbody th a >> nth=0")
        page.screenshot(path=folder / f"job.{language}.{width}.{theme}.png", full_page=True)
    context.close()


@contextmanager
def demo() -> Iterator[str]:
    """The demo world on a database and a port of its own."""
    port = free_port()
    with TemporaryDirectory() as folder:
        environment = {
            **os.environ, "DEBUG": "1", "PORT": str(port), "READ_DOT_ENV": "0", "LOG_LEVEL": "ERROR",
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        }  # fmt: skip
        manage = [sys.executable, "manage.py"]
        for command in (["migrate", "-v0"], ["seed_demo", "--if-empty"]):
            subprocess.run([*manage, *command], env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(
            [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"], env=environment, cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        base = f"http://127.0.0.1:{port}"
        try:
            for _attempt in range(100):
                with suppress(OSError), urllib.request.urlopen(f"{base}/healthz"):
                    break
                time.sleep(0.2)
            yield base
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")))
