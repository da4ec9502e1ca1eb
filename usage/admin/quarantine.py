"""Refused rows for people: seen, corrected and released, or dismissed with a note."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.console.admin import ConfirmedAction, ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.context import actor_of
from core.errors import AppError
from usage.admin.jobs import SourceFilter
from usage.models import Job, QuarantinedRow, ReviewStatus
from usage.raws import join_cells, split_line
from usage.reasons import REASONS, detail_in_words, in_words
from usage.services.opening import zones
from usage.services.quarantine import SOURCE, dismiss_row, is_json, release_row


class ReleaseForm(forms.Form):
    """The row to be corrected: an input for each of its cells when they fit the columns, else the whole text."""

    note = forms.CharField(label=_("Note"), required=False, max_length=255, widget=forms.TextInput(attrs={"size": 60}))

    def __init__(self, row: QuarantinedRow, data: Any = None) -> None:
        super().__init__(data)
        self.row = row
        self.columns = [] if is_json(row) else list(row.run.columns)
        cells = split_line(row.raw, row.run.delimiter) if self.columns else []
        self.by_cell = bool(self.columns) and len(cells) == len(self.columns)
        fields: dict[str, forms.Field] = {}
        if self.by_cell:
            for place, (name, cell) in enumerate(zip(self.columns, cells, strict=True)):
                fields[f"cell_{place}"] = forms.CharField(label=name, required=False, initial=cell, strip=False)
        else:
            area = forms.Textarea(attrs={"rows": 8, "spellcheck": "false"})
            fields["text"] = forms.CharField(label=_("Text of the row"), initial=row.raw, widget=area, strip=False)
        self.fields = {**fields, **self.fields}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.by_cell:
            cells = [data.get(f"cell_{place}", "") for place in range(len(self.columns))]
            try:
                data["text"] = join_cells(cells, self.row.run.delimiter)
            except ValueError:
                words = gettext("A cell must not hold a line break or the delimiter %(text)s.")
                self.add_error(None, words % {"text": self.row.run.delimiter or "|"})
        return data


class StatusFilter(admin.SimpleListFilter):
    """Open rows first: they are what somebody has to decide about."""

    title = _("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in ReviewStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class ReasonFilter(KnownFilter):
    title, parameter_name = _("reason"), "reason"
    known = staticmethod(lambda: [(reason, str(words)) for reason, words in REASONS.items()])


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "why", "job_id_display", "username", "line_no", "run", "created_at", "beginning")
    list_filter = (StatusFilter, ReasonFilter, SourceFilter)
    list_select_related = ("run",)
    list_per_page = 100
    search_fields = ("=job_id_display", "=username", "raw", "detail", "note")
    search_help_text = _("Job id, user, or a piece of the row, the detail or the note")
    actions = ("dismiss_action",)
    change_form_template = "admin/usage/quarantinedrow/change_form.html"
    fieldsets = (
        (
            None,
            {"fields": ("state", "why", "details", "raw", "job_id_display", "username", "line_no", "source", "run")},
        ),
        (_("Decision"), {"fields": ("corrected", "job_link", "note", "decided_by", "decided_at")}),
    )

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, row: QuarantinedRow) -> str:
        return in_words(row.reason)

    @admin.display(description=_("detail"))
    def details(self, row: QuarantinedRow) -> str:
        return detail_in_words(row.detail) or "–"

    @admin.display(description=_("text of the row"))
    def beginning(self, row: QuarantinedRow) -> str:
        return row.raw[:80]

    @admin.display(description=_("job"))
    def job_link(self, row: QuarantinedRow) -> str:
        job = Job.objects.filter(job_key=row.job_key).first() if row.job_key else None
        if job is None:
            return row.job_key or "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:usage_job_change", args=[job.pk]), job.job_key)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_quarantinedrow")

    @admin.action(description=_("Dismiss …"), permissions=["decide"])
    def dismiss_action(self, request: HttpRequest, queryset: QuerySet[QuarantinedRow]) -> HttpResponse | None:
        return DISMISS.answer(self, request, queryset)

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide_view)
        return [path("<int:pk>/decide/", decide, name="usage_quarantinedrow_decide"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        is_open = row is not None and row.status == ReviewStatus.OPEN
        may = is_open and self.has_decide_permission(request)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_decide": may})

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The row as a form. Both buttons decide; what is wrong is said beside it and changes nothing."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        row = get_object_or_404(QuarantinedRow.objects.select_related("run"), pk=pk)
        where = reverse("admin:usage_quarantinedrow_change", args=[row.pk])
        if row.status != ReviewStatus.OPEN:
            self.message_user(request, gettext("This row is decided already."), messages.WARNING)
            return redirect(where)
        form = ReleaseForm(row, request.POST if request.method == "POST" else None)
        if request.method == "POST" and (form.is_valid() or "dismiss" in request.POST):
            try:
                self.message_user(request, _decided(request, row, form), messages.SUCCESS)
            except AppError as error:
                row.refresh_from_db()
                form.add_error(None, error.message)
            else:
                return redirect(where)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Correct and release a row"),
            "row": row,
            "why": in_words(row.reason),
            "detail": detail_in_words(row.detail),
            "form": form,
            "zone": zones(row.run.timezone)(row.run.cluster).key,
            "needs_header": not is_json(row) and not row.run.columns,
            "as_json": is_json(row),
        }
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/usage/quarantinedrow/decide.html", context, status=status)


def _decided(request: HttpRequest, row: QuarantinedRow, form: ReleaseForm) -> str:
    actor, note = actor_of(request), form.cleaned_data.get("note", "")
    if "dismiss" in request.POST:
        dismiss_row(actor=actor, row=row, note=note)
        return gettext("The row is dismissed.")
    key = release_row(actor=actor, row=row, text=form.cleaned_data["text"], note=note)
    if Job.objects.filter(job_key=key, import_run__source=SOURCE).exists():
        return gettext("The row is released as job %(key)s.") % {"key": key}
    words = gettext("The row is accepted. Job %(key)s was there already; what differs and is billed is an adjustment.")
    return words % {"key": key}


DISMISS = ConfirmedAction(
    name="dismiss_action",
    title=_("Dismiss refused rows"),
    field_label=_("Why they are not to be counted"),
    status=ReviewStatus.OPEN,
    headers=(_("row"), _("reason"), _("job id"), _("user"), _("text of the row")),
    row=lambda row: (f"#{row.pk}", in_words(row.reason), row.job_id_display, row.username, row.raw[:60]),
    button=lambda n: ngettext("Dismiss %(n)d row", "Dismiss %(n)d rows", n) % {"n": n},
    done=lambda n: ngettext("%(n)d row dismissed.", "%(n)d rows dismissed.", n) % {"n": n},
    run=lambda actor, row, text: dismiss_row(actor=actor, row=row, note=text),
)
