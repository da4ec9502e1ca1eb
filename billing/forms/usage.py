"""What people may ask of the pages: windows, filters, a job to price."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models.users import fold_username
from accounts.projects import LedProject
from billing.selectors.jobs.choices import Choices
from billing.selectors.jobs.usage import UsageFilter
from core.periods import fiscal_year_start, month_start, previous_month, today

# Outside these years a day may have no instant in UTC, and no Slurm record is that old or that new.
_SENSIBLE = [MinValueValidator(date(1990, 1, 1)), MaxValueValidator(date(2199, 12, 31))]
PERIODS = {
    "7": _("Last 7 days"),
    "month": _("This month"),
    "last": _("Last month"),
    "90": _("Last 90 days"),
    "year": _("This fiscal year"),
    "all": _("All time"),
}
BILLED = {"yes": _("On a receipt"), "no": _("Not on a receipt")}
DEFAULT_PERIOD = "90"


def period_days(period: str) -> tuple[date | None, date | None]:
    """First and last day of a preset; ``all`` is open on both sides."""
    now = today()
    if period == "month":
        return month_start(now), now
    if period == "last":
        return previous_month(now), month_start(now) - timedelta(days=1)
    if period in ("7", "90"):
        return now - timedelta(days=int(period) - 1), now
    if period == "year":
        return fiscal_year_start(now, settings.FISCAL_YEAR_START_MONTH), now
    return None, None


def _day_field(label: Any) -> forms.DateField:
    # input_formats: the browser's date field sends ISO days, whatever the language of the page.
    return forms.DateField(
        label=label,
        required=False,
        input_formats=["%Y-%m-%d"],
        validators=_SENSIBLE,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": _("Write the day as 2026-10-31.")},
    )


class WindowForm(forms.Form):
    """A window of whole days; either side may stay open."""

    start = _day_field(_("From"))
    end = _day_field(_("To"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("start") and data.get("end") and data["end"] < data["start"]:
            self.add_error("end", _("The window ends before it begins."))
        return data


class UsageForm(WindowForm):
    """The filter of the usage page, read from the URL. What is not valid is reported, and nothing is shown."""

    period = forms.ChoiceField(label=_("Period"), required=False, choices=[("", ""), *PERIODS.items()])
    user = forms.CharField(label=_("Member"), required=False, max_length=120)
    cluster = forms.CharField(label=_("Cluster"), required=False, max_length=64)
    account = forms.CharField(label=_("Account"), required=False, max_length=120)
    partition = forms.CharField(label=_("Partition"), required=False, max_length=255)
    state = forms.CharField(label=_("State"), required=False, max_length=40)
    billed = forms.ChoiceField(
        label=_("Billed"),
        required=False,
        choices=[("", _("Any")), *BILLED.items()],
    )
    q = forms.CharField(
        label=_("Job id or name"), required=False, max_length=80, widget=forms.TextInput(attrs={"type": "search"})
    )

    def offer(self, choices: Choices) -> None:
        """Turn the exact filters into lists of what occurs in the window; what is chosen stays to be seen."""
        for name, values, any_label in (
            ("user", choices.members, _("All members")),
            ("cluster", choices.clusters, _("All clusters")),
            ("account", choices.accounts, _("All accounts")),
            ("partition", choices.partitions, _("All partitions")),
            ("state", choices.states, _("All states")),
        ):
            chosen = str(self.cleaned_data.get(name) or "")
            known = values if not chosen or chosen in values else sorted([*values, chosen])
            self.fields[name].widget = forms.Select(choices=[("", any_label), *((value, value) for value in known)])

    @property
    def chosen_period(self) -> str:
        """The preset in force, also when its days are given by name; empty for any other days."""
        data = self.cleaned_data
        given = data.get("start"), data.get("end")
        if any(given):
            return next((period for period in PERIODS if period_days(period) == given), "")
        return data.get("period") or DEFAULT_PERIOD

    def days(self) -> tuple[date | None, date | None]:
        if period := self.chosen_period:
            return period_days(period)
        return self.cleaned_data.get("start"), self.cleaned_data.get("end")

    def show_days(self) -> None:
        """Let the fields of the days show what the preset in force means."""
        start, end = self.days()
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["start"], data["end"] = str(start or ""), str(end or "")
        self.data = data

    def errors_in_words(self) -> str:
        return "\n".join(
            f"{self.fields[name].label or name}: {error}" for name, errors in self.errors.items() for error in errors
        )

    def usage_filter(self, username: str, *, billed: str = "", project: LedProject | None = None) -> UsageFilter:
        """Of the user's own jobs; of a project's jobs, whose user may be chosen."""
        self.is_valid()
        start, end = self.days()
        data = self.cleaned_data
        return UsageFilter(
            username=fold_username(data.get("user", "")) or None if project else username,
            accounts=project.accounts if project else None,
            start=start,
            end=end,
            cluster=data.get("cluster", ""),
            account=data.get("account", ""),
            partition=data.get("partition", ""),
            state=data.get("state", ""),
            billed=billed or data.get("billed", ""),
            query=data.get("q", "").strip(),
        )
