"""My long work: what was asked for on a page and goes on without it. Another's is as absent as none."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Work
from accounts.services.work import cancel_work, has_file, title_of
from accounts.work_facts import facts, file_of
from core.context import actor_of
from core.errors import AppError

PAGE_SIZE = 50


def _mine(request: HttpRequest, pk: int) -> Work:
    work = Work.objects.select_related("owner").filter(pk=pk, owner_id=actor_of(request).name).first()
    if work is None:
        raise Http404(_("There is no such work."))
    return work


@require_safe
@login_required
@never_cache
def index(request: HttpRequest) -> HttpResponse:
    works = Work.objects.filter(owner_id=actor_of(request).name).order_by("-pk")
    page = Paginator(works, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [{"work": work, "called": title_of(work), "file": has_file(work)} for work in page]
    return render(request, "work/index.html", {"page": page, "rows": rows})


@require_safe
@login_required
@never_cache
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    work = _mine(request, pk)
    return render(request, "work/detail.html", {"work": work, **facts(work)})


@require_safe
@login_required
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    return file_of(request, _mine(request, pk))


@require_POST
@login_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    work = _mine(request, pk)
    try:
        cancel_work(actor=actor_of(request), work=work)
    except AppError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("It will not be done."))
    return redirect("work:detail", pk)
