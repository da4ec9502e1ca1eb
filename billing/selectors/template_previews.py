"""What a template looks like before anybody is sent it: with sample values, or those of an invoice."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext as _

from billing.documents.fonts import NoThaiFont
from billing.documents.invoice_paper import bill_of
from billing.documents.template_sample import sample_bill
from billing.documents.template_values import values_of
from billing.documents.templated import template_pictures
from billing.models import Invoice
from billing.selectors.templates import Look
from billing.template_words import MEANINGS, TemplateRefused, in_words
from billing.templating import fields
from billing.templating.problems import Refused
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


def previews(look: Look, invoice: Invoice | None = None) -> list[Preview]:
    """One a language. Raises ``TemplateRefused`` for what is wrong with the template itself."""
    bill = sample_bill if invoice is None else partial(bill_of, invoice)
    found = template_pictures(bill=bill, html=look.html, css=look.css)
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


def find_by_number(number: str) -> Invoice:
    """Raises ``BadInput``."""
    found = Invoice.objects.select_related("organisation").filter(invoice_number=number.strip()).first()
    if found is None:
        raise BadInput(_("There is no invoice with this number."), field="invoice")
    return found


def variables() -> list[Field]:
    """The closed list, in the language that is active, each with what it is on the sample."""
    values = values_of(sample_bill())
    rows = {name: values[name][0] if values[name] else {} for name in fields.LISTS}
    found = []
    for name in (*fields.TEXTS, fields.CODE, *_lists(), *fields.FLAGS, *fields.PAGE):
        owner = fields.LIST_OF.get(name)
        sample = rows[owner].get(name, "") if owner else values.get(name, "")
        written = f"{{{{{name}}}}}"
        if name in fields.LISTS:
            written, sample = f"{{{{#{name}}}}} … {{{{/{name}}}}}", ""
        elif name in fields.FLAGS:
            written, sample = f"{{{{?{name}}}}} … {{{{/{name}}}}}", _("yes") if values[name] else _("no")
        found.append(Field(name, written, str(MEANINGS[name]), str(sample)))
    found += [Field(name, f"{{{{{name}}}}}", _("Label."), str(values[name])) for name in fields.LABELS]
    return found


def _lists() -> list[str]:
    return [each for name, names in fields.LISTS.items() for each in (name, *names)]
