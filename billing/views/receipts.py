"""My receipts: list, make, read, take away."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.projects import LedProject
from audit.exporting import recorded
from billing.exports.receipts import ITEM_COLUMNS, RECEIPT_COLUMNS, item_rows, receipt_rows
from billing.forms.usage import PERIODS, WindowForm, period_days
from billing.models import Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.documents.paper import seller_of
from billing.selectors.jobs.billable import preview_receipts
from billing.selectors.jobs.previews import Preview
from billing.selectors.pricing.rates import MissingRate
from billing.services.receipts import TotalChanged, create_receipts
from billing.views import receipt_page
from billing.views.asked import check_names, one_of, refusal
from billing.views.reach import find_project, find_receipt
from billing.work.pdf import is_long
from core.context import actor_of
from core.errors import AppError, BadInput
from core.exports import table_response

PAGE_SIZE = 50
LIST_FILTERS = ("status",)


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    mine = Receipt.objects.filter(user_id=actor_of(request).name)
    counts = mine.aggregate(
        all=Count("pk"),
        open_sum=Sum("total", filter=Q(status=ReceiptStatus.PENDING, currency=settings.PAYMENT_CURRENCY)),
        foreign=Count("pk", filter=Q(status=ReceiptStatus.PENDING) & ~Q(currency=settings.PAYMENT_CURRENCY)),
        **{status.value: Count("pk", filter=Q(status=status)) for status in ReceiptStatus},
    )
    try:
        status = _status(request)
    except BadInput as error:
        raise BadRequest(error.message) from error
    page = Paginator(_with_jobs(_mine(request)), PAGE_SIZE).get_page(request.GET.get("page"))
    tabs = [("", _("All"), counts["all"])] + [(s.value, s.label, counts[s.value]) for s in ReceiptStatus]
    context = {"page": page, "status": status, "tabs": tabs, "counts": counts}
    return render(request, "billing/receipts.html", context)


def _status(request: HttpRequest) -> str:
    return one_of(request, "status", ReceiptStatus.values)


def _mine(request: HttpRequest) -> QuerySet[Receipt]:
    """The reader's own receipts, those of the status that was asked for."""
    mine = Receipt.objects.filter(user_id=actor_of(request).name)
    return mine.filter(status=_status(request)) if _status(request) else mine


def _with_jobs(receipts: QuerySet[Receipt]) -> QuerySet[Receipt]:
    return receipts.select_related("pricing_tier").annotate(jobs=Count("items")).order_by("-created_at", "-pk")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest, project: int | None = None) -> HttpResponse:
    """Step 1 names the days, step 2 shows what would be made; only POST makes it."""
    led = find_project(request, project)
    asked = "start" in request.GET or "end" in request.GET
    form = WindowForm(request.POST if request.method == "POST" else request.GET if asked else None)
    if request.method == "POST" and form.is_valid():
        return _create(request, form, led)
    context: dict[str, Any] = {"form": form, "periods": _period_links(), "asked": asked, "project": led}
    if led:
        context["leads"] = True
    if asked and form.is_valid():
        context["preview"] = preview = _preview(request, form, led)
        context["skipped"] = skipped_in_words(preview.skipped) if preview else []
    return render(request, "billing/receipt_new.html", context, status=400 if form.errors else 200)


def _preview(request: HttpRequest, form: WindowForm, led: LedProject | None) -> Preview | None:
    try:
        return preview_receipts(username=actor_of(request).name, project=led, **form.cleaned_data)
    except AppError as error:
        messages.error(request, _in_words(error))
        return None


def _in_words(error: AppError) -> str:
    """Errors that a user can meet here, in the language of the page; the log has the rest."""
    if isinstance(error, MissingRate):
        return _("A tier of your jobs has no price now. Nothing was created; ask finance to set a rate.")
    return error.message


