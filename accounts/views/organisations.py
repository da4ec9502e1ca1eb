"""My organisations: who belongs to them, their projects, their settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import membership
from accounts.forms.organisations import ProjectForm, SettingsForm, refuse
from accounts.membership import MEMBERS, SETTINGS
from accounts.models import Member, Organisation, Project
from accounts.reach import Reach, find_organisation, find_own
from accounts.services.members import remove_member
from accounts.services.organisations import (
    OWNER_FIELDS,
    change_organisation,
    change_project,
    create_project,
    fixed_fields,
    set_project_active,
)
from core.context import actor_of
from core.errors import AppError

MEMBERS_A_PAGE = 50
MOST_PROJECTS = 200
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    counts = {
        "members": Count("organisation__members", distinct=True),
        "projects": Count(
            "organisation__project", filter=Q(organisation__project__is_active=True), distinct=True
        ),
    }  # fmt: skip
    mine = membership.memberships_of(request.user).annotate(**counts)
    return render(request, "organisations/index.html", {"memberships": mine})


@require_safe
@login_required
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    reach = find_organisation(request.user, uuid)
    organisation = reach.organisation
    members = organisation.members.select_related("user").order_by("user_id")
    projects = organisation.project_set.prefetch_related("accounts").order_by("-is_active", "name")
    asked = organisation.invitations.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    context = {
        **shared(reach),
        "mine": members.filter(user=actor_of(request).name).first(),
        "page": Paginator(members, MEMBERS_A_PAGE).get_page(request.GET.get("page")),
        "projects": projects[:MOST_PROJECTS],
        "invitations": asked if MEMBERS in reach.rights else [],
        "now": timezone.now(),
    }
    return render(request, "organisations/detail.html", context)


@form_page
@login_required
def settings_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    reach = find_organisation(request.user, uuid, SETTINGS)
    organisation = reach.organisation
    fixed = fixed_fields(organisation)
    form = SettingsForm(request.POST or None, organisation=organisation, fixed=fixed)
    if request.method == "POST" and form.is_valid():
        changes = {name: form.cleaned_data[name] for name in OWNER_FIELDS if name not in fixed}
        try:
            changed = change_organisation(actor=actor_of(request), organisation=organisation, changes=changes)
        except AppError as error:
            refuse(form, error)
        else:
            say_saved(request, changed)
            return redirect("organisations:detail", uuid)
    status = 400 if form.errors else 200
    return render(request, "organisations/settings.html", {**shared(reach), "form": form}, status=status)


@require_POST
@login_required
def leave(request: HttpRequest, uuid: UUID) -> HttpResponse:
    reach = find_organisation(request.user, uuid)
    mine = Member.objects.filter(organisation=reach.organisation, user=actor_of(request).name).first()
    if mine is None:
        return redirect("organisations:detail", uuid)
    try:
        remove_member(actor=actor_of(request), member=mine)
    except AppError as error:
        messages.error(request, error.message)
        return redirect("organisations:detail", uuid)
    messages.success(request, _("You no longer belong to %(name)s.") % {"name": reach.organisation})
    return redirect("organisations:index")


@form_page
@login_required
def new_project(request: HttpRequest, uuid: UUID) -> HttpResponse:
    reach = find_organisation(request.user, uuid, SETTINGS)
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            create_project(actor=actor_of(request), organisation=reach.organisation, **form.cleaned_data)
        except AppError as error:
            refuse(form, error)
        else:
            messages.success(request, _("The project is made."))
            return redirect("organisations:detail", uuid)
    return _project_page(request, reach, None, form)


@form_page
@login_required
def project(request: HttpRequest, uuid: UUID, project: UUID) -> HttpResponse:
    """Name and description; with ``active`` in the form the project is closed or opened instead."""
    reach = find_organisation(request.user, uuid, SETTINGS)
    row = find_own(reach.organisation.project_set.all(), uuid=project)
    form = ProjectForm(request.POST or None, initial={"name": row.name, "description": row.description})
    if request.method == "POST" and "active" in request.POST:
        return _set_active(request, reach.organisation, row)
    if request.method == "POST" and form.is_valid():
        try:
            say_saved(
                request, change_project(actor=actor_of(request), project=row, changes=_stripped(form.cleaned_data))
            )
        except AppError as error:
            refuse(form, error)
        else:
            return redirect("organisations:detail", uuid)
    return _project_page(request, reach, row, form)


def _set_active(request: HttpRequest, organisation: Organisation, row: Project) -> HttpResponse:
    active = request.POST["active"] == "1"
    may_map = request.user.is_staff and request.user.has_perm("accounts.change_project")
    try:
        changed = set_project_active(actor=actor_of(request), project=row, active=active, with_accounts=may_map)
    except AppError as error:
        messages.error(request, error.message)
    else:
        say_saved(request, changed)
    return redirect("organisations:detail", organisation.uuid)


def _project_page(request: HttpRequest, reach: Reach, row: Project | None, form: forms.Form) -> HttpResponse:
    accounts = list(row.accounts.values_list("account", flat=True)) if row is not None else []
    context = {**shared(reach), "project": row, "accounts": accounts, "form": form}
    return render(request, "organisations/project.html", context, status=400 if form.errors else 200)


def say_saved(request: HttpRequest, changed: bool) -> None:
    if changed:
        messages.success(request, _("Saved."))
    else:
        messages.info(request, _("Nothing was different; nothing was changed."))


def shared(reach: Reach) -> dict[str, Any]:
    return {"organisation": reach.organisation, "may": {right: right in reach.rights for right in membership.ALL}}


def _stripped(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
