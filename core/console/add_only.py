"""Admin classes of rows that are added through a service and never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from core.console.admin import ReadOnlyAdmin
from core.errors import AppError


class AddOnlyAdmin(ReadOnlyAdmin):
    """``save_model`` (or ``save_related``) of a subclass calls the service."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form has checked all that it can; what the service refuses still is what somebody else did meanwhile."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except AppError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(request.path)


def add_errors(form: forms.BaseForm, error: AppError) -> None:
    """What a service refuses, beside the fields that it is about."""
    by_field: Any = error.details.get("errors") or {str(error.details.get("field", "")): [error.message]}
    for name, words in by_field.items():
        for each in words:
            form.add_error(name if name in form.fields else None, each)


def take_over(obj: Any, saved: Any) -> None:
    """The page goes on with ``obj``; what the service has written is ``saved``."""
    for field in saved._meta.concrete_fields:
        setattr(obj, field.attname, getattr(saved, field.attname))
    obj._state.adding = False