def skipped_in_words(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Reasons in words, with the number of jobs."""
    words = {
        "free_state": _("ended by a fault of the cluster: free of charge"),
        "zero_time": _("used nothing"),
        "runaway": _("implausibly long: held until finance has looked at it"),
        "billed_by_invoice": _("billed to the organisation by the month"),
        "no_user": _("their users have no account here"),
        "closed_month": _("their month is closed: billed by an adjustment"),
        "no_cpu_time": _("the record lacks the CPU time that this price counts"),
        "not_ended": _("still running or waiting"),
    }
    return [(words.get(reason, reason), number) for reason, number in counts.items()]


def _create(request: HttpRequest, form: WindowForm, led: LedProject | None) -> HttpResponse:
    days, reader = form.cleaned_data, actor_of(request)
    expected = request.POST.get("expected", "")
    if not expected:
        messages.warning(request, _("Nothing was created: look at the total first, then create it."))
        return redirect(_preview_url(days, led))
    try:
        project = led.pk if led else None
        made = create_receipts(actor=reader, username=reader.name, expected=expected, project=project, **days)
    except TotalChanged:
        messages.warning(
            request,
            _("New usage or new rates arrived while you were reading. Nothing was created; here is the new total."),
        )
        return redirect(_preview_url(days, led))
    except AppError as error:
        messages.error(request, _in_words(error))
        return redirect(_new_url(led))
    if not made:
        messages.info(request, _("Nothing was left to bill: these jobs are on a receipt already."))
        return redirect("billing:receipts")
    messages.success(
        request,
        ngettext(
            "Receipt created. It waits for your payment.", "%(count)s receipts created, one for each tier.", len(made)
        )
        % {"count": len(made)},
    )
    return redirect(made[0]) if len(made) == 1 else redirect("billing:receipts")


def _new_url(led: LedProject | None) -> str:
    return reverse("billing:project_receipt_new", args=[led.pk]) if led else reverse("billing:receipt_new")


def _preview_url(days: dict[str, Any], led: LedProject | None) -> str:
    query = urlencode({name: str(value or "") for name, value in days.items()})
    return f"{_new_url(led)}?{query}"


def _period_links() -> list[tuple[str, str]]:
    """(label, query string) of the presets; open ends stay empty."""
    links = []
    for period in ("all", "last", "month"):
        start, end = period_days(period)
        label = _("Everything not billed yet") if period == "all" else str(PERIODS[period])
        links.append((label, "?" + urlencode({"start": str(start or ""), "end": str(end or "")})))
    return links


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    receipt = find_receipt(request, pk)
    context = {
        "receipt": receipt,
        "is_mine": receipt.username == actor_of(request).name,
        "organisation": seller_of(receipt),
        "long_pdf": is_long(receipt),
        "provable": bool(settings.AUDIT_HEADS_FILE),
        **receipt_page.context(receipt, request.GET.get("page")),
    }
    return render(request, "billing/receipt.html", context)


@require_safe
@login_required
def download(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The list of the page, with the status that it shows, every page of it."""
    try:
        check_names(request, LIST_FILTERS)
        mine = _mine(request)
    except BadInput as error:
        return refusal(error)
    return table_response(f"receipts.{kind}", _("Receipts"), RECEIPT_COLUMNS, receipt_rows(mine))


@require_safe
@login_required
def download_lines(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Every line of the receipts on the list."""
    try:
        check_names(request, LIST_FILTERS)
        mine = _mine(request)
    except BadInput as error:
        return refusal(error)
    items = ReceiptItem.objects.filter(receipt__in=mine)
    return table_response(f"receipt-lines.{kind}", _("Receipt lines"), ITEM_COLUMNS, item_rows(items))


@require_safe
@login_required
def lines(request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
    receipt, reader = find_receipt(request, pk), actor_of(request)
    try:
        check_names(request, ())
    except BadInput as error:
        return refusal(error)
    rows = item_rows(receipt.items.all())
    if receipt.username != reader.name:  # finance takes away what is somebody else's
        asked = {"format": kind, "receipt": receipt.pk}
        rows = recorded(actor=reader, target="receipt_items", asked=asked, rows=rows)
    return table_response(f"receipt-{receipt.pk}.{kind}", _("Receipt lines"), ITEM_COLUMNS, rows)
