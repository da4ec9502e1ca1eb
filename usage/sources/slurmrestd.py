"""Jobs from slurmrestd's accounting endpoint, one bounded window a request.

Never from its other endpoint: that one forgets ended jobs within minutes, and tells of
running ones when they are expected to end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext_noop

from core.errors import Misconfigured, Unavailable
from core.words.said import say
from core.words.said import told as _
from usage.sources import connections
from usage.sources.base import UsageSource
from usage.sources.rest import Client
from usage.sources.restjson import read_job, text, words_of
from usage.sources.sight import Sight
from usage.sources.windows import Answer, TooMuch, walk

if TYPE_CHECKING:
    from usage.batches import Batch

KNOWN_VERSIONS = range(38, 45)
# Alone, skip_steps would (since 23.11) drop the earlier runs of requeued jobs and cut times to the window.
FLAGS = ("skip_steps", "show_duplicates", "disable_truncate_usage_time")
ALL_FLAGS_SINCE = 40
ROWS = 5000  # a job costs the daemon some 150 KB, and more than twice as long for twice as many
_JOBS_PATH = re.compile(r"/slurmdb/v0\.0\.([0-9]+)/jobs/?")
_OPERATOR = ("operator", "administrator")


class SlurmrestdSource(UsageSource):
    key = "slurmrestd"
    live = True

    def check(self) -> None:
        cluster = self.request.cluster
        if trouble := connections.trouble(cluster):
            raise Misconfigured(trouble)
        if not connections.url(cluster):
            raise Misconfigured(_("%(name)s is not set.") % {"name": "SLURMRESTD_URL"})
        if not connections.token(cluster):
            raise Misconfigured(_("%(name)s is not set.") % {"name": "SLURMRESTD_TOKEN (or SLURM_JWT)"})

    def batches(self) -> Iterator[Batch]:
        self.check()
        start, end = self.window()
        with Client(self.request.cluster, self.timeout) as client:
            try:
                version, flags = self._version(client)
            except TooMuch as why:
                raise Unavailable(why.args[0]) from why
            sight = Sight(client.user)

            def ask(at: datetime, stop: datetime) -> Answer:
                return self._answer(client, f"/slurmdb/v0.0.{version}/jobs", self._query(at, stop, flags), sight)

            yield from walk(start, end, ask, rows=ROWS, quick=client.timeout / 4)
            self._look_back(client, version, sight)

    def _look_back(self, client: Client, version: int, sight: Sight) -> None:
        """Say what a person should know of an answer that was too little."""
        if not sight.rows:  # also what a wrong --cluster looks like
            self.notes.append(say(gettext_noop("slurmrestd found no jobs at all in this window.")))
        level, coordinated = _rights(client, version)
        if level not in _OPERATOR and sight.narrow(coordinated):
            self.whole = False
            self.notes.append(sight.note())

    # --- which version, which flags -------------------------------------------
    def _version(self, client: Client) -> tuple[int, tuple[str, ...]]:
        """The newest version that both sides know (or the one that is set), and the flags it takes."""
        served = _served(client)
        wanted = connections.setting("SLURMRESTD_API_VERSION", self.request.cluster)
        if wanted:
            version = int(wanted.rpartition(".")[2])
        else:
            version = max((each for each in served if each in KNOWN_VERSIONS), default=0)
        if not version:
            theirs = ", ".join(f"v0.0.{each}" for each in sorted(served)) or _("none that could be discovered")
            words = _(
                "slurmrestd at %(where)s serves %(theirs)s; this program knows v0.0.38 to v0.0.44. "
                "SLURMRESTD_API_VERSION can name one."
            )
            raise Unavailable(words % {"where": client.url, "theirs": theirs})
        known = served.get(version)
        if known is None:
            # Not described: from v0.0.40 on all three exist; before, no flag at all is the only safe request.
            return version, FLAGS if version >= ALL_FLAGS_SINCE else ()
        return version, tuple(flag for flag in FLAGS if flag in known)

    # --- one window ------------------------------------------------------------
    def _query(self, start: datetime, end: datetime, flags: tuple[str, ...]) -> dict[str, str]:
        query = {"start_time": _uts(start), "end_time": _uts(end)} | dict.fromkeys(flags, "true")
        return query | ({"cluster": self.request.only_cluster} if self.request.only_cluster else {})

    def _answer(self, client: Client, path: str, query: dict[str, str], sight: Sight) -> Answer:
        from usage.batches import batch_of

        reply = client.get(path, query)
        if reply.missing:
            words = _(
                "slurmrestd does not serve %(version)s (404): Slurm was probably upgraded. "
                "Empty SLURMRESTD_API_VERSION to let it be discovered."
            )
            raise Unavailable(words % {"version": path.split("/")[2]})
        size = len(reply.content)
        jobs = reply.found("jobs")
        del reply
        batch = batch_of(read_job(job, cluster=self.request.cluster) for job in jobs)
        sight.take(batch)
        return Answer((batch,), small=2 * size <= settings.SLURMRESTD_MAX_BYTES)


def _served(client: Client) -> dict[int, set[str]]:
    """version -> names of the query fields of its jobs endpoint, from the daemon's own description."""
    for path in ("/openapi/v3", "/openapi"):
        reply = client.get(path)
        if reply.missing:
            continue
        found = {}
        for name, entry in (reply.json().get("paths") or {}).items():
            if match := _JOBS_PATH.fullmatch(name):
                fields = (entry.get("get") or {}).get("parameters") or []
                found[int(match[1])] = {str(field.get("name")) for field in fields}
        return found
    return {}


def _rights(client: Client, version: int) -> tuple[str, set[str]]:
    """Administrator level of the token's user and the accounts they coordinate; nothing where it cannot be learned."""
    if not client.user:
        return "", set()
    try:
        users = client.get(f"/slurmdb/v0.0.{version}/user/{quote(client.user, safe='')}").found("users")
    except (Unavailable, TooMuch):
        return "", set()
    for user in users:
        if isinstance(user, dict) and user.get("name") == client.user:
            level = " ".join(words_of(user.get("administrator_level"))).lower()
            accounts = {text(each.get("name")) for each in user.get("coordinators") or [] if isinstance(each, dict)}
            return level, accounts
    return "", set()


def _uts(moment: datetime) -> str:
    """Dates would be read in the daemon's own zone, a bare epoch is refused by 22.05."""
    return f"uts{int(moment.timestamp())}"
