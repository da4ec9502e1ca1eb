"""Forms of the alert pages: one a kind of rule, with the fields that it needs and no others."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.membership import Person
from accounts.models import Organisation, Project
from accounts.webhook_reach import own_endpoints, own_organisations
from usage.alerts.reach import watchable_projects
from usage.models import AlertPeriod, AlertRule, AlertType, Operator

ME = "me"
CHANNELS = {
    "email": gettext_lazy("E-mail"), "webhook": gettext_lazy("Webhook"), "email webhook": gettext_lazy("Both"),
}  # fmt: skip
KINDS: dict[str, str | Promise] = {
    AlertType.USAGE_THRESHOLD.value: gettext_lazy("Usage against a threshold"),
    AlertType.COST_THRESHOLD.value: gettext_lazy("Cost against a threshold"),
    AlertType.USAGE_SPIKE.value: gettext_lazy("Sudden rise of usage"),
    AlertType.UNUSUAL_PATTERN.value: gettext_lazy("Unusual pattern"),
}
OF_METRIC = ("metric_name", "unit")
FIELDS = {
    AlertType.USAGE_THRESHOLD: (*OF_METRIC, "threshold_operator", "threshold_value", "comparison_period"),
    AlertType.COST_THRESHOLD: ("threshold_operator", "threshold_value", "comparison_period"),
    AlertType.USAGE_SPIKE: (
        *OF_METRIC, "spike_threshold_percent", "comparison_period", "spike_comparison_period", "threshold_value",
    ),
    AlertType.UNUSUAL_PATTERN: (*OF_METRIC, "comparison_period", "threshold_value"),
}  # fmt: skip
TELLING = ("channels", "recipient_email", "webhook", "cooldown_minutes", "description")


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom somebody may watch: themselves, organisations, projects; by the value of the field ``subject``."""

    username: str
    organisations: dict[str, Organisation]
    projects: dict[str, Project]

    @classmethod
    def of(cls, user: Person) -> Subjects:
        organisations = {f"organisation:{row.uuid}": row for row in own_organisations(user).order_by("name")}
        projects = {f"project:{row.uuid}": row for row in watchable_projects(user).order_by("organisation", "name")}
        return cls(user.get_username(), organisations, projects)

    @property
    def choices(self) -> list[tuple[str, str]]:
        mine = (ME, _("My own jobs (%(name)s)") % {"name": self.username})
        rows = [(key, row.name) for key, row in self.organisations.items()]
        return [mine, *rows, *((key, f"{row.name} ({row.organisation.name})") for key, row in self.projects.items())]

    def fields(self, chosen: str) -> dict[str, Any]:
        """What a rule is made with."""
        if chosen in self.projects:
            project = self.projects[chosen]
            return {"organisation": project.organisation, "project": project}
        if chosen in self.organisations:
            return {"organisation": self.organisations[chosen]}
        return {"username": self.username}


