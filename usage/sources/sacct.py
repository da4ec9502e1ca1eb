"""Jobs from Slurm's own ``sacct``, one bounded window a call."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_noop

from core.errors import Misconfigured, Unavailable
from core.words.said import say
from core.words.said import told as _
from usage.sources import connections
from usage.sources.base import UsageSource
from usage.sources.lines import Lines
from usage.sources.sight import Sight
from usage.sources.text import decoded, missing_columns
from usage.sources.windows import Answer, TooMuch, walk

if TYPE_CHECKING:
    from usage.batches import Batch

# Never JobName, Comment, SubmitLine, WorkDir: they may hold the delimiter or a line break. TotalCPU is 0 with -X.
FIELDS = (
    "JobIDRaw", "JobID", "Cluster", "User", "Account", "Partition", "QOS", "Submit", "Start", "End", "ElapsedRaw",
    "ReqTRES", "AllocTRES", "NNodes", "State", "ExitCode",
)  # fmt: skip
NEEDED = frozenset(("JobIDRaw", "User", "Account", "Submit", "Start", "End", "ElapsedRaw", "AllocTRES", "State"))
DELIMITER = "\x1f"
ROWS = 50_000  # sacct holds a whole answer in memory, some 1.7 KB a row
HELP_SECONDS = 10
# slurmdbd's own limits: MaxQueryTimeRange, and of the size of a result
TOO_MUCH = re.compile("too wide of a date range|exceeds size limit", re.IGNORECASE)


class SacctSource(UsageSource):
    key = "sacct"
    live = True

    def check(self) -> None:
        """Nothing must be set: sacct finds its own slurm.conf (or SLURM_CONF)."""
        path = connections.setting("SLURM_CONF", self.request.cluster)
        if path and not os.path.isfile(path):
            name = connections.variable("SLURM_CONF", self.request.cluster)
            raise Misconfigured(_("%(name)s is %(path)r, which is no file.") % {"name": name, "path": path})

    def batches(self) -> Iterator[Batch]:
        self.check()
        program = shutil.which("sacct")
        if program is None:
            raise Unavailable(_("sacct is not installed here (it was not found on PATH)."))
        self._seconds = self.timeout or settings.SACCT_TIMEOUT
        self._said: set[str] = set()
        fields = self._fields(program)
        sight = Sight(_login())

        def ask(at: datetime, stop: datetime) -> Answer:
            return Answer(self._read(self._run(self.command(program, fields, at, stop)), sight))

        yield from walk(*self.window(), ask, rows=ROWS, quick=self._seconds / 4)
        self._look_back(sight)

    def _look_back(self, sight: Sight) -> None:
        """Say what a person should know of an answer that was too little."""
        if not sight.rows:  # also what a wrong --cluster looks like
            self.notes.append(say(gettext_noop("sacct found no jobs at all in this window.")))
        if os.geteuid() and sight.narrow() and not self._is_operator(sight.viewer):
            self.whole = False
            self.notes.append(sight.note())

    # --- which fields ------------------------------------------------------------
    def _fields(self, program: str) -> tuple[str, ...]:
        """Those of ours that this sacct has: one that it lacks would be all that it complains about."""
        try:
            with self._run([program, "--helpformat"]) as shown:
                has = shown.read().decode("utf-8", "replace").lower().split()
        except TooMuch as why:
            raise Unavailable(why.args[0]) from why
        lacking = [name for name in FIELDS if name.lower() not in has]
        if missing := [name for name in lacking if name in NEEDED]:
            words = _("This sacct cannot show %(fields)s, which billing needs: it is too old, or no sacct of Slurm.")
            raise Unavailable(words % {"fields": ", ".join(missing)})
        if lacking:
            left_out = gettext_noop("This sacct cannot show %(fields)s; left out.")
            self.notes.append(say(left_out, fields=", ".join(lacking)))
        return tuple(name for name in FIELDS if name not in lacking)

    # --- one window ----------------------------------------------------------------
    def command(self, program: str, fields: tuple[str, ...], start: datetime, end: datetime) -> list[str]:
        """-D: without it earlier runs of a requeued job, and whole jobs after an id wrap, vanish."""
        cluster = ["-M", self.request.only_cluster] if self.request.only_cluster else []
        return [
            program, "-a", "-X", "-D", "-P", f"--delimiter={DELIMITER}", *cluster,
            "-S", _stamp(start), "-E", _stamp(end), "-o", ",".join(fields),
        ]  # fmt: skip

    def _run(self, command: list[str]) -> IO[bytes]:
        """What the program printed, once it has ended well: half an answer is none. May raise ``TooMuch``."""
        output = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
        environment = _environment(connections.setting("SLURM_CONF", self.request.cluster))
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, env=environment,
                timeout=self._seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            words = _("sacct did not finish within %(seconds)s seconds and was stopped.")
            raise TooMuch(words % {"seconds": self._seconds}) from error
        except OSError as error:
            raise Unavailable(_("sacct cannot be started: %(why)s") % {"why": error.strerror or error}) from error
        said = done.stderr[:2000].decode("utf-8", "replace").strip()
        if done.returncode:
            words = _("sacct failed with exit code %(code)d: %(said)s")
            trouble = TooMuch if TOO_MUCH.search(said) else Unavailable
            raise trouble(words % {"code": done.returncode, "said": said or _("it gave no reason")})
        if not output.tell():
            raise Unavailable(_("sacct printed nothing, not even a header. %(said)s") % {"said": said})
        if said and said not in self._said:
            self._said.add(said)
            self.notes.append(say(gettext_noop("sacct said: %(said)s"), said=said[:300]))
        output.seek(0)
        return output

    def _read(self, output: IO[bytes], sight: Sight) -> Iterator[Batch]:
        from usage.sources.blocks import TextReader

        with output:
            lines = Lines(output)
            header = decoded(lines.next() or b"")
            names = header.split(DELIMITER)
            if missing := missing_columns(names):
                words = _("sacct answered something else than a table (%(text)r; no %(column)s).")
                raise Unavailable(words % {"text": header[:200], "column": missing[0]})
            self.columns, self.delimiter = names, DELIMITER
            reader = TextReader(
                header, DELIMITER, quoted=False, cluster=self.request.cluster, zone_of=self.request.zone_of
            )
            for batch in reader.batches(lines):
                sight.take(batch)
                yield batch

    def _is_operator(self, user: str) -> bool:
        """Whether Slurm says that the user may see everybody's jobs; no where it cannot be asked."""
        program = shutil.which("sacctmgr")
        if program is None:
            return False
        environment = _environment(connections.setting("SLURM_CONF", self.request.cluster))
        command = [program, "-nP", "show", "user", user, "format=AdminLevel"]
        try:
            done = subprocess.run(command, capture_output=True, env=environment, timeout=HELP_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.stdout.decode("utf-8", "replace").strip().lower() in ("operator", "administrator")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _login() -> str:
    """Name of the system's user that this process runs as; its number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _environment(slurm_conf: str) -> dict[str, str]:
    """UTC and epoch times, whatever the caller's shell says: sacct prints local time without a zone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SACCT_", "SLURM_TIME"))}
    if slurm_conf:
        kept["SLURM_CONF"] = slurm_conf
    return kept | {"TZ": "UTC", "SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
