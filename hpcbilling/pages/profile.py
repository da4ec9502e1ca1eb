"""My account: what I pay and why, my language, my password, where I am signed in."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.forms.organisations import AddressForm, refuse
from accounts.models import Identity, Session, Tier, User
from accounts.roles import group_text
from accounts.services import email_changes
from accounts.services.sessions import end_sessions
from accounts.sign_in.step_up import ask_again
from accounts.tiers import TierResolver, describe_reason
from billing.models import CpuBasis, RateVersion
from billing.selectors.pricing.rates import in_force
from core.context import actor_of
from core.errors import AppError
from core.periods import today
from usage.models import Job


@dataclass(frozen=True, slots=True)
class AccountTier:
    """What jobs under one Slurm account are charged, and why."""

    account: str
    tier: str
    reason: str
    version: RateVersion | None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and (question := ask_again(request)) is not None:
        return question
    user = User.objects.get(pk=actor_of(request).name)
    address = AddressForm(
        request.POST if "email" in request.POST else None,
        initial={"email": Identity.objects.filter(user=user).values_list("email", flat=True).first()},
    )
    if address.is_bound:
        if _save_address(request, user, address):
            return redirect("profile")
    elif request.method == "POST":
        number = end_sessions(
            actor=actor_of(request), user=user, keep=str(request.session.session_key),
            handle=request.POST.get("session", ""),
        )  # fmt: skip
        words = ngettext("%(n)d session ended.", "%(n)d sessions ended.", number) % {"n": number}
        messages.success(request, words) if number else messages.info(request, _("There was no such session."))
        return redirect("profile")
    live = Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-since")
    sessions = [(row, row.session_key == request.session.session_key) for row in live]
    context = {
        "tiers": _tiers(user.username),
        "allocated": CpuBasis.ALLOCATED,
        "sessions": sessions,
        "form": address,
        "waiting": email_changes.waiting(user),
        "others": len(sessions) - 1,
        "groups": [group_text(name) for name in user.groups.order_by("name").values_list("name", flat=True)],
    }
    return render(request, "accounts/profile.html", context, status=400 if address.errors else 200)


def _save_address(request: HttpRequest, user: User, form: AddressForm) -> bool:
    if not form.is_valid():
        return False
    language = user.language or translation.get_language() or ""
    try:
        sent = email_changes.ask_email(actor=actor_of(request), user=user, language=language, **form.cleaned_data)
    except AppError as error:
        refuse(form, error)
        return False
    if sent is not None:
        words = _("A link goes to %(email)s. Open it within a day; until then nothing changes.")
        messages.success(request, words % {"email": sent.email})
    else:
        messages.success(request, _("Saved."))
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """What the link confirms, and the button to do it: programs that look into e-mails open links, too."""
    user = User.objects.get(pk=actor_of(request).name)
    found = email_changes.find(token, user)
    if found is not None and request.method == "POST":
        try:
            address = email_changes.confirm_email(actor=actor_of(request), token=token)
        except email_changes.LinkGone:
            found = None
        else:
            messages.success(request, _("Messages go to %(email)s from now on.") % {"email": address})
            return redirect("profile")
    context = {"change": found}
    return render(request, "accounts/email_change.html", context, status=200 if found is not None else 404)


def _tiers(username: str) -> list[AccountTier]:
    """One row for each Slurm account of the user's jobs; one without an account for those without jobs."""
    accounts = list(
        Job.objects.filter(username=username).order_by("account").values_list("account", flat=True).distinct()
    )
    resolver, labels = TierResolver.load(today()), {tier.pk: tier.label for tier in Tier.objects.all()}
    versions = in_force(timezone.now())
    rows = []
    for account in accounts or [""]:
        found = resolver.resolve(username, account)
        rows.append(
            AccountTier(
                account, labels.get(found.tier, found.tier), describe_reason(found.reason), versions.get(found.tier)
            )
        )
    return rows
