"""Users, tiers and lockouts in the finance console."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import rights, view_as
from accounts.admin.second_factors import ResetsSecondFactors
from accounts.forms.users import EditUserForm, NewUserForm
from accounts.models import AuthThrottle, Tier, User
from accounts.models.users import chosen_by_another
from accounts.roles import GROUPS, group_text
from accounts.services.identities import set_email
from accounts.services.password_resets import send_first
from accounts.services.throttle import unlock
from audit.audited import AuditedAdmin
from audit.services import record
from core.console.admin import ConfirmedAction, PageActions
from core.context import Actor, actor_of
from core.words.wording import moment_text


class GroupsField(ModelMultipleChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return group_text(obj.name)


class GroupsFilter(admin.RelatedFieldListFilter):
    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        return [(pk, group_text(str(name))) for pk, name in super().field_choices(field, request, model_admin)]


@admin.register(User)
class PeopleAdmin(ResetsSecondFactors, AuditedAdmin, UserAdmin):
    """Users are made inactive, never deleted: receipts name them. Only a superuser touches superusers."""

    form = EditUserForm
    add_form = NewUserForm
    list_display = ("username", "role", "is_active", "is_superuser", "last_login", "created_at")
    list_filter = ("role", "is_active", ("groups", GroupsFilter))
    search_fields = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Rights"), {"fields": ("role", "is_active", "is_superuser", "groups")}),
        (_("More"), {"fields": ("language", "last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "role", "email", "usable_password", "password1", "password2")}),)

    change_form_template = "admin/accounts/user/change_form.html"
    filter_horizontal = ()
    actions = ("reset_second_factor",)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Boxes, not a picker: there are few groups."""
        own = {"form_class": GroupsField, "widget": CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **own, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        begin = self.admin_site.admin_view(self.view_as_view)
        return [path("<path:pk>/view-as/", begin, name="accounts_user_view_as"), *super().get_urls()]

    def view_as_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        return view_as.begin(request, pk, self.admin_site.each_context(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = view_as.may_view_as(request.user, self.get_object(request, object_id))
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_view_as": may})

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fields: tuple[str, ...] = ("last_login", "created_at")
        if obj is not None:
            fields = (*fields, "username")  # the name is the key: receipts, jobs and the audit log use it
        return fields if _is_superuser(request) else (*fields, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not _is_superuser(request):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Whoever gets a password of somebody else's choice has to choose another one at the next sign-in."""
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if response.status_code == HTTPStatus.FOUND and id != request.user.get_username():
                User.objects.filter(pk=id).update(**chosen_by_another())
            return response

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            for name, value in (chosen_by_another() if obj.has_usable_password() else {}).items():
                setattr(obj, name, value)
        super().save_model(request, obj, form, change)
        if not change and form.cleaned_data["email"]:
            set_email(actor=actor_of(request), user=obj, email=form.cleaned_data["email"])
        if not change and form.sends_link:
            send_first(actor=actor_of(request), user=obj, language=get_language() or "")
            words = _("A link to choose a password goes to %(address)s.") % {"address": form.cleaned_data["email"]}
            self.message_user(request, words)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        entry = super().log_change(request, obj, message)
        if "_audit_before" not in request.__dict__:  # not the form of the user: the form of the password
            record(actor=actor_of(request), action="password_change", target=obj.username, entity=obj)
        return entry


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


admin.site.unregister(Group)


@admin.register(Group)
class GroupsAdmin(AuditedAdmin, GroupAdmin):
    """A site's own groups. The product's own are shown only: ``migrate`` would undo a change to them."""

    filter_horizontal = ()

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        """Who may only look reads the rights in words."""
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return ("name", "permissions") if may else ("name", "rights")

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        return ("rights",)

    @admin.display(description=_("rights"))
    def rights(self, group: Group) -> SafeString:
        return rights.shown(group.permissions.all())

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        own = {"form_class": rights.RightsField, "widget": rights.RightsBoxes}
        return super().formfield_for_manytomany(db_field, request, **own, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return not _is_ours(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return not _is_ours(obj) and super().has_delete_permission(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        super().delete_queryset(request, queryset.exclude(name__in=GROUPS))


def _is_ours(group: Group | None) -> bool:
    return group is not None and group.name in GROUPS


def _unlock(actor: Actor, row: AuthThrottle, text: str) -> int:
    return unlock(actor=actor, rows=AuthThrottle.objects.filter(pk=row.pk))


UNLOCK = ConfirmedAction(
    name="unlock",
    title=_("Unlock"),
    field_label="",
    status=(),
    headers=(_("user name"), _("address"), _("attempts"), _("locked until")),
    row=lambda row: (row.username, row.ip, str(row.fail_count), moment_text(row.locked_until)),
    advice=_("Their failed attempts are forgotten, and they may try to sign in again at once."),
    button=lambda n: ngettext("Unlock %(n)d entry", "Unlock %(n)d entries", n) % {"n": n},
    done=lambda n: ngettext("%(count)d entry unlocked.", "%(count)d entries unlocked.", n) % {"count": n},
    run=_unlock,
)


@admin.register(AuthThrottle)
class LockoutAdmin(PageActions):
    list_display = ("username", "ip", "fail_count", "window_start", "locked_until", "locked_now")
    list_filter = (("locked_until", admin.EmptyFieldListFilter),)
    search_fields = ("username", "ip")
    ordering = ("-locked_until", "-window_start")
    actions = page_actions = ("unlock",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuthThrottle | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: AuthThrottle | None = None) -> bool:
        return False

    @admin.display(description=_("locked"), boolean=True)
    def locked_now(self, row: AuthThrottle) -> bool:
        return row.locked_until is not None and row.locked_until > timezone.now()

    @admin.action(description=_("Unlock …"), permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[AuthThrottle]) -> HttpResponse | None:
        return UNLOCK.answer(self, request, queryset)


@admin.register(Tier)
class TierAdmin(AuditedAdmin):
    list_display = ("code", "name", "name_th", "position")

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        return False
