"""Resetting a second factor from the console, for whoever lost the device and the codes."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.services.second_factors import reset
from core.console.admin import ConfirmedAction
from core.context import Actor


def _reset(actor: Actor, user: User, text: str) -> bool:
    return reset(actor=actor, user=user)


RESET = ConfirmedAction(
    name="reset_second_factor",
    title=_("Reset the second factor"),
    field_label="",
    status=(),
    headers=(_("user name"), _("role")),
    row=lambda user: (user.username, str(user.get_role_display())),
    advice=_("First make sure who is asking: whoever has the password can sign in afterwards. Their sessions end."),
    button=lambda n: ngettext("Reset for %(n)d user", "Reset for %(n)d users", n) % {"n": n},
    done=lambda n: ngettext("%(count)d second factor reset.", "%(count)d second factors reset.", n) % {"count": n},
    run=_reset,
)


class ResetsSecondFactors(admin.ModelAdmin):
    """Only a superuser resets that of a superuser."""

    @admin.action(description=_("Reset the second factor"), permissions=["reset_second_factor"])
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        superuser = bool(getattr(request.user, "is_superuser", False))
        return RESET.answer(self, request, queryset if superuser else queryset.filter(is_superuser=False))

    def has_reset_second_factor_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.reset_secondfactor")
