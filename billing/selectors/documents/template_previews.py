"""What a template looks like before anybody is sent it: with sample values, or those of a document."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext as _

from billing.documents.fonts import NoThaiFont
from billing.documents.invoice_paper import bill_of
from billing.documents.note_paper import note_paper_of
from billing.documents.note_values import note_values
from billing.documents.template_sample import sample_bill, sample_note
from billing.documents.template_values import values_of
from billing.documents.templated import Document, template_pictures
from billing.models import CreditNote, Invoice, TemplateKind
from billing.selectors.documents.templates import Look
from billing.templating import fields
from billing.templating.problems import Refused
from billing.words.templates import TemplateRefused, in_words, meanings_of
from core.errors import BadInput

LABELS = {"en": "English", "th": "ไทย"}


@dataclass(frozen=True, slots=True)
class Preview:
    """``pictures`` are data URIs of the first pages; ``error`` says why there are none."""

    language: str
    label: str
    pictures: tuple[str, ...] = ()
    pages: int = 0
    error: str = ""

    @property
    def more(self) -> int:
        return self.pages - len(self.pictures)


@dataclass(frozen=True, slots=True)
class Field:
    """A variable for those who write templates."""

    name: str
    written: str
    meaning: str
    sample: str


def previews(
    look: Look, document: Invoice | CreditNote | None = None, kind: str = TemplateKind.INVOICE
) -> list[Preview]:
    """One a language. Raises ``TemplateRefused`` for what is wrong with the template itself."""
    found = template_pictures(bill=_paper(document, kind), html=look.html, css=look.css)
    for answer in found.values():
        if isinstance(answer, Refused) and answer.problems[0].part != "document":
            raise TemplateRefused(answer.problems)
    made = []
    for language, answer in found.items():
        label = LABELS[language]
        if isinstance(answer, Refused):
            made.append(Preview(language, label, error=in_words(answer.problems[0])))
        elif isinstance(answer, NoThaiFont):
            made.append(Preview(language, label, error=answer.message))
        elif isinstance(answer, Exception):
            raise answer
        else:
            uris = tuple("data:image/svg+xml;base64," + b64encode(page.encode()).decode() for page in answer.svg)
            made.append(Preview(language, label, uris, answer.pages))
    return made


def _paper(document: Invoice | CreditNote | None, kind: str) -> Callable[[], Document]:
    if document is None:
        return sample_note if kind == TemplateKind.CREDIT_NOTE else sample_bill
    return partial(note_paper_of, document) if isinstance(document, CreditNote) else partial(bill_of, document)


def find_by_number(number: str, kind: str = TemplateKind.INVOICE) -> Invoice | CreditNote:
    """Raises ``BadInput`` about the field that is named as the kind is."""
    found: Invoice | CreditNote | None
    if kind == TemplateKind.CREDIT_NOTE:
        found = CreditNote.objects.select_related("invoice__organisation").filter(number=number.strip()).first()
        words = _("There is no credit note with this number.")
    else:
        found = Invoice.objects.select_related("organisation").filter(invoice_number=number.strip()).first()
        words = _("There is no invoice with this number.")
    if found is None:
        raise BadInput(words, field=str(TemplateKind(kind).value))
    return found


def variables(kind: str = TemplateKind.INVOICE) -> list[Field]:
    """The closed list of a kind, in the language that is active, each with what it is on the sample."""
    known, meanings = fields.KINDS[kind], meanings_of(kind)
    values = note_values(sample_note()) if kind == TemplateKind.CREDIT_NOTE else values_of(sample_bill())
    rows = {name: values[name][0] if values[name] else {} for name in known.lists}
    lists = [each for name, names in known.lists.items() for each in (name, *names)]
    found = []
    for name in (*known.texts, fields.CODE, *lists, *known.flags, *fields.PAGE):
        owner = known.list_of.get(name)
        sample = rows[owner].get(name, "") if owner else values.get(name, "")
        written = f"{{{{{name}}}}}"
        if name in known.lists:
            written, sample = f"{{{{#{name}}}}} … {{{{/{name}}}}}", ""
        elif name in known.flags:
            written, sample = f"{{{{?{name}}}}} … {{{{/{name}}}}}", _("yes") if values[name] else _("no")
        found.append(Field(name, written, str(meanings[name]), str(sample)))
    return found + [Field(name, f"{{{{{name}}}}}", _("Label."), str(values[name])) for name in known.labels]
