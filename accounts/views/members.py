"""The members of an organisation: asked to join, given a role, taken out; and the page on which one accepts."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.forms.organisations import InviteForm, MemberForm, refuse
from accounts.membership import MEMBERS
from accounts.models import Member, User
from accounts.models.users import fold_username
from accounts.reach import find_organisation, find_own
from accounts.services import invitations
from accounts.services.members import change_member, remove_member
from accounts.views.organisations import form_page, say_saved, shared
from core.context import actor_of
from core.errors import AppError


@form_page
@login_required
def invite(request: HttpRequest, uuid: UUID) -> HttpResponse:
    reach = find_organisation(request.user, uuid, MEMBERS)
    form = InviteForm(request.POST or None, initial={"language": translation.get_language()})
    if request.method == "POST" and form.is_valid():
        try:
            sent = invitations.invite(actor=actor_of(request), organisation=reach.organisation, **form.cleaned_data)
        except AppError as error:
            refuse(form, error)
        else:
            messages.success(request, _("An invitation goes to %(email)s.") % {"email": sent.email})
            return redirect("organisations:detail", uuid)
    context = {**shared(reach), "form": form}
    return render(request, "organisations/invite.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def invited(request: HttpRequest, uuid: UUID, invitation: UUID) -> HttpResponse:
    """``act``: withdraw, or repeat with a new link."""
    reach = find_organisation(request.user, uuid, MEMBERS)
    row = find_own(reach.organisation.invitations.select_related("organisation"), uuid=invitation)
    actor = actor_of(request)
    try:
        if request.POST.get("act") == "repeat":
            invitations.invite(
                actor=actor, organisation=reach.organisation, email=row.email, role=row.role,
                language=translation.get_language() or "",
            )  # fmt: skip
            messages.success(request, _("A new link goes to %(email)s; the old one has ended.") % {"email": row.email})
        elif invitations.withdraw(actor=actor, invitation=row):
            messages.success(request, _("The invitation is withdrawn."))
    except AppError as error:
        messages.error(request, error.message)
    return redirect("organisations:detail", uuid)


@form_page
@login_required
def member(request: HttpRequest, uuid: UUID, username: str) -> HttpResponse:
    """The role of one member; with ``remove`` in the form the member is taken out instead."""
    reach = find_organisation(request.user, uuid, MEMBERS)
    rows = reach.organisation.members.select_related("organisation", "user")
    row = find_own(rows, user_id=fold_username(username))
    if request.method == "POST" and "remove" in request.POST:
        return _remove(request, row)
    form = MemberForm(request.POST or None, initial={"role": row.role})
    if request.method == "POST" and form.is_valid():
        try:
            changed = change_member(actor=actor_of(request), member=row, role=form.cleaned_data["role"])
        except AppError as error:
            refuse(form, error)
        else:
            say_saved(request, changed)
            return redirect("organisations:detail", uuid)
    context = {**shared(reach), "member": row, "form": form}
    return render(request, "organisations/member.html", context, status=400 if form.errors else 200)


def _remove(request: HttpRequest, row: Member) -> HttpResponse:
    actor = actor_of(request)
    try:
        remove_member(actor=actor, member=row)
    except AppError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("%(name)s no longer belongs to it.") % {"name": row.user_id})
        if row.user_id == actor.name:
            return redirect("organisations:index")
    return redirect("organisations:detail", row.organisation.uuid)


@form_page
@login_required
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """What one is asked to join, and the button to do it. Whoever joined by this link before is led there."""
    user = User.objects.get(pk=actor_of(request).name)
    joined = invitations.accepted_by(token, user)
    if joined is not None:
        return redirect("organisations:detail", joined.uuid)
    found = invitations.find(token)
    if found is not None and request.method == "POST":
        try:
            made = invitations.accept(actor=actor_of(request), token=token)
        except invitations.InvitationGone:
            found = None
        except AppError as error:
            messages.error(request, error.message)
            return redirect("organisations:detail", found.organisation.uuid)
        else:
            messages.success(request, _("You belong to %(name)s now.") % {"name": made.organisation})
            return redirect("organisations:detail", made.organisation.uuid)
    if found is None:
        return render(request, "organisations/invitation_gone.html", status=404)
    belongs = Member.objects.filter(organisation=found.organisation, user=user).exists()
    return render(request, "organisations/invitation.html", {"invitation": found, "belongs": belongs})
