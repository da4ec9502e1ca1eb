"""API keys: mine and those of the projects whose keys are in my hands; made, replaced and revoked."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms.organisations import refuse
from accounts.keys import own_keys, own_projects
from accounts.models import ApiKey, Scope, User
from accounts.services.api_keys import FOR_PROJECTS, Issued, issue_key, revoke_key, rotate_key
from accounts.sign_in.step_up import ask_again
from core.context import actor_of
from core.errors import AppError

PAGE_SIZE = 50
ME = "me"


class KeyForm(forms.Form):
    owner = forms.ChoiceField(
        label=gettext_lazy("Whose key"),
        help_text=gettext_lazy("A project's key sends and reads for that project alone. Your own acts in your name."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=255, help_text=gettext_lazy("Where it is used."))
    scopes = forms.MultipleChoiceField(
        label=pgettext_lazy("what a key is allowed", "May"), widget=forms.CheckboxSelectMultiple
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Valid until"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("The last day. Empty: until it is revoked."),
    )  # fmt: skip

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        self.user = user
        self.projects = {str(each.uuid): each for each in own_projects(user)}
        choices = [(ME, _("My own"))]
        choices += [(uuid, f"{each.organisation} / {each.name}") for uuid, each in self.projects.items()]
        self.fields["owner"].choices = choices  # type: ignore[attr-defined]
        scopes = [each for each in Scope if user.is_staff or each in FOR_PROJECTS]
        self.fields["scopes"].choices = [(each.value, each.label) for each in scopes]  # type: ignore[attr-defined]

    def owned_by(self) -> dict[str, Any]:
        owner = self.cleaned_data["owner"]
        return {"user": self.user} if owner == ME else {"project": self.projects[owner]}

    def expires_at(self) -> datetime | None:
        """The end of the day, in the site's zone."""
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        zone = timezone.get_default_timezone()
        return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    keys = own_keys(_user(request)).order_by("-is_active", "-created_at", "pk")
    page = Paginator(keys, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "keys/index.html", {"page": page, "now": timezone.now()})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    """A key outlives the session that makes it: an open browser is not enough."""
    if (question := ask_again(request)) is not None:
        return question
    user = _user(request)
    form = KeyForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            issued = issue_key(
                actor=actor_of(request), name=data["name"], scopes=data["scopes"], expires_at=form.expires_at(),
                **form.owned_by(),
            )  # fmt: skip
        except AppError as error:
            refuse(form, error)
        else:
            return _shown_once(request, issued)
    return render(request, "keys/new.html", {"form": form}, status=400 if form.errors else 200)


@require_safe
@login_required
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return render(request, "keys/detail.html", {"key": _find(request, uuid)})


@require_POST
@login_required
@never_cache
def rotate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    key = _find(request, uuid)
    if (question := ask_again(request, reverse("keys:detail", args=[uuid]))) is not None:
        return question
    try:
        issued = rotate_key(actor=actor_of(request), key=key)
    except AppError as error:
        messages.error(request, error.message)
        return redirect("keys:detail", uuid)
    key.refresh_from_db()
    return _shown_once(request, issued, old=key)


@require_POST
@login_required
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponse:
    done = revoke_key(actor=actor_of(request), key=_find(request, uuid))
    messages.success(request, _("The key is revoked.") if done else _("The key was revoked before."))
    return redirect("keys:index")


def _shown_once(request: HttpRequest, issued: Issued, old: ApiKey | None = None) -> HttpResponse:
    """The one answer that holds the key; nothing keeps it, neither a session nor a cache."""
    context = {"key": issued.key, "secret": issued.secret, "old": old}
    return render(request, "keys/issued.html", context)


def _find(request: HttpRequest, uuid: UUID) -> ApiKey:
    key = own_keys(_user(request)).filter(pk=uuid).first()
    if key is None:
        raise Http404(_("There is no such key."))
    return key


def _user(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - the page asks to sign in
    return user
