"""Taking guards away in a copy of the tree, one at a time, and looking whether a test misses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import OWN_SERVER

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 900  # seconds that the tests of one guard may take; a slow machine is no proof
FAILED, PASSED = 1, 0  # exit codes of pytest; every other one says that the tests did not run
_LEFT_OUT = {
    ".venv", ".git", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", "var", "site",
    "screenshots", "staticfiles",
}  # fmt: skip
_OURS = ("PYTEST_", "DATABASE_URL", "SEED", OWN_SERVER)  # of the run that we may be part of


@dataclass(frozen=True, slots=True)
class Guard:
    """``text`` stands in ``file`` exactly once; with ``without`` in its place the guard is gone, and the program
    still runs. At least one of ``tests`` (paths with ``::``) must fail then. ``database``: where that shows."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]
    database: str = "sqlite"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` is pytest's exit code, ``output`` the end of what it said."""

    code: int
    output: str


class Copy:
    """A copy of the tree to damage. ``database_url``: None for SQLite; the name in it is used by no one else."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        path = self.root / guard.file
        whole = path.read_text()
        self._write(path, whole.replace(guard.text, guard.without))
        try:
            yield
        finally:
            self._write(path, whole)

    def run(self, tests: Sequence[str], database_url: str | None = None) -> Outcome:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        if database_url:
            environment |= {"DATABASE_URL": database_url, OWN_SERVER: "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(-1, f"no end after {LONGEST} seconds")
        return Outcome(done.returncode, (done.stdout + done.stderr)[-3000:])

    @staticmethod
    def _write(path: Path, text: str) -> None:
        """Compiled files are told apart by second and size: none of the text before may be left."""
        path.write_text(text)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


@contextmanager
def copy_of_the_tree() -> Iterator[Copy]:
    """With the migrated database that the suite keeps, so that no run migrates anew."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=_leave_out)
        kept = ROOT / ".pytest_cache"
        (root / ".pytest_cache").mkdir(exist_ok=True)
        for file in kept.glob("migrated-*.sqlite3"):
            shutil.copy(file, root / ".pytest_cache" / file.name)
        yield Copy(root)


def _leave_out(folder: str, names: list[str]) -> set[str]:
    found = {name for name in names if name in _LEFT_OUT or ".sqlite3" in name}
    return found | ({".pytest_cache"} & set(names))


def faults_of(guard: Guard) -> list[str]:
    """Why the entry is no good: its text is not there once, or a test that it names is not there."""
    found = (ROOT / guard.file).read_text().count(guard.text)
    faults = [] if found == 1 else [f"its text occurs {found} times in {guard.file}"]
    if guard.text == guard.without:
        faults.append("it takes nothing away")
    for test in guard.tests:
        path, *_classes, name = test.split("::")
        if not (ROOT / path).exists() or f"def {name.partition('[')[0]}(" not in (ROOT / path).read_text():
            faults.append(f"there is no test {test}")
    return faults
