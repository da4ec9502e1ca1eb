"""What was made and sent of an invoice, for its page in the console."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import EmailNotification
from billing.models import CreditNote, Invoice, InvoiceStatus
from billing.services.invoices.invoice_documents import send_invoice
from billing.services.invoices.note_documents import send_note
from core.console.admin import ConfirmedAction
from core.words.wording import moment_text, month_text

SHOWN = 20


def documents_of(row: Invoice | CreditNote) -> str:
    """Each PDF with its hash; where the built-in document stands in for a template, why."""
    found = row.documents.order_by("-pk")[:SHOWN]
    lines = format_html_join(
        "", "<li>{} · {} · <code>{}</code>{}</li>",
        (
            (each.get_language_display(), moment_text(each.created_at), each.file_id[:16],
             _(" (built-in look: %(why)s)") % {"why": each.fallback} if each.fallback else "")
            for each in found
        ),
    )  # fmt: skip
    return format_html('<ul class="notes">{}</ul>', lines) if lines else "–"


def emails_of(row: Invoice) -> str:
    return _emails(EmailNotification.objects.filter(invoice_id=row.pk, kind="invoice"))


def emails_of_note(row: CreditNote) -> str:
    """The attached file says which note of the invoice an e-mail is about."""
    files = set(row.documents.values_list("file_id", flat=True))
    about = EmailNotification.objects.filter(invoice_id=row.invoice_id, kind="credit_note")
    mine = [each.pk for each in about if any(file["sha256"] in files for file in each.attachments)]
    return _emails(about.filter(pk__in=mine))


def _emails(rows: QuerySet[EmailNotification]) -> str:
    found = rows.order_by("-pk")[:SHOWN]
    lines = format_html_join(
        "", "<li>{} · {} · {}</li>",
        (
            (moment_text(each.sent_at or each.created_at), each.recipient_email, each.get_status_display())
            for each in found
        ),
    )  # fmt: skip
    return format_html('<ul class="notes">{}</ul>', lines) if lines else "–"


SEND = ConfirmedAction(
    name="send_action",
    title=gettext_lazy("Send invoices by e-mail"),
    field_label="",
    status=(InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.REFUNDED, InvoiceStatus.CANCELED),
    headers=(gettext_lazy("invoice"), gettext_lazy("organisation"), gettext_lazy("month"), gettext_lazy("to")),
    row=lambda row: (str(row), row.organisation.name, month_text(row.first_day), row.organisation.billing_email or "–"),
    advice=gettext_lazy("Each goes to the e-mail for bills of its organisation, with its PDF as it stands now."),
    button=lambda n: ngettext("Send %(n)d invoice", "Send %(n)d invoices", n) % {"n": n},
    done=lambda n: ngettext("%(n)d invoice waits to be sent.", "%(n)d invoices wait to be sent.", n) % {"n": n},
    run=lambda actor, row, text: send_invoice(actor=actor, invoice=row),
    most=20,
)
SEND_NOTES = ConfirmedAction(
    name="send_action",
    title=gettext_lazy("Send credit notes by e-mail"),
    field_label="",
    status=(),
    headers=(gettext_lazy("credit note"), gettext_lazy("invoice"), gettext_lazy("organisation"), gettext_lazy("to")),
    row=lambda row: (
        str(row), str(row.invoice), row.invoice.organisation.name, row.invoice.organisation.billing_email or "–"
    ),
    advice=gettext_lazy("Each goes to the e-mail for bills of its organisation, with its PDF."),
    button=lambda n: ngettext("Send %(n)d credit note", "Send %(n)d credit notes", n) % {"n": n},
    done=lambda n: ngettext("%(n)d credit note waits to be sent.", "%(n)d credit notes wait to be sent.", n) % {"n": n},
    run=lambda actor, row, text: send_note(actor=actor, note=row),
    most=20,
)  # fmt: skip
