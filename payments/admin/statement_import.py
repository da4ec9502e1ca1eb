"""Importing a bank statement in the console: read it first, show what would be stored, then store it.

Between the two steps the file waits in the visitor's session, compressed; the hash on the page says which it is.
"""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.context import actor_of
from core.errors import AppError
from core.money import from_minor
from payments.services.statements import LONGEST_BANK, BadStatement, Imported, import_statement

MOST_BYTES = 5 * 1024 * 1024  # larger files go through the command
_WAITING = "statement"


class StatementForm(forms.Form):
    bank = forms.CharField(
        label=_("Bank account"), max_length=LONGEST_BANK,
        help_text=_("The same name every time: it tells the lines of one account from those of another."),
    )  # fmt: skip
    file = forms.FileField(
        label=_("Statement (CSV)"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"})
    )
    encoding = forms.ChoiceField(
        label=_("Encoding"), required=False,
        choices=[("", _("find out")), ("utf-8-sig", "UTF-8"), ("cp874", _("Thai (cp874)"))],
    )  # fmt: skip
    delimiter = forms.ChoiceField(
        label=_("Delimiter"), required=False,
        choices=[("", _("find out")), (",", _("comma")), (";", _("semicolon")), ("\t", _("tab"))],
    )  # fmt: skip

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            words = gettext("The file is larger than %(n)d MB; import it with manage.py import_bank_statement.")
            raise forms.ValidationError(words % {"n": MOST_BYTES >> 20})
        return file


def view(site: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The first POST shows, the second (with ``confirm``, the file's hash) stores."""
    if request.method == "POST" and "confirm" in request.POST:
        return _store(site, request)
    form = StatementForm(request.POST or None, request.FILES or None) if request.method == "POST" else StatementForm()
    preview: Imported | None = None
    faults: list[str] = []
    if form.is_valid():
        asked = {name: form.cleaned_data[name] for name in ("bank", "encoding", "delimiter")}
        content = form.cleaned_data["file"].read()
        try:
            preview = import_statement(actor=actor_of(request), file=io.BytesIO(content), dry_run=True, **asked)
        except BadStatement as error:
            faults = error.message.split("\n")[1:]
        except AppError as error:
            field = str(error.details.get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
        else:
            packed = base64.b64encode(zlib.compress(content, 9)).decode()
            request.session[_WAITING] = {**asked, "sha256": preview.sha256, "content": packed}
    context = {
        **site.admin_site.each_context(request), "opts": site.model._meta,
        "title": gettext("Import a bank statement"), "form": form, "preview": preview, "faults": faults,
        "sums": [(from_minor(minor, code), code) for code, minor in sorted(preview.sums.items())] if preview else [],
        "button": _button(preview.imported) if preview else "",
    }  # fmt: skip
    status = 400 if faults or form.errors else 200
    return TemplateResponse(request, "admin/payments/bankline/import.html", context, status=status)


def _button(number: int) -> str:
    return ngettext("Import %(n)d line", "Import %(n)d lines", number) % {"n": number}


def _store(site: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    waiting = request.session.pop(_WAITING, None)
    if not waiting or waiting["sha256"] != request.POST["confirm"]:
        words = gettext("Another file was chosen meanwhile, or this one was imported already; please choose it again.")
        site.message_user(request, words, messages.WARNING)
        return redirect("admin:payments_bankline_import")
    asked = {name: waiting[name] for name in ("bank", "encoding", "delimiter")}
    content = zlib.decompress(base64.b64decode(waiting["content"]))
    try:
        done = import_statement(actor=actor_of(request), file=io.BytesIO(content), **asked)
    except AppError as error:
        site.message_user(request, error.message, messages.ERROR)
        return redirect("admin:payments_bankline_import")
    words = ngettext("%(n)d line imported.", "%(n)d lines imported.", done.imported) % {"n": done.imported}
    site.message_user(request, words, messages.SUCCESS)
    return redirect("admin:payments_bankline_changelist")
