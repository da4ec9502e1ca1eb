"""Templates of invoices and credit notes in the console: an editor with its preview beside it, versions, which one
counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from billing.models import InvoiceTemplate, TemplateKind
from billing.selectors.documents.template_previews import find_by_number, previews, variables
from billing.selectors.documents.templates import Look, difference, look_of, standard_look, versions_of
from billing.services.invoices.templates import (
    LONGEST_NAME,
    check_look,
    restore_template,
    save_template,
    set_template_active,
    use_template,
)
from billing.words.templates import TemplateRefused
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from core.context import actor_of
from core.errors import AppError

CODE = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off", "wrap": "off", "class": "code"}
SHOWN_VERSIONS = 20


class TemplateForm(forms.Form):
    kind = forms.ChoiceField(choices=TemplateKind.choices, widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    organisation = forms.ModelChoiceField(
        Organisation.objects.order_by("name"), label=_("Organisation"), required=False, empty_label=_("for all")
    )
    description = forms.CharField(label=_("What is new in it"), required=False, max_length=500)
    html = forms.CharField(label=_("HTML"), widget=forms.Textarea(attrs={**CODE, "rows": 22}), strip=False)
    css = forms.CharField(
        label=_("CSS"), widget=forms.Textarea(attrs={**CODE, "rows": 14}), strip=False, required=False
    )
    invoice = forms.CharField(label=_("Preview with invoice number"), required=False, max_length=40)
    credit_note = forms.CharField(label=_("Preview with credit note number"), required=False, max_length=40)
    use = forms.BooleanField(label=_("Use it from now on"), required=False)

    def __init__(self, *args: Any, fixed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "organisation") if fixed else ():
            self.fields[name].disabled = True
        self.fields["kind"].disabled = True  # the page is of one kind

    @property
    def number(self) -> forms.BoundField:
        """Of the document that the preview shows."""
        return self[self.initial["kind"]]


def editor(
    site: admin.ModelAdmin, request: HttpRequest, row: InvoiceTemplate | None, actions: Sequence[tuple[str, Any]] = ()
) -> HttpResponse:
    """The page of a version, or of a new template; ``preview`` shows what is typed, ``save`` keeps it."""
    may_save = request.user.has_perm("billing.add_invoicetemplate")
    if request.method == "POST" and not may_save:
        raise PermissionDenied
    kind = row.kind if row else _kind(request)
    look = look_of(row) if row else standard_look(kind)
    initial = {
        "kind": kind, "name": row.name if row else "",
        "organisation": row.organisation if row else None, "html": look.html,
        "css": look.css,
    }  # fmt: skip
    form = TemplateForm(request.POST if request.method == "POST" else None, initial=initial, fixed=row is not None)
    if form.is_bound and form.is_valid() and "save" in request.POST and (saved := _save(site, request, form)):
        return redirect(reverse("admin:billing_invoicetemplate_change", args=[saved.pk]))
    shown = look
    if form.is_bound:
        shown = Look(form.data.get("html", "").replace("\r\n", "\n"), form.data.get("css", "").replace("\r\n", "\n"))
    seen, problems = _preview(request, form, shown, kind)
    versions = list(versions_of(row)[:SHOWN_VERSIONS]) if row else []
    context = {
        **site.admin_site.each_context(request), "opts": site.model._meta, "form": form, "row": row,
        "title": str(row) if row else _new(kind), "may_save": may_save, "previews": seen,
        "problems": problems, "variables": variables(kind), "kind": kind, "versions": versions,
        "for_notes": kind == TemplateKind.CREDIT_NOTE,
        "page_actions": actions, "checkbox_name": ACTION_CHECKBOX_NAME, "newest": versions[0] if versions else None,
        "changes": difference(look_of(_before(row, versions)), look) if row and row.version > 1 else "",
    }  # fmt: skip
    status = 400 if form.is_bound and (problems or form.errors) else 200
    return TemplateResponse(request, "admin/billing/invoicetemplate/editor.html", context, status=status)


def _before(row: InvoiceTemplate, versions: list[InvoiceTemplate]) -> InvoiceTemplate | None:
    return next((each for each in versions if each.version < row.version), None)


def _save(site: admin.ModelAdmin, request: HttpRequest, form: TemplateForm) -> InvoiceTemplate | None:
    data = form.cleaned_data
    try:
        saved = save_template(
            actor=actor_of(request), name=data["name"], organisation=data["organisation"],
            description=data["description"], look=Look(data["html"], data["css"]), kind=data["kind"],
            use=data["use"],
        )  # fmt: skip
    except AppError as error:
        if "problems" not in error.details:  # those stand in a list of their own
            field = str(error.details.get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
        return None
    site.message_user(request, gettext("%(name)s is saved.") % {"name": saved}, messages.SUCCESS)
    return saved


def _kind(request: HttpRequest) -> str:
    """Of a new template: ``?kind=credit_note``, else one of invoices."""
    return TemplateKind.CREDIT_NOTE if request.GET.get("kind") == TemplateKind.CREDIT_NOTE else TemplateKind.INVOICE


def _new(kind: str) -> str:
    if kind == TemplateKind.CREDIT_NOTE:
        return gettext("New template of credit notes")
    return gettext("New template of invoices")


def _preview(request: HttpRequest, form: TemplateForm, look: Look, kind: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """Pictures, and what is wrong with the template; both as they are now. It may be set, and yet hide what it has to
    show."""
    real = None
    number = form.data.get(kind, "").strip() if form.is_bound else ""
    try:
        if number and request.user.has_perm("billing.view_invoice"):
            real = find_by_number(number, kind)
        pictures = previews(look, real, kind)
    except AppError as error:
        if "problems" not in error.details:
            form.add_error(kind, error.message)
            return [], []
        return [], _listed(error, look)
    try:
        check_look(look, kind)
    except TemplateRefused as error:
        return pictures, _listed(error, look)
    return pictures, []


def _listed(error: AppError, look: Look) -> list[dict[str, Any]]:
    found: Any = error.details["problems"]
    parts = {"html": look.html.splitlines(), "css": look.css.splitlines()}
    return [{**each, "source": _source(parts.get(each["part"], []), each["line"])} for each in found]


def _source(lines: list[str], number: int) -> str:
    return lines[number - 1].strip()[:120] if 0 < number <= len(lines) else ""


@admin.register(InvoiceTemplate)
class InvoiceTemplateAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("name", "kind", "version", "organisation", "is_default", "is_active", "description", "created_by",
                    "created_at")  # fmt: skip
    list_filter = ("kind", "is_default", "is_active", "organisation")
    list_select_related = ("organisation",)
    search_fields = ("name", "organisation__name", "description")
    list_per_page = 50
    actions = page_actions = ("use_action", "off_action", "on_action", "restore_action")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_invoicetemplate")

    def has_choose_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_invoicetemplate")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return editor(self, request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(gettext("There is no such template."))
        return editor(self, request, row, self._offered(request, row))

    def _offered(self, request: HttpRequest, row: InvoiceTemplate) -> list[tuple[str, Any]]:
        offered = self.get_actions(request).items()
        return [(name, found[2]) for name, found in offered if found and self.has_page_action(row, name)]

    def has_page_action(self, obj: InvoiceTemplate, name: str) -> bool:
        if name not in self.page_actions:
            return False
        if name == "restore_action":
            return versions_of(obj).filter(version__gt=obj.version).exists()
        return {"use_action": obj.is_active and not obj.is_default, "off_action": obj.is_active}.get(
            name, not obj.is_active
        )

    @admin.action(description=_("Use from now on …"), permissions=["choose"])
    def use_action(self, request: HttpRequest, queryset: QuerySet[InvoiceTemplate]) -> HttpResponse | None:
        return USE.answer(self, request, queryset)

    @admin.action(description=_("Switch off …"), permissions=["choose"])
    def off_action(self, request: HttpRequest, queryset: QuerySet[InvoiceTemplate]) -> HttpResponse | None:
        return OFF.answer(self, request, queryset)

    @admin.action(description=_("Switch on …"), permissions=["choose"])
    def on_action(self, request: HttpRequest, queryset: QuerySet[InvoiceTemplate]) -> HttpResponse | None:
        return ON.answer(self, request, queryset)

    @admin.action(description=_("Bring back …"), permissions=["add"])
    def restore_action(self, request: HttpRequest, queryset: QuerySet[InvoiceTemplate]) -> HttpResponse | None:
        return RESTORE.answer(self, request, queryset)


USE = ConfirmedAction(
    name="use_action",
    title=_("Use templates"),
    field_label="",
    status=(),
    headers=(_("template"), _("for"), _("organisation"), _("description")),
    row=lambda row: (str(row), row.get_kind_display(), str(row.organisation or gettext("for all")), row.description),
    advice=_("Documents of its kind issued from now on are set by it. Those that were issued before keep theirs."),
    button=lambda n: ngettext("Use %(n)d template", "Use %(n)d templates", n) % {"n": n},
    done=lambda n: ngettext("%(n)d template is used.", "%(n)d templates are used.", n) % {"n": n},
    run=lambda actor, row, text: use_template(actor=actor, template=row),
)
OFF = replace(
    USE,
    name="off_action",
    title=_("Switch off templates"),
    advice=_("No new document is set by it; where it was used, the one for all, or the built-in document, counts."),
    button=lambda n: ngettext("Switch off %(n)d template", "Switch off %(n)d templates", n) % {"n": n},
    done=lambda n: ngettext("%(n)d template is switched off.", "%(n)d templates are switched off.", n) % {"n": n},
    run=lambda actor, row, text: set_template_active(actor=actor, template=row, active=False),
)
ON = replace(
    USE,
    name="on_action",
    title=_("Switch on templates"),
    advice=_("It can be used again."),
    button=lambda n: ngettext("Switch on %(n)d template", "Switch on %(n)d templates", n) % {"n": n},
    done=lambda n: ngettext("%(n)d template is switched on.", "%(n)d templates are switched on.", n) % {"n": n},
    run=lambda actor, row, text: set_template_active(actor=actor, template=row, active=True),
)
RESTORE = replace(
    USE,
    name="restore_action",
    title=_("Bring back earlier versions"),
    advice=_("What it says becomes the newest version. Where the newest one was used, this one is then."),
    button=lambda n: ngettext("Bring back %(n)d version", "Bring back %(n)d versions", n) % {"n": n},
    done=lambda n: ngettext("%(n)d version is the newest again.", "%(n)d versions are the newest again.", n) % {"n": n},
    run=lambda actor, row, text: restore_template(actor=actor, template=row),
)
