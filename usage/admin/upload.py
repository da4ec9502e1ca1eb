"""An accounting file from a browser: kept, then imported as long work."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.services.work import PIECE, start_work
from core.context import actor_of
from core.errors import AppError
from usage.models import Cluster

LARGEST = 512 << 20


def known_clusters() -> list[str]:
    """Those that have been imported from, whether the settings still name them or not."""
    return list(Cluster.objects.values_list("name", flat=True))


class UploadForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File of sacct lines or CSV, 512 MB at most"))
    cluster = forms.ChoiceField(label=gettext_lazy("Cluster"))
    timezone = forms.CharField(label=gettext_lazy("Zone of its local times"), max_length=60)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted({*(settings.SLURM_CLUSTERS or [settings.SLURM_CLUSTER]), *known_clusters()})
        self.fields["cluster"] = forms.ChoiceField(
            label=self.fields["cluster"].label, choices=[(name, name) for name in names]
        )
        self.fields["timezone"].initial = settings.TIME_ZONE

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST:
            raise forms.ValidationError(_("The file is larger than 512 MB; import it with the command import_usage."))
        return file

    def clean_timezone(self) -> str:
        name = str(self.cleaned_data["timezone"]).strip()
        if name not in available_timezones():
            raise forms.ValidationError(_("There is no time zone %(name)s.") % {"name": name})
        return name


def view(request: HttpRequest, shared: dict[str, Any]) -> HttpResponse:
    """``shared`` is the console's own context."""
    if not request.user.has_perm("usage.add_importrun"):
        raise PermissionDenied
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file, asked = form.cleaned_data["file"], {name: form.cleaned_data[name] for name in ("cluster", "timezone")}
        try:
            work = start_work(
                actor=actor_of(request), kind="import_file", title=_("Import of %(file)s") % {"file": file.name},
                parameters={**asked, "file": file.name}, upload=file.chunks(PIECE),
            )  # fmt: skip
        except AppError as error:
            messages.error(request, error.message)
        else:
            return redirect("admin:accounts_work_change", work.pk)
    context = {**shared, "title": _("Import a file"), "form": form}
    status = 400 if request.method == "POST" else 200
    return TemplateResponse(request, "admin/usage/importrun/upload.html", context, status=status)
