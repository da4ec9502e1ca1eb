"""The data dictionary: every table and column, from the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

from django.apps import apps
from django.db import models
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models.fields import NOT_PROVIDED

OURS = ("accounts", "audit", "core", "subscriptions", "usage", "billing", "payments", "hpcbilling")
HEAD = """# Data dictionary

Every table of hpcbilling as PostgreSQL has it, written from the models by `python -m tests.documents --update`; a test
compares. Moments are UTC with zone. Amounts stand beside their currency. SQLite has the same tables and names.

"""


def pages() -> dict[str, str]:
    parts, index = [], []
    for label in OURS:
        found = [
            model for model in apps.get_app_config(label).get_models(include_auto_created=True) if _is_table(model)
        ]
        if not found:
            continue
        names = ", ".join(f"[{each._meta.db_table}](#{each._meta.db_table})" for each in found)
        index.append(f"- **{label}**: {names}")
        parts.append(f"## {label}\n\n" + "\n".join(_table(model) for model in found))
    return {"tables.md": HEAD + "\n".join(index) + "\n\n" + "\n".join(parts)}


def _is_table(model: type[models.Model]) -> bool:
    return not model._meta.proxy and not model._meta.abstract


def _table(model: type[models.Model]) -> str:
    meta = model._meta
    said = cleandoc(model.__doc__ or "")
    # Django writes a docstring of its own where there is none
    words = "" if said.startswith(f"{model.__name__}(") else re.sub(r"\s+", " ", said.split("\n\n")[0])
    lines = [f"### {meta.db_table}", ""]
    if words:
        lines += [words.replace("``", "`").replace("|", "\\|"), ""]
    lines += ["| column | type | | what |", "| --- | --- | --- | --- |"]
    lines += [_column(field) for field in meta.local_fields]
    rules = [*_rules(model)]
    if rules:
        lines += ["", *rules]
    return "\n".join([*lines, ""])


def _column(field: models.Field) -> str:
    database = DatabaseWrapper({"NAME": "", "OPTIONS": {}, "TIME_ZONE": None, "CONN_MAX_AGE": 0}, alias="words")
    kind = field.db_type(database) or ""
    marks = []
    if field.primary_key:
        marks.append("key")
    elif field.unique:
        marks.append("unique")
    if field.null:
        marks.append("null")
    if field.remote_field is not None and field.remote_field.model != "self":
        marks.append(f"→ {field.remote_field.model._meta.db_table}")  # type: ignore[union-attr]
    if isinstance(field.default, int | str | bool) and field.default is not NOT_PROVIDED and field.default != "":
        marks.append(f"default `{field.default}`")
    words = str(field.verbose_name)
    if field.help_text:
        words += f". {field.help_text}"
    if field.choices:
        words += ": " + ", ".join(f"`{value}`" for value, _label in field.flatchoices if value not in (None, ""))
    words = words.replace("|", "\\|").replace("\n", " ")
    return f"| `{field.column}` | {kind} | {', '.join(marks)} | {words} |"


def _rules(model: type[models.Model]) -> Iterator[str]:
    for rule in model._meta.constraints:
        if isinstance(rule, models.UniqueConstraint):
            columns = ", ".join(_name(model, each) for each in rule.fields) or "an expression"
            where = ", where a condition holds" if rule.condition else ""
            yield f"- unique ({columns}){where}: `{rule.name}`"
        else:
            yield f"- checked: `{rule.name}`"
    for index in model._meta.indexes:
        columns = ", ".join(_name(model, each.lstrip("-")) for each in index.fields) or "an expression"
        yield f"- index ({columns}): `{index.name}`"


def _name(model: type[models.Model], field: str) -> str:
    return model._meta.get_field(field).column  # type: ignore[union-attr]
