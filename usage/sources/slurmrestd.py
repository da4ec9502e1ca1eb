"""Jobs from slurmrestd's accounting endpoint, one day a request.

The daemon builds a whole answer in memory before its first byte, so windows are
small and steps are left out. It reports most trouble inside HTTP 200 or 500 as
``errors``: an answer counts only when that list is empty.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import Misconfigured, Unavailable
from usage.records import Item
from usage.sources.base import UsageSource, WindowWalk, split_window
from usage.sources.restjson import read_job

KNOWN_VERSIONS = range(38, 45)
NOTHING_FOUND = 9003
AUTH_ERRORS = (1007,)
# Alone, skip_steps would (since 23.11) drop the earlier runs of requeued jobs and cut times to the window.
FLAGS = ("skip_steps", "show_duplicates", "disable_truncate_usage_time")
_JOBS_PATH = re.compile(r"/slurmdb/v0\.0\.([0-9]+)/jobs/?")


class SlurmrestdSource(UsageSource):
    key = "slurmrestd"
    live = True

    def check(self) -> None:
        if not settings.SLURMRESTD_URL:
            raise Misconfigured("SLURMRESTD_URL is not set.")
        if not self._token:
            raise Misconfigured("SLURMRESTD_TOKEN (or SLURM_JWT) is not set.")

    @property
    def _token(self) -> str:
        return settings.SLURMRESTD_TOKEN or settings.SLURM_JWT

    def rows(self) -> Iterator[Item]:
        self.check()
        whole = self.window()
        walk = WindowWalk(*whole)
        found = False
        with self._session() as session:
            version, flags = self._version(session)
            for start, end in split_window(*whole, days=1):
                for job in self._jobs(session, version, flags, start, end):
                    found = True
                    item = read_job(job, cluster=self.request.cluster)
                    if walk.speaks(item, start, end):
                        yield item
        if not found:  # also what a wrong --cluster looks like
            self.notes.append(_("slurmrestd found no jobs at all in this window."))

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # neither a proxy nor a netrc may see or replace the token
        session.headers["X-SLURM-USER-TOKEN"] = self._token
        if user := settings.SLURMRESTD_USER or _subject(self._token):
            session.headers["X-SLURM-USER-NAME"] = user
        verify = settings.SLURMRESTD_TLS_VERIFY
        session.verify = {"true": True, "1": True, "false": False, "0": False}.get(verify.lower(), verify)
        return session

    # --- which version, which flags -------------------------------------------
    def _version(self, session: requests.Session) -> tuple[int, tuple[str, ...]]:
        """The newest version that both sides know (or the one that is set), and the flags it takes."""
        served = self._served(session)
        wanted = settings.SLURMRESTD_API_VERSION
        if wanted:
            match = re.fullmatch(r"v?0\.0\.([0-9]+)", wanted)
            if not match:
                raise Misconfigured(f"SLURMRESTD_API_VERSION is {wanted!r}; write it as v0.0.40, or leave it empty.")
            version = int(match[1])
        else:
            version = max((each for each in served if each in KNOWN_VERSIONS), default=0)
        if not version:
            theirs = ", ".join(f"v0.0.{each}" for each in sorted(served)) or "none that could be discovered"
            raise Unavailable(
                f"slurmrestd at {settings.SLURMRESTD_URL} serves {theirs}; this program knows v0.0.38 to v0.0.44. "
                "SLURMRESTD_API_VERSION can name one."
            )
        known = served.get(version)
        if known is None:
            # Not described: from v0.0.40 on all three exist; before, no flag at all is the only safe request.
            return version, FLAGS if version >= 40 else ()  # noqa: PLR2004
        return version, tuple(flag for flag in FLAGS if flag in known)

    def _served(self, session: requests.Session) -> dict[int, set[str]]:
        """version -> names of the query fields of its jobs endpoint, from the daemon's own description."""
        for path in ("/openapi/v3", "/openapi"):
            response = self._get(session, path, {})
            if response.status_code == requests.codes.not_found:
                continue
            paths = self._json(response).get("paths") or {}
            found = {}
            for name, entry in paths.items():
                if match := _JOBS_PATH.fullmatch(name):
                    fields = (entry.get("get") or {}).get("parameters") or []
                    found[int(match[1])] = {str(field.get("name")) for field in fields}
            return found
        return {}

    # --- one window ------------------------------------------------------------
    def _jobs(
        self, session: requests.Session, version: int, flags: tuple[str, ...], start: datetime, end: datetime
    ) -> list[Any]:
        query = {"start_time": _uts(start), "end_time": _uts(end)} | dict.fromkeys(flags, "true")
        if self.request.only_cluster:
            query["cluster"] = self.request.only_cluster
        response = self._get(session, f"/slurmdb/v0.0.{version}/jobs", query)
        if response.status_code == requests.codes.not_found:
            raise Unavailable(
                f"slurmrestd does not serve v0.0.{version} (404): Slurm was probably upgraded. "
                "Empty SLURMRESTD_API_VERSION to let it be discovered."
            )
        body = self._json(response)
        if self._nothing_found(body, response.status_code):
            return []
        jobs = body.get("jobs")
        if not isinstance(jobs, list):
            raise Unavailable("slurmrestd answered JSON without a list of jobs.")
        return jobs

    def _get(self, session: requests.Session, path: str, query: dict[str, str]) -> requests.Response:
        where, seconds = settings.SLURMRESTD_URL, self.timeout or settings.SLURMRESTD_TIMEOUT
        try:
            return session.get(f"{where}{path}", params=query, timeout=seconds, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            raise Unavailable(f"slurmrestd at {where}: the TLS certificate is refused ({_reason(error)}).") from error
        except requests.exceptions.Timeout as error:
            raise Unavailable(f"slurmrestd at {where} did not answer within {seconds} seconds.") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise Unavailable(f"slurmrestd at {where} cannot be reached ({_reason(error)}).") from error

    def _json(self, response: requests.Response) -> dict[str, Any]:
        """The answer's JSON object. Raises ``Unavailable`` for everything that is not one."""
        status = response.status_code
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise Unavailable(f"slurmrestd refuses the token or the user name (HTTP {status}); renew SLURMRESTD_TOKEN.")
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        text = response.text[:200].strip()
        if text.startswith("<"):
            raise Unavailable(f"slurmrestd answered with a web page (HTTP {status}): is SLURMRESTD_URL a proxy's?")
        raise Unavailable(f"slurmrestd answered HTTP {status} without JSON: {text!r}")

    def _nothing_found(self, body: dict[str, Any], status: int) -> bool:
        """True when Slurm says that nothing matches. Raises ``Unavailable`` for any other error."""
        errors = [error for error in body.get("errors") or [] if isinstance(error, dict)]
        if errors and all(error.get("error_number") == NOTHING_FOUND for error in errors):
            return True
        if errors:
            first = errors[0]
            said = " - ".join(str(first[name]) for name in ("error", "description", "source") if first.get(name))
            code = first.get("error_number")
            if code in AUTH_ERRORS:
                raise Unavailable(f"slurmrestd: the token has expired or is refused (error {code}: {said}).")
            raise Unavailable(f"slurmrestd reports error {code}: {said} (HTTP {status}).")
        if status != requests.codes.ok:
            raise Unavailable(f"slurmrestd answered HTTP {status} without saying why.")
        return False


def _uts(moment: datetime) -> str:
    """Dates would be read in the daemon's own zone, a bare epoch is refused by 22.05."""
    return f"uts{int(moment.timestamp())}"


def _subject(token: str) -> str:
    """The user a JWT was made for; the header must name the same one. Not verified here, slurmrestd does that."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("sun") or claims.get("sub") or "")
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return ""


def _reason(error: Exception) -> str:
    """What went wrong, without the request (whose headers hold the token)."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return f"{type(cause).__name__}: {cause}"[:200]
