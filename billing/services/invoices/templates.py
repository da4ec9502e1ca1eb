"""Templates of invoices and credit notes: saved as versions, chosen, switched off and on, brought back. What a version
says stays."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Organisation
from audit import services as audit
from billing.models import InvoiceTemplate, TemplateKind
from billing.selectors.documents.templates import Look, difference, look_of, versions_of
from billing.templating import fields, sandbox
from billing.templating.problems import Refused
from billing.words.templates import TemplateRefused
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict

LOCK = "invoice_templates"
LONGEST_NAME = 120


def check_look(look: Look, kind: str = TemplateKind.INVOICE) -> None:
    """Reads it as the worker would. Raises ``TemplateRefused`` with each line and name."""
    try:
        sandbox.check(look.html, look.css, kind)
    except Refused as refused:
        raise TemplateRefused(refused.problems) from refused


def save_template(
    *, actor: Actor, name: str, look: Look, kind: str = TemplateKind.INVOICE, organisation: Organisation | None = None,
    description: str = "", use: bool = False,
) -> InvoiceTemplate:  # fmt: skip
    """The next version of ``name`` for this kind of document, or the newest itself where it says the same. With ``use``
    it is chosen, too; it is anyway where the version before was.

    Raises ``BadInput`` by field, ``TemplateRefused``. The check runs outside of any transaction: it may take seconds.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadInput(_("A name of 1 to 120 characters is wanted."), field="name")
    look = Look(*(part.replace("\r\n", "\n").replace("\0", "") for part in look))
    check_look(look, kind)
    with transaction.atomic():
        lock_for_transaction(LOCK)
        row = InvoiceTemplate(organisation=organisation, kind=kind, name=name, description=description.strip())
        return _save(actor, row, look, use)


def _save(actor: Actor, row: InvoiceTemplate, look: Look, use: bool) -> InvoiceTemplate:
    before = versions_of(row).first()
    if before is not None and look_of(before) == look:
        if use:
            _use(actor, before)
        return before
    row.version = before.version + 1 if before else 1
    row.html_content, row.css_content = look
    row.variables = {"names": sorted(fields.KINDS[row.kind].known)}
    row.created_by = actor.name[:64]
    row.save(force_insert=True)
    old = look_of(before) if before else Look("", "")
    audit.record(
        actor=actor, action="template_save", target=str(row), entity=row,
        changes={"version": [before.version if before else None, row.version]},
        extra={"organisation": str(row.organisation or ""), "kind": row.kind, "diff": difference(old, look)},
    )  # fmt: skip
    if use or (before is not None and before.is_default):
        _use(actor, row)
    return row


def use_template(*, actor: Actor, template: InvoiceTemplate) -> bool:
    """Invoices finalized, or credit notes written, from now on are set by it. False when they are. Raises ``Conflict``
    for one that is off, ``TemplateRefused`` for one that was saved when less was asked of templates."""
    if template.is_active and not template.is_default:
        check_look(look_of(template), template.kind)
    with transaction.atomic():
        lock_for_transaction(LOCK)
        template.refresh_from_db()
        return _use(actor, template)


def _use(actor: Actor, template: InvoiceTemplate) -> bool:
    if template.is_default:
        return False
    if not template.is_active:
        raise Conflict(_("This version is switched off."))
    rows = InvoiceTemplate.objects.filter(organisation=template.organisation_id, kind=template.kind)
    before = rows.filter(is_default=True).first()
    rows.filter(is_default=True).update(is_default=False)
    InvoiceTemplate.objects.filter(pk=template.pk).update(is_default=True)
    template.is_default = True
    audit.record(
        actor=actor, action="template_use", target=str(template), entity=template,
        changes={"default": [str(before) if before else None, str(template)]},
        extra={"organisation": str(template.organisation or ""), "kind": template.kind},
    )  # fmt: skip
    return True


@transaction.atomic
def set_template_active(*, actor: Actor, template: InvoiceTemplate, active: bool) -> bool:
    """Off: no new document is set by it, and where it was chosen the next wider one counts. False when it stood so.

    Documents that were issued by it keep it.
    """
    lock_for_transaction(LOCK)
    template.refresh_from_db()
    if template.is_active == active:
        return False
    was = template.is_default
    values = {"is_active": active, **({} if active else {"is_default": False})}
    InvoiceTemplate.objects.filter(pk=template.pk).update(**values)
    template.refresh_from_db()
    audit.record(
        actor=actor, action="template_active", target=str(template), entity=template,
        changes={"is_active": [not active, active], "is_default": [was, template.is_default]},
        extra={"organisation": str(template.organisation or ""), "kind": template.kind},
    )  # fmt: skip
    return True


def restore_template(*, actor: Actor, template: InvoiceTemplate) -> InvoiceTemplate:
    """What an earlier version says, as the newest version."""
    return save_template(
        actor=actor, name=template.name, look=look_of(template), kind=template.kind,
        organisation=template.organisation,
        description=_("Version %(number)s again") % {"number": template.version},
    )  # fmt: skip
