"""What the pages of long work say, in the console and for everybody; and the files that it has made."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import KEPT, Place, has_file, kind_of, may_see, pieces, title_of
from audit.services import record
from core.context import actor_of
from core.errors import AppError
from core.words.said import heard

# What a work came to, in words; other names stay as they are.
RESULTS = {
    "rows": gettext_lazy("rows"),
    "bytes": gettext_lazy("bytes"),
    "jobs": gettext_lazy("jobs"),
    "users": gettext_lazy("users"),
    "users_left_out": gettext_lazy("users left out"),
    "receipts": gettext_lazy("receipts"),
    "rows_read": gettext_lazy("rows read"),
    "imported": gettext_lazy("imported"),
    "updated": gettext_lazy("records updated"),
    "duplicate": gettext_lazy("duplicate"),
    "quarantined": gettext_lazy("quarantined"),
    "left_out": gettext_lazy("left out"),
    "run": gettext_lazy("number of the import run"),
}
TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


def facts(work: Work) -> dict[str, Any]:
    """For a template: ``called``, ``results`` (name, value), ``errors``, ``page`` that shows what came of it, whether
    there is a ``file`` and until when it is ``kept_until``, and its ``place``."""
    try:
        kind = kind_of(work.kind)
    except AppError:  # a kind of another release
        kind = None
    kept = has_file(work)
    place: Place | None = kind.place(work) if kind and kind.place else None
    return {
        "called": title_of(work),
        "results": [(RESULTS.get(name, name), value) for name, value in work.result.items()],
        "errors": [heard(error) for error in work.errors],
        "page": reverse(kind.page) if kept and kind and kind.page else "",
        "file": kept,
        "kept_until": work.finished_at + KEPT if kept and work.finished_at else None,
        "place": place,
    }


def file_of(request: HttpRequest, work: Work) -> StreamingHttpResponse:
    """The file to its owner, written down. Raises ``Http404`` where there is none, or none for the owner any more."""
    if not has_file(work) or not may_see(work):
        raise Http404
    record(actor=actor_of(request), action="work_fetch", target=str(work.pk), extra={"file": work.file_name})
    kind = TYPES.get(work.file_name.rpartition(".")[2], "application/octet-stream")
    headers = {
        "Content-Disposition": content_disposition_header(True, work.file_name) or "attachment",
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(pieces(work), content_type=kind, headers=headers)
