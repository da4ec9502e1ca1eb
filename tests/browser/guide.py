"""``make guide-pictures``: the pictures of ``docs/guide``, taken from the demo world in both languages."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.addresses import ARGUMENTS, CHROMIUM
from tests.browser.screenshots import PASSWORD, ROOT, demo

FOLDER = ROOT / "docs" / "images" / "guide"
COLOURS = 128  # of the palette: a picture of a page has few
# Who looks, the picture's name, the address, and what is clicked there to get on.
PICTURES = (
    ("alice", "home", "/", ""),
    ("alice", "usage", "/usage/?period=all", ""),
    ("alice", "job", "/usage/?period=all&state=COMPLETED", "tbody th a >> nth=0"),
    ("alice", "receipt", "/receipts/?status=pending", "tbody th a >> nth=0"),
    ("finance", "console", "/admin/", ""),
    ("finance", "months", "/admin/billing/closedmonth/", "#content tbody a >> nth=0"),
    ("finance", "payment", "/admin/payments/payment/", "#result_list tbody th a >> nth=0"),
)


def main() -> int:
    if not CHROMIUM.exists():
        sys.stderr.write(f"No Chromium at {CHROMIUM} (Debian: apt install chromium).\n")
        return 1
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(parents=True, exist_ok=True)
    with demo() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for language in ("en", "th"):
            for username in ("alice", "finance"):
                _take(browser, base, language, username)
        browser.close()
    return 0


def _take(browser: Any, base: str, language: str, username: str) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 820}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{base}/accounts/login/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit]")
    context.add_cookies([{"name": "django_language", "value": language, "url": base}])
    for who, name, path, click in PICTURES:
        if who == username:
            page.goto(base + path)
            if click:
                page.click(click)
                page.wait_for_load_state()
            _save(page.screenshot(), FOLDER / f"{name}.{language}.png")
    context.close()


def _save(picture: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
