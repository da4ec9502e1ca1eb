"""Jobs from Slurm's own ``sacct``, one bounded window a call."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings

from core.errors import Unavailable
from usage.records import Item
from usage.sources.base import UsageSource, WindowWalk, split_window
from usage.sources.text import RowReader, missing_columns

# Never JobName, Comment, SubmitLine, WorkDir: they may hold the delimiter or a line break. TotalCPU is 0 with -X.
FIELDS = (
    "JobIDRaw", "JobID", "Cluster", "User", "Account", "Partition", "QOS", "Submit", "Start", "End", "ElapsedRaw",
    "ReqTRES", "AllocTRES", "NNodes", "State", "ExitCode",
)  # fmt: skip
DELIMITER = "\x1f"
DAYS = 30  # sacct holds a whole answer in memory
SECONDS = 600


class SacctSource(UsageSource):
    key = "sacct"
    live = True

    def check(self) -> None:
        """Nothing must be set: sacct finds its own slurm.conf (or SLURM_CONF)."""

    def rows(self) -> Iterator[Item]:
        program = shutil.which("sacct")
        if program is None:
            raise Unavailable("sacct is not installed here (it was not found on PATH).")
        whole = self.window()
        walk = WindowWalk(*whole)
        for start, end in split_window(*whole, days=DAYS):
            for item in self._window_rows(program, start, end):
                if walk.speaks(item, start, end):
                    yield item

    def command(self, program: str, start: datetime, end: datetime) -> list[str]:
        """-D: without it earlier runs of a requeued job, and whole jobs after an id wrap, vanish."""
        cluster = ["-M", self.request.only_cluster] if self.request.only_cluster else []
        return [
            program, "-a", "-X", "-D", "-P", f"--delimiter={DELIMITER}", *cluster,
            "-S", _stamp(start), "-E", _stamp(end), "-o", ",".join(FIELDS),
        ]  # fmt: skip

    def _window_rows(self, program: str, start: datetime, end: datetime) -> Iterator[Item]:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.command(program, start, end), stdout=subprocess.PIPE, stderr=errors, env=_environment()
            )
            timed_out = threading.Event()

            def stop() -> None:
                timed_out.set()
                process.kill()

            seconds = self.timeout or SECONDS
            timer = threading.Timer(seconds, stop)
            timer.start()
            try:
                yield from self._parse(process)
                process.wait()
            finally:
                timer.cancel()
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            if timed_out.is_set():
                raise Unavailable(f"sacct did not finish within {seconds} seconds and was stopped.")
            errors.seek(0)
            self._check_end(process.returncode, errors.read(2000).decode("utf-8", "replace").strip())

    def _parse(self, process: subprocess.Popen[bytes]) -> Iterator[Item]:
        reader: RowReader | None = None
        for number, line in enumerate(process.stdout or (), start=1):
            text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
            cells = text.split(DELIMITER)
            if reader is not None:
                yield reader.read(cells, text.encode("utf-8", "backslashreplace").decode(), number)
            elif missing := missing_columns(cells):
                raise Unavailable(f"sacct answered something else than a table ({text[:200]!r}; no {missing[0]}).")
            else:
                reader = RowReader(cells, cluster=self.request.cluster, zone_of=self.request.zone_of)
        self._saw_header = reader is not None

    def _check_end(self, code: int, errors: str) -> None:
        if code:
            raise Unavailable(f"sacct failed with exit code {code}: {errors or 'it gave no reason'}")
        if not self._saw_header:
            raise Unavailable(f"sacct printed nothing, not even a header. {errors}".strip())
        if errors:
            self.notes.append(f"sacct said: {errors[:300]}")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _environment() -> dict[str, str]:
    """UTC and epoch times, whatever the caller's shell says: sacct prints local time without a zone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SACCT_", "SLURM_TIME"))}
    if settings.SLURM_CONF:
        kept["SLURM_CONF"] = settings.SLURM_CONF
    return kept | {"TZ": "UTC", "SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
