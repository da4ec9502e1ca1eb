"""Long work in the console: one's own, or everybody's for those who may see it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import cancel_work, kind_of, title_of
from accounts.work_facts import facts, file_of
from core.console.admin import ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.context import actor_of
from core.errors import AppError


class KindFilter(KnownFilter):
    title, parameter_name = gettext_lazy("kind"), "kind"
    known = staticmethod(lambda: [(name, str(kind_of(name).label)) for name in settings.WORK_KINDS])


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    address = "accounts/prepared"  # as on the pages of researchers
    list_display = ("called", "state", "progress", "owner", "created_at", "finished_at")
    list_filter = ("status", KindFilter)
    list_select_related = ("owner",)
    list_per_page = 50
    ordering = ("-id",)
    change_form_template = "admin/accounts/long_work.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/file/", view(self.file_view), name="accounts_work_file"),
            path("<int:pk>/cancel/", view(self.cancel_view), name="accounts_work_cancel"),
            *super().get_urls(),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Work | None = None) -> bool:
        """Whoever is in the console sees their own."""
        return self.has_module_permission(request) and (obj is None or self._may_see(request, obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Work]:
        rows: QuerySet[Work] = super().get_queryset(request)
        everybody = request.user.has_perm("accounts.view_work")
        return rows if everybody else rows.filter(owner_id=request.user.get_username())

    def _may_see(self, request: HttpRequest, work: Work) -> bool:
        mine = str(work.owner_id) == request.user.get_username()
        return mine or request.user.has_perm("accounts.view_work")

    @admin.display(description=gettext_lazy("work"), ordering="title")
    def called(self, work: Work) -> str:
        return title_of(work)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, work: Work) -> str:
        return f"{work.percent} %" if work.percent is not None else str(work.done or "")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        work = self.get_object(request, object_id)
        mine = work is not None and str(work.owner_id) == request.user.get_username()
        extra = {**(extra_context or {}), "work": work, "mine": mine, **(facts(work) if work is not None else {})}
        return super().change_view(request, object_id, form_url, extra)

    def _mine(self, request: HttpRequest, pk: int) -> Work:
        """Files and the way back are the owner's alone: a file may hold more than others may see."""
        work = Work.objects.filter(pk=pk).first()
        if work is None:
            raise Http404
        if str(work.owner_id) != request.user.get_username():
            raise PermissionDenied
        return work

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        return file_of(request, self._mine(request, pk))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        work = self._mine(request, pk)
        if request.method == "POST":
            try:
                cancel_work(actor=actor_of(request), work=work)
            except AppError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, _("It will not be done."), messages.SUCCESS)
        return redirect(reverse("admin:accounts_work_change", args=[pk]))
