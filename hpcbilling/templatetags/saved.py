"""Saved filters beside a console list."""

from __future__ import annotations

from typing import Any

from django import template

from hpcbilling.pages import saved_filters

register = template.Library()


@register.inclusion_tag("admin/saved_filters.html", takes_context=True)
def saved(context: dict[str, Any], cl: Any) -> dict[str, Any]:
    """One's own filters of this list, and a field to keep the one that is set."""
    request = context["request"]
    rows = list(saved_filters.of(request.user, cl.opts))
    current = saved_filters.lasting(request.GET, cl.filter_specs)
    for row in rows:
        row.address = saved_filters.of_today(row.query, cl.filter_specs)  # type: ignore[attr-defined]
    return {
        "rows": rows,
        "where": saved_filters.where(cl.opts),
        "current": current,
        "here": request.GET.urlencode(),
        "is_kept": any(row.query == current for row in rows),
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }
