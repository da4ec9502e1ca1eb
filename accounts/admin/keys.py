"""API keys in the console: whose, what for, last used; revoked where one has leaked. The key itself is nowhere."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from accounts.models import ApiKey
from accounts.services.api_keys import revoke_key
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin
from core.words.wording import moment_text

REVOKE = ConfirmedAction(
    name="revoke_action",
    title=_("Revoke"),
    field_label="",
    status=(),
    headers=(_("name"), _("begins with"), _("owner"), _("last used")),
    row=lambda row: (row.name, row.key_prefix, row.owner, moment_text(row.last_used_at)),
    danger=True,
    advice=_("Programs that use it are refused from now on. It cannot be taken back."),
    button=lambda n: ngettext("Revoke %(n)d key", "Revoke %(n)d keys", n) % {"n": n},
    done=lambda n: ngettext("%(n)d key is revoked.", "%(n)d keys are revoked.", n) % {"n": n},
    run=lambda actor, row, text: revoke_key(actor=actor, key=row),
)


@admin.register(ApiKey)
class ApiKeyAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "name", "key_prefix", "project", "user", "scope_words", "is_active", "expires_at", "last_used_at", "created_by",
    )  # fmt: skip
    list_filter = ("is_active",)
    list_select_related = ("project__organisation", "user")
    search_fields = ("key_prefix", "name", "user__username", "project__name")
    exclude = ("scopes",)
    fields = (
        "name", "key_prefix", "project", "user", "scope_words", "is_active", "created_at", "created_by", "expires_at",
        "last_used_at", "revoked_at", "replaced_by",
    )  # fmt: skip
    readonly_fields = ("scope_words",)
    actions = ("revoke_action",)
    page_actions = ("revoke_action",)

    @admin.display(description=pgettext_lazy("what a key is allowed", "may"))
    def scope_words(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    def has_page_action(self, obj: ApiKey, name: str) -> bool:
        return obj.revoked_at is None

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.revoke_apikey")

    @admin.action(description=_("Revoke …"), permissions=["revoke"])
    def revoke_action(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return REVOKE.answer(self, request, queryset)
