"""Receipts from the console: for one user or for everybody, seen before they are made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from accounts.models.users import fold_username
from accounts.services.work import start_work
from billing.forms import WindowForm
from billing.selectors.billable import preview_receipts, skipped_jobs, usernames_to_bill
from billing.selectors.previews import Preview
from billing.services.receipts import create_all
from billing.views.receipts import skipped_in_words
from core.context import actor_of
from core.errors import AppError
from core.periods import month_end, previous_month, today
from core.wording import day_text

TOKEN = "token:"  # noqa: S105 - the name of a field


class RunForm(WindowForm):
    user = forms.CharField(label=gettext_lazy("User (empty: everybody)"), required=False, max_length=64)

    def clean_user(self) -> str:
        name = fold_username(self.cleaned_data["user"])
        if name and not User.objects.filter(pk=name).exists():
            raise forms.ValidationError(_("There is no user %(name)s.") % {"name": name})
        return name


@dataclass(frozen=True, slots=True)
class Candidate:
    """One user of the run; ``trouble`` says why no receipt can be made."""

    username: str
    preview: Preview | None
    trouble: str = ""


def view(site: admin.ModelAdmin, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """GET asks and previews; POST makes the receipts of the users whose previews still fit."""
    if not request.user.has_perm("billing.add_receipt"):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else request.GET if "start" in request.GET else None
    form = RunForm(data)
    last = previous_month(today())
    form.initial = {"start": last, "end": month_end(last)}
    if request.method == "POST" and form.is_valid():
        return _make(site, request, form)
    candidates = _candidates(form) if data is not None and form.is_valid() else None
    fitting = [each for each in candidates or [] if each.preview]
    context |= {
        "title": _("Create receipts"),
        "form": form,
        "candidates": candidates,
        "receipts": sum(len(each.preview.quotes) for each in fitting if each.preview),
        "total": sum((each.preview.total for each in fitting if each.preview), Decimal(0)),
        "currency": fitting[0].preview.currency if fitting and fitting[0].preview else "",
        "skipped": _skipped(form) if candidates is not None else [],
        "token": TOKEN,
    }
    return TemplateResponse(request, "admin/billing/receipt_run.html", context, status=400 if form.errors else 200)


def _days(form: RunForm) -> dict[str, Any]:
    return {"start": form.cleaned_data["start"], "end": form.cleaned_data["end"]}


def _candidates(form: RunForm) -> list[Candidate]:
    days = _days(form)
    names = [form.cleaned_data["user"]] if form.cleaned_data["user"] else usernames_to_bill(**days)
    known = set(User.objects.filter(username__in=names).values_list("username", flat=True))
    found = []
    for name in names:
        if name not in known:
            continue  # counted among what is left out
        try:
            preview = preview_receipts(username=name, **days)
        except AppError as error:
            found.append(Candidate(name, None, error.message))
        else:
            if preview.quotes:
                found.append(Candidate(name, preview))
    return found


def _skipped(form: RunForm) -> list[tuple[str, int]]:
    return skipped_in_words(skipped_jobs(**_days(form), username=form.cleaned_data["user"] or None))


def _make(site: admin.ModelAdmin, request: HttpRequest, form: RunForm) -> HttpResponse:
    """One user at once; several as long work, which says how far it is."""
    tokens = {name.removeprefix(TOKEN): request.POST[name] for name in request.POST if name.startswith(TOKEN)}
    days = _days(form)
    if len(tokens) > 1:
        try:
            work = start_work(
                actor=actor_of(request), kind="receipt_run",
                title=_("Receipts of %(start)s to %(end)s, %(n)d users")
                % {"start": day_text(days["start"]) or "…", "end": day_text(days["end"]) or "…", "n": len(tokens)},
                parameters={**{name: day.isoformat() if day else None for name, day in days.items()}, "tokens": tokens},
            )  # fmt: skip
        except AppError as error:
            site.message_user(request, error.message, messages.ERROR)
            return redirect("admin:billing_receipt_changelist")
        return redirect("admin:accounts_work_change", work.pk)
    run = create_all(actor=actor_of(request), expected=tokens, **days)
    count = len(run.receipts)
    words = ngettext("%(n)d receipt created.", "%(n)d receipts created.", count) % {"n": count}
    site.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
    for username, trouble in run.failed.items():
        site.message_user(request, _("User %(name)s: %(why)s") % {"name": username, "why": trouble}, messages.ERROR)
    return redirect("admin:billing_receipt_changelist")
