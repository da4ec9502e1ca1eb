"""Noticing that Slurm shows us one user's jobs only: with PrivateData it hides the others without a word."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.utils.translation import gettext_noop

from core.words.said import say

if TYPE_CHECKING:
    from usage.batches import Batch


class Sight:
    """Whose jobs a run has seen, and under which accounts. ``viewer`` is the user that asks."""

    def __init__(self, viewer: str) -> None:
        self.viewer = viewer
        self.users: set[tuple[str, str]] = set()
        self.rows = 0

    def take(self, batch: Batch) -> None:
        self.rows += len(batch)
        if len(batch.jobs):
            pairs = batch.jobs.select(["username", "account"]).group_by(["username", "account"]).aggregate([])
            self.users.update(zip(pairs["username"].to_pylist(), pairs["account"].to_pylist(), strict=True))

    def narrow(self, coordinated: Collection[str] = ()) -> bool:
        """True when nothing was seen but what anybody sees: own jobs, and those of the accounts one coordinates."""
        told = bool(self.users) or not self.rows
        return told and all(user == self.viewer or account in coordinated for user, account in self.users)

    def note(self) -> str:
        words = gettext_noop(
            "Slurm showed no job but those of %(user)s, who asked, and of accounts that they coordinate. As far as "
            "Slurm says they are no operator: with PrivateData it hides the jobs of others. Let an administrator of "
            "Slurm run: sacctmgr modify user %(user)s set adminlevel=operator"
        )
        return say(words, user=self.viewer or say(gettext_noop("the token's user")))
