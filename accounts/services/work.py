"""Long work: asked for on a page, claimed in the database, done by whatever runner comes next."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import WORK_TRANSITIONS, User, Work, WorkPiece, WorkStatus
from audit import services as audit
from core.context import Actor
from core.errors import AppError, BadInput, Busy, Conflict
from core.registry import load
from core.states import transition
from core.words.said import to_store

logger = logging.getLogger("accounts.work")
LEASE = timedelta(minutes=10)
TRIES = 2  # a runner that dies once may have been restarted; the same work that kills two is not begun again
MOST_OPEN = 5  # of one person
KEPT = timedelta(days=7)
PIECE = 1 << 20
EVERY = 1.0  # seconds between two notes of progress
MOST_ERRORS = 50
MOST_LOOKED_AT = 100  # works of one person and kind, for one that is the same


class TakenOver(Exception):
    """Another runner has this work now: the claim of this one ran out."""


class TooMuch(Busy):
    code = "too_much_work"
    exit_code = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a work came to: ``result`` for its page, ``errors`` one line each, the file's name where it made one."""

    result: dict[str, Any]
    errors: Iterable[str] = ()
    file_name: str = ""


class Report:
    """What a kind of work tells while it runs. Called outside of transactions, or nobody sees it before they end."""

    def __init__(self, work: Work) -> None:
        self.work, self._last, self._piece = work, 0.0, 0

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """At most once a second it is written down, and the runner keeps its claim for another while."""
        now = time.monotonic()
        if now - self._last < EVERY:
            return
        self._last = now
        self._hold(done=done, percent=min(99, done * 100 // total) if total else None, note=note[:200])

    def _hold(self, **told: Any) -> None:
        """Keep the claim. Raises ``TakenOver``: whoever lost it writes nothing more."""
        if not _held(self.work).update(claimed_until=timezone.now() + LEASE, **told):
            raise TakenOver

    def write(self, parts: Iterable[bytes]) -> int:
        """Keep the file that is made, piece by piece. Its length in bytes."""
        buffer, length = bytearray(), 0
        for part in parts:
            buffer += part
            while len(buffer) >= PIECE:
                self._keep(bytes(buffer[:PIECE]))
                length += PIECE
                del buffer[:PIECE]
        if buffer:
            self._keep(bytes(buffer))
        return length + len(buffer)

    @transaction.atomic
    def _keep(self, data: bytes) -> None:
        self._hold()
        WorkPiece.objects.create(work=self.work, number=self._piece, data=data)
        self._piece += 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a work comes from: the address of what it is about, and the one that takes the same order again by POST."""

    about: str
    again: str


@dataclass(frozen=True, slots=True)
class Kind:
    """``run`` does it, and may be run again after a runner died half way: it must be safe to repeat. ``permission`` is
    needed when it is run, not only when it was asked for. ``page`` names the address that shows what came of it, given
    ``?work=`` and its number; without one, a file that was made is to be fetched. ``title`` makes its title of what
    was asked for. ``allowed`` says whether its owner may still see what it is about: without that it is not run, and
    its file is not given out. ``place`` says where it comes from."""

    label: str | Promise
    run: Callable[[Work, Report], Outcome]
    permission: str = ""
    page: str = ""
    title: Callable[[Work], str] | None = None
    allowed: Callable[[Work], bool] | None = None
    place: Callable[[Work], Place] | None = None


def title_of(work: Work) -> str:
    """What it is, in the language of the reader; works of before kept the words of whoever asked."""
    try:
        told = kind_of(work.kind).title
        return told(work) if told else work.title
    except (AppError, LookupError, ValueError):
        return work.title


def kind_of(name: str) -> Kind:
    found: Kind = load("WORK_KINDS", name)
    return found


@transaction.atomic
def start_work(
    *, actor: Actor, kind: str, title: str, parameters: dict[str, Any], upload: Iterable[bytes] = (), once: bool = False
) -> Work:
    """Queue it. ``upload`` is kept with it. ``once``: the same order of the same person while it is under way is the
    work that there is. Raises ``TooMuch`` when the person has enough under way."""
    owner = User.objects.select_for_update().get(pk=actor.name)
    kind_of(kind)
    if once and (same := find_work(owner=actor.name, kind=kind, parameters=parameters)):
        return same
    if Work.objects.filter(owner=owner, status__in=(WorkStatus.QUEUED, WorkStatus.RUNNING)).count() >= MOST_OPEN:
        raise TooMuch(_("%(n)d works of yours are under way. Wait until one of them has ended.") % {"n": MOST_OPEN})
    work = Work.objects.create(
        kind=kind, title=title[:200], owner=owner,
        parameters={**parameters, "language": translation.get_language() or ""},
    )  # fmt: skip
    for number, part in enumerate(upload):
        WorkPiece.objects.create(work=work, is_input=True, number=number, data=part)
    audit.record(actor=actor, action="work_start", target=str(work.pk), entity=work, extra={"kind": kind, **parameters})
    return work


def find_work(*, owner: str, kind: str, parameters: dict[str, Any], kept: bool = False) -> Work | None:
    """The newest work of this order that is under way; ``kept``: or whose file is still here."""
    wanted = Q(status__in=(WorkStatus.QUEUED, WorkStatus.RUNNING))
    if kept:
        wanted |= Q(status=WorkStatus.DONE, finished_at__gte=timezone.now() - KEPT) & ~Q(file_name="")
    rows = Work.objects.filter(wanted, owner_id=owner, kind=kind).order_by("-pk")[:MOST_LOOKED_AT]
    return next((row for row in rows if {**row.parameters, "language": ""} == {**parameters, "language": ""}), None)


def cancel_work(*, actor: Actor, work: Work) -> bool:
    """Take it back while nobody has begun it. Raises ``Conflict`` afterwards."""
    with transaction.atomic():
        work.refresh_from_db()
        if work.status not in (WorkStatus.QUEUED, WorkStatus.CANCELED):
            raise Conflict(_("It has begun already."))
        moved = transition(work, WorkStatus.CANCELED, table=WORK_TRANSITIONS, finished_at=timezone.now())
        if moved:
            WorkPiece.objects.filter(work=work).delete()
            audit.record(actor=actor, action="work_cancel", target=str(work.pk), entity=work)
    return moved


def run_next() -> Work | None:
    """Do the oldest work that waits, or whose runner died; None when there is none. Several runners share them."""
    work = _claim()
    if work is None:
        return None
    if work.attempts > TRIES:
        _end(work, WorkStatus.FAILED, Outcome({}, [_("The program ended while this ran, twice. Start it anew.")]))
        return work
    try:
        with translation.override(work.parameters.get("language") or None):
            outcome = _run(work)
    except TakenOver:
        logger.warning("work %s was taken over by another runner", work.pk)
    except AppError as error:
        _end(work, WorkStatus.FAILED, Outcome({}, [error.message]))
    except Exception:
        logger.exception("work %s failed", work.pk)
        _end(work, WorkStatus.FAILED, Outcome({}, [_("Something went wrong; the log of the server says what.")]))
    else:
        _end(work, WorkStatus.DONE, outcome)
    return work


def _run(work: Work) -> Outcome:
    kind, owner = kind_of(work.kind), work.owner
    if not owner.is_active or (kind.permission and not owner.has_perm(kind.permission)) or not may_see(work):
        raise BadInput(_("Whoever asked for this may not do it any more."))
    return kind.run(work, Report(work))


def may_see(work: Work) -> bool:
    """Whether its owner may still see what it is about."""
    allowed = kind_of(work.kind).allowed
    return allowed is None or allowed(work)


def _held(work: Work) -> QuerySet[Work]:
    """The work, while this claim of it stands."""
    return Work.objects.filter(pk=work.pk, status=WorkStatus.RUNNING, attempts=work.attempts)


def _claim() -> Work | None:
    now = timezone.now()
    free = Q(status=WorkStatus.QUEUED) | Q(status=WorkStatus.RUNNING, claimed_until__lt=now)
    for pk, attempts in Work.objects.filter(free).order_by("pk").values_list("pk", "attempts")[:20]:
        mine = Work.objects.filter(free, pk=pk, attempts=attempts)
        if mine.update(
            status=WorkStatus.RUNNING, attempts=attempts + 1, claimed_until=now + LEASE, started_at=now, done=0,
            percent=None, note="",
        ):  # fmt: skip
            WorkPiece.objects.filter(work_id=pk, is_input=False).delete()  # of a runner that died half way
            return Work.objects.get(pk=pk)
    return None


@transaction.atomic
def _end(work: Work, status: WorkStatus, outcome: Outcome) -> None:
    errors = to_store(list(outcome.errors))
    if not _held(work).select_for_update().exists():
        return
    moved = transition(
        work, status, table=WORK_TRANSITIONS, finished_at=timezone.now(), result=outcome.result,
        errors=errors[:MOST_ERRORS], file_name=outcome.file_name, percent=100 if status == WorkStatus.DONE else None,
        claimed_until=None, note="",
    )  # fmt: skip
    if moved:
        forget_files()
        left = WorkPiece.objects.filter(work=work)
        (left if status == WorkStatus.FAILED else left.filter(is_input=True)).delete()
        audit.record(
            actor=Actor(str(work.owner_id)), action=f"work_{status}", target=str(work.pk), entity=work,
            extra={"kind": work.kind, "errors": len(errors), **outcome.result},
        )  # fmt: skip


def has_file(work: Work) -> bool:
    """There is a file, and it is not older than files are kept."""
    ended = work.finished_at
    done = work.status == WorkStatus.DONE and bool(work.file_name) and ended is not None
    return done and ended is not None and ended >= timezone.now() - KEPT


def pieces(work: Work, *, is_input: bool = False) -> Iterator[bytes]:
    """The upload or the file, one piece in memory at a time."""
    rows = WorkPiece.objects.filter(work=work, is_input=is_input).order_by("number")
    for number in rows.values_list("number", flat=True):
        yield bytes(rows.get(number=number).data)


def forget_files() -> int:
    """Delete the files of works that ended a week ago; the works stay."""
    old = Work.objects.filter(finished_at__lt=timezone.now() - KEPT).exclude(file_name="")
    ids = list(old.values_list("pk", flat=True)[:1000])
    WorkPiece.objects.filter(work__in=ids).delete()
    return Work.objects.filter(pk__in=ids).update(file_name="")
