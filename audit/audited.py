"""Admin mixin: what is added, changed or deleted in the console goes to the audit log with it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from audit import services
from core.console.admin import ConsoleAdmin
from core.context import actor_of

_NEVER = frozenset({"password"})
Snapshot = dict[str, Any]


class AuditedAdmin(ConsoleAdmin):
    """Records ``object_add``, ``object_change`` and ``object_delete`` with ``{field: [old, new]}``.

    The record is written after the change in the same transaction (Django's own
    admin views open it), so neither exists without the other. Password hashes
    are never recorded. ``audit_related`` names reverse relations that are edited
    inline and belong to the object.
    """

    audit_related: ClassVar[tuple[str, ...]] = ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            stored = type(obj)._default_manager.get(pk=obj.pk)
            request.__dict__.setdefault("_audit_before", {})[str(obj.pk)] = self._snapshot(stored)
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)
        self._record(request, obj, "object_add", {}, self._snapshot(obj))
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_change(request, obj, message)
        before = request.__dict__.get("_audit_before", {}).get(str(obj.pk))
        if before is not None:
            after = self._snapshot(type(obj)._default_manager.get(pk=obj.pk))
            if before != after:
                self._record(request, obj, "object_change", before, after)
        return entry

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            before, entity = self._snapshot(obj), type(obj)(pk=obj.pk)
            target = str(obj)
            super().delete_model(request, obj)
            self._record(request, entity, "object_delete", before, {}, target)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset:
                self.delete_model(request, obj)

    def _snapshot(self, obj: models.Model) -> Snapshot:
        fields = {field.name: field.value_from_object(obj) for field in obj._meta.concrete_fields}
        for field in obj._meta.many_to_many:
            fields[field.name] = sorted(str(item) for item in getattr(obj, field.name).all())
        for name in self.audit_related:
            fields[name] = sorted(str(item) for item in getattr(obj, name).all())
        return {name: value for name, value in fields.items() if name not in _NEVER}

    def _record(
        self, request: HttpRequest, obj: models.Model, action: str, before: Snapshot, after: Snapshot, target: str = ""
    ) -> None:
        changes = {
            name: [before.get(name), after.get(name)]
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        services.record(actor=actor_of(request), action=action, target=target or str(obj), entity=obj, changes=changes)
