"""Which template an invoice or a credit note is set by, and what there is of them. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.db.models import F, QuerySet

from accounts.models import Organisation
from billing.models import Invoice, InvoiceStatus, InvoiceTemplate, TemplateKind

STANDARD = Path(__file__).resolve().parents[2] / "templating" / "standard"
LONGEST_DIFF = 20_000


class Look(NamedTuple):
    html: str
    css: str


@cache
def standard_look(kind: str = TemplateKind.INVOICE) -> Look:
    """The present look as a template: what a new one begins with."""
    return Look(*((STANDARD / f"{TemplateKind(kind).value}.{part}").read_text(encoding="utf-8")
                  for part in ("html", "css")))  # fmt: skip


def template_for(organisation: Organisation, kind: str = TemplateKind.INVOICE) -> InvoiceTemplate | None:
    """The organisation's own default of this kind, else that for all; None: the built-in document."""
    rows = InvoiceTemplate.objects.filter(kind=kind, is_default=True, is_active=True)
    own = rows.filter(organisation=organisation) | rows.filter(organisation=None)
    return own.order_by(F("organisation").asc(nulls_last=True)).first()


def templates_for(organisations: Collection[int]) -> dict[int, int]:
    """``template_for`` of many, for invoices, by key; who is not in it has the built-in document. One statement."""
    rows = InvoiceTemplate.objects.filter(kind=TemplateKind.INVOICE, is_default=True, is_active=True)
    chosen = rows.filter(organisation__in=list(organisations)) | rows.filter(organisation=None)
    found: dict[int | None, int] = dict(chosen.order_by("pk").values_list("organisation_id", "pk"))
    for_all = found.get(None)
    keys = {owner: found.get(owner) or for_all for owner in organisations}
    return {owner: key for owner, key in keys.items() if key is not None}


def template_of(invoice: Invoice) -> InvoiceTemplate | None:
    """A finalized invoice's frozen version; of a draft the one that it would get now."""
    if invoice.status == InvoiceStatus.DRAFT or not invoice.invoice_number:
        return template_for(invoice.organisation)
    return invoice.template


def versions_of(template: InvoiceTemplate) -> QuerySet[InvoiceTemplate]:
    """All of one name, kind and owner, newest first."""
    return InvoiceTemplate.objects.filter(
        organisation=template.organisation_id, kind=template.kind, name=template.name
    ).order_by("-version")


def difference(before: Look, after: Look) -> str:
    """A unified diff of both parts; empty when they are the same."""
    parts: list[str] = []
    for name, old, new in (("html", before.html, after.html), ("css", before.css, after.css)):
        parts += difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="", n=1)
    text = "\n".join(parts)
    return text if len(text) <= LONGEST_DIFF else f"{text[:LONGEST_DIFF]}\n…"


def look_of(template: InvoiceTemplate | None) -> Look:
    return Look(template.html_content, template.css_content) if template else standard_look()
