"""The documents: written from the code where they repeat it, every link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import documents

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_says_what_the_code_says() -> None:
    assert documents.stale() == [], "run: python -m tests.documents --update"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_built_with_every_page_named_and_every_link_and_anchor_found(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site).parent for path in site.rglob("index.html")}
    assert {page for page in pages if page.name != "index"} <= built


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?(https?:)?//[^\"'> ]+[^>]*>")
    for page in site.rglob("*.html"):
        found = [m.group(0) for m in loads.finditer(page.read_text(encoding="utf-8")) if "canonical" not in m.group(0)]
        assert found == [], page


def test_links_of_the_readmes_lead_to_files() -> None:
    readmes = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *ROOT.glob("*/README.md")]
    for readme in readmes:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", readme.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (readme.parent / target).exists(), f"{readme}: {target}"
