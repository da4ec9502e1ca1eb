"""Metered usage: what a project or an organisation used of which metric, by hour, day or month, and how it moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import Project
from audit.exporting import recorded
from core import charts
from core.context import actor_of
from core.exports import Column, Kind, Row, table_response
from core.periods import next_month, period_start
from core.words import wording
from usage.models import Period
from usage.reach import projects_readable_by
from usage.selectors.metering import Asked, by_metric, by_model, by_period, latest_event, series

# number of slots of the chart, by what they are
SPANS = {Period.HOUR: 48, Period.DAY: 30, Period.MONTH: 12}
LABELS = {
    Period.HOUR: gettext_lazy("48 hours"), Period.DAY: gettext_lazy("30 days"), Period.MONTH: gettext_lazy("12 months"),
}  # fmt: skip
MOST_ROWS = 100
COUNTED = (
    "event_count", "error_count", "late_count", "request_tokens", "response_tokens", "cached_tokens",
    "reasoning_tokens",
)  # fmt: skip
COLUMNS = (
    Column("period_start", gettext_lazy("begins"), Kind.MOMENT),
    Column("organisation", gettext_lazy("organisation")),
    Column("project", gettext_lazy("project")),
    Column("metric", gettext_lazy("metric")),
    Column("unit", gettext_lazy("unit")),
    Column("model", gettext_lazy("AI model")),
    Column("total", gettext_lazy("sum"), Kind.NUMBER),
    Column("events", gettext_lazy("events"), Kind.INT),
    Column("errors", gettext_lazy("errors"), Kind.INT),
    Column("late_events", gettext_lazy("late events"), Kind.INT),
    Column("request_tokens", gettext_lazy("request tokens"), Kind.INT),
    Column("response_tokens", gettext_lazy("response tokens"), Kind.INT),
    Column("cached_tokens", gettext_lazy("cached request tokens"), Kind.INT),
    Column("reasoning_tokens", gettext_lazy("reasoning tokens"), Kind.INT),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the page is about: all projects of an organisation, or one. ``key`` names it in the address."""

    key: str
    label: str
    projects: tuple[int, ...]
    zone: ZoneInfo


class MeteringForm(forms.Form):
    of = forms.ChoiceField(label=gettext_lazy("Of"), required=False)
    by = forms.ChoiceField(label=gettext_lazy("Period"), required=False)
    metric = forms.ChoiceField(label=gettext_lazy("Metric"), required=False)

    def __init__(self, data: Any, *, subjects: Sequence[Subject], metrics: Sequence[str]) -> None:
        super().__init__(data)
        self.fields["of"].choices = [(each.key, each.label) for each in subjects]  # type: ignore[attr-defined]
        self.fields["by"].choices = [(key.value, label) for key, label in LABELS.items()]  # type: ignore[attr-defined]
        self.fields["metric"].choices = [(each, each) for each in metrics]  # type: ignore[attr-defined]


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponseBase:
    subjects = _subjects(list(projects_readable_by(request.user)))
    if not subjects:
        return render(request, "metering/index.html", {"subjects": []})
    subject = next((each for each in subjects if each.key == request.GET.get("of")), subjects[0])
    period = Period(by) if (by := request.GET.get("by")) in Period.values else Period.DAY
    starts = _starts(period, timezone.now(), subject.zone)
    asked = Asked(subject.projects, period, starts[0], _following(period, starts[-1], subject.zone))
    if request.GET.get("format") in ("csv", "xlsx"):
        return _table(request, asked)
    found = by_metric(asked)
    before = {(row["metric_name"], row["unit"]): row for row in by_metric(_before(asked, period, subject.zone))}
    metrics = list(dict.fromkeys(row["metric_name"] for row in found))
    metric = request.GET.get("metric", "")
    metric = metric if metric in metrics else (metrics[0] if metrics else "")
    values = {"of": subject.key, "by": period.value, "metric": metric}
    context: dict[str, Any] = {
        "subjects": subjects,
        "subject": subject,
        "form": MeteringForm(values, subjects=subjects, metrics=metrics),
        "period": period,
        "metric": metric,
        "rows": [_row(row, before.get((row["metric_name"], row["unit"]))) for row in found[:MOST_ROWS]],
        "models": by_model(asked),
        "up_to": latest_event(subject.projects),
        "query": "&".join(f"{name}={value}" for name, value in values.items() if name != "metric"),
    }
    if metric:
        context |= _chart(asked, metric, starts, period, subject.zone)
    return render(request, "metering/index.html", context)


