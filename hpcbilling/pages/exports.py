"""The console's page of exports: which there are, then one form each with the filters that it heeds."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.sites import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.models import Tier
from accounts.models.users import fold_username
from accounts.services.work import start_work
from audit.exporting import recorded_rows
from billing.forms.usage import PERIODS, WindowForm, period_days
from core.context import actor_of
from core.errors import AppError, BadInput
from core.exports import FORMATS, OPTIONS, Export, ExportFilter, find, table_response


class ExportForm(WindowForm):
    """The days and the filters of one export."""

    user = forms.CharField(label=_("User"), required=False, max_length=150)
    tier = forms.ChoiceField(label=_("Tier"), required=False)
    status = forms.ChoiceField(label=_("Status"), required=False)
    account = forms.CharField(label=_("Account"), required=False, max_length=120)
    cluster = forms.CharField(label=_("Cluster"), required=False, max_length=64)
    unbilled = forms.BooleanField(label=_("With usage that is not billed yet, at the prices of today"), required=False)

    def __init__(self, export: Export, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.export = export
        for name in set(OPTIONS) - set(export.filters):
            del self.fields[name]
        if "tier" in self.fields:
            self._choose_from("tier", [(tier.pk, tier.label) for tier in Tier.objects.all()])
        if "status" in self.fields:
            self._choose_from("status", list(export.statuses.items()))

    def _choose_from(self, name: str, choices: list[Any]) -> None:
        self.fields[name] = forms.ChoiceField(
            label=self.fields[name].label, required=False, choices=[("", _("Any")), *choices]
        )

    def clean_user(self) -> str:
        return fold_username(self.cleaned_data["user"] or "")

    def clean(self) -> Any:
        """What the export refuses stands beside its field, whether the file is sent at once or made later."""
        cleaned = super().clean()
        if not self.errors:
            try:
                self.export.check(self.asked())
            except AppError as error:
                field = str(error.details.get("field", ""))
                self.add_error(field if field in self.fields else None, error.message)
        return cleaned

    def asked(self) -> ExportFilter:
        return ExportFilter(**self.cleaned_data)


def allowed(request: HttpRequest) -> list[Export]:
    """The exports that this viewer may take, in the order of the page."""
    exports = [find(name) for name in settings.EXPORTS]
    return [export for export in exports if request.user.has_perms(export.permissions)]


def nav_link(request: HttpRequest) -> list[tuple[str, str, bool]]:
    address = reverse("admin:exports")
    return [(str(_("Exports")), address, request.path.startswith(address))] if allowed(request) else []


def urls(site: AdminSite) -> list[URLPattern]:
    return [
        path("exports/", site.admin_view(lambda request: index(site, request)), name="exports"),
        path("exports/<slug:name>/", site.admin_view(lambda request, name: detail(site, request, name)), name="export"),
    ]


def index(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    exports = allowed(request)
    if not exports:
        raise PermissionDenied
    context = {**site.each_context(request), "title": _("Exports"), "exports": exports}
    return TemplateResponse(request, "admin/exports.html", context)


def detail(site: AdminSite, request: HttpRequest, name: str) -> HttpResponseBase:
    """GET shows the form, filled from the address; POST sends the file, and the audit log has it."""
    try:
        export = find(name)
    except BadInput as error:
        raise Http404(error.message) from error
    if not request.user.has_perms(export.permissions):
        raise PermissionDenied
    if request.method == "POST":
        form = ExportForm(export, request.POST)
        answer = _later(request, export, form) if "later" in request.POST else _file(request, export, form)
        if answer is not None:
            return answer
    else:
        form = ExportForm(export, initial=request.GET.dict() or _last_month())
    context = {
        **site.each_context(request),
        "title": export.title,
        "export": export,
        "form": form,
        "periods": _period_links(),
        "formats": [(name, name.upper()) for name in FORMATS],
    }
    return TemplateResponse(request, "admin/export.html", context, status=400 if form.errors else 200)


def _file(request: HttpRequest, export: Export, form: ExportForm) -> HttpResponseBase | None:
    kind = request.POST.get("format", "")
    if not form.is_valid() or kind not in FORMATS:
        if kind not in FORMATS:
            form.add_error(None, _("Choose CSV or XLSX."))
        return None
    flt = form.asked()
    rows = recorded_rows(actor=actor_of(request), export=export, flt=flt, file_format=kind)
    name = export.file_name(flt, kind)
    return table_response(name, export.title, export.columns, rows, byte_mark=export.byte_mark)


def _later(request: HttpRequest, export: Export, form: ExportForm) -> HttpResponseBase | None:
    """The same file as long work: made without the browser, kept for a week."""
    kind = request.POST.get("later", "")
    if not form.is_valid() or kind not in FORMATS:
        return None
    flt = {
        name: str(value) if name in ("start", "end") else value for name, value in form.cleaned_data.items() if value
    }
    try:
        work = start_work(
            actor=actor_of(request), kind="export", title=f"{export.title} ({kind.upper()})",
            parameters={"export": export.name, "format": kind, "filter": flt},
        )  # fmt: skip
    except AppError as error:
        form.add_error(None, error.message)
        return None
    return redirect("admin:accounts_work_change", work.pk)


def _last_month() -> dict[str, Any]:
    start, end = period_days("last")
    return {"start": start, "end": end}


def _period_links() -> list[tuple[str, str]]:
    links = []
    for period, label in PERIODS.items():
        start, end = period_days(period)
        links.append((str(label), "?" + urlencode({"start": str(start or ""), "end": str(end or "")})))
    return links
