"""Receipts from the console: for one user or for everybody, seen before they are made."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Tier, User, Work
from accounts.models.users import fold_username
from accounts.services.work import start_work
from billing.forms.usage import WindowForm
from billing.selectors.jobs.billable import OffLimits, skipped_jobs
from billing.selectors.jobs.run_previews import Candidate, candidates, users_to_bill
from billing.selectors.pricing.prices import PriceBook
from billing.services.receipts import create_all
from billing.views.receipts import skipped_in_words
from billing.work.receipts import days_of, kept_preview
from core.context import actor_of
from core.errors import AppError
from core.numerals import key_of
from core.periods import month_end, previous_month, today
from core.words.wording import day_text

TOKEN = "token:"  # noqa: S105 - the name of a field
FEW = 20  # users whose previews are made while somebody waits; more are long work
SHOWN = 500  # users of a kept preview on its page
Days = tuple[date | None, date | None]


class RunForm(WindowForm):
    user = forms.CharField(label=gettext_lazy("User (empty: everybody)"), required=False, max_length=64)

    def clean_user(self) -> str:
        name = fold_username(self.cleaned_data["user"])
        if name and not User.objects.filter(pk=name).exists():
            raise forms.ValidationError(_("There is no user %(name)s.") % {"name": name})
        return name


def view(site: admin.ModelAdmin, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """GET asks and previews; POST prepares the preview of many users, or makes the receipts of those previews that
    still fit."""
    if not request.user.has_perm("billing.add_receipt"):
        raise PermissionDenied
    asked = request.POST if request.method == "POST" else request.GET
    if (number := key_of(asked.get("work", ""))) is not None:
        return _kept(site, request, number, context)
    form = RunForm(asked if request.method == "POST" or "start" in asked else None)
    last = previous_month(today())
    form.initial = {"start": last, "end": month_end(last)}
    if request.method == "POST" and form.is_valid():
        return _prepare(site, request, _days(form)) if "prepare" in request.POST else _make(site, request, form)
    if form.is_bound and form.is_valid():
        context |= _preview(form)
    context |= {"title": _("Create receipts"), "form": form}
    return TemplateResponse(request, "admin/billing/receipt_run.html", context, status=400 if form.errors else 200)


def _days(form: RunForm) -> Days:
    return form.cleaned_data["start"], form.cleaned_data["end"]


def _preview(form: RunForm) -> dict[str, Any]:
    user, days = form.cleaned_data["user"], _days(form)
    book = PriceBook.load()
    off = OffLimits.load(book)
    names = [user] if user else users_to_bill(*days, off)
    skipped = _skipped(days, off, user)
    if len(names) > FEW:
        return {"many": len(names), "skipped": skipped}
    return {**_shown(list(candidates(names, *days, book, off))), "skipped": skipped, "token": TOKEN}


def _shown(found: list[Candidate]) -> dict[str, Any]:
    return {
        "candidates": found[:SHOWN],
        "left": max(0, len(found) - SHOWN),
        "tiers": {tier.pk: tier.label for tier in Tier.objects.all()},
        "receipts": sum(len(each.lines) for each in found),
        "total": sum((line.total for each in found for line in each.lines), Decimal(0)),
        "currency": settings.PAYMENT_CURRENCY,
    }


def _skipped(days: Days, off: OffLimits | None = None, user: str = "") -> list[tuple[str, int]]:
    return skipped_in_words(skipped_jobs(*days, username=user or None, off=off))


def _kept(site: admin.ModelAdmin, request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """The preview that long work has made: shown, and by POST made into receipts."""
    kept = kept_preview(pk, request.user.get_username())
    if kept is None:
        site.message_user(request, _("The preview is not kept any more; make it anew."), messages.WARNING)
        return redirect("admin:billing_receipt_run")
    work, found = kept
    days = days_of(work)
    if request.method == "POST":
        users = sum(1 for each in found if each.lines)
        more = {"preview": work.pk, "users": users}
        return _start(site, request, "receipt_run", _run_title(days, users), days, more)
    form = RunForm(initial={"start": days[0], "end": days[1]})
    context |= {**_shown(found), "skipped": _skipped(days), "title": _("Create receipts"), "form": form, "work": work}
    return TemplateResponse(request, "admin/billing/receipt_run.html", context)


def _prepare(site: admin.ModelAdmin, request: HttpRequest, days: Days) -> HttpResponse:
    title = _("Preview of receipts of %(start)s to %(end)s") % _names(days)
    return _start(site, request, "receipt_preview", title, days, {})


def _names(days: Days) -> dict[str, str]:
    return {"start": day_text(days[0]) or "…", "end": day_text(days[1]) or "…"}


def _run_title(days: Days, users: int) -> str:
    return _("Receipts of %(start)s to %(end)s, %(n)d users") % {**_names(days), "n": users}


def _start(
    site: admin.ModelAdmin, request: HttpRequest, kind: str, title: str, days: Days, more: dict[str, Any]
) -> HttpResponse:
    start, end = (day.isoformat() if day else None for day in days)
    parameters = {"start": start, "end": end, **more}
    try:
        work: Work = start_work(actor=actor_of(request), kind=kind, title=title, parameters=parameters)
    except AppError as error:
        site.message_user(request, error.message, messages.ERROR)
        return redirect("admin:billing_receipt_changelist")
    return redirect("admin:accounts_work_change", work.pk)


def _make(site: admin.ModelAdmin, request: HttpRequest, form: RunForm) -> HttpResponse:
    """One user at once; several as long work, which says how far it is."""
    tokens = {name.removeprefix(TOKEN): request.POST[name] for name in request.POST if name.startswith(TOKEN)}
    days = _days(form)
    if len(tokens) > 1:
        return _start(site, request, "receipt_run", _run_title(days, len(tokens)), days, {"tokens": tokens})
    run = create_all(actor=actor_of(request), start=days[0], end=days[1], expected=tokens)
    count = len(run.receipts)
    words = ngettext("%(n)d receipt created.", "%(n)d receipts created.", count) % {"n": count}
    site.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
    for username, trouble in run.failed.items():
        site.message_user(request, _("User %(name)s: %(why)s") % {"name": username, "why": trouble}, messages.ERROR)
    return redirect("admin:billing_receipt_changelist")
