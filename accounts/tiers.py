"""Which tier a (user, Slurm account) pays: read the rules once, then answer any number of times without a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import fnmatchcase

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import BillingMode, ProjectAccount, RuleKind, TierOverride, TierRule
from accounts.models.users import fold_username


@dataclass(frozen=True, slots=True)
class Resolution:
    """``tier`` code; ``source`` organisation, override, rule or default; ``reason`` as ``describe_reason`` reads it.

    A reason is stored on documents, so it holds no language: ``default``, ``override:alice``,
    ``organisation:Name``, ``rule:10:account:physics*``.
    """

    tier: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    position: int
    kind: str
    pattern: str
    tier: str


@dataclass(frozen=True, slots=True)
class Override:
    """A user's tier from a day to a day, both included; None is open."""

    tier: str
    since: date | None = None
    until: date | None = None

    def holds(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class TierResolver:
    """Order: the organisation behind the account, the user's override, the first matching rule, the default.

    Names are compared case-folded. ``organisations`` maps an account to the
    organisation of its active project and that organisation's own tier ("" if none);
    ``invoiced`` are the accounts of organisations that get invoices, active or not, ``tests`` those of test clocks.
    Overrides are dated and answer for the day that is asked about (``on`` unless told);
    a dated one beats an open one, the later start beats the earlier: they stand last and win.
    """

    on: date
    organisations: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    overrides: Mapping[str, Sequence[Override]] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    default: str = ""
    invoiced: Sequence[str] = ()
    tests: Sequence[str] = ()

    @classmethod
    def load(cls, on: date) -> TierResolver:
        """Everything that decides: three queries, whatever the number of jobs."""
        organisation = "project__organisation__"
        mapped = list(ProjectAccount.objects.values_list(
            "account", f"{organisation}name", f"{organisation}tier", f"{organisation}billing_mode",
            f"{organisation}is_active", "project__is_active", f"{organisation}test_clock",
        ))  # fmt: skip
        overrides: dict[str, list[Override]] = {}
        rows = TierOverride.objects.values_list("username", "tier", "valid_from", "valid_until")
        for username, tier, since, until in sorted(rows, key=lambda row: row[2] or date.min):
            overrides.setdefault(fold_username(username), []).append(Override(tier, since, until))
        rules = TierRule.objects.filter(is_active=True).order_by("position")
        return cls(
            on=on,
            organisations={row[0].casefold(): (row[1], row[2] or "") for row in mapped if all(row[4:6])},
            overrides=overrides,
            rules=[Rule(*row) for row in rules.values_list("position", "kind", "pattern", "tier")],
            default=settings.DEFAULT_TIER,
            invoiced=[row[0] for row in mapped if row[3] == BillingMode.INVOICES],
            tests=[row[0] for row in mapped if row[6] is not None],
        )

    def resolve(self, username: str, account: str, on: date | None = None) -> Resolution:
        user, slurm_account = fold_username(username), account.casefold()
        organisation, own_tier = self.organisations.get(slurm_account, ("", ""))
        if own_tier:
            return Resolution(own_tier, "organisation", f"organisation:{organisation}")
        held = [override.tier for override in self.overrides.get(user, ()) if override.holds(on or self.on)]
        if held:
            return Resolution(held[-1], "override", f"override:{user}")
        looks_at = {RuleKind.USER: user, RuleKind.ACCOUNT: slurm_account, RuleKind.ORGANISATION: organisation}
        for rule in self.rules:
            text = looks_at[RuleKind(rule.kind)].casefold()
            if text and fnmatchcase(text, rule.pattern.casefold()):
                return Resolution(rule.tier, "rule", f"rule:{rule.position}:{rule.kind}:{rule.pattern}")
        return Resolution(self.default, "default", "default")

    def changes_of(self, username: str) -> list[date]:
        """Days on which the user's overrides begin or have ended: the tier may differ from the day before."""
        overrides = self.overrides.get(fold_username(username), ())
        begins = {override.since for override in overrides if override.since}
        return sorted(begins | {override.until + timedelta(days=1) for override in overrides if override.until})


def describe_reason(reason: str) -> str:
    """A stored reason in the reader's language; text of no known form stays as it is."""
    source, _colon, rest = reason.partition(":")
    if source == "rule":
        return _describe_rule(reason)
    words = {
        "default": _("default tier"),
        "override": _("set for user %(name)s"),
        "organisation": _("organisation %(name)s"),
    }
    return words[source] % {"name": rest} if source in words else reason


def _describe_rule(reason: str) -> str:
    position, kind, pattern = reason.split(":", 3)[1:]
    words = {
        RuleKind.USER: _("rule %(position)s: user %(pattern)s"),
        RuleKind.ACCOUNT: _("rule %(position)s: account %(pattern)s"),
        RuleKind.ORGANISATION: _("rule %(position)s: organisation %(pattern)s"),
    }
    return words[RuleKind(kind)] % {"position": position, "pattern": pattern}