def _subjects(projects: Sequence[Project]) -> list[Subject]:
    """Organisations by name, each with its projects behind it."""
    by_organisation: dict[int, list[Project]] = {}
    for each in sorted(projects, key=lambda each: (each.organisation.name, each.name)):
        by_organisation.setdefault(each.organisation_id, []).append(each)
    found = []
    for some in by_organisation.values():
        organisation = some[0].organisation
        if len(some) > 1:
            label = _("%(name)s, all projects") % {"name": organisation}
            found.append(Subject(f"o{organisation.pk}", label, tuple(each.pk for each in some), organisation.zone))
        found += [
            Subject(f"p{each.pk}", f"{organisation} / {each.name}", (each.pk,), organisation.zone) for each in some
        ]
    return found


def _starts(period: Period, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Beginnings of the last slots, the one of now at the end."""
    starts = [period_start(period, now, zone)]
    while len(starts) < SPANS[period]:
        starts.insert(0, period_start(period, starts[0] - timedelta(minutes=1), zone))
    return starts


def _following(period: Period, start: datetime, zone: ZoneInfo) -> datetime:
    if period == Period.HOUR:
        return start + timedelta(hours=1)
    local = start.astimezone(zone).date()
    day = next_month(local) if period == Period.MONTH else local + timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), zone)


def _before(asked: Asked, period: Period, zone: ZoneInfo) -> Asked:
    """As many slots as are shown, just before them."""
    assert asked.start is not None  # noqa: S101 - the page always asks for a stretch
    starts = _starts(period, asked.start - timedelta(minutes=1), zone)
    return Asked(asked.projects, period, starts[0], asked.start)


def _row(row: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """``trend``: per cent against the stretch before; None where there was nothing."""
    old = before["total_value"] if before else None
    trend = round(100 * (row["total_value"] - old) / old) if old else None
    return {**row, "trend": trend, "tokens": row["request_tokens"] + row["response_tokens"]}


def _chart(asked: Asked, metric: str, starts: list[datetime], period: Period, zone: ZoneInfo) -> dict[str, Any]:
    found = by_period(Asked(asked.projects, asked.period, asked.start, asked.end, metric))
    totals = [found[start]["total_value"] if start in found else Decimal(0) for start in starts]
    bars = [
        charts.Bar(f"{_label(period, start, zone)}: {wording.quantity_text(total)}", (total,))
        for start, total in zip(starts, totals, strict=True)
    ]
    words = _("One bar a period. The table below holds the same numbers.")
    chart = charts.bar_chart(bars, title=f"{metric}, {LABELS[period]}", description=words)
    shown = [(_label(period, start, zone), total) for start, total in zip(starts, totals, strict=True) if total]
    edges = [_label(period, starts[n], zone) for n in (0, len(starts) // 2, -1)]
    return {"chart": chart, "shown": shown, "edges": edges, "total": sum(totals, Decimal(0))}


def _label(period: Period, start: datetime, zone: ZoneInfo) -> str:
    local = start.astimezone(zone)
    if period == Period.HOUR:
        return f"{wording.short_day_text(local.date())} {local:%H:%M}"
    return wording.month_text(local.date()) if period == Period.MONTH else wording.short_day_text(local.date())


def _table(request: HttpRequest, asked: Asked) -> HttpResponseBase:
    kind = request.GET["format"]
    rows = recorded(actor=actor_of(request), target="metering", asked=request.GET.dict(), rows=_table_rows(asked))
    return table_response(f"metering.{kind}", _("Metered usage"), COLUMNS, rows)


def _table_rows(asked: Asked) -> Iterator[Row]:
    projects = Project.objects.filter(pk__in=asked.projects).select_related("organisation")
    names = {each.pk: each for each in projects}
    for row in series(asked).iterator():
        project = names[row["project_id"]]
        yield (
            row["period_start"], project.organisation.name, project.name, row["metric_name"], row["unit"],
            row["model_id"], row["total_value"], *(row[name] for name in COUNTED),
        )  # fmt: skip
