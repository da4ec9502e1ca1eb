"""Posting: what documents and money mean, written into the journal in sets. Doing it twice posts nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from billing.ledger.entries import Unbalanced, make_entry
from billing.ledger.facts import Fact, Look, Source
from billing.models import Invoice, JournalEntry, JournalPosting, JournalState, Receipt
from billing.selectors.journal import differences_of, open_from, posted_to, sources
from core.context import Actor
from core.database.locks import lock_for_transaction, run_lock
from core.errors import Busy

LOCK = "journal"
# A transaction may commit long after the moment that it writes on its rows.
OVERLAP = timedelta(hours=1)
MOST_AT_FIRST = 5000


@dataclass(slots=True)
class Posting:
    """``by_kind`` counts the entries; ``refused`` says which documents do not add up, so that nothing of them can be
    posted."""

    entries: int = 0
    refused: list[str] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)
    last_day: date | None = None


def post_journal(*, actor: Actor, full: bool = False, dry_run: bool = False) -> Posting:
    """Make the journal say what documents, payments and fees say. ``full`` looks at every row, else at those that are
    new or changed since the last run. What has changed since it was posted gets an entry of the difference.

    A document that does not add up is left out and told of; ``check_books`` names it, too. Handful by handful, each in
    a transaction of its own: what was posted stays posted when a later one fails.
    """
    began, before = timezone.now(), posted_to()
    look = Look(full=full or before is None, since=before - OVERLAP if before else None)
    done = Posting()
    with transaction.atomic() if dry_run else _Nothing():
        for source in sources():
            for facts in source.facts(look):
                _post(actor, source, facts, done)
        if dry_run:
            transaction.set_rollback(True)
            return done
        _finish(actor, began, done)
    return done


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


@transaction.atomic
def _post(actor: Actor, source: Source, facts: Sequence[Fact], done: Posting) -> None:
    lock_for_transaction(LOCK)
    first, entries, postings = open_from(), [], []
    for found in differences_of(source, facts):
        try:
            entry, pairs = make_entry(
                found.fact, found.sides, sequence=found.posted.sequence + 1, open_from=first, by=actor.name,
                reverses=found.reverses,
            )  # fmt: skip
        except Unbalanced as error:
            done.refused.append(f"{found.fact.kind} {found.fact.document or found.fact.source_id}: {error}")
            continue
        entries.append(entry)
        postings += pairs
    JournalEntry.objects.bulk_create(entries, batch_size=1000)
    JournalPosting.objects.bulk_create(postings, batch_size=1000)
    done.entries += len(entries)
    done.by_kind.update(str(entry.kind) for entry in entries)
    done.last_day = max((entry.date for entry in entries), default=done.last_day)


@transaction.atomic
def _finish(actor: Actor, began: datetime, done: Posting) -> None:
    JournalState.objects.update_or_create(pk=1, defaults={"posted_to": began})
    if done.entries:
        audit.record(
            actor=actor, action="journal_post", target="journal",
            extra={"entries": done.entries, "by_kind": dict(sorted(done.by_kind.items()))},
        )  # fmt: skip


def catch_up(*, actor: Actor) -> None:
    """Before something is read of the journal: post what has come since. Another run that is at it is not waited for,
    and a first posting of many documents is left to ``post_journal``, which nobody waits for with a page open."""
    if posted_to() is None and Invoice.objects.count() + Receipt.objects.count() > MOST_AT_FIRST:
        return
    with suppress(Busy), run_lock("post_journal"):
        post_journal(actor=actor)