class RuleForm(forms.Form):
    """``kind`` decides which fields there are. Without ``subjects`` the rule exists and its subject stays."""

    subject = forms.ChoiceField(label=gettext_lazy("Whose usage"))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=160)
    metric_name = forms.CharField(
        label=gettext_lazy("Metric"), max_length=120,
        help_text=gettext_lazy(
            "Of Slurm jobs: cpu_hours, gpu_hours, mem_gb_hours or jobs. Of metered events: the name of the metric."
        ),
    )  # fmt: skip
    unit = forms.CharField(
        label=gettext_lazy("Unit"), max_length=40, required=False,
        help_text=gettext_lazy("Only events with this unit; empty: with any."),
    )  # fmt: skip
    threshold_operator = forms.ChoiceField(
        label=gettext_lazy("Compared"), choices=Operator.choices, initial=Operator.GTE,
        help_text=gettext_lazy(
            "“More than” and “at least” watch the running window, the others the last one that is over."
        ),
    )  # fmt: skip
    threshold_value = forms.DecimalField(label=gettext_lazy("Threshold"), min_value=Decimal(0))
    spike_threshold_percent = forms.DecimalField(
        label=gettext_lazy("Rise (%)"), min_value=Decimal(0), decimal_places=2, max_digits=9
    )
    comparison_period = forms.ChoiceField(
        label=gettext_lazy("In one"), choices=AlertPeriod.choices, initial=AlertPeriod.MONTH
    )
    spike_comparison_period = forms.ChoiceField(
        label=gettext_lazy("Against the last"), choices=AlertPeriod.choices, initial=AlertPeriod.WEEK,
        help_text=gettext_lazy("Where this is longer, against its average for one window."),
    )  # fmt: skip
    channels = forms.ChoiceField(label=gettext_lazy("Tell by"), choices=list(CHANNELS.items()))
    recipient_email = forms.EmailField(
        label=gettext_lazy("E-mail"), required=False,
        help_text=gettext_lazy("Empty: the address of the organisation, or your own."),
    )  # fmt: skip
    webhook = forms.ChoiceField(label=gettext_lazy("Webhook address"), required=False)
    cooldown_minutes = forms.IntegerField(
        label=gettext_lazy("Quiet afterwards (minutes)"), min_value=0, max_value=366 * 24 * 60, initial=0,
        help_text=gettext_lazy("0: once in each window. Else it speaks again after so long, while it holds."),
    )  # fmt: skip
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Stands in the e-mail: what to do, whom to ask."),
    )  # fmt: skip

    def __init__(
        self, data: Any, *, kind: str, user: Person, subjects: Subjects | None, initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=initial)
        self.kind, self.subjects = AlertType(kind), subjects
        wanted = ("subject", "name", *FIELDS[self.kind], *TELLING)
        for name in set(self.fields) - set(wanted):
            del self.fields[name]
        self.order_fields(wanted)
        self.endpoints = {str(row.uuid): row for row in own_endpoints(user).filter(is_active=True)}
        none = ("", _("none"))
        self._choose("webhook", [none, *((key, row.url) for key, row in self.endpoints.items())])
        if subjects is None:
            del self.fields["subject"]
        else:
            self._choose("subject", subjects.choices)
        self._word()

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _word(self) -> None:
        """A threshold means money of cost, and a floor where the kind has another limit."""
        value = self.fields["threshold_value"]
        if self.kind == AlertType.COST_THRESHOLD:
            value.label = _("Sum of money")
            value.help_text = _("Cost of Slurm jobs that end in the window and of its metered usage, before tax.")
        elif self.kind != AlertType.USAGE_THRESHOLD:
            value.required, value.label = False, _("Only from")
            value.help_text = _("Less usage than this is never told; empty: any.")

    def rule_fields(self) -> dict[str, Any]:
        """What the service takes."""
        values = dict(self.cleaned_data)
        channels, hook = values.pop("channels"), values.pop("webhook")
        values |= {"notification_channels": channels.split(), "webhook": self.endpoints.get(hook)}
        if self.subjects is not None:
            values |= self.subjects.fields(values.pop("subject"))
        return {**values, "alert_type": self.kind.value}

    def refuse(self, field: str, words: str) -> None:
        """Show what the service refused beside the field that stands for it."""
        field = {"organisation": "subject", "project": "subject", "username": "subject",
                 "notification_channels": "channels"}.get(field, field)  # fmt: skip
        self.add_error(field if field in self.fields else None, words)


class BudgetForm(forms.Form):
    """Tell me when my Slurm cost this month reaches a sum."""

    subject = forms.ChoiceField(label=gettext_lazy("Whose cost"))
    amount = forms.DecimalField(
        label=gettext_lazy("Tell me when it reaches"), min_value=Decimal("0.01"), decimal_places=2, max_digits=14
    )

    def __init__(self, data: Any, *, subjects: Subjects) -> None:
        super().__init__(data)
        self.subjects = subjects
        self.fields["subject"].choices = subjects.choices  # type: ignore[attr-defined]

    def rule_fields(self) -> dict[str, Any]:
        return {
            "name": _("Budget of the month"),
            "alert_type": AlertType.COST_THRESHOLD.value,
            "threshold_operator": Operator.GTE.value,
            "threshold_value": self.cleaned_data["amount"],
            "comparison_period": AlertPeriod.MONTH.value,
            "cooldown_minutes": 0,
            **self.subjects.fields(self.cleaned_data["subject"]),
        }

    def refuse(self, field: str, words: str) -> None:
        field = {"threshold_value": "amount", "organisation": "subject", "project": "subject"}.get(field, field)
        self.add_error(field if field in self.fields else None, words)


def initial_of(rule: AlertRule) -> dict[str, Any]:
    """What the form of a rule begins with."""
    names = {name for names in FIELDS.values() for name in names} | {"name", *TELLING}
    values = {name: getattr(rule, name) for name in names if hasattr(rule, name)}
    value = rule.threshold_value
    return {
        **values, "channels": " ".join(sorted(rule.notification_channels)),
        "webhook": str(rule.webhook.uuid) if rule.webhook else "",
        "threshold_value": value.normalize() if value is not None and abs(value) < Decimal(10) ** 27 else value,
    }  # fmt: skip
