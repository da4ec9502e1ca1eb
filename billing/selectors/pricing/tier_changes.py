"""Whose tier a change of rules would change, before it is saved; and which rule decides for somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from django.db import transaction
from django.db.models import Count

from accounts.models import ProjectAccount, RuleKind, Tier, TierRule, User
from accounts.tiers import TierResolver, describe_reason
from core.periods import today
from usage.models import Job


@dataclass(frozen=True, slots=True)
class TierChange:
    """One user with one account on day ``on``; ``jobs`` are unbilled and will be priced by the new tier."""

    username: str
    account: str
    on: date
    before: str
    after: str
    why: str
    jobs: int


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """A rule as it looks at somebody: does it match, and is it the one that decides?"""

    rule: TierRule
    matches: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What a user with an account pays, why, and what every active rule says."""

    tier: str
    source: str
    why: str
    rules: list[RuleTrial]


def known_pairs() -> dict[tuple[str, str], int]:
    """(user, account) -> unbilled jobs: everybody with something to bill, and every user without."""
    unbilled = Job.objects.unbilled().filter(end_at__isnull=False).order_by()
    rows = unbilled.values_list("username", "account").annotate(jobs=Count("id"))
    pairs = {(username, account): jobs for username, account, jobs in rows}
    seen = {username for username, _account in pairs}
    for username in User.objects.order_by("username").values_list("username", flat=True):
        if username not in seen:
            pairs[username, ""] = 0
    return pairs


def changes_of(apply: Callable[[], object], *, days: Iterable[date] = ()) -> list[TierChange]:
    """What ``apply`` would change today and on ``days``; it is run and undone. Call it inside a transaction."""
    before = TierResolver.load(on=today())
    mark = transaction.savepoint()
    try:
        apply()
        after = TierResolver.load(on=today())
    finally:
        transaction.savepoint_rollback(mark)
    labels = {tier.pk: tier.label for tier in Tier.objects.all()}
    found = []
    for (username, account), jobs in sorted(known_pairs().items()):
        for on in sorted({today(), *days}):
            old, new = before.resolve(username, account, on), after.resolve(username, account, on)
            if old.tier != new.tier:
                why = describe_reason(new.reason)
                found.append(TierChange(username, account, on, labels[old.tier], labels[new.tier], why, jobs))
                break  # the first day says it
    return found


def try_rules(username: str, account: str) -> Trial:
    """The resolution of one pair, and the verdict of each active rule in their order."""
    resolver = TierResolver.load(on=today())
    found = resolver.resolve(username, account)
    organisation = _organisation(account)
    looks_at = {RuleKind.USER: username, RuleKind.ACCOUNT: account, RuleKind.ORGANISATION: organisation}
    trials = []
    for rule in TierRule.objects.filter(is_active=True).select_related("tier").order_by("position"):
        matches = matches_pattern(rule.pattern, looks_at[RuleKind(rule.kind)])
        decides = found.source == "rule" and found.reason.startswith(f"rule:{rule.position}:")
        trials.append(RuleTrial(rule, matches, decides))
    label = next((tier.label for tier in Tier.objects.filter(pk=found.tier)), found.tier)
    return Trial(label, found.source, describe_reason(found.reason), trials)


def who_matches(kind: str, pattern: str) -> list[tuple[str, str]]:
    """Known (user, account) pairs that a pattern would match, whatever other rules say."""
    organisations = _organisations()
    found = []
    for username, account in sorted(known_pairs()):
        looks_at = {
            RuleKind.USER: username,
            RuleKind.ACCOUNT: account,
            RuleKind.ORGANISATION: organisations.get(account.casefold(), ""),
        }
        if matches_pattern(pattern, looks_at[RuleKind(kind)]):
            found.append((username, account))
    return found


def matches_pattern(pattern: str, text: str) -> bool:
    """As ``TierResolver`` compares: case-folded, shell style; nothing matches an empty name."""
    return bool(text) and fnmatchcase(text.casefold(), pattern.casefold())


def _organisations() -> dict[str, str]:
    mapped = ProjectAccount.objects.filter(project__is_active=True, project__organisation__is_active=True)
    rows = mapped.values_list("account", "project__organisation__name")
    return {account.casefold(): name for account, name in rows}


def _organisation(account: str) -> str:
    return _organisations().get(account.casefold(), "")
